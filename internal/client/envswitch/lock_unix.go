//go:build unix

package envswitch

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a file until it is closed or the process ends. It returns nil if another
// holds the lock.
func tryLock(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return nil, file.Close()
	}
	return nil, errors.Join(err, file.Close())
}
