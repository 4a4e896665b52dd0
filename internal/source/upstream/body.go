package upstream

import (
	"fmt"
	"io"

	"github.com/goweir/weir/internal/artifact"
)

// body is the body of an answer. It ends with io.EOF only if it has the length
// that was announced.
type body struct {
	in    io.ReadCloser
	name  artifact.Name
	watch *watch
	size  int64 // announced; -1: not
	max   int64
	done  func() // nil after Close

	read int64
	err  error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err == nil && b.watch.ctx.Err() != nil {
		b.err = b.watch.explain(b.watch.ctx.Err())
	}
	if b.err != nil {
		return 0, b.err
	}
	b.watch.beforeRead()
	n, err := b.in.Read(p)
	b.watch.afterRead(n)
	b.read += int64(n)
	b.err = b.judge(err)
	return n, b.err
}

// judge gives the error of a read its class.
func (b *body) judge(err error) error {
	switch {
	case b.read > b.max:
		return badBody(b.watch.from, b.name, errTooLarge(b.max))
	case err == nil:
		return nil
	case err == io.EOF && (b.size < 0 || b.size == b.read):
		return io.EOF
	case b.watch.ctx.Err() != nil:
		return b.watch.explain(err)
	}
	cut := badBody(b.watch.from, b.name, fmt.Errorf("it broke off after %d bytes", b.read))
	cut.Err = err
	return cut
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.done == nil {
		return nil
	}
	err := b.in.Close()
	b.done()
	b.done = nil
	return err
}
