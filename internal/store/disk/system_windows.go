package disk

import (
	"os"
	"syscall"
)

const readFlags = os.O_RDONLY

// dirsSync says that folders can be forced to the disk. NTFS keeps a journal of
// them instead.
const dirsSync = false

// What a volume says when it cannot be written to: ERROR_DISK_FULL,
// ERROR_HANDLE_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED, ERROR_WRITE_PROTECT,
// ERROR_CRC, ERROR_WRITE_FAULT and ERROR_IO_DEVICE of winerror.h.
var (
	errnosFull     = []error{syscall.Errno(112), syscall.Errno(39), syscall.Errno(1295)}
	errnosReadOnly = []error{syscall.Errno(19)}
	errnosSuspect  = []error{syscall.Errno(23), syscall.Errno(29), syscall.Errno(1117)}
)

// Folders cannot be locked on Windows: a store has one process there.
func alone(*os.File) bool { return true }
func share(*os.File)      {}
