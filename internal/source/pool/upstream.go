package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// An Upstream is a Source that remembers how it fares.
type Upstream struct {
	pool   *Pool
	ctx    context.Context // ends when the Pool is closed or has forgotten it
	cancel context.CancelFunc
	member atomic.Pointer[Member]

	begun    time.Time    // what follows is counted from here, since the time of day can be set back
	broken   atomic.Bool  // as the breaker says
	rest     atomic.Int64 // until when it rests, in nanoseconds; zero: it never has
	lastSign atomic.Int64 // when it last got something done, in nanoseconds
	requests atomic.Int64
	inFlight atomic.Int64
	hedges   atomic.Int64

	mu        sync.Mutex
	breaker   breaker
	healing   context.CancelFunc // ends the wait for the breaker to close; nil: it is not open
	latency   mean               // in seconds
	quick     histogram          // latencies of small artifacts
	errorRate mean
	errors    map[string]int64 // by class
	lastErr   error
	lastErrAt time.Time
	successes int64
	good      artifact.Name // the last small artifact it brought
	bad       artifact.Name // the one that failed last
	state     State         // as last told
	since     time.Time
}

func newUpstream(p *Pool) *Upstream {
	now := time.Now()
	u := &Upstream{pool: p, begun: now, errors: map[string]int64{}, state: Healthy, since: now}
	u.ctx, u.cancel = context.WithCancel(p.ctx)
	return u
}

// Name is the name for people.
func (u *Upstream) Name() string { return u.member.Load().Name }

// Fetch implements source.Source.
func (u *Upstream) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	f := u.begin(ctx, n)
	source.OnSlow(ctx, f.slow)
	b, err := u.member.Load().Source.Fetch(ctx, n)
	if err != nil {
		f.refused(err)
		return nil, err
	}
	f.measure()
	return f.watch(b), nil
}

// Down reports whether the upstream is broken or resting.
func (u *Upstream) Down() bool {
	return u.broken.Load() || u.restLeft() > 0
}

// restLeft is how much longer the upstream rests.
func (u *Upstream) restLeft() time.Duration {
	until := time.Duration(u.rest.Load())
	if until == 0 {
		return 0
	}
	return max(until-time.Since(u.begun), 0)
}

// Link is the upstream as a link of a chain. fallBack says that another one may
// be asked when there is trouble with it; else it is asked a second time itself when
// it is silent.
func (u *Upstream) Link(fallBack bool) source.Link {
	l := source.Link{Name: u.Name(), Source: u, FallBackOnError: fallBack, Down: u.Down, Patience: u.patience}
	if !fallBack {
		l.Source = source.Twice(u, u.again)
	}
	return l
}

// minAgain is the least silence after which the upstream is asked a second time. Before
// that, a request is not worth the work of another one.
const minAgain = 100 * time.Millisecond

// again is after how long silence the upstream is asked a second time.
func (u *Upstream) again(n artifact.Name) source.Patience {
	p95 := u.p95()
	if n.Kind == artifact.Zip || p95 == 0 || u.pool.patience.Load() <= 0 || u.Down() {
		return source.Patience{}
	}
	return source.Patience{Hedge: max(p95, minAgain), Spend: u.hedge}
}

// Silence is too much after five times what is usual, but not within a second.
const (
	tooSlow     = 5
	minPatience = time.Second
)

// patience is how long the silence of the upstream is borne. Small artifacts are
// hedged: where those behind them wait for one answer, they wait for thousands.
func (u *Upstream) patience(n artifact.Name) source.Patience {
	limit := time.Duration(u.pool.patience.Load())
	if limit <= 0 {
		return source.Patience{}
	}
	p95 := u.p95()
	if p95 == 0 {
		return source.Patience{Limit: limit}
	}
	p := source.Patience{Limit: min(limit, max(tooSlow*p95, minPatience))}
	if n.Kind != artifact.Zip && p95 < p.Limit {
		p.Hedge, p.Spend = p95, u.hedge
	}
	return p
}

func (u *Upstream) p95() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.quick.quantile(time.Now(), 0.95)
}

// hedge reports whether one more request may be sent for the sake of speed.
func (u *Upstream) hedge() bool {
	ok := u.pool.hedges.Spend()
	if ok {
		u.hedges.Add(1)
	}
	return ok
}

// usual is the usual latency in seconds; zero: unknown.
func (u *Upstream) usual() float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.latency.value(time.Now())
}

// measured notes a latency; the lock is held.
func (u *Upstream) measured(now time.Time, n artifact.Name, d time.Duration) {
	u.latency.add(now, d.Seconds())
	if n.Kind != artifact.Zip {
		u.quick.add(now, d)
	}
}

// success counts the success of a request; the lock is held.
func (u *Upstream) success(begun time.Time) {
	now := time.Now()
	u.successes++
	u.errorRate.add(now, 0)
	if u.breaker.success(now, begun) {
		u.closed(now)
	}
}

// failure counts the failure of a request; the lock is held. Of those during a
// rest, only the one that began it counts as a sign of a broken upstream.
func (u *Upstream) failure(n artifact.Name, err error, weight int) {
	now := time.Now()
	u.note(now, err)
	u.bad = n
	resting := u.restLeft() > 0
	if asked := restFor(err); asked > 0 {
		u.letRest(asked, resting)
		if resting {
			return
		}
	}
	u.errorRate.add(now, 1)
	if u.breaker.failure(now, weight) {
		u.opened()
	}
	u.announce(now, err)
}

// note remembers an error; the lock is held.
func (u *Upstream) note(now time.Time, err error) {
	u.errors[className(err)]++
	u.lastErr, u.lastErrAt = err, now
}

func className(err error) string {
	if class := artifact.Class(err); class != nil {
		return class.Error()
	}
	return "other"
}

// maxRest is the longest rest that an upstream is given.
const maxRest = 5 * time.Minute

// restFor is how long an upstream wants to be left alone.
func restFor(err error) time.Duration {
	switch artifact.Class(err) {
	case artifact.ErrUnavailable, artifact.ErrTooMany:
		return min(artifact.RetryAfter(err), maxRest)
	}
	return 0
}

// letRest lets the upstream rest; the lock is held.
func (u *Upstream) letRest(d time.Duration, resting bool) {
	u.rest.Store(max(u.rest.Load(), int64(time.Since(u.begun)+d)))
	if !resting {
		u.pool.start(u.awaken)
	}
}

// awaken waits until the upstream has rested.
func (u *Upstream) awaken() {
	for left := u.restLeft(); left > 0; left = u.restLeft() {
		if !sleep(u.ctx, left) {
			return
		}
	}
	u.mu.Lock()
	u.announce(time.Now(), nil)
	u.mu.Unlock()
	u.pool.changes.tell()
}

// opened lets the upstream be probed; the lock is held.
func (u *Upstream) opened() {
	u.broken.Store(true)
	ctx, cancel := context.WithCancel(u.ctx)
	u.healing = cancel
	u.pool.start(func() { u.heal(ctx) })
}

// closed is the end of that; the lock is held.
func (u *Upstream) closed(now time.Time) {
	u.broken.Store(false)
	u.healing()
	u.announce(now, nil)
}

// announce tells of a change of state, if there is one; the lock is held.
func (u *Upstream) announce(now time.Time, err error) {
	state := Healthy
	switch {
	case u.breaker.open:
		state = Broken
	case u.restLeft() > 0:
		state = Resting
	}
	if state == u.state {
		return
	}
	u.pool.changes.add(Change{Upstream: u.Name(), From: u.state, To: state, Err: err, At: now})
	u.state, u.since = state, now
}

// tooLong is the failure of an upstream that was silent for too long.
func (u *Upstream) tooLong(n artifact.Name, silent time.Duration) error {
	return &artifact.Error{
		Class:  artifact.ErrTimeout,
		Reason: fmt.Sprintf("%s: %s was silent for %v, so that another one was asked", n, u.Name(), silent.Round(time.Millisecond)),
	}
}
