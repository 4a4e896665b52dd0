package pool

import (
	"sync"
	"time"
)

// A State is how an upstream fares.
type State string

// The states of an upstream.
const (
	Healthy State = "healthy"
	Resting State = "resting" // it has asked for a rest
	Broken  State = "broken"  // it failed too often
	Probing State = "probing" // it is broken and being probed; no Change tells of this
)

// A Change is a change of state of one upstream.
type Change struct {
	Upstream string // its name
	From, To State
	Err      error // what led to it; nil: it is well again
	At       time.Time
}

// changes tells a listener of changes, in order and one at a time, while nobody
// else waits for it.
type changes struct {
	listener func(Change)

	mu      sync.Mutex
	waiting []Change
	telling bool
}

// add keeps a change to be told.
func (c *changes) add(change Change) {
	if c.listener == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, change)
}

// tell tells what is waiting, unless somebody is at it. The caller holds no lock,
// so that the listener may use the Pool.
func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.telling {
		return
	}
	c.telling = true
	for len(c.waiting) > 0 {
		next := c.waiting[0]
		c.waiting = c.waiting[1:]
		c.mu.Unlock()
		c.listener(next)
		c.mu.Lock()
	}
	c.telling = false
}
