package share

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAHostThatHangsLeavesASlotToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(4)
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			go s.Acquire(ctx, "slow")
		}
		synctest.Wait()
		release, err := s.Acquire(t.Context(), "quick")
		if err != nil || s.running["slow"] != 3 {
			t.Errorf("slow has %d, %v", s.running["slow"], err)
		}
		release()
		cancel()
		synctest.Wait()
		if len(s.waiting) != 0 || len(s.turns) != 0 {
			t.Errorf("those who left still wait: %v, %v", s.waiting, s.turns)
		}
	})
}

func TestSlotsAreSharedOutEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(4)
		var mu sync.Mutex
		served := map[string]int{}
		begin := time.Now()
		for _, host := range []string{"a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "b", "c"} {
			go func() {
				release, err := s.Acquire(t.Context(), host)
				if err != nil {
					return // the test is over
				}
				time.Sleep(time.Second)
				if time.Since(begin) <= 2*time.Second {
					mu.Lock()
					served[host]++
					mu.Unlock()
				}
				release()
			}()
			synctest.Wait()
		}
		time.Sleep(2500 * time.Millisecond)
		mu.Lock()
		if served["b"] != 1 || served["c"] != 1 {
			t.Errorf("after two rounds: %v", served)
		}
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.total != 0 || len(s.running) != 0 {
			t.Errorf("%d slots are taken by nobody", s.total)
		}
	})
}

func TestOneSlotIsForEverybody(t *testing.T) {
	s := NewSlots(1)
	for _, host := range []string{"a", "b", "a"} {
		release, err := s.Acquire(t.Context(), host)
		if err != nil {
			t.Fatal(err)
		}
		release()
		release() // twice does no harm
	}
	if s.total != 0 {
		t.Errorf("%d slots are taken", s.total)
	}
}

var errLate = errors.New("too late")

func TestWaitingForASlotEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(1)
		if _, err := s.Acquire(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errLate)
		defer cancel()
		if _, err := s.Acquire(ctx, "b"); !errors.Is(err, errLate) {
			t.Errorf("got %v", err)
		}
	})
}
