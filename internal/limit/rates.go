package limit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// maxKeys is how many keys a generation of [Rates] holds.
const maxKeys = 1 << 16

// Rates is a token bucket for each key: so many at once, and then so many each
// second. A key that has not been seen, or has been forgotten, has a full bucket.
//
// It remembers the 65,536 keys that asked last, and up to as many before them, in
// at most 8 MiB whatever the keys are. Refused keys are remembered, too: one that
// goes on asking is forgotten only if 65,536 others come between two of its
// questions.
type Rates struct {
	interval time.Duration // in which a bucket gets a token; 0: no limit
	depth    time.Duration // in which an empty bucket gets all tokens but one
	begun    time.Time
	seed     maphash.Seed

	mu            sync.Mutex
	recent, older buckets
}

// buckets are when buckets are full again, since Rates began, by the hash of
// their key.
type buckets map[uint64]time.Duration

// NewRates returns token buckets that get perSecond tokens a second and hold
// burst of them, at least one. Zero perSecond is no limit.
func NewRates(perSecond float64, burst int) *Rates {
	r := &Rates{begun: time.Now(), seed: maphash.MakeSeed(), recent: buckets{}, older: buckets{}}
	if perSecond > 0 {
		r.interval = seconds(1 / perSecond)
		r.depth = seconds(float64(max(burst, 1)-1) / perSecond)
	}
	return r
}

// seconds is a Duration that can be added to others: at most 30 years.
func seconds(s float64) time.Duration {
	const most = 30 * 365 * 24 * 60 * 60
	return time.Duration(math.Min(s, most) * float64(time.Second))
}

// Allow takes a token of the key and reports whether there was one. If not, there
// is one after retryAfter, unless somebody else takes it.
func (r *Rates) Allow(key string) (ok bool, retryAfter time.Duration) { return r.ask(key, r.interval) }

// Ready reports what Allow would, and takes nothing.
func (r *Rates) Ready(key string) (ok bool, retryAfter time.Duration) { return r.ask(key, 0) }

// ask looks for a token of the key, and if there is one makes the bucket take so
// much longer until it is full.
func (r *Rates) ask(key string, cost time.Duration) (ok bool, retryAfter time.Duration) {
	if r.interval == 0 {
		return true, 0
	}
	hash, now := maphash.String(r.seed, key), time.Since(r.begun)
	r.mu.Lock()
	defer r.mu.Unlock()
	full := max(r.full(hash), now)
	if early := full - r.depth - now; early > 0 {
		r.keep(hash, full)
		return false, early
	}
	r.keep(hash, full+cost)
	return true, 0
}

// full is when a bucket is full again.
func (r *Rates) full(hash uint64) time.Duration {
	if at, ok := r.recent[hash]; ok {
		return at
	}
	return r.older[hash]
}

// keep remembers a bucket. When there are too many, those that nobody has asked
// for since the last time are forgotten.
func (r *Rates) keep(hash uint64, full time.Duration) {
	if len(r.recent) >= maxKeys {
		r.recent, r.older = r.older, r.recent
		clear(r.recent)
	}
	r.recent[hash] = full
}
