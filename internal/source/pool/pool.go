// Package pool remembers how upstreams fare and chooses among them.
//
// An [Upstream] is a Source around the client of one upstream. It counts each
// fetch once, as a success or a failure, by how it ends: with an honest answer,
// be it a body, "not found" or a refusal; or with trouble, which may show in the
// error, in the body, in its check, or in what somebody else finds wrong with
// it. Silence that a chain has lost patience with is a failure, too, if the
// upstream has sent nothing to anybody meanwhile. What ends because the caller
// leaves counts as nothing. From that it knows three things:
//
//   - whether the upstream is broken: after 5 failures in a row, or when half of
//     at least 20 requests within 30 s have failed;
//   - whether it is resting: until the time that its Retry-After names, but not
//     for more than 5 minutes;
//   - how long its answers take, and so how much silence is too much.
//
// Chains pass over an upstream that is broken or resting while another can be
// asked, and ask another one as well while it is silent. A [Group] orders its
// members by what is known of them.
//
// A broken upstream, and no other, is probed: the first time after 5 s, then
// after twice the time as before up to a minute, always shortened at random by
// up to a fifth. A probe is one request for one small artifact, the last .info,
// .mod, version list or file of a checksum database that this upstream has
// brought; failing that, the one that failed last, or its .info if that was a
// zip. It reads and checks the whole answer within 10 s. It measures nothing
// but whether the answer is honest: if so, the upstream is healthy. So is one
// that was asked for want of a better one, if it brings something.
//
// It keeps nothing on disk, writes no log, and asks no upstream for anything
// that nobody has asked it for, but for that .info.
package pool

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/source"
)

// Options are the settings of a Pool.
type Options struct {
	OnChange func(Change)  // called for each change of state, in order, one at a time; nil: nobody listens
	Patience time.Duration // see SetPatience
}

// A Pool is the memory of all upstreams of a server. It survives reloads of the
// configuration. It is safe for concurrent use.
type Pool struct {
	changes  changes
	patience atomic.Int64 // a time.Duration
	hedges   *source.Budget

	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	members map[string]*Upstream // by identity

	gate  sync.Mutex // held to add to tasks, while ctx lives
	tasks sync.WaitGroup
}

// The share of all requests that may be asked of a second upstream for the sake
// of speed, in percent, and how many of them at once.
const (
	hedgePercent = 2
	hedgeBurst   = 5
)

// New returns an empty Pool.
func New(o Options) *Pool {
	p := &Pool{hedges: source.NewBudget(hedgePercent, hedgeBurst), members: map[string]*Upstream{}}
	p.changes.listener = o.OnChange
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.SetPatience(o.Patience)
	return p
}

// Close ends all background work and waits for it. Upstreams go on working, but
// are not probed any more.
func (p *Pool) Close() error {
	p.gate.Lock()
	p.cancel()
	p.gate.Unlock()
	p.tasks.Wait()
	return nil
}

// SetPatience sets how long an upstream may be silent at most until the next
// one is asked as well; zero: as long as it likes.
func (p *Pool) SetPatience(d time.Duration) { p.patience.Store(int64(d)) }

// A Member is one upstream as the configuration describes it.
type Member struct {
	ID     string // tells it from all others: URL and settings; never shown
	Name   string // for people; without secrets
	Source source.Source
}

// Upstream returns the upstream with this identity, with the memory it had. One
// that the Pool has already stays as it is until [Upstream.Use], so that what is
// only being tried changes nothing.
func (p *Pool) Upstream(m Member) *Upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.members[m.ID]
	if !ok {
		u = newUpstream(p)
		u.member.Store(&m)
		p.members[m.ID] = u
	}
	return u
}

// Use lets the upstream send through s from now on, for all who hold it.
func (u *Upstream) Use(s source.Source) {
	m := *u.member.Load()
	m.Source = s
	u.member.Store(&m)
}

// Keep forgets all upstreams but these. Those forgotten go on working for who
// still holds them, but are not probed any more.
func (p *Pool) Keep(used []*Upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, u := range p.members {
		if !slices.Contains(used, u) {
			u.cancel()
			delete(p.members, id)
		}
	}
}

// Status returns how all upstreams fare, by name.
func (p *Pool) Status() []Status {
	p.mu.Lock()
	all := make([]Status, 0, len(p.members))
	for _, u := range p.members {
		all = append(all, u.status())
	}
	p.mu.Unlock()
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// start runs a task of the Pool, unless it has been closed.
func (p *Pool) start(task func()) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.ctx.Err() == nil {
		p.tasks.Go(task)
	}
}
