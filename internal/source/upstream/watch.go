package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// A watch bounds the time of one fetch, which is one request or, when a body is
// resumed, several, one after the other. It belongs to one goroutine.
type watch struct {
	ctx    context.Context // of the request under way; ends when a bound is passed, with that as its cause
	whole  context.Context // of the fetch: the caller's, bounded by the total
	caller context.Context
	from   string

	cancel    context.CancelCauseFunc // of ctx
	free      context.CancelFunc      // of whole
	firstByte *time.Timer
	stalled   *time.Timer // nil before the first read of a request

	stall  time.Duration
	left   time.Duration // that a reader may still wait
	gotten int           // bytes since left was set
	begun  time.Time     // of the read under way
}

// newWatch returns the watch of a fetch whose first request begins now.
func newWatch(caller context.Context, from string, t Timeouts) *watch {
	w := &watch{caller: caller, from: from, stall: t.Stall, cancel: func(error) {}}
	w.whole, w.free = context.WithTimeoutCause(caller, t.Total, w.late("it was not complete", t.Total))
	w.begin(t.FirstByte)
	return w
}

// begin ends the request under way and begins another, whose answer may take
// until firstByte.
func (w *watch) begin(firstByte time.Duration) {
	w.end()
	ctx, cancel := context.WithCancelCause(w.whole)
	w.ctx, w.cancel = ctx, cancel
	w.firstByte = time.AfterFunc(firstByte, func() { cancel(w.late("no answer came", firstByte)) })
	w.stalled, w.left, w.gotten = nil, w.stall, 0
}

func (w *watch) late(what string, after time.Duration) error {
	return &artifact.Error{Class: artifact.ErrTimeout, Reason: fmt.Sprintf("%s: fetch timed out: %s within %v", w.from, what, after)}
}

// answered notes that the status has come, or that none will.
func (w *watch) answered() { w.firstByte.Stop() }

// end ends the request under way.
func (w *watch) end() {
	for _, timer := range []*time.Timer{w.firstByte, w.stalled} {
		if timer != nil {
			timer.Stop()
		}
	}
	w.cancel(context.Canceled)
}

// stop ends the fetch.
func (w *watch) stop() {
	w.end()
	w.free()
}

// progress is how many bytes a reader must get before the time he may wait
// begins anew, so that a trickle is a stall too.
const progress = 1 << 10

// read reads from the body of the request under way. Time that passes between
// reads is the reader's own.
func (w *watch) read(in io.Reader, p []byte) (int, error) {
	w.begun = time.Now()
	if w.stalled != nil {
		w.stalled.Reset(w.left)
	} else {
		cancel := w.cancel
		w.stalled = time.AfterFunc(w.left, func() {
			cancel(w.late(fmt.Sprintf("less than %d further bytes came", progress), w.stall))
		})
	}
	n, err := in.Read(p)
	w.stalled.Stop()
	w.left -= time.Since(w.begun)
	if w.gotten += n; w.gotten >= progress {
		w.left, w.gotten = w.stall, 0
	}
	return n, err
}

// explain gives an error of net/http its class.
func (w *watch) explain(err error) error {
	if w.caller.Err() != nil {
		return artifact.FromTransport(w.from, w.caller.Err())
	}
	if cause := context.Cause(w.ctx); cause != nil {
		return cause
	}
	if e, ok := errors.AsType[*artifact.Error](err); ok {
		return e
	}
	if e := tlsTrouble(w.from, err); e != nil {
		return e
	}
	return artifact.FromTransport(w.from, err)
}
