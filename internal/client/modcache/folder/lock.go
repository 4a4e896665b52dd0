package folder

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

// sums is the file that a go command holds while it writes a go.sum.
const sums = "cache/lock"

// How long a lock that a go command holds for moments only is waited for, and how often
// it is tried.
const (
	lockTimeout = 10 * time.Second
	lockEvery   = 20 * time.Millisecond
)

// tryLock locks a file of the cache as the go command does, if nobody holds it. The file
// stays when it is unlocked: one who waits for it has it open.
func (d *Folder) tryLock(name string) (unlock func(), err error) {
	if err := d.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := TryLock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// TryLock locks an open file until it is closed, or fails with ErrInUse at once.
func TryLock(f *os.File) error {
	err := filelock.Try(f)
	if errors.Is(err, filelock.ErrHeld) {
		return ErrInUse
	}
	return err
}

// Locked reports whether somebody holds the lock. It creates nothing.
func (d *Folder) Locked(name string) bool {
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return TryLock(f) != nil
}

// Alone runs f with the locks that keep go commands away: the one of an entry, and the
// one for go.sum, without which none is finished.
func (d *Folder) Alone(ctx context.Context, lock string, f func() error) error {
	unlockSums, err := d.lockSums(ctx)
	if err != nil {
		return err
	}
	defer unlockSums()
	unlock, err := d.tryLock(lock)
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// lockSums locks what a go command holds while it writes a go.sum.
func (d *Folder) lockSums(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, fmt.Errorf("%s is %w", path.Join(d.dir, sums), ErrInUse))
	defer cancel()
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for {
		unlock, err := d.tryLock(sums)
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
