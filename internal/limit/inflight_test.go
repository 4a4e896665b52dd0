package limit_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goweir/weir/internal/limit"
)

func TestA22NoMoreThanTheBoundsAreInFlight(t *testing.T) {
	f := limit.NewInFlight(3, 2)
	acquire := func(key string, want bool) (release func()) {
		t.Helper()
		release, ok := f.Acquire(key)
		if ok != want {
			t.Fatalf("Acquire(%q) = %v with %d in flight", key, ok, f.Open())
		}
		return release
	}
	first := acquire("a", true)
	acquire("a", true)
	acquire("a", false) // its own bound
	acquire("b", true)
	acquire("c", false) // that of all
	first()
	acquire("c", true)
	acquire("a", false) // that of all
	if f.Open() != 3 {
		t.Errorf("%d in flight", f.Open())
	}
}

func TestInFlightOfZeroIsNoLimit(t *testing.T) {
	f := limit.NewInFlight(0, 0)
	for range 10_000 {
		if _, ok := f.Acquire("a"); !ok {
			t.Fatal("refused without a limit")
		}
	}
}

func TestOneReleaseTooManyIsABugThatShows(t *testing.T) {
	f := limit.NewInFlight(1, 1)
	release, _ := f.Acquire("a")
	release()
	defer func() {
		if recover() == nil {
			t.Error("a second release passes")
		}
	}()
	release()
}

// Whatever many do at once, the bounds hold, and in the end nothing is left.
func TestA22InFlightHoldsItsBoundsUnderRace(t *testing.T) {
	const all, each, keys = 20, 5, 8
	f := limit.NewInFlight(all, each)
	var total gauge
	var perKey [keys]gauge
	var workers sync.WaitGroup
	for worker := range uint64(32) {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(1, worker))
			for range 5000 {
				k := random.IntN(keys)
				release, ok := f.Acquire(strconv.Itoa(k))
				if !ok {
					continue
				}
				total.enter(t, all)
				perKey[k].enter(t, each)
				perKey[k].leave()
				total.leave()
				release()
			}
		})
	}
	workers.Wait()
	if f.Open() != 0 {
		t.Errorf("%d are in flight that have ended", f.Open())
	}
	for k := range each {
		if _, ok := f.Acquire("later"); !ok {
			t.Fatalf("only %d are let in afterwards", k)
		}
	}
}

// A gauge counts what is under way.
type gauge struct{ n atomic.Int64 }

func (g *gauge) enter(t *testing.T, bound int64) {
	if n := g.n.Add(1); n > bound {
		t.Errorf("%d under way, %d may be", n, bound)
	}
}

func (g *gauge) leave() { g.n.Add(-1) }

func TestA22InFlightKeepsNothingOfAMillionKeys(t *testing.T) {
	f := limit.NewInFlight(10, 10)
	before := heap()
	for i := range 1_000_000 {
		release, ok := f.Acquire(strconv.Itoa(i))
		if !ok {
			t.Fatal("refused")
		}
		release()
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("a million keys take %d KiB", grown>>10)
	}
	if f.Open() != 0 {
		t.Errorf("%d in flight", f.Open())
	}
}

func TestAcquireAllocatesNothing(t *testing.T) {
	f := limit.NewInFlight(10, 10)
	n := testing.AllocsPerRun(1000, func() {
		release, _ := f.Acquire("a")
		release()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAcquire(b *testing.B) {
	f := limit.NewInFlight(1000, 1000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if release, ok := f.Acquire("client"); ok {
				release()
			}
		}
	})
}

func BenchmarkAcquireRefused(b *testing.B) {
	f := limit.NewInFlight(1, 1)
	f.Acquire("client")
	b.ReportAllocs()
	for b.Loop() {
		f.Acquire("client")
	}
}
