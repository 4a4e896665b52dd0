package modcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/goweir/weir/internal/filelock"
)

// ErrInUse: a go command is at work there, or was until just now.
var ErrInUse = errors.New("in use by a go command")

// How long a lock that a go command holds for moments only is waited for, and how often
// it is tried.
const (
	lockTimeout = 10 * time.Second
	lockEvery   = 20 * time.Millisecond
)

// tryLock locks a file of the cache as the go command does, if nobody holds it. The file
// stays when it is unlocked: one who waits for it has it open.
func (c *Cache) tryLock(name string) (unlock func(), err error) {
	if err := c.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return nil, err
	}
	f, err := c.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := tryLockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// tryLockFile locks an open file until it is closed, or fails with ErrInUse at once.
func tryLockFile(f *os.File) error {
	err := filelock.Try(f)
	if errors.Is(err, filelock.ErrHeld) {
		return ErrInUse
	}
	return err
}

// isLocked reports whether somebody holds the lock. It creates nothing.
func (c *Cache) isLocked(name string) bool {
	f, err := c.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return tryLockFile(f) != nil
}

// lockSums locks what a go command holds while it writes a go.sum.
func (c *Cache) lockSums(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, fmt.Errorf("%s is %w", path.Join(c.Dir, sideLock), ErrInUse))
	defer cancel()
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for {
		unlock, err := c.tryLock(sideLock)
		if !errors.Is(err, ErrInUse) {
			return unlock, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
