package pool

import (
	"math"
	"time"
)

// A histogram counts durations of the last minutes: in buckets whose bounds
// grow by a fifth, from a tenth of a millisecond to minutes. Its size is fixed.
type histogram struct {
	slots [histogramSlots][buckets]uint32
	total [buckets]uint32
	count int
	begun time.Time // slot 0
	slot  int64     // the number of the newest slot
}

const (
	histogramSlots = 5
	slotLength     = time.Minute
	buckets        = 80
	smallest       = 100 * time.Microsecond
	growth         = 1.2
)

// bucketOf is the bucket of a duration.
func bucketOf(d time.Duration) int {
	if d <= smallest {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(d)/float64(smallest))/math.Log(growth))), buckets-1)
}

// bound is the largest duration of a bucket.
func bound(bucket int) time.Duration {
	return time.Duration(float64(smallest) * math.Pow(growth, float64(bucket)))
}

// add counts a duration.
func (h *histogram) add(now time.Time, d time.Duration) {
	h.advance(now)
	b := bucketOf(d)
	h.slots[h.slot%histogramSlots][b]++
	h.total[b]++
	h.count++
}

// advance forgets what is too old. Slots are counted from the first time on, since
// the time of day can be set back.
func (h *histogram) advance(now time.Time) {
	if h.begun.IsZero() {
		h.begun = now
	}
	current := int64(now.Sub(h.begun) / slotLength)
	for range min(current-h.slot, histogramSlots) {
		h.slot++
		old := &h.slots[h.slot%histogramSlots]
		for b, n := range old {
			h.total[b] -= n
			h.count -= int(n)
		}
		clear(old[:])
	}
	h.slot = max(h.slot, current)
}

// enough is how many durations make a quantile.
const enough = 20

// quantile returns the duration that a share q of all do not exceed, to within
// a fifth; zero when too few are known.
func (h *histogram) quantile(now time.Time, q float64) time.Duration {
	h.advance(now)
	if h.count < enough {
		return 0
	}
	rank := int(math.Ceil(q * float64(h.count)))
	for b, n := range h.total {
		if rank -= int(n); rank <= 0 {
			return bound(b)
		}
	}
	return bound(buckets - 1)
}

// A mean is an average in which what is older weighs less: half of it after
// halfLife.
type mean struct {
	sum, weight float64
	at          time.Time
}

const halfLife = time.Minute

// tooLight is the weight below which a mean is too old to mean anything: of one
// value after about seven times the halfLife.
const tooLight = 0.01

func (m *mean) add(now time.Time, value float64) {
	fade := m.fade(now)
	m.sum, m.weight, m.at = m.sum*fade+value, m.weight*fade+1, now
}

func (m *mean) fade(now time.Time) float64 {
	return math.Exp2(-float64(max(now.Sub(m.at), 0)) / float64(halfLife))
}

// value is the mean, or zero when nothing is known.
func (m *mean) value(now time.Time) float64 {
	if m.weight*m.fade(now) < tooLight {
		return 0
	}
	return m.sum / m.weight
}
