package share

import (
	"context"
	"slices"
	"sync"
)

// Slots bound how much is under way at one time, and share it out among hosts:
// the one that has the fewest comes next, and none ever gets the last slot of
// several, so that a host that hangs holds up nobody else.
type Slots struct {
	max int

	mu      sync.Mutex
	running map[string]int             // by host
	total   int                        // of running
	waiting map[string][]chan struct{} // by host; closed when it is that one's turn
	turns   []string                   // the hosts of waiting, the next one first
}

// NewSlots returns so many slots.
func NewSlots(max int) *Slots {
	return &Slots{max: max, running: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// Acquire waits for a slot for a host, which has it until release is called. When ctx
// ends before, the error is its cause.
func (s *Slots) Acquire(ctx context.Context, host string) (release func(), err error) {
	turn := s.queue(host)
	select {
	case <-turn:
	case <-ctx.Done():
		if s.leave(host, turn) {
			return nil, context.Cause(ctx)
		}
	}
	return sync.OnceFunc(func() { s.release(host) }), nil
}

func (s *Slots) queue(host string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting[host]) == 0 {
		s.turns = append(s.turns, host)
	}
	turn := make(chan struct{})
	s.waiting[host] = append(s.waiting[host], turn)
	s.dispatch()
	return turn
}

// leave reports whether one who waits could leave before it was its turn.
func (s *Slots) leave(host string, turn chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.waiting[host]
	at := slices.Index(queue, turn)
	if at < 0 {
		return false
	}
	s.setQueue(host, slices.Delete(queue, at, at+1))
	return true
}

func (s *Slots) release(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.running[host]--; s.running[host] == 0 {
		delete(s.running, host)
	}
	s.dispatch()
}

// dispatch gives out what is free; s.mu is held.
func (s *Slots) dispatch() {
	for s.total < s.max {
		at := s.next()
		if at < 0 {
			return
		}
		host := s.turns[at]
		queue := s.waiting[host]
		close(queue[0])
		s.running[host]++
		s.total++
		s.turns = append(slices.Delete(s.turns, at, at+1), host) // behind the others
		s.setQueue(host, queue[1:])
	}
}

// next returns the place in turns of the host that gets the next slot: the one
// that has the fewest, and the first of those. One that has all but the last
// gets none.
func (s *Slots) next() int {
	best := -1
	for at, host := range s.turns {
		if s.running[host] < max(1, s.max-1) && (best < 0 || s.running[host] < s.running[s.turns[best]]) {
			best = at
		}
	}
	return best
}

func (s *Slots) setQueue(host string, queue []chan struct{}) {
	if len(queue) > 0 {
		s.waiting[host] = queue
		return
	}
	delete(s.waiting, host)
	s.turns = slices.DeleteFunc(s.turns, func(h string) bool { return h == host })
}
