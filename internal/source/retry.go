package source

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// RetryOptions bound how often a Source is asked again.
type RetryOptions struct {
	Times   int     // further attempts of one fetch; zero: none
	Budget  *Budget // what all retries together may cost; nil: a tenth of the requests, with a burst of ten
	OnRetry func()  // called before each retry; nil: nobody listens
}

// The bounds of a retry.
const (
	retryFirst   = 100 * time.Millisecond // the longest wait before the first one; it doubles
	retryMaxWait = 2 * time.Second        // the longest wait of all
	retryObey    = 5 * time.Second        // the longest Retry-After that is waited for
	retryWithin  = 10 * time.Second       // of the beginning of the fetch
	retryQuick   = time.Second            // a timeout that took longer is not tried again
)

// Retry is a Source that asks inner again after trouble that may pass, such as
// an overloaded server or a broken connection: after a random time that grows,
// or after the one that the error names. It never does so after an answer,
// such as ErrNotFound, for longer than 10 s after the beginning of the fetch,
// or beyond its budget. When all attempts fail, the error is the first one.
func Retry(inner Source, o RetryOptions) Source {
	if o.Budget == nil {
		o.Budget = NewBudget(10, 10)
	}
	return &retry{inner: inner, o: o}
}

type retry struct {
	inner Source
	o     RetryOptions
}

// Fetch implements Source.
func (r *retry) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	r.o.Budget.Earn()
	var first error
	begun := time.Now()
	for i := 0; ; i++ {
		asked := time.Now()
		b, err := r.inner.Fetch(ctx, n)
		if ctx.Err() != nil || !passing(err, time.Since(asked)) {
			return b, err
		}
		if first == nil {
			first = err
		}
		if i == r.o.Times || !r.again(ctx, i, begun, err) {
			return nil, first
		}
	}
}

// again waits until retry i may be made after err, and reports whether it may be
// made at all.
func (r *retry) again(ctx context.Context, i int, begun time.Time, err error) bool {
	wait := artifact.RetryAfter(err)
	if wait == 0 {
		wait = rand.N(min(retryFirst<<i, retryMaxWait)) // all of it random, so that those who failed together do not come together
	}
	if wait > retryObey || time.Since(begun)+wait >= retryWithin || !r.o.Budget.Spend() {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	if r.o.OnRetry != nil {
		r.o.OnRetry()
	}
	return true
}

// passing reports whether an error that came after such a time may pass by
// itself. A bad answer that a person has to do something about, as its hint
// says, or a certificate that is not trusted, does not.
func passing(err error, took time.Duration) bool {
	switch artifact.Class(err) {
	case artifact.ErrUnavailable, artifact.ErrTooMany:
		return true
	case artifact.ErrTimeout:
		return took < retryQuick
	case artifact.ErrBadUpstream:
		_, hint := artifact.Explain(err)
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
		return hint == "" && !untrusted
	}
	return false
}
