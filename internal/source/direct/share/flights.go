// Package share lets those who want equal work share it: it is done once for all of them.
//
// Who wants work that is under way waits for it with the others. It is for all who wait:
// whoever leaves ends nothing for them, and with the last one it ends. Every wait ends
// with the context of who waits. Nothing here does any work itself or knows what it is
// about.
package share

import (
	"context"
	"sync"
)

// Flights let equal work be done once for all who want it at one time. They are safe for
// concurrent use.
type Flights[V any] struct {
	ctx    context.Context // of the owner: work ends with it
	going  *sync.WaitGroup // of the owner, who waits for all work
	landed func(value V, takers int)

	mu     sync.Mutex
	flying map[string]*flight[V]
}

// A flight is one piece of work under way.
type flight[V any] struct {
	cancel context.CancelFunc
	takers int
	landed bool
	done   chan struct{} // closed when it has landed
	value  V
	err    error
}

// NewFlights returns Flights whose work ends with ctx and is counted by going. Before
// those who wait get what has been brought, landed is told how many they are: none,
// when all have left. It may be nil.
func NewFlights[V any](ctx context.Context, going *sync.WaitGroup, landed func(value V, takers int)) *Flights[V] {
	if landed == nil {
		landed = func(V, int) {}
	}
	return &Flights[V]{ctx: ctx, going: going, landed: landed, flying: map[string]*flight[V]{}}
}

// Join waits for work of a key, which it starts unless it is under way. The
// work ends early when all who wait for it have left.
func (s *Flights[V]) Join(ctx context.Context, key string, work func(context.Context) (V, error)) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, context.Cause(ctx)
	}
	f := s.board(key, work)
	select {
	case <-f.done:
	case <-ctx.Done():
		if s.leave(key, f) {
			return none, context.Cause(ctx)
		}
		<-f.done // it has just landed, and counts on us
	}
	return f.value, f.err
}

func (s *Flights[V]) board(key string, work func(context.Context) (V, error)) *flight[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.flying[key]; ok {
		f.takers++
		return f
	}
	ctx, cancel := context.WithCancel(s.ctx)
	f := &flight[V]{cancel: cancel, takers: 1, done: make(chan struct{})}
	s.flying[key] = f
	s.going.Go(func() {
		defer cancel()
		f.value, f.err = work(ctx)
		s.land(key, f)
	})
	return f
}

// leave reports whether one who waits could leave before the flight landed.
func (s *Flights[V]) leave(key string, f *flight[V]) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.landed {
		return false
	}
	if f.takers--; f.takers == 0 {
		f.cancel()
		s.forget(key, f)
	}
	return true
}

func (s *Flights[V]) land(key string, f *flight[V]) {
	s.mu.Lock()
	f.landed = true
	takers := f.takers
	s.forget(key, f)
	s.mu.Unlock()
	if f.err == nil {
		s.landed(f.value, takers)
	}
	close(f.done)
}

// forget lets the next one begin anew; s.mu is held.
func (s *Flights[V]) forget(key string, f *flight[V]) {
	if s.flying[key] == f {
		delete(s.flying, key)
	}
}
