package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/flaw"
)

// directory is the Source of an upstream that is a directory with the layout of
// the protocol's paths, such as $GOMODCACHE/cache/download.
type directory struct {
	path   string
	prefix string // of keys, to be taken off
	o      Options
}

// fromDirectory is what people read, since paths are nobody's business.
const fromDirectory = "the file:// upstream"

// Fetch implements source.Source. That the directory itself is absent proves
// nothing: it may be on a volume that is not mounted.
func (d *directory) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, artifact.FromTransport(fromDirectory, err)
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, &artifact.Error{
			Class: artifact.ErrUnavailable, Err: err,
			Reason: "the directory of the file:// upstream cannot be opened",
			Hint:   "the server's log names the directory and the cause",
		}
	}
	defer root.Close()
	file, size, err := openRegular(root, filepath.FromSlash(strings.TrimPrefix(n.Key(), d.prefix)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, artifact.NotFound("%s is not in %s", n, fromDirectory)
	case err != nil:
		return nil, &artifact.Error{Class: artifact.ErrBadUpstream, Err: err, Reason: fmt.Sprintf("%s: %s could not be read", n, fromDirectory)}
	}
	b := &fileBody{file: file, ctx: ctx, name: n, size: size}
	if size > n.Kind.MaxSize() {
		b.err = badBody(fromDirectory, n, flaw.TooLarge(n.Kind))
	}
	return &blob.Blob{Info: blob.Info{Size: size}, Body: b, Check: check(fromDirectory, n, d.o.hashed(n))}, nil
}

// openRegular opens a regular file. Others are not opened at all, since a named
// pipe would block until somebody writes.
func openRegular(root *os.Root, path string) (*os.File, int64, error) {
	info, err := root.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	file, err := root.Open(path)
	return file, info.Size(), err
}

// fileBody is a file that is read as long as the context lives, and that has to
// have the size it had at first.
type fileBody struct {
	file *os.File
	ctx  context.Context
	name artifact.Name
	size int64

	read int64
	err  error
}

// Read implements io.Reader.
func (b *fileBody) Read(p []byte) (int, error) {
	if b.err == nil && b.ctx.Err() != nil {
		b.err = artifact.FromTransport(fromDirectory, b.ctx.Err())
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.file.Read(p)
	b.read += int64(n)
	if b.read > b.size || err != nil && b.read != b.size {
		changed := badBody(fromDirectory, b.name, errors.New("the file cannot be read to its end, or changes while it is read"))
		changed.Err = err
		b.err = changed
		return 0, b.err
	}
	if err != nil {
		b.err = io.EOF
	}
	return n, b.err
}

// Close implements io.Closer.
func (b *fileBody) Close() error { return b.file.Close() }
