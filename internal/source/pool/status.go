package pool

import (
	"maps"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// Status is how an upstream fares.
type Status struct {
	Name        string           `json:"name"`
	State       State            `json:"state"`
	Since       time.Time        `json:"since"`            // it is healthy, resting or broken
	Latency     Latency          `json:"latency_ms"`       // of small artifacts, until the first answer
	ErrorRate   float64          `json:"error_rate"`       // 0 to 1; a failure counts half after a minute
	Requests    int64            `json:"requests"`         // so far, without probes
	Errors      map[string]int64 `json:"errors,omitempty"` // so far, by class, with those of probes
	LastError   string           `json:"last_error,omitempty"`
	LastErrorAt time.Time        `json:"last_error_at,omitzero"`
	InFlight    int64            `json:"in_flight"` // requests under way
	Hedges      int64            `json:"hedges"`    // so far, requests to others for the sake of speed
	NextProbe   time.Time        `json:"next_probe,omitzero"`
	RestsUntil  time.Time        `json:"rests_until,omitzero"`
}

// Latency are quantiles of the last 5 minutes in milliseconds, to within a
// fifth; zero when fewer than 20 answers are known.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

func (u *Upstream) status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	s := Status{
		Name: u.Name(), State: u.state, Since: u.since,
		Latency:   Latency{P50: u.quickMS(now, 0.5), P95: u.quickMS(now, 0.95), P99: u.quickMS(now, 0.99)},
		ErrorRate: u.errorRate.value(now),
		Requests:  u.requests.Load(), InFlight: u.inFlight.Load(), Hedges: u.hedges.Load(),
		Errors: maps.Clone(u.errors), LastErrorAt: u.lastErrAt,
		NextProbe: u.breaker.next,
	}
	if u.breaker.probing {
		s.State = Probing
	}
	if u.lastErr != nil {
		s.LastError = artifact.Clean(u.lastErr.Error(), 300)
	}
	if left := u.restLeft(); left > 0 {
		s.RestsUntil = now.Add(left)
	}
	return s
}

// quickMS is a quantile in milliseconds; the lock is held.
func (u *Upstream) quickMS(now time.Time, q float64) float64 {
	return float64(u.quick.quantile(now, q)) / float64(time.Millisecond)
}
