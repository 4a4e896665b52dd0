package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/goweir/weir/internal/client/bundle"
)

// An interruptible reader ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}

// A unit is a file to take in, or why it cannot be.
type unit struct {
	file bundle.File
	err  error
}

// An unpacker makes units of the entries of a tar.
type unpacker struct {
	*intake
	archive *bundle.Archive
	first   unit  // the first that is no file of the checksum database, if there is one
	trouble error // with the tar as a whole; io.EOF: it has ended
}

// next unpacks the next file.
func (u *unpacker) next() (unit, bool) {
	f, r, err := u.archive.Next()
	if err != nil {
		u.trouble = err
		return unit{}, false
	}
	return unit{f, u.unpack(f, r)}, true
}

// unpackSums unpacks the files of the checksum database, which come first, and begins.
func (u *unpacker) unpackSums(ctx context.Context) error {
	for {
		next, ok := u.next()
		if !ok || !next.file.IsSum() {
			u.first = next
			break
		}
		if next.err != nil {
			return next.err
		}
	}
	if u.trouble != nil && !errors.Is(u.trouble, io.EOF) {
		return u.trouble
	}
	for _, path := range u.archive.Missing() {
		if (bundle.File{Path: path}).IsSum() {
			return fmt.Errorf("%s is missing: %w", path, bundle.ErrOrder)
		}
	}
	return u.begin(ctx)
}

// units are the files of the modules. After the last one, trouble says why.
func (u *unpacker) units() iter.Seq[unit] {
	return func(yield func(unit) bool) {
		for next, ok := u.first, u.trouble == nil; ok; next, ok = u.next() {
			if next.file.IsModule() && !yield(next) {
				return
			}
		}
	}
}

// missing is an error if files of the manifest have not come.
func (u *unpacker) missing() error {
	missing := u.archive.Missing()
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("it breaks off: %d files of its manifest are missing, such as %s", len(missing), missing[0])
}

// unpack writes a file below the temporary folder. Its path is one of the protocol.
func (u *unpacker) unpack(f bundle.File, r io.Reader) error {
	name := filepath.Join(u.dir, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), r)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return f.Compare(sum.Sum(nil))
}
