package envswitch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goweir/weir/internal/filelock"
)

// lockTimeout is how long another switch is waited for.
const lockTimeout = 2 * time.Minute

var errLocked = errors.New("another switch is under way")

// lock waits until no other process switches profiles.
func lock(ctx context.Context, name string) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, errLocked)
	defer cancel()
	if err := filelock.Wait(ctx, file); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for %s: %w", name, err), file.Close())
	}
	return file.Close, nil
}
