package upstream

import (
	"fmt"
	"hash/crc32"
	"io"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source/flaw"
)

// body is the body of an answer. It ends with io.EOF only if it has the length
// that was announced.
type body struct {
	in     io.ReadCloser
	name   artifact.Name
	watch  *watch
	size   int64       // announced; -1: not
	resume *resumption // nil: a body that breaks off is not resumed
	done   func()      // nil after Close

	read   int64
	sum    uint32 // of what was read, where it can be resumed
	err    error
	broken bool // off, with err, and not yet tried to be resumed
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for {
		if b.broken {
			b.broken = false
			b.mend()
		}
		if b.err != nil {
			return 0, b.err
		}
		n := b.readOnce(p)
		b.broken = b.mendable()
		switch {
		case !b.broken:
			return n, b.err
		case n > 0:
			return n, nil // and the next call mends
		}
	}
}

func (b *body) readOnce(p []byte) int {
	if err := b.watch.ctx.Err(); err != nil {
		b.err = b.watch.explain(err)
		return 0
	}
	n, err := b.watch.read(b.in, p)
	b.read += int64(n)
	if b.resume != nil {
		b.sum = crc32.Update(b.sum, castagnoli, p[:n])
	}
	b.err = b.judge(err)
	return n
}

// judge gives the error of a read its class.
func (b *body) judge(err error) error {
	switch {
	case b.read > b.name.Kind.MaxSize():
		return badBody(b.watch.from, b.name, flaw.TooLarge(b.name.Kind))
	case b.size >= 0 && b.read > b.size:
		return badBody(b.watch.from, b.name, fmt.Errorf("it is longer than the %d bytes that were announced", b.size))
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

// mendable reports whether the body has met trouble of the transport that a
// further request may mend.
func (b *body) mendable() bool {
	whole := b.size >= 0 && b.read >= b.size
	return b.resume != nil && b.err != nil && b.err != io.EOF && !whole && b.read <= b.name.Kind.MaxSize() && b.watch.whole.Err() == nil
}

// mend goes on with a body that broke off, or leaves the error it broke off with.
func (b *body) mend() {
	b.in.Close()
	for b.resume.pace(b.watch.whole, b.read) {
		in, err := b.resume.from(b)
		if err == nil {
			b.in, b.err = in, nil
			return
		}
		if err == errOther {
			break
		}
	}
	if err := b.watch.whole.Err(); err != nil {
		b.err = b.watch.explain(err)
	}
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
