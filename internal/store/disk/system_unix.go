//go:build unix

package disk

import (
	"os"
	"syscall"
)

// readFlags open a file for reading without waiting for the writer of a pipe.
const readFlags = os.O_RDONLY | syscall.O_NONBLOCK

// dirsSync says that folders can be forced to the disk.
const dirsSync = true

// What a volume says when it cannot be written to.
var (
	errnosFull     = []error{syscall.ENOSPC, syscall.EDQUOT}
	errnosReadOnly = []error{syscall.EROFS}
	errnosSuspect  = []error{syscall.EIO}
)

// alone reports whether no other process holds the file, which is held from now
// on by this one. File systems without locks are taken to be used by one process.
func alone(f *os.File) bool {
	return flock(f, syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK
}

// share lets other processes hold the file too, and waits for one that is alone.
func share(f *os.File) { flock(f, syscall.LOCK_SH) }

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}
