package pool

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreRightToWithinAFifth(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		now := time.Unix(1_000_000_000+r.Int64N(1000), 0)
		var h histogram
		var all []time.Duration
		for range enough + r.IntN(500) {
			d := time.Duration(float64(smallest) * math.Exp(r.Float64()*13)) // to 44 s
			h.add(now, d)
			all = append(all, d)
			now = now.Add(time.Duration(r.Int64N(int64(300 * time.Millisecond))))
		}
		slices.Sort(all)
		for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
			want := all[int(math.Ceil(q*float64(len(all))))-1]
			if got := h.quantile(now, q); got < want*999/1000 || float64(got) > growth*1.001*float64(want) {
				t.Errorf("seed %d: quantile %v of %d is %v, want %v", seed, q, len(all), got, want)
			}
		}
	}
}

func TestAHistogramForgets(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 4))
		now := time.Unix(1_000_000_000, 0)
		var h histogram
		var times []time.Time
		for range 500 {
			now = now.Add(time.Duration(r.Int64N(int64(10 * time.Second))))
			if r.IntN(50) == 0 {
				now = now.Add(time.Duration(r.Int64N(int64(20 * time.Minute))))
			}
			h.add(now, time.Second)
			times = append(times, now)
			young, most := 0, 0
			for _, at := range times {
				if now.Sub(at) < (histogramSlots-1)*slotLength {
					young++
				}
				if now.Sub(at) < histogramSlots*slotLength {
					most++
				}
			}
			if h.count < young || h.count > most {
				t.Fatalf("seed %d: %d are known, want %d to %d", seed, h.count, young, most)
			}
		}
	}
}

func TestFewOrOldLatenciesAreNone(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	var h histogram
	for range enough - 1 {
		h.add(now, time.Second)
	}
	if got := h.quantile(now, 0.95); got != 0 {
		t.Errorf("too few make %v", got)
	}
	h.add(now, 24*time.Hour)
	h.add(now.Add(-time.Hour), 0) // a clock that goes back
	if got := h.quantile(now, 0.95); got == 0 {
		t.Error("enough make nothing")
	}
	if got := h.quantile(now.Add(histogramSlots*slotLength), 0.95); got != 0 {
		t.Errorf("old ones make %v", got)
	}
}

func TestAMeanIsThatOfLate(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	var m mean
	if m.value(now) != 0 {
		t.Error("nothing has a mean")
	}
	for range 10 {
		m.add(now, 4)
	}
	now = now.Add(halfLife)
	for range 5 {
		m.add(now, 1)
	}
	if got := m.value(now); math.Abs(got-2.5) > 1e-9 { // both weigh 5
		t.Errorf("got %v, want 2.5", got)
	}
	if got := m.value(now.Add(5 * halfLife)); math.Abs(got-2.5) > 1e-9 {
		t.Errorf("with time alone it became %v", got)
	}
	if got := m.value(now.Add(20 * halfLife)); got != 0 {
		t.Errorf("after a long time it is %v", got)
	}
}

func TestAWindowCountsTheLastHalfMinute(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 5))
		now := time.Unix(1_000_000_000, 0)
		var w window
		var times []time.Time
		for range 300 {
			now = now.Add(time.Duration(r.Int64N(int64(3 * time.Second))))
			w.add(now, 1, 2)
			times = append(times, now)
			young, most := 0, 0
			for _, at := range times {
				if now.Sub(at) < (windowSlots-1)*windowSlot {
					young++
				}
				if now.Sub(at) < windowSlots*windowSlot {
					most++
				}
			}
			ok, failed := w.count(now)
			if ok < young || ok > most || failed != 2*ok {
				t.Fatalf("seed %d: %d and %d are known, want %d to %d", seed, ok, failed, young, most)
			}
		}
	}
}
