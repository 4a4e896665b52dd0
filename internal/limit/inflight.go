package limit

import "sync"

// InFlight bounds how much is under way at one time, in all and for each key.
// Nobody waits: what is over a bound is refused. A key gets at most its own bound
// however much it asks for, so that with a lower bound for each than for all no
// single one can take everything.
type InFlight struct {
	all, each int

	mu   sync.Mutex
	open int
	keys map[string]*share // that have something under way
	idle []*share          // to be used again
}

// A share is what a key has under way.
type share struct {
	key     string
	open    int
	release func() // made once, so that taking part of a share allocates nothing
}

// NewInFlight returns an InFlight with bounds in all and for each key. Zero is no
// limit.
func NewInFlight(all, each int) *InFlight {
	return &InFlight{all: all, each: each, keys: map[string]*share{}}
}

// Acquire reports whether there is room for one more, which is under way until
// release is called, exactly once. Where there is none, ask again after
// [RetryAfter].
func (f *InFlight) Acquire(key string) (release func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.keys[key]
	if full(f.open, f.all) || s != nil && full(s.open, f.each) {
		return nil, false
	}
	if s == nil {
		s = f.share(key)
	}
	f.open++
	s.open++
	return s.release, true
}

func full(open, bound int) bool { return bound > 0 && open >= bound }

// share gives a share to a key that has none.
func (f *InFlight) share(key string) *share {
	var s *share
	if last := len(f.idle) - 1; last >= 0 {
		s, f.idle = f.idle[last], f.idle[:last]
	} else {
		s = &share{}
		s.release = func() { f.leave(s) }
	}
	s.key = key
	f.keys[key] = s
	return s
}

// maxIdle is how many shares are kept to be used again.
const maxIdle = 1024

func (f *InFlight) leave(s *share) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.open == 0 {
		panic("limit: released more than was acquired")
	}
	f.open--
	if s.open--; s.open > 0 {
		return
	}
	delete(f.keys, s.key)
	s.key = ""
	if len(f.idle) < maxIdle {
		f.idle = append(f.idle, s)
	}
}

// Open is how many are under way.
func (f *InFlight) Open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}
