package pool

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// A fetch is one request to an upstream, until it has been counted and what it
// brought has been closed. It is the Body of that, too.
type fetch struct {
	upstream *Upstream
	ctx      context.Context
	name     artifact.Name
	begun    time.Time

	inner *blob.Blob // what came
	blob  blob.Blob  // what the caller gets
	whole bool       // the body has been read to its end
	cut   bool       // reading it has failed
	ended atomic.Bool

	// With the lock of the upstream:
	verdict  verdict
	measured bool
	inARow   int   // failures before it was counted as a success
	success  int64 // its number
}

type verdict int

const (
	undecided verdict = iota
	succeeded
	failing
)

func (u *Upstream) begin(ctx context.Context, n artifact.Name) *fetch {
	u.requests.Add(1)
	u.inFlight.Add(1)
	u.pool.hedges.Earn()
	return &fetch{upstream: u, ctx: ctx, name: n, begun: time.Now()}
}

// end notes that the request is no longer under way and reports whether it was.
func (f *fetch) end() bool {
	first := f.ended.CompareAndSwap(false, true)
	if first {
		f.upstream.inFlight.Add(-1)
	}
	return first
}

// refused counts a request that brought no blob. "Not found" and "forbidden" are
// honest answers. One whose context has ended is nobody's fault, but if another
// one was quicker, that tells something of the latency.
func (f *fetch) refused(err error) {
	f.end()
	if f.ctx.Err() != nil {
		if errors.Is(context.Cause(f.ctx), source.ErrOvertaken) {
			f.measure()
		}
		return
	}
	switch artifact.Class(err) {
	case artifact.ErrNotFound, artifact.ErrForbidden:
		f.measure()
		f.sign()
		f.succeed(false)
	default:
		f.fail(err)
	}
}

// sign notes that the upstream gets something done: it has answered to the end, or
// sent a good part of a body. The beginning of an answer is no sign: hanging after
// it is as bad as before.
func (f *fetch) sign() { f.upstream.lastSign.Store(int64(time.Since(f.upstream.begun))) }

// goodPart is how many bytes at once are a sign of life.
const goodPart = 512

// slow counts a request whose answer somebody has lost patience for, if nobody has
// got anything for most of the time. Otherwise it is this artifact that takes its
// time, or there are more requests than connections.
func (f *fetch) slow() {
	f.measure()
	waited := time.Since(f.begun)
	quiet := time.Since(f.upstream.begun) - time.Duration(f.upstream.lastSign.Load())
	if 2*quiet > waited {
		f.failed(f.upstream.tooLong(f.name, waited), silenceWeight)
	}
}

// measure notes the time until the first answer, once. That of the answer to
// whether a checksum database is mirrored says nothing: it may need no request.
func (f *fetch) measure() {
	if f.name.Kind == artifact.SumSupported {
		return
	}
	f.upstream.mu.Lock()
	defer f.upstream.mu.Unlock()
	if !f.measured {
		f.measured = true
		now := time.Now()
		f.upstream.measured(now, f.name, now.Sub(f.begun))
	}
}

// succeed counts a success, unless the request has been counted. whole says that
// it brought a whole artifact.
func (f *fetch) succeed(whole bool) {
	u := f.upstream
	u.mu.Lock()
	if f.verdict == undecided {
		f.verdict, f.inARow = succeeded, u.breaker.inARow
		u.success(f.begun)
		f.success = u.successes
		if whole && fitForProbe(f.name) {
			u.good = f.name
		}
	}
	u.mu.Unlock()
	u.pool.changes.tell()
}

// fail counts a failure.
func (f *fetch) fail(err error) { f.failed(err, 1) }

// failed counts a failure, once. A request that was counted as a success, because
// what is wrong with the body had not been found yet, is one no more.
func (f *fetch) failed(err error, weight int) {
	u := f.upstream
	u.mu.Lock()
	if f.verdict == succeeded {
		if f.success != u.successes {
			f.inARow = 0 // others have succeeded since
		}
		u.breaker.retract(time.Now(), f.inARow)
	}
	if f.verdict != failing {
		f.verdict = failing
		u.failure(f.name, err, weight)
	}
	u.mu.Unlock()
	u.pool.changes.tell()
}

// watch returns a blob like b whose end is counted.
func (f *fetch) watch(b *blob.Blob) *blob.Blob {
	f.inner, f.blob = b, *b
	if b.Check != nil {
		f.blob.Check = f.check
	}
	f.blob.Next = f.next
	if b.Body == nil {
		f.end()
		f.sign()
		f.succeed(true)
		return &f.blob
	}
	f.blob.Body = f
	return &f.blob
}

// Read implements io.Reader.
func (f *fetch) Read(p []byte) (int, error) {
	n, err := f.inner.Body.Read(p)
	if n >= goodPart || err == io.EOF {
		f.sign()
	}
	switch {
	case err == nil:
	case err == io.EOF:
		f.whole = true
	case !f.cut:
		f.cut = true
		if f.ctx.Err() == nil {
			f.fail(err)
		}
	}
	return n, err
}

// Close implements io.Closer.
func (f *fetch) Close() error {
	err := f.inner.Body.Close()
	if f.end() && !f.cut {
		f.succeed(f.whole)
	}
	return err
}

func (f *fetch) check(ctx context.Context, s *blob.Spool) error {
	err := f.inner.Check(ctx, s)
	switch artifact.Class(err) {
	case artifact.ErrBadUpstream, artifact.ErrIntegrity:
		f.fail(err)
	}
	return err
}

// next counts what somebody else has found wrong with the body. That it could
// not be proven, or is not allowed, is no fault of the upstream.
func (f *fetch) next(ctx context.Context, cause error) (*blob.Blob, error) {
	switch artifact.Class(cause) {
	case artifact.ErrForbidden, artifact.ErrUnavailable, artifact.ErrTooMany:
	default:
		if ctx.Err() == nil {
			f.fail(cause)
		}
	}
	if f.inner.Next == nil {
		return nil, cause
	}
	again := f.upstream.begin(ctx, f.name)
	b, err := f.inner.Next(ctx, cause)
	if err != nil {
		again.refused(err)
		return nil, err
	}
	return again.watch(b), nil
}
