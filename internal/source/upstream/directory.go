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
	calls  fileCalls
}

// fromDirectory is what people read, since paths are nobody's business.
const fromDirectory = "the file:// upstream"

// Fetch implements source.Source.
func (d *directory) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, artifact.FromTransport(fromDirectory, err)
	}
	w := newWatch(ctx, fromDirectory, d.o.Timeouts)
	file, size, err := d.open(w.ctx, n)
	w.answered()
	if err != nil {
		defer w.stop()
		return nil, w.explain(err)
	}
	b := &fileBody{in: newCalledFile(w.ctx, &d.calls, file, size), watch: w, name: n, size: size}
	if size > n.Kind.MaxSize() {
		b.err = badBody(fromDirectory, n, flaw.TooLarge(n.Kind))
	}
	return &blob.Blob{Info: blob.Info{Size: size}, Body: b, Check: check(fromDirectory, n, d.o.hashed(n))}, nil
}

// open opens the file of an artifact, if that takes no longer than ctx lives.
func (d *directory) open(ctx context.Context, n artifact.Name) (*os.File, int64, error) {
	if err := d.calls.ready(); err != nil {
		return nil, 0, err
	}
	var file *os.File
	var size int64
	var err error
	if !d.calls.run(ctx, func() { file, size, err = d.find(n) }, func() { file.Close() }) {
		return nil, 0, ctx.Err()
	}
	return file, size, err
}

// find opens the file of an artifact. That the directory itself is absent proves
// nothing: it may be on a volume that is not mounted.
func (d *directory) find(n artifact.Name) (*os.File, int64, error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, 0, &artifact.Error{
			Class: artifact.ErrUnavailable, Err: err,
			Reason: "the directory of the file:// upstream cannot be opened",
			Hint:   "the server's log names the directory and the cause",
		}
	}
	defer root.Close()
	file, size, err := openRegular(root, filepath.FromSlash(strings.TrimPrefix(n.Key(), d.prefix)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = artifact.NotFound("%s is not in %s", n, fromDirectory)
	case err != nil:
		err = &artifact.Error{Class: artifact.ErrBadUpstream, Err: err, Reason: fmt.Sprintf("%s: %s could not be read", n, fromDirectory)}
	}
	return file, size, err
}

// CloseIdleConnections implements Client: there are none.
func (d *directory) CloseIdleConnections() {}

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

// fileBody is a file that is read as long as its watch allows, and that has to have
// the size it had at first.
type fileBody struct {
	in    *calledFile
	watch *watch
	name  artifact.Name
	size  int64

	read int64
	err  error
}

// Read implements io.Reader.
func (b *fileBody) Read(p []byte) (int, error) {
	if err := b.watch.ctx.Err(); b.err == nil && err != nil {
		b.err = b.watch.explain(err)
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.watch.read(b.in, p)
	b.read += int64(n)
	b.err = b.judge(err)
	return n, b.err
}

// judge gives the error of a read its class.
func (b *fileBody) judge(err error) error {
	switch {
	case err == nil && b.read <= b.size:
		return nil
	case err == io.EOF && b.read == b.size:
		return io.EOF
	case b.watch.ctx.Err() != nil:
		return b.watch.explain(err)
	}
	changed := badBody(fromDirectory, b.name, errors.New("the file cannot be read to its end, or changes while it is read"))
	changed.Err = err
	return changed
}

// Close implements io.Closer.
func (b *fileBody) Close() error {
	defer b.watch.stop()
	return b.in.Close()
}
