package limit

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// ErrFull: as many are waiting as may. Ask again after [RetryAfter].
var ErrFull = errors.New("too much is waiting already")

// Turns are the bounds of a [Fair]. Zero means no limit.
type Turns struct {
	Slots    int // taken at one time
	PerKey   int // taken at one time by one key
	Queue    int // waiting
	QueueKey int // waiting for one key
}

// Fair gives slots to those who wait for one. The key that has taken the fewest
// comes next, so that one that keeps its slots for long does not come to have
// all of them; those that have taken as many take turns: however many wait for
// one key, another that has no slot yet waits for at most one of each key before
// it. One that has slots waits while others come that have none. Those of one key
// are served in the order in which they came. A key that has all the slots it may
// have holds up nobody.
//
// So that no key can fill the queue or take all slots alone, its bounds should be
// lower than those of all.
type Fair struct {
	bounds Turns

	mu      sync.Mutex
	taken   int
	waiting int
	keys    map[string]*line // that have taken a slot or wait
	turns   list.List        // of *line: those who could use a slot, the next one first
}

// A line are those who share a key.
type line struct {
	key     string
	taken   int
	waiting list.List     // of chan struct{}, closed when it is their turn
	turn    *list.Element // in turns; nil: the line could not use a slot
}

// NewFair returns a Fair with bounds.
func NewFair(bounds Turns) *Fair {
	return &Fair{bounds: bounds, keys: map[string]*line{}}
}

// Wait returns when the key has a slot, which it has until release is called.
// Calling that more than once does nothing. It fails at once with ErrFull, or with
// the cause of the context's end when ctx ends.
func (f *Fair) Wait(ctx context.Context, key string) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l, place, err := f.enter(key)
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(func() { f.leave(l) })
	if place == nil {
		return release, nil
	}
	select {
	case <-place.Value.(chan struct{}):
		return release, nil
	case <-ctx.Done():
		f.giveUp(l, place)
		return nil, context.Cause(ctx)
	}
}

// enter takes a slot or else a place in the line of the key.
func (f *Fair) enter(key string) (l *line, place *list.Element, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l = f.line(key)
	// While a slot is free, nobody waits who could use it.
	if !full(f.taken, f.bounds.Slots) && !full(l.taken, f.bounds.PerKey) {
		f.taken++
		l.taken++
		return l, nil, nil
	}
	if full(f.waiting, f.bounds.Queue) || full(l.waiting.Len(), f.bounds.QueueKey) {
		f.settle(l)
		return nil, nil, ErrFull
	}
	f.waiting++
	place = l.waiting.PushBack(make(chan struct{}))
	f.settle(l)
	return l, place, nil
}

// line returns the line of a key.
func (f *Fair) line(key string) *line {
	l := f.keys[key]
	if l == nil {
		l = &line{key: key}
		f.keys[key] = l
	}
	return l
}

// leave gives a slot back, to whose turn it is.
func (f *Fair) leave(l *line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free(l)
}

func (f *Fair) free(l *line) {
	f.taken--
	l.taken--
	f.settle(l)
	if next := f.next(); next != nil {
		f.serve(next)
	}
}

// next returns the line that gets the next slot: the first of those that have
// taken the fewest; nil: nobody could use one. That it looks no further than at
// one that has none bounds how many it looks at by the number of slots.
func (f *Fair) next() (best *line) {
	for e := f.turns.Front(); e != nil && (best == nil || best.taken > 0); e = e.Next() {
		if l := e.Value.(*line); best == nil || l.taken < best.taken {
			best = l
		}
	}
	return best
}

// serve gives a free slot to the first of a line, which then goes behind all
// others.
func (f *Fair) serve(l *line) {
	place := l.waiting.Front()
	l.waiting.Remove(place)
	f.waiting--
	f.taken++
	l.taken++
	close(place.Value.(chan struct{}))
	f.turns.MoveToBack(l.turn)
	f.settle(l)
}

// giveUp leaves a place in a line. If its turn has come meanwhile, the slot goes
// to the next.
func (f *Fair) giveUp(l *line, place *list.Element) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-place.Value.(chan struct{}):
		f.free(l)
	default:
		l.waiting.Remove(place)
		f.waiting--
		f.settle(l)
	}
}

// settle gives a line a turn if it could use a slot, takes the turn if it could
// not, and forgets a line of nobody.
func (f *Fair) settle(l *line) {
	switch could := l.waiting.Len() > 0 && !full(l.taken, f.bounds.PerKey); {
	case could && l.turn == nil:
		l.turn = f.turns.PushBack(l)
	case !could && l.turn != nil:
		f.turns.Remove(l.turn)
		l.turn = nil
	}
	if l.taken == 0 && l.waiting.Len() == 0 {
		delete(f.keys, l.key)
	}
}
