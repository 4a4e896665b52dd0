package e2e

import (
	"os"
	"sync"
	"testing"
	"time"
)

// standstill is how long the machine has kept everybody waiting since the start of
// the tests: a shared machine stands still for seconds now and then, most often when
// it writes to its disk.
var standstill struct {
	sync.Mutex
	time.Duration
	next chan struct{} // closed when it is known anew
}

// hardlyAny is how long the machine may keep somebody waiting without it counting.
const hardlyAny = 200 * time.Millisecond

// A stopwatch takes the time without that in which the machine stood still, so that
// a bound on it is one on what is tested.
type stopwatch struct {
	begun  time.Time
	before time.Duration // of standstill
}

func startStopwatch() stopwatch {
	standstill.Lock()
	defer standstill.Unlock()
	return stopwatch{time.Now(), standstill.Duration}
}

func (s stopwatch) took() time.Duration {
	elapsed := time.Since(s.begun)
	return elapsed - s.stoodStill()
}

// stoodStill is for how long the machine did since the start.
func (s stopwatch) stoodStill() time.Duration {
	standstill.Lock()
	defer standstill.Unlock()
	if time.Since(s.begun) > hardlyAny { // what has just happened is known only after a moment
		next := standstill.next
		standstill.Unlock()
		<-next
		standstill.Lock()
	}
	return standstill.Duration - s.before
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
	standstill.next = make(chan struct{})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		watchMachine(file, done)
	}()
	defer func() { close(done); <-ended }()
	return m.M.Run()
}

// watchMachine does next to nothing, again and again, and adds up what that takes
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
		note(time.Since(begun) - tick)
	}
}

func note(late time.Duration) {
	standstill.Lock()
	defer standstill.Unlock()
	if late > hardlyAny {
		standstill.Duration += late
	}
	close(standstill.next)
	standstill.next = make(chan struct{})
}
