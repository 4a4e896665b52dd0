package pool

import (
	"math/rand/v2"
	"time"
)

// A breaker tells from successes and failures whether an upstream is broken. It
// is open when that is so.
type breaker struct {
	open   bool
	since  time.Time // opened
	closed time.Time // the last time
	inARow int       // failures since the last success
	recent window

	backoff time.Duration // until the next probe, at most
	probing bool
	next    time.Time // probe; zero: none is planned
}

// When a breaker opens: after so many failures in a row, or when half of so many
// recent requests have failed.
const (
	maxInARow = 5
	// Silence counts for more: each time, somebody has waited for seconds.
	silenceWeight = 2
	minRequests   = 20
)

// How long a breaker stays open.
const (
	firstBackoff = 5 * time.Second // until the first probe
	maxBackoff   = time.Minute
	relapse      = time.Minute // one that opens again so soon waits longer than the time before
	minOpen      = time.Second // even if an ordinary request succeeds
)

// failure counts a failure, for as many in a row as its weight, and reports
// whether the breaker has opened.
func (b *breaker) failure(now time.Time, weight int) (opened bool) {
	b.inARow += weight
	b.recent.add(now, 0, 1)
	ok, failed := b.recent.count(now)
	if b.open || b.inARow < maxInARow && (ok+failed < minRequests || failed < ok) {
		return false
	}
	b.open, b.since, b.backoff = true, now, b.firstBackoff(now)
	return true
}

// firstBackoff is the backoff of a breaker that opens: longer than before for
// one that had hardly closed, so that it does not flap.
func (b *breaker) firstBackoff(now time.Time) time.Duration {
	if !b.closed.IsZero() && now.Sub(b.closed) < relapse {
		return min(2*b.backoff, maxBackoff)
	}
	return firstBackoff
}

// success counts a success of a request that began at begun and reports whether
// the breaker has closed. One from the time before it opened proves nothing.
func (b *breaker) success(now, begun time.Time) (closed bool) {
	b.inARow = 0
	b.recent.add(now, 1, 0)
	if !b.open || !begun.After(b.since) || now.Sub(b.since) < minOpen {
		return false
	}
	b.close(now)
	return true
}

// retract turns a success, before which there had been so many failures in a
// row, into nothing.
func (b *breaker) retract(now time.Time, inARow int) {
	b.inARow += inARow
	b.recent.add(now, -1, 0)
}

func (b *breaker) close(now time.Time) {
	b.open, b.closed, b.inARow, b.recent = false, now, 0, window{}
	b.probing, b.next = false, time.Time{}
}

// plan plans the next probe and returns the time until then. Part of it is
// random, so that many servers do not probe together.
func (b *breaker) plan(now time.Time) time.Duration {
	wait := b.backoff - rand.N(b.backoff/5)
	b.probing, b.next = false, now.Add(wait)
	return wait
}

// A window counts successes and failures of the last 30 seconds.
type window struct {
	slots [windowSlots]struct{ ok, failed int }
	begun time.Time // slot 0
	slot  int64     // the number of the newest slot
}

const (
	windowSlots = 6
	windowSlot  = 5 * time.Second
)

func (w *window) add(now time.Time, ok, failed int) {
	w.advance(now)
	s := &w.slots[w.slot%windowSlots]
	s.ok += ok
	s.failed += failed
}

// advance forgets what is too old. Slots are counted from the first time on, since
// the time of day can be set back.
func (w *window) advance(now time.Time) {
	if w.begun.IsZero() {
		w.begun = now
	}
	current := int64(now.Sub(w.begun) / windowSlot)
	for range min(current-w.slot, windowSlots) {
		w.slot++
		w.slots[w.slot%windowSlots] = struct{ ok, failed int }{}
	}
	w.slot = max(w.slot, current)
}

func (w *window) count(now time.Time) (ok, failed int) {
	w.advance(now)
	for _, s := range w.slots {
		ok += s.ok
		failed += s.failed
	}
	return ok, failed
}
