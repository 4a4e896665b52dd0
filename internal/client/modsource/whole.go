package modsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// Read fetches an artifact whole and checked into memory. A body that turns out to be
// bad is taken from elsewhere where the source knows where. Zips are for Save.
func Read(ctx context.Context, s source.Source, n artifact.Name) ([]byte, error) {
	spool, err := whole(ctx, s, n, func() *blob.Spool { return blob.NewSpool(int(n.Kind.MaxSize()), nil) })
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	return spool.Bytes(), nil
}

// Save fetches an artifact whole and checked into a file, which it empties first. After
// an error the file holds nothing that is of use.
func Save(ctx context.Context, s source.Source, n artifact.Name, f *os.File) (size int64, err error) {
	spool, err := whole(ctx, s, n, func() *blob.Spool { return blob.NewSpool(0, one{f}) })
	if err != nil {
		return 0, err
	}
	defer spool.Close()
	return spool.Size(), nil
}

// one lends the same file each time.
type one struct{ file *os.File }

// Spool empties the file.
func (o one) Spool() (*os.File, error) {
	if err := o.file.Truncate(0); err != nil {
		return nil, err
	}
	_, err := o.file.Seek(0, io.SeekStart)
	return o.file, err
}

// Unspool leaves the file to its owner.
func (o one) Unspool(*os.File) error { return nil }

// whole fetches an artifact into a spool that was checked.
func whole(ctx context.Context, s source.Source, n artifact.Name, spool func() *blob.Spool) (*blob.Spool, error) {
	b, err := s.Fetch(ctx, n)
	for err == nil {
		into := spool()
		if err = receive(ctx, n, b, into); err == nil {
			return into, nil
		}
		into.Close()
		next := b.Next
		if next == nil || ctx.Err() != nil || !isFaulty(err) {
			break
		}
		b, err = next(ctx, err)
	}
	return nil, err
}

// isFaulty reports whether an error says that a body is bad, so that another may be
// good, rather than that it cannot be proven now or at all.
func isFaulty(err error) bool {
	switch artifact.Class(err) {
	case artifact.ErrUnavailable, artifact.ErrForbidden, nil:
		return false
	}
	return true
}

// receive reads a body and checks it.
func receive(ctx context.Context, n artifact.Name, b *blob.Blob, into *blob.Spool) error {
	defer b.Close()
	limit := n.Kind.MaxSize()
	size, err := io.Copy(into, io.LimitReader(b.Reader(), limit+1))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF), err == nil && b.Size >= 0 && b.Size != size:
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s: the answer broke off", n), Err: err}
	case err != nil:
		return fmt.Errorf("%s: %w", n, err)
	case size > limit:
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s is larger than %d bytes", n, limit)}
	case b.Check == nil:
		return nil
	}
	return b.Check(ctx, into)
}
