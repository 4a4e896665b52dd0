package e2e

import (
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// standstill is how long the machine has kept everybody waiting since the start of
// the tests, in nanoseconds: those of a shared machine stand still for seconds now
// and then, most often when they write to their disk.
var standstill atomic.Int64

// hardlyAny is how long the machine may keep somebody waiting without it counting.
const hardlyAny = 200 * time.Millisecond

// A stopwatch takes the time without that in which the machine stood still, so that
// a bound on it is one on what is tested.
type stopwatch struct {
	begun time.Time
	lost  int64
}

func startStopwatch() stopwatch { return stopwatch{time.Now(), standstill.Load()} }

func (s stopwatch) took() time.Duration {
	return time.Since(s.begun) - time.Duration(standstill.Load()-s.lost)
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
		if late := time.Since(begun) - tick; late > hardlyAny {
			standstill.Add(int64(late))
		}
	}
}
