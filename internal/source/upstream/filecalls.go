package upstream

import (
	"context"
	"os"
	"sync/atomic"

	"github.com/goweir/weir/internal/artifact"
)

// fileCalls are calls to a file system. One whose server is gone hangs, and no context
// ends a call to it: who has no more time leaves it behind.
type fileCalls struct {
	hung atomic.Int64 // calls that were left behind and have not ended
}

// maxHung is how many calls may hang until no further ones are made: each of them holds
// a thread.
const maxHung = 64

// ready is the error that keeps further calls from a file system that hangs.
func (c *fileCalls) ready() error {
	if c.hung.Load() < maxHung {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrUnavailable,
		Reason: "the file system of " + fromDirectory + " does not answer",
		Hint:   "it goes on as soon as the file system answers; mount it again, or take the upstream away",
	}
}

// run makes a call and reports whether it ended before ctx did. If not, it leaves the
// call behind, with all that the call uses, and late follows when that has ended.
func (c *fileCalls) run(ctx context.Context, call, late func()) (ended bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	c.hung.Add(1)
	go func() {
		<-done
		late()
		c.hung.Add(-1)
	}()
	return false
}

// calledFile is a file that is read by fileCalls.
type calledFile struct {
	calls *fileCalls
	file  *os.File
	ctx   context.Context
	buf   []byte // what calls read into: one that was left behind may still write there
	left  bool   // a call was left behind, and the file is closed after it
}

// maxCall is how much one call reads.
const maxCall = 64 << 10

func newCalledFile(ctx context.Context, calls *fileCalls, file *os.File, size int64) *calledFile {
	return &calledFile{calls: calls, file: file, ctx: ctx, buf: make([]byte, min(size+1, maxCall))}
}

// Read implements io.Reader. It is not called again after an error.
func (f *calledFile) Read(p []byte) (int, error) {
	into := f.buf[:min(len(p), len(f.buf))]
	var n int
	var err error
	if !f.calls.run(f.ctx, func() { n, err = f.file.Read(into) }, func() { f.file.Close() }) {
		f.left = true
		return 0, f.ctx.Err()
	}
	return copy(p, into[:n]), err
}

// Close implements io.Closer.
func (f *calledFile) Close() error {
	if f.left {
		return nil
	}
	return f.file.Close()
}
