package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// A watch bounds the time of one request. Its context ends with the caller's,
// and when one of the bounds is passed: with the error for that as its cause.
type watch struct {
	ctx    context.Context
	caller context.Context
	from   string

	cancel    context.CancelCauseFunc
	free      context.CancelFunc // of the context for the total
	firstByte *time.Timer
	stalled   *time.Timer // nil before the first read

	stall  time.Duration
	left   time.Duration // that a reader may still wait
	gotten int           // bytes since left was set
	begun  time.Time     // of the read under way
}

func newWatch(caller context.Context, from string, t Timeouts) *watch {
	w := &watch{caller: caller, from: from, stall: t.Stall, left: t.Stall}
	w.ctx, w.free = context.WithTimeoutCause(caller, t.Total, w.late("it was not complete", t.Total))
	w.ctx, w.cancel = context.WithCancelCause(w.ctx)
	w.firstByte = time.AfterFunc(t.FirstByte, func() { w.cancel(w.late("no answer came", t.FirstByte)) })
	return w
}

func (w *watch) late(what string, after time.Duration) error {
	return &artifact.Error{Class: artifact.ErrTimeout, Reason: fmt.Sprintf("%s: fetch timed out: %s within %v", w.from, what, after)}
}

// answered notes that the status has come, or that none will.
func (w *watch) answered() { w.firstByte.Stop() }

// stop ends the request.
func (w *watch) stop() {
	w.firstByte.Stop()
	if w.stalled != nil {
		w.stalled.Stop()
	}
	w.cancel(context.Canceled)
	w.free()
}

// progress is how many bytes a reader must get before the time he may wait
// begins anew, so that a trickle is a stall too.
const progress = 1 << 10

// beforeRead and afterRead stand around a read from the body. Time that passes
// between reads is the reader's own.
func (w *watch) beforeRead() {
	w.begun = time.Now()
	if w.stalled != nil {
		w.stalled.Reset(w.left)
		return
	}
	w.stalled = time.AfterFunc(w.left, func() {
		w.cancel(w.late(fmt.Sprintf("less than %d further bytes came", progress), w.stall))
	})
}

func (w *watch) afterRead(n int) {
	w.stalled.Stop()
	w.left -= time.Since(w.begun)
	if w.gotten += n; w.gotten >= progress {
		w.left, w.gotten = w.stall, 0
	}
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
	return artifact.FromTransport(w.from, err)
}
