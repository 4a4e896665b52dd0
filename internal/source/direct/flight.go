package direct

import (
	"context"
	"sync"
)

// shared is what a flight brings to all who wait for it. It is told how many
// they are: none, when all have left.
type shared interface{ share(takers int) }

// flights lets equal work be done once for all who want it at one time.
type flights[V shared] struct {
	ctx   context.Context // of the owner: work ends with it
	going *sync.WaitGroup // of the owner, who waits for all work

	mu     sync.Mutex
	flying map[string]*flight[V]
}

// A flight is one piece of work under way.
type flight[V shared] struct {
	cancel context.CancelFunc
	takers int
	landed bool
	done   chan struct{} // closed when it has landed
	value  V
	err    error
}

func newFlights[V shared](ctx context.Context, going *sync.WaitGroup) *flights[V] {
	return &flights[V]{ctx: ctx, going: going, flying: map[string]*flight[V]{}}
}

// join waits for work of a key, which it starts unless it is under way. The
// work ends early when all who wait for it have left.
func (s *flights[V]) join(ctx context.Context, key string, work func(context.Context) (V, error)) (V, error) {
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

func (s *flights[V]) board(key string, work func(context.Context) (V, error)) *flight[V] {
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
func (s *flights[V]) leave(key string, f *flight[V]) bool {
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

func (s *flights[V]) land(key string, f *flight[V]) {
	s.mu.Lock()
	f.landed = true
	takers := f.takers
	s.forget(key, f)
	s.mu.Unlock()
	if f.err == nil {
		f.value.share(takers)
	}
	close(f.done)
}

// forget lets the next one begin anew; s.mu is held.
func (s *flights[V]) forget(key string, f *flight[V]) {
	if s.flying[key] == f {
		delete(s.flying, key)
	}
}
