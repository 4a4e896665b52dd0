package prefetch

import (
	"errors"
	"io"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
)

// The bounds of the queue, and of the zips among what is fetched at one time:
// they take the line from what a client waits for.
const (
	maxWaiting = 8 << 10
	maxZips    = 24
)

// The levels of urgency, most urgent first.
const (
	levelStudy = iota // go.mod files that tell more
	levelSmall
	levelZip
	levels
)

// A queue holds fetches, first in first out at each level.
type queue struct {
	waiting [levels][]*fetch
	zips    int // being fetched
}

func (q *queue) len() int {
	n := 0
	for _, level := range q.waiting {
		n += len(level)
	}
	return n
}

func (q *queue) push(f *fetch) {
	level := levelSmall
	switch {
	case f.name.Kind == artifact.Zip:
		level = levelZip
	case f.study:
		level = levelStudy
	}
	q.waiting[level] = append(q.waiting[level], f)
}

// pop returns the next fetch, or nil when there is none that may begin now.
func (q *queue) pop() *fetch {
	for level := range q.waiting {
		if level == levelZip && q.zips >= maxZips {
			return nil
		}
		for len(q.waiting[level]) > 0 {
			f := q.waiting[level][0]
			q.waiting[level][0] = nil
			q.waiting[level] = q.waiting[level][1:]
			if f.state == dropped {
				continue
			}
			if level == levelZip {
				q.zips++
			}
			return f
		}
	}
	return nil
}

// begin queues fetches of a session as far as its credit goes; p.mu is held.
func (p *Prefetcher) begin(s *session, next []guess) {
	for _, g := range next {
		_, open := p.ledger.open[g.name]
		switch {
		case open || s.repeats(g.name):
			if g.study {
				s.read[g.name] = p.study(s, g.name, g.closure)
			}
		case s.taken[g.name] && g.study && !s.read[g.name]: // it was stored already
			s.read[g.name] = p.study(s, g.name, g.closure)
		case s.taken[g.name] || len(p.ledger.open) >= maxOpen || !p.o.Load().Allowed("", g.name.Module) || !s.spend(g.on):
		default:
			s.taken[g.name] = true
			f := &fetch{name: g.name, on: g.on, session: s, study: g.study, closure: g.closure, begun: time.Now()}
			p.ledger.open[g.name] = f
			s.read[g.name] = p.enqueue(f) && g.study
		}
	}
}

// study queues a go.mod that is fetched anyway, to be read, and reports whether there was
// room; p.mu is held.
func (p *Prefetcher) study(s *session, n artifact.Name, closure bool) bool {
	return p.enqueue(&fetch{name: n, on: known, session: s, study: true, closure: closure, begun: time.Now()})
}

// enqueue queues a fetch and sees that somebody works on it, if there is room; p.mu is
// held.
func (p *Prefetcher) enqueue(f *fetch) bool {
	if p.closed || p.queue.len() >= maxWaiting {
		if f.on != known {
			delete(p.ledger.open, f.name)
		}
		return false
	}
	p.queue.push(f)
	if p.running < p.o.Load().MaxConcurrent {
		p.running++
		p.workers.Go(p.work)
	}
	return true
}

// work fetches what is queued until there is nothing left.
func (p *Prefetcher) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.running-- }()
	for !p.closed {
		f := p.queue.pop()
		if f == nil {
			return
		}
		f.state = running
		p.mu.Unlock()
		p.fetch(f)
		p.mu.Lock()
		if f.name.Kind == artifact.Zip {
			p.queue.zips--
		}
	}
}

// errPaused: this is no time to fetch what nobody waits for.
var errPaused = errors.New("paused")

// fetch fetches one artifact and follows where it leads.
func (p *Prefetcher) fetch(f *fetch) {
	data, result, err := p.bring(f)
	p.mu.Lock()
	p.ledger.settle(f, result, err)
	p.mu.Unlock()
	if err == nil && f.study {
		p.follow(f, data)
	}
}

// bring opens an artifact and reads it to its end, as the bound on fetches at
// one time wants it.
func (p *Prefetcher) bring(f *fetch) ([]byte, cache.Result, error) {
	if p.o.Load().Pause(f.name.Module) {
		return nil, cache.Failed, errPaused
	}
	a, err := p.cache.Open(p.ctx, cache.Request{Name: f.name, Ahead: true})
	if err != nil {
		return nil, cache.Failed, err
	}
	if f.study {
		data, err := a.ReadAll(f.name.Kind.MaxSize())
		return data, a.Result, err
	}
	defer a.Close()
	if a.Body != nil && a.Result == cache.Miss {
		_, err = io.Copy(io.Discard, a.Body)
	}
	return nil, a.Result, err
}

// follow begins what follows from an artifact that was fetched.
func (p *Prefetcher) follow(f *fetch, data []byte) {
	switch f.name.Kind {
	case artifact.List:
		next := newest(f.name.Module, data)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.begin(f.session, next)
	case artifact.Mod:
		m := module.Version{Path: f.name.Module, Version: f.name.Version}
		req := readRequirements(m, data, p.o.Load().Allowed)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.begin(f.session, f.session.learn(m, req, f.closure))
	}
}
