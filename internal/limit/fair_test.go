package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/limit"
)

// An office takes people by their keys to a Fair and notes who is served.
type office struct {
	t    *testing.T
	fair *limit.Fair

	mu     sync.Mutex
	served []string
	leave  []func()
}

// take takes somebody to the office and returns when he is served or waits.
func (o *office) take(key string) {
	o.t.Helper()
	go func() {
		release, err := o.fair.Wait(o.t.Context(), key)
		if err != nil {
			o.t.Errorf("%s is not served: %v", key, err)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.served = append(o.served, key)
		o.leave = append(o.leave, release)
	}()
	synctest.Wait()
}

// end ends what has been served as the i-th of those who have not ended.
func (o *office) end(i int) {
	o.t.Helper()
	o.mu.Lock()
	leave := o.leave[i]
	o.leave = slices.Delete(o.leave, i, i+1)
	o.mu.Unlock()
	leave()
	synctest.Wait()
}

func (o *office) next() {
	o.t.Helper()
	o.end(0)
}

// close ends everything until nobody waits.
func (o *office) close() {
	o.t.Helper()
	for o.fair.Waiting() > 0 {
		o.next()
	}
}

func (o *office) want(served ...string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Equal(o.served, served) {
		o.t.Fatalf("served are %q, want %q", o.served, served)
	}
}

func TestA22OneWithAThousandMissesDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, fair: limit.NewFair(limit.Turns{Slots: 1})}
		for range 1000 {
			o.take("greedy")
		}
		o.take("modest")
		o.take("modest")
		o.take("third")
		for range 5 {
			o.next()
		}
		o.want("greedy", "greedy", "modest", "third", "greedy", "modest")
		o.close()
		if len(o.served) != 1003 {
			t.Errorf("%d of 1003 were served", len(o.served))
		}
	})
}

func TestAKeyAtItsBoundHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, fair: limit.NewFair(limit.Turns{Slots: 3, PerKey: 1})}
		o.take("hung")
		o.take("hung")
		o.take("hung")
		o.take("b")
		o.take("c")
		o.want("hung", "b", "c")
		o.take("b")
		o.take("d")
		o.end(1) // b
		o.want("hung", "b", "c", "d")
		o.end(2) // d
		o.want("hung", "b", "c", "d", "b")
		o.end(0) // the hung one
		o.want("hung", "b", "c", "d", "b", "hung")
		o.close()
	})
}

func TestWhoKeepsItsSlotsDoesNotComeToHaveThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, fair: limit.NewFair(limit.Turns{Slots: 4, PerKey: 3})}
		for range 2 {
			o.take("slow")
			o.take("quick")
		}
		for range 3 {
			o.take("slow")
			o.take("quick")
		}
		o.end(1) // a quick one, as the next ones are
		o.end(2)
		o.end(2)
		o.want("slow", "quick", "slow", "quick", "quick", "quick", "quick")
		o.take("third")
		o.end(2)
		o.end(2)
		o.want("slow", "quick", "slow", "quick", "quick", "quick", "quick", "third", "slow")
		o.close()
	})
}

func TestOneThatHangsLeavesTheLastSlotToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fair := limit.NewFair(limit.Turns{Slots: 4, PerKey: 3})
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			go fair.Wait(ctx, "slow")
		}
		synctest.Wait()
		if n := fair.Waiting(); n != 17 {
			t.Errorf("%d wait, so that %d have a slot", n, 20-n)
		}
		release, err := fair.Wait(t.Context(), "quick")
		if err != nil {
			t.Fatal(err)
		}
		release()
		cancel()
		synctest.Wait()
		if n := fair.Waiting(); n != 0 {
			t.Errorf("%d wait who have gone", n)
		}
	})
}

func TestSlotsAreSharedOutEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fair := limit.NewFair(limit.Turns{Slots: 4, PerKey: 3})
		var mu sync.Mutex
		served := map[string]int{}
		begin := time.Now()
		for _, key := range []string{"a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "b", "c"} {
			go func() {
				release, err := fair.Wait(t.Context(), key)
				if err != nil {
					return // the test is over
				}
				time.Sleep(time.Second)
				if time.Since(begin) <= 2*time.Second {
					mu.Lock()
					served[key]++
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
		for i := range 4 { // slots, which are all there still
			if _, err := fair.Wait(t.Context(), strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestThoseOfOneKeyAreServedInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fair := limit.NewFair(limit.Turns{Slots: 1})
		hold, err := fair.Wait(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 100 {
			go func() {
				release, err := fair.Wait(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				release()
			}()
			synctest.Wait()
		}
		hold()
		synctest.Wait()
		if fair.Waiting() != 0 || len(order) != 100 || !slices.IsSorted(order) {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestA22TheQueueHasABound(t *testing.T) {
	for name, c := range map[string]struct {
		turns limit.Turns
		keys  []string
	}{
		"in all":   {limit.Turns{Slots: 1, Queue: 3}, []string{"a", "b", "c", "d", "e"}},
		"of a key": {limit.Turns{Slots: 1, Queue: 10, QueueKey: 3}, []string{"a", "a", "a", "a", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &office{t: t, fair: limit.NewFair(c.turns)}
				for _, key := range c.keys[:4] {
					o.take(key)
				}
				over := c.keys[4]
				if _, err := o.fair.Wait(t.Context(), over); !errors.Is(err, limit.ErrFull) {
					t.Fatalf("a wait over the bound: %v", err)
				}
				o.next()
				o.take(over)
				o.close()
				o.want(c.keys...)
			})
		})
	}
}

func TestAKeyThatFillsItsQueueLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, fair: limit.NewFair(limit.Turns{Slots: 1, Queue: 10, QueueKey: 5})}
		for range 6 {
			o.take("greedy")
		}
		for range 100 {
			if _, err := o.fair.Wait(t.Context(), "greedy"); !errors.Is(err, limit.ErrFull) {
				t.Fatal(err)
			}
		}
		o.take("modest")
		o.next()
		o.next()
		o.want("greedy", "greedy", "modest")
		o.close()
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fair := limit.NewFair(limit.Turns{Slots: 1})
		release, err := fair.Wait(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		if _, err := fair.Wait(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
			t.Errorf("Wait = %v after %v", err, time.Since(begun))
		}
		if fair.Waiting() != 0 {
			t.Errorf("%d wait who have gone", fair.Waiting())
		}
		release()
		if _, err := fair.Wait(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait with a context that has ended = %v", err)
		}
		if _, err := fair.Wait(t.Context(), "b"); err != nil {
			t.Errorf("the slot is lost: %v", err)
		}
	})
}

var errLate = errors.New("too late")

func TestWaitTellsWhyItsContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fair := limit.NewFair(limit.Turns{Slots: 1})
		if _, err := fair.Wait(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errLate)
		defer cancel()
		for _, when := range []string{"meanwhile", "before"} {
			if _, err := fair.Wait(ctx, "b"); !errors.Is(err, errLate) {
				t.Errorf("ended %s: %v", when, err)
			}
		}
	})
}

func TestASecondReleaseDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fair := limit.NewFair(limit.Turns{Slots: 1})
		release, err := fair.Wait(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		release()
		release()
		if _, err := fair.Wait(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := fair.Wait(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("two slots where there is one: %v", err)
		}
	})
}

// Whatever many do at once, who leaves when he likes, the bounds hold, nobody is
// forgotten, and in the end nothing is left.
func TestA22FairHoldsItsBoundsWhateverIsCancelled(t *testing.T) {
	const slots, perKey, keys, workers = 10, 3, 8, 64
	fair := limit.NewFair(limit.Turns{Slots: slots, PerKey: perKey, Queue: workers / 2, QueueKey: workers / 4})
	var total gauge
	var perKeys [keys]gauge
	var all sync.WaitGroup
	for worker := range uint64(workers) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(2, worker))
			for range 1000 {
				k := random.IntN(keys)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(200))*time.Microsecond)
				release, err := fair.Wait(ctx, strconv.Itoa(k))
				if err == nil {
					total.enter(t, slots)
					perKeys[k].enter(t, perKey)
					perKeys[k].leave()
					total.leave()
					release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if fair.Waiting() != 0 {
		t.Errorf("%d wait who have gone", fair.Waiting())
	}
	for i := range slots {
		if _, err := fair.Wait(t.Context(), strconv.Itoa(i)); err != nil {
			t.Fatalf("only %d slots are left of %d: %v", i, slots, err)
		}
	}
}

func TestA22FairKeepsNothingOfAMillionKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, fair: limit.NewFair(limit.Turns{Slots: 1, Queue: 100})}
		for i := range 101 {
			o.take("waits-" + strconv.Itoa(i))
		}
		before := heap()
		for i := range 1_000_000 {
			if _, err := o.fair.Wait(t.Context(), strconv.Itoa(i)); !errors.Is(err, limit.ErrFull) {
				t.Fatal(err)
			}
		}
		if grown := heap() - before; grown > 1<<20 {
			t.Errorf("a million keys take %d KiB", grown>>10)
		}
		o.close()
	})
}

func BenchmarkWait(b *testing.B) {
	fair := limit.NewFair(limit.Turns{Slots: 1000})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			release, err := fair.Wait(b.Context(), "client")
			if err != nil {
				b.Fatal(err)
			}
			release()
		}
	})
}
