//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package modcache

import (
	"errors"
	"os"
	"syscall"
)

// tryLockFile locks an open file for itself alone until it is closed, or fails with
// ErrInUse at once.
//
// Source: cmd/go/internal/lockedfile/internal/filelock.
func tryLockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrInUse
		case !errors.Is(err, syscall.EINTR):
			return err
		}
	}
}
