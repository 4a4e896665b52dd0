package disk

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// opener opens entries for reading. Where the kernel can resolve a whole path
// within a folder (openat2, since Linux 5.6), that saves the system calls that
// os.Root makes for each element of the path.
type opener struct {
	root *os.Root
	dir  *os.File        // the root as a file; nil: use root
	conn syscall.RawConn // of dir
}

func newOpener(root *os.Root) (opener, error) {
	dir, err := root.Open(".")
	if err != nil {
		return opener{}, err
	}
	conn, err := dir.SyscallConn()
	if err != nil {
		return opener{}, errors.Join(err, dir.Close())
	}
	o := opener{root: root, dir: dir, conn: conn}
	fd, err := o.openBeneath(".")
	if err != nil { // an old kernel, or a sandbox that does not know the call
		return opener{root: root}, dir.Close()
	}
	return o, syscall.Close(fd)
}

func (o *opener) close() error {
	if o.dir == nil {
		return nil
	}
	return o.dir.Close()
}

func (o *opener) open(key string) (*os.File, stat, error) {
	if o.dir == nil {
		return openInRoot(o.root, key)
	}
	fd, err := o.openBeneath(key)
	if err == syscall.EAGAIN { // a symbolic link with ".." met a rename
		return openInRoot(o.root, key)
	}
	if err != nil {
		return nil, stat{}, err
	}
	var sys syscall.Stat_t
	if err := fstat(fd, &sys); err != nil {
		return nil, stat{}, errors.Join(err, syscall.Close(fd))
	}
	if sys.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, stat{}, errors.Join(fs.ErrNotExist, syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), key), stat{sys.Size, time.Unix(sys.Mtim.Unix())}, nil
}

// openHow is struct open_how of openat2(2).
type openHow struct{ flags, mode, resolve uint64 }

const (
	sysOpenat2     = 437 // on all architectures
	resolveBeneath = 0x08
)

// beneath opens files for reading and does not wait for the writer of a pipe.
var beneath = openHow{flags: uint64(readFlags | syscall.O_CLOEXEC | syscall.O_LARGEFILE), resolve: resolveBeneath}

func (o *opener) openBeneath(name string) (int, error) {
	path, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	var fd uintptr
	var errno syscall.Errno
	err = o.conn.Control(func(dir uintptr) {
		for {
			fd, _, errno = syscall.Syscall6(sysOpenat2, dir, uintptr(unsafe.Pointer(path)),
				uintptr(unsafe.Pointer(&beneath)), unsafe.Sizeof(beneath), 0, 0)
			if errno != syscall.EINTR {
				return
			}
		}
	})
	runtime.KeepAlive(path)
	if err != nil {
		return -1, err
	}
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func fstat(fd int, sys *syscall.Stat_t) error {
	for {
		if err := syscall.Fstat(fd, sys); err != syscall.EINTR {
			return err
		}
	}
}
