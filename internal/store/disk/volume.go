package disk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Why a volume is not written to.
var (
	ErrFull     = errors.New("the volume is full")
	ErrReadOnly = errors.New("the volume is read-only")
	ErrSuspect  = errors.New("the volume does not write reliably")
)

// classify returns the reason an error of the volume stands for, or nil when it
// says nothing of the volume.
func classify(err error) error {
	is := func(errnos []error) bool {
		return slices.ContainsFunc(errnos, func(e error) bool { return errors.Is(err, e) })
	}
	switch {
	case is(errnosFull):
		return ErrFull
	case is(errnosReadOnly):
		return ErrReadOnly
	case is(errnosSuspect), errors.Is(err, ErrSuspect), errors.Is(err, errSync):
		return ErrSuspect
	}
	return nil
}

// errSync: bytes or names could not be forced to the disk, for whatever reason.
var errSync = errors.New("cannot sync")

const (
	probeEvery    = time.Second     // the least time between the beginnings of two probes
	probePatience = time.Second     // how long a writer waits for the probe it began
	closePatience = 5 * time.Second // how long Close waits for a probe on a disk that may hang
)

// A volume knows whether the disk can be written to. After a failure it says no,
// until a probe has succeeded. Probes run on demand, one at a time.
type volume struct {
	dir      string
	probe    func() error // writes and syncs a small file
	onChange func(error)  // may be nil

	mu       sync.Mutex
	err      error         // why nothing is written; nil: all is well
	failures uint64        // how many were noted
	begun    time.Time     // when the last probe began
	running  chan struct{} // closed when the probe under way ends; nil: none is
}

// note records an error of the disk, and returns it with its class when it says
// something about the volume, or else nil.
func (v *volume) note(err error) error {
	class := classify(err)
	if class == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", class, err)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failures++
	v.set(err)
	return err
}

// set changes the state; v.mu is held.
func (v *volume) set(err error) {
	changed := classify(err) != classify(v.err)
	v.err = err
	if changed && v.onChange != nil {
		v.onChange(v.describe())
	}
}

// describe returns the state as an error for people; v.mu is held.
func (v *volume) describe() error {
	if v.err == nil {
		return nil
	}
	return fmt.Errorf("disk: nothing is stored in %s until its volume takes writes again: %w", v.dir, v.err)
}

// ready returns nil when the volume may be written to, and else quickly the
// reason. The first to ask in a second waits for a probe.
func (v *volume) ready(ctx context.Context) error {
	v.mu.Lock()
	err := v.describe()
	if err == nil || v.running != nil || time.Since(v.begun) < probeEvery {
		v.mu.Unlock()
		return err
	}
	done := v.begin()
	v.mu.Unlock()
	patience := time.NewTimer(probePatience)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return v.state()
}

func (v *volume) state() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.describe()
}

// check probes the volume, unless that was done just now. A probe that takes
// longer than ctx has makes the volume suspect until it ends.
func (v *volume) check(ctx context.Context) error {
	v.mu.Lock()
	if v.running == nil && time.Since(v.begun) >= probeEvery {
		v.begin()
	}
	done := v.running
	v.mu.Unlock()
	if done == nil {
		return v.state()
	}
	select {
	case <-done:
		return v.state()
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		v.hangs(done)
	}
	return fmt.Errorf("disk: the volume of %s does not answer: %w: %w", v.dir, ErrSuspect, ctx.Err())
}

// hangs notes that a probe takes too long, unless it has ended meanwhile.
func (v *volume) hangs(probe chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running == probe {
		v.set(fmt.Errorf("%w: a small write takes too long", ErrSuspect))
	}
}

// begin starts a probe; v.mu is held.
func (v *volume) begin() (done chan struct{}) {
	done = make(chan struct{})
	v.running, v.begun = done, time.Now()
	failures := v.failures
	go func() { // close waits for it
		defer close(done)
		v.end(v.probe(), failures)
	}()
	return done
}

// end records the outcome of a probe that began when so many failures had been
// noted. Its success says nothing about one that came after.
func (v *volume) end(err error, failures uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = nil
	switch {
	case err != nil:
		class := classify(err)
		if class == nil {
			class = ErrSuspect
		}
		v.set(fmt.Errorf("%w: %w", class, err))
	case v.failures == failures:
		v.set(nil)
	}
}

// close waits for the probe under way, but not for ever.
func (v *volume) close() {
	v.mu.Lock()
	done := v.running
	v.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-time.After(closePatience):
	}
}
