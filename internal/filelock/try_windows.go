package filelock

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

// Flags and an error of LockFileEx.
const (
	failImmediately = 0x1
	exclusiveLock   = 0x2
	lockViolation   = syscall.Errno(33)
	allBytes        = ^uintptr(0) >> (8 * (unsafe.Sizeof(uintptr(0)) - 4)) // 32 bits of ones
)

func try(f *os.File) error {
	var all syscall.Overlapped // from the first byte
	ok, _, err := lockFileEx.Call(f.Fd(), failImmediately|exclusiveLock, 0, allBytes, allBytes, uintptr(unsafe.Pointer(&all)))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, lockViolation), errors.Is(err, syscall.ERROR_IO_PENDING):
		return ErrHeld
	}
	return err
}
