package e2e

import (
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// standstills are the times in which the machine has kept everybody waiting: a shared
// machine stands still for seconds now and then, most often when it writes to its
// disk.
var standstills struct {
	sync.Mutex
	all  []span
	next chan struct{} // closed when it is known anew
}

type span struct{ begin, end time.Time }

// hardlyAny is how long the machine may keep somebody waiting without it counting.
const hardlyAny = 200 * time.Millisecond

// A stopwatch takes the time without that in which the machine stood still, so that
// a bound on it is one on what is tested.
type stopwatch struct{ begun time.Time }

func startStopwatch() stopwatch { return stopwatch{time.Now()} }

func (s stopwatch) took() time.Duration {
	end := time.Now()
	return end.Sub(s.begun) - s.lost(end)
}

// exceeds reports whether more time went by than a bound. Bounds are for a machine
// that has nothing else to do, which one that runs all tests at once is not.
func (s stopwatch) exceeds(bound time.Duration) bool { return s.took() > slowness*bound }

// stoodStill is for how long the machine did since the start.
func (s stopwatch) stoodStill() time.Duration { return s.lost(time.Now()) }

// orLate adds that of an upstream that is late to some statuses, if the machine stood
// still since the start: then any upstream is.
func (s stopwatch) orLate(statuses []int) []int {
	if s.stoodStill() == 0 {
		return statuses
	}
	return append(slices.Clone(statuses), http.StatusGatewayTimeout)
}

// lost is the part of all standstills between the start and end.
func (s stopwatch) lost(end time.Time) (sum time.Duration) {
	standstills.Lock()
	defer standstills.Unlock()
	if end.Sub(s.begun) > hardlyAny { // what has just happened is known only after a moment
		next := standstills.next
		standstills.Unlock()
		<-next
		standstills.Lock()
	}
	for _, still := range standstills.all {
		from, to := still.begin, still.end
		if from.Before(s.begun) {
			from = s.begun
		}
		if to.After(end) {
			to = end
		}
		sum += max(to.Sub(from), 0)
	}
	return sum
}

// watched runs the tests while it watches the machine.
type watched struct{ *testing.M }

// Run implements testscript.TestingM.
func (m watched) Run() int {
	file, err := os.CreateTemp("", "stopwatch")
	if err != nil {
		panic(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	standstills.next = make(chan struct{})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		watchMachine(file, done)
	}()
	defer func() { close(done); <-ended }()
	return m.M.Run()
}

// watchMachine does next to nothing, again and again, and notes when that takes
// longer than it should.
func watchMachine(file *os.File, done <-chan struct{}) {
	const tick = 50 * time.Millisecond
	for {
		begun := time.Now()
		select {
		case <-done:
			return
		case <-time.After(tick):
		}
		if _, err := file.WriteAt([]byte("tick"), 0); err == nil {
			file.Sync()
		}
		note(span{begun.Add(tick), time.Now()})
	}
}

func note(s span) {
	standstills.Lock()
	defer standstills.Unlock()
	if s.end.Sub(s.begin) > hardlyAny {
		standstills.all = append(standstills.all, s)
	}
	close(standstills.next)
	standstills.next = make(chan struct{})
}
