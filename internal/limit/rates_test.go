package limit_test

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/limit"
)

// spend takes tokens until there are none and returns how many there were.
func spend(r *limit.Rates, key string) (tokens int, retryAfter time.Duration) {
	for {
		ok, wait := r.Allow(key)
		if !ok {
			return tokens, wait
		}
		tokens++
	}
}

func TestA22ABucketHoldsABurstAndFillsUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRates(2, 5)
		want := func(after time.Duration, tokens int, retryAfter time.Duration) {
			t.Helper()
			time.Sleep(after)
			if n, wait := spend(r, "a"); n != tokens || wait != retryAfter {
				t.Errorf("after %v there are %d tokens, the next one after %v; want %d, %v", after, n, wait, tokens, retryAfter)
			}
		}
		want(0, 5, 500*time.Millisecond)
		want(100*time.Millisecond, 0, 400*time.Millisecond)
		want(400*time.Millisecond, 1, 500*time.Millisecond)
		want(1600*time.Millisecond, 3, 400*time.Millisecond)
		want(24*time.Hour, 5, 500*time.Millisecond)
	})
}

func TestA22ARefusalCostsNothingAndItsTimeIsTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRates(10, 1)
		r.Allow("a")
		for range 100 {
			ok, wait := r.Allow("a")
			if ok {
				t.Fatal("a second token at once")
			}
			time.Sleep(wait - time.Nanosecond)
			if ok, _ := r.Allow("a"); ok {
				t.Fatal("a token comes before its time")
			}
			time.Sleep(time.Nanosecond)
			if ok, _ := r.Allow("a"); !ok {
				t.Fatal("no token after the time that was named")
			}
		}
	})
}

func TestToAskWhetherThereIsATokenTakesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRates(1, 2)
		for range 10 {
			if ok, _ := r.Ready("a"); !ok {
				t.Fatal("a full bucket has no token")
			}
		}
		if n, _ := spend(r, "a"); n != 2 {
			t.Errorf("%d tokens are left, want 2", n)
		}
		if ok, wait := r.Ready("a"); ok || wait != time.Second {
			t.Errorf("Ready of an empty bucket = %v, %v", ok, wait)
		}
	})
}

func TestA22KeysDoNotShareABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRates(1, 3)
		for _, key := range []string{"a", "b", "", "A"} {
			if n, _ := spend(r, key); n != 3 {
				t.Errorf("%q has %d tokens", key, n)
			}
		}
	})
}

func TestRatesOfZeroIsNoLimit(t *testing.T) {
	r := limit.NewRates(0, 0)
	for range 1000 {
		if ok, _ := r.Allow("a"); !ok {
			t.Fatal("refused without a limit")
		}
	}
}

func TestRatesBearAnyNumbers(t *testing.T) {
	for _, perSecond := range []float64{1e-300, 1e-9, 1, 1e9, 1e300} {
		for _, burst := range []int{-1, 0, 1, 1 << 62} {
			r := limit.NewRates(perSecond, burst)
			if ok, _ := r.Allow("a"); !ok {
				t.Errorf("%g a second, %d at once: the first is refused", perSecond, burst)
			}
			if ok, wait := r.Allow("a"); !ok && wait <= 0 {
				t.Errorf("%g a second, %d at once: refused for %v", perSecond, burst, wait)
			}
		}
	}
}

// A million strangers cost no memory, nor do they make the limit forget who is
// asking all the time.
func TestA22MemoryIsFlatUnderAMillionKeys(t *testing.T) {
	r := limit.NewRates(1e-6, 10)
	spend(r, "greedy")
	before := heap()
	for i := range 1_000_000 {
		if ok, _ := r.Allow(strconv.Itoa(i)); !ok {
			t.Fatal("a stranger is refused")
		}
		if i%50_000 == 0 {
			if ok, _ := r.Allow("greedy"); ok {
				t.Fatalf("the greedy one is forgotten after %d strangers", i)
			}
		}
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("a million keys take %d KiB", grown>>10)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestRatesCountEveryTokenOnce(t *testing.T) {
	const burst = 1000
	r := limit.NewRates(1e-3, burst)
	var got atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			n, _ := spend(r, "a")
			got.Add(int64(n))
		})
	}
	all.Wait()
	if got.Load() != burst {
		t.Errorf("%d tokens out of a bucket of %d", got.Load(), burst)
	}
}

func BenchmarkAllow(b *testing.B) {
	r := limit.NewRates(1e9, 1000)
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = "client-" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r.Allow(keys[i%len(keys)])
		}
	})
}
