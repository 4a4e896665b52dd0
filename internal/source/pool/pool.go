// Package pool remembers how upstreams fare and chooses among them.
package pool

import (
	"context"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// Options are the settings of a Pool.
type Options struct {
	OnChange func(Change)  // called for each change of state, in order, one at a time; nil: nobody listens
	Patience time.Duration // see SetPatience
}

// A Change is a change of state of one upstream.
type Change struct {
	Upstream string // its name
	From, To State
	Err      error // what led to it; nil when it is well again
	At       time.Time
}

// A State is how an upstream fares.
type State string

// The states of an upstream.
const (
	Healthy State = "healthy"
	Broken  State = "broken"  // it failed too often and is waiting for its next probe
	Probing State = "probing" // it is broken and being asked for one small artifact
	Resting State = "resting" // it has asked for a rest (Retry-After)
)

// A Pool is the memory of all upstreams of a server. It survives reloads of the
// configuration. It is safe for concurrent use.
type Pool struct{}

// New returns an empty Pool.
func New(o Options) *Pool { return &Pool{} }

// Close ends all probes and waits for them.
func (p *Pool) Close() error { return nil }

// SetPatience sets how long an upstream may be silent at most until another is
// asked as well; zero: for ever.
func (p *Pool) SetPatience(d time.Duration) {}

// A Member is one upstream as the configuration describes it.
type Member struct {
	ID     string // URL and settings; never shown
	Name   string // for people; without secrets
	Source source.Source
}

// Upstream returns the upstream with this identity, with the memory it had,
// which sends through m.Source from now on.
func (p *Pool) Upstream(m Member) *Upstream { return &Upstream{name: m.Name, source: m.Source} }

// Keep forgets all upstreams but these.
func (p *Pool) Keep(used []*Upstream) {}

// Status returns how all upstreams fare, by name.
func (p *Pool) Status() []Status { return nil }

// Status is how an upstream fares.
type Status struct {
	Name        string           `json:"name"`
	State       State            `json:"state"`
	Since       time.Time        `json:"since"`                // of the state
	Latency     Latency          `json:"latency_ms"`           // until the first answer
	ErrorRate   float64          `json:"error_rate"`           // 0 to 1, of late
	Requests    int64            `json:"requests"`             // so far
	Errors      map[string]int64 `json:"errors,omitempty"`     // so far, by class
	LastError   string           `json:"last_error,omitempty"` // for people
	LastErrorAt time.Time        `json:"last_error_at,omitzero"`
	InFlight    int64            `json:"in_flight"`           // requests under way
	NextProbe   time.Time        `json:"next_probe,omitzero"` // when it is broken
	RestsUntil  time.Time        `json:"rests_until,omitzero"`
	Hedges      int64            `json:"hedges"` // requests to others because of its silence
}

// Latency are quantiles of the last minutes, in milliseconds; zero: unknown.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// An Upstream is a Source that remembers how it fares.
type Upstream struct {
	name   string
	source source.Source
}

// Name is the name for people.
func (u *Upstream) Name() string { return u.name }

// Fetch implements source.Source.
func (u *Upstream) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	return u.source.Fetch(ctx, n)
}

// Down reports whether the upstream is out of order.
func (u *Upstream) Down() bool { return false }

// Link is the upstream as a link of a chain.
func (u *Upstream) Link(fallBack bool) source.Link {
	return source.Link{Name: u.name, Source: u, FallBackOnError: fallBack, Down: u.Down, Patience: u.patience}
}

func (u *Upstream) patience(artifact.Name) source.Patience { return source.Patience{} }
