package envswitch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// How long another switch is waited for, and how often it is looked whether it has ended.
const (
	lockTimeout = 30 * time.Second
	lockEvery   = 20 * time.Millisecond
)

var errLocked = errors.New("another switch is under way")

// lock waits until no other process switches profiles.
func lock(ctx context.Context, name string) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, errLocked)
	defer cancel()
	for {
		file, err := tryLock(name)
		if err != nil {
			return nil, err
		}
		if file != nil {
			return file.Close, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %s: %w", name, context.Cause(ctx))
		case <-time.After(lockEvery):
		}
	}
}
