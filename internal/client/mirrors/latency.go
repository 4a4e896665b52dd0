package mirrors

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// Latency is a sample of durations.
type Latency []time.Duration

// How many samples a percentile takes: fewer would make it the longest there was.
const (
	leastForP90 = 10
	leastForP99 = 100
)

// Percentile is the p-th percentile, by the nearest rank; p is 50, 90 or 99. It reports
// false where there are too few samples to speak of it.
func (l Latency) Percentile(p int) (time.Duration, bool) {
	least := map[int]int{50: 1, 90: leastForP90, 99: leastForP99}[p]
	if least == 0 || len(l) < least {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[(len(sorted)*p+99)/100-1], true
}

// latencyJSON is how a Latency is written. Percentiles that cannot be told are left out.
type latencyJSON struct {
	Samples []float64 `json:"samples_ms"`
	P50     *float64  `json:"p50_ms,omitempty"`
	P90     *float64  `json:"p90_ms,omitempty"`
	P99     *float64  `json:"p99_ms,omitempty"`
}

// MarshalJSON writes the samples in the order they were taken, and the percentiles, in
// milliseconds.
func (l Latency) MarshalJSON() ([]byte, error) {
	out := latencyJSON{Samples: []float64{}, P50: l.millis(50), P90: l.millis(90), P99: l.millis(99)}
	for _, d := range l {
		out.Samples = append(out.Samples, millis(d))
	}
	return json.Marshal(out)
}

func (l Latency) millis(p int) *float64 {
	d, ok := l.Percentile(p)
	if !ok {
		return nil
	}
	ms := millis(d)
	return &ms
}

// Millis is a duration that is written as JSON in milliseconds.
type Millis time.Duration

// MarshalJSON writes a number.
func (m Millis) MarshalJSON() ([]byte, error) { return json.Marshal(millis(time.Duration(m))) }

// String is the duration for people; zero is not known.
func (m Millis) String() string {
	if m == 0 {
		return "-"
	}
	return FormatDuration(time.Duration(m))
}

// millis is a duration in milliseconds, to a microsecond.
func millis(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }
