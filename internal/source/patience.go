package source

import (
	"context"
	"sync"
	"time"
)

// Patience is how long the silence of somebody who has been asked is borne
// until the next one is asked as well.
type Patience struct {
	// Hedge is when the next one is asked for the sake of speed, provided that
	// Spend allows it; zero: never.
	Hedge time.Duration
	Spend func() bool
	// Limit is when the next one is asked in any case, and when the silent
	// one is told that it is too slow, see [OnSlow]; zero: never.
	Limit time.Duration
}

// endless reports that silence is borne as long as it lasts.
func (p Patience) endless() bool { return p.Hedge == 0 && p.Limit == 0 }

// OnSlow has f called when a [Relay] loses patience with what is done within
// ctx. It is then no more than late: it may still bring the answer. Only the
// latest f is called, at most once, and never when no Relay has made the
// context, or one that waits as long as it takes.
func OnSlow(ctx context.Context, f func()) {
	if s, ok := ctx.Value(silenceKey{}).(*silence); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tell = f
	}
}

// silence is the context of one who can be told that it is too slow.
type silence struct {
	context.Context
	mu   sync.Mutex
	tell func()
}

type silenceKey struct{}

// Value implements context.Context.
func (s *silence) Value(key any) any {
	if key == (silenceKey{}) {
		return s
	}
	return s.Context.Value(key)
}

func (s *silence) tooLong() {
	s.mu.Lock()
	tell := s.tell
	s.mu.Unlock()
	if tell != nil {
		tell()
	}
}
