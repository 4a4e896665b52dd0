package cache

import (
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// Op says what an Event tells of.
type Op uint8

// The operations.
const (
	OpFill Op = iota // an artifact was fetched, or could not be
	OpGet            // the store failed to read
	OpPut            // the store failed to write; a client was served all the same
	OpList           // the store failed to list
)

// String returns a name fit for a metric label.
func (o Op) String() string { return [...]string{"fill", "get", "put", "list"}[o%4] }

// An Event is something the cache did on its own account. Domain code logs and
// counts nothing; who listens does.
type Event struct {
	Op       Op
	Name     artifact.Name
	Bytes    int64         // of a fill: how many arrived
	Duration time.Duration // of a fill
	Stored   bool          // of a fill: it is in the store now
	Err      error         // nil for a fill that succeeded
}

func (c *Cache) emit(e Event) { c.options().OnEvent(e) }

// Load is how busy a cache is.
type Load struct {
	Fills   int // fetches under way
	Flights int // fetches under way or waiting for their turn
}

// Load returns how busy the cache is now.
func (c *Cache) Load() Load {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Load{Fills: int(c.running.Load()), Flights: c.flying}
}
