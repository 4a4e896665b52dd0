// Package filelock lets one process at a time hold a file, as the go command does with
// its own: the lock goes when the file is closed, or with the process.
//
// Source: cmd/go/internal/lockedfile/internal/filelock.
package filelock

import (
	"context"
	"errors"
	"os"
	"time"
)

// ErrHeld: another process, or another open file of this one, holds the lock.
var ErrHeld = errors.New("another process holds the lock")

// every is how often a lock is tried that is waited for.
const every = 20 * time.Millisecond

// Try locks an open file for itself alone until it is closed, or fails at once: with
// ErrHeld, or with [errors.ErrUnsupported] where nobody knows how files are locked.
func Try(f *os.File) error { return try(f) }

// Wait is Try, repeated until nobody else holds the lock. When ctx ends before that, the
// error is its cause.
func Wait(ctx context.Context, f *os.File) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := try(f); !errors.Is(err, ErrHeld) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
