package pool

import (
	"testing"
	"time"
	"unsafe"

	"github.com/goweir/weir/internal/artifact"
)

// beforeStep is a time as a clock showed it that has been set back by d since: its
// time of day is d later, and for the monotonic clock it is the same.
func beforeStep(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	shown := at
	*(*uint64)(unsafe.Pointer(&shown)) += uint64(d/time.Second) << 30 // the seconds of the time of day, see package time
	if !shown.Round(0).Equal(at.Round(0).Add(d)) || !shown.Equal(at) {
		t.Fatalf("package time keeps times in another way: %v became %v", at, shown)
	}
	return shown
}

func TestARestGetsNoLongerWhenTheClockIsSetBack(t *testing.T) {
	p := New(Options{})
	defer p.Close()
	u := p.Upstream(Member{})
	u.letRest(time.Minute, true)
	u.begun = beforeStep(t, u.begun, 24*time.Hour)
	if left := u.restLeft(); left > time.Minute {
		t.Errorf("a rest of a minute lasts for %v", left)
	}
}

func TestSilenceIsJudgedAlikeWhenTheClockIsSet(t *testing.T) {
	p := New(Options{})
	defer p.Close()
	u := p.Upstream(Member{})
	u.begun = u.begun.Add(-time.Hour)
	f := u.begin(t.Context(), artifact.Name{Kind: artifact.Mod, Module: "a.b/c", Version: "v1.0.0"})
	f.begun = f.begun.Add(-time.Hour)
	f.sign()
	u.begun = beforeStep(t, u.begun, -24*time.Hour)
	f.slow()
	if u.lastErr != nil {
		t.Errorf("an upstream that has just sent something is silent: %v", u.lastErr)
	}
}

func TestWhatIsCountedIsForgottenInTimeWhenTheClockIsSetBack(t *testing.T) {
	var w window
	var h histogram
	now := time.Now()
	before := beforeStep(t, now, 24*time.Hour)
	w.add(before, 0, 7)
	for range enough {
		h.add(before, time.Second)
	}
	if _, failed := w.count(now); failed != 7 {
		t.Errorf("at once, %d of 7 failures count", failed)
	}
	if h.quantile(now, 0.5) == 0 {
		t.Error("at once, the latencies are forgotten")
	}
	if _, failed := w.count(now.Add(windowSlots * windowSlot)); failed != 0 {
		t.Errorf("%d failures count for too long", failed)
	}
	if got := h.quantile(now.Add(histogramSlots*slotLength), 0.5); got != 0 {
		t.Errorf("latencies of %v count for too long", got)
	}
}
