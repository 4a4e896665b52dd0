// Package prefetch fetches what a client is going to ask for, before it asks.
//
// A go command asks for few things at a time and waits for the way to the
// upstream and back each time. What it asks for next can be told from what it
// has asked for and from the go.mod files that pass, on these grounds:
//
//   - Graph: a client that loads a module graph needs the .mod of everything
//     that a module without graph pruning requires, and what that requires.
//   - Shared and Single: a version that two modules require, or one of the same
//     owner, is likely one of the main module's own, since minimal version
//     selection makes it so; one that a single module uses may be.
//   - Twin: the other files of a version, the newest version of a list.
//   - Series: who asks for the .info or .zip of some of the modules it has asked
//     about in order goes on with the next of them.
//   - Imports: who builds needs the zips that the go.mod of a zip requires.
//
// Guesses cost requests, so each client has a credit on each ground: a fetch
// costs one, one that turns out to be asked for gives back two. Right guesses
// open the window quickly, wrong ones close it.
//
// The package promises that nothing waits for it: what a client asks for goes
// straight to the cache, which keeps half of its slots for clients; that work,
// memory and the number of fetches under way are bounded; that it fetches
// nothing while Options.Pause says so; and that a go.mod leads to no module that
// Options.Allowed refuses. It checks nothing: the cache does.
//
// Sources: the Go Modules Reference, "Graph pruning" and "Minimal version
// selection"; cmd/go/internal/modload/buildlist.go, readModGraph;
// cmd/go/internal/modcmd/download.go.
package prefetch

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
)

// Opener is what the Prefetcher stands in front of: a cache.
type Opener interface {
	Open(context.Context, cache.Request) (cache.Answer, error)
}

// Options are the bounds of a Prefetcher.
type Options struct {
	MaxConcurrent int                        // fetches at one time; 0: none, nothing is fetched ahead
	Pause         func(module string) bool   // nothing of a module is fetched while it says true; nil: never
	Allowed       func(from, to string) bool // whether the go.mod of one module may lead to another, or what clients ask for if from is empty; nil: always
}

// Prefetcher passes requests on to a cache and fetches ahead through it. It is
// safe for concurrent use.
type Prefetcher struct {
	cache Opener
	o     atomic.Pointer[Options]

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	sessions map[string]*session // by client
	ledger   ledger
	queue    queue
	running  int // workers
	swept    time.Time
}

// New returns a Prefetcher in front of a cache. Close it before the cache.
func New(c Opener, o Options) *Prefetcher {
	p := &Prefetcher{cache: c, sessions: map[string]*session{}, ledger: newLedger(), swept: time.Now()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.Reconfigure(o)
	return p
}

// Reconfigure replaces the bounds.
func (p *Prefetcher) Reconfigure(o Options) {
	if o.Pause == nil {
		o.Pause = func(string) bool { return false }
	}
	if o.Allowed == nil {
		o.Allowed = func(string, string) bool { return true }
	}
	p.o.Store(&o)
}

// Close ends what is being fetched ahead and waits for it.
func (p *Prefetcher) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.workers.Wait()
	return nil
}

// Open answers a request by the cache, and begins to fetch what comes next.
func (p *Prefetcher) Open(ctx context.Context, r cache.Request) (cache.Answer, error) {
	if r.Client == "" || r.StoredOnly || p.o.Load().MaxConcurrent == 0 || !foretells(r.Name.Kind) {
		return p.cache.Open(ctx, r)
	}
	s := p.asked(r)
	a, err := p.cache.Open(ctx, r)
	s.underWay.Add(-1)
	if err == nil && a.Result == cache.Miss {
		p.missed(r)
	}
	return a, err
}

// foretells reports whether something follows from a request of this kind.
func foretells(k artifact.Kind) bool {
	switch k {
	case artifact.List, artifact.Info, artifact.Mod, artifact.Zip:
		return true
	}
	return false
}

// asked notes a request and begins what follows from it. It is the session's until it
// is answered.
func (p *Prefetcher) asked(r cache.Request) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.session(r.Client)
	s.atOnce = max(s.atOnce, int(s.underWay.Add(1)))
	p.ledger.used(r.Name)
	if s.repeats(r.Name) {
		return s
	}
	p.begin(s, s.ask(r.Name))
	if s.cold && r.Name.Kind == artifact.Mod {
		p.study(s, r.Name, false)
	}
	return s
}

// missed notes that a client had to wait. Only then are go.mod files read for
// it: a client whose every request is answered from the store needs no help.
func (p *Prefetcher) missed(r cache.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.session(r.Client)
	if s.cold {
		return
	}
	s.cold = true
	for _, m := range s.mods {
		p.study(s, artifact.Name{Kind: artifact.Mod, Module: m.Path, Version: m.Version}, false)
	}
}

// Bounds of what is remembered of clients.
const (
	maxSessions = 1024
	idle        = 30 * time.Second // after which a client's next request begins a new session
	sweepEvery  = 10 * time.Second
)

// session returns the session of a client; p.mu is held.
func (p *Prefetcher) session(client string) *session {
	now := time.Now()
	if now.Sub(p.swept) > sweepEvery || len(p.sessions) >= maxSessions {
		p.sweep(now)
	}
	s, ok := p.sessions[client]
	if !ok || now.Sub(s.last) > idle {
		s = newSession(client)
		p.sessions[client] = s
	}
	s.last = now
	return s
}

// sweep forgets sessions that are over, and the oldest one if there are too many,
// and writes off what nobody has asked for; p.mu is held.
func (p *Prefetcher) sweep(now time.Time) {
	p.swept = now
	var oldest *session
	for client, s := range p.sessions {
		if now.Sub(s.last) > idle {
			delete(p.sessions, client)
		} else if oldest == nil || s.last.Before(oldest.last) {
			oldest = s
		}
	}
	if len(p.sessions) >= maxSessions {
		delete(p.sessions, oldest.client)
	}
	p.ledger.writeOff(now)
}

// Stats counts what was fetched ahead on one ground since the start.
type Stats struct {
	Ground  string
	Fetched int64 // artifacts that a source was asked for
	Used    int64 // of these, asked for by a client
	Wasted  int64 // of these, not asked for within some minutes, or not to be had
}

// Stats returns the counts of each ground. What is neither used nor wasted may
// still be.
func (p *Prefetcher) Stats() []Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.writeOff(time.Now())
	return slices.Clone(p.ledger.stats[graph:])
}
