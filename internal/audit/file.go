package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// A file is where lines are added, by one goroutine, and what it is rotated to.
type file struct {
	path       string
	maxSize    int64
	maxFiles   int
	openHandle func(path string) (handle, error)

	handle handle // nil: to be opened before the next line
	size   int64
}

// A handle is what is used of an *os.File.
type handle interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

func openFile(path string) (handle, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
}

// open opens the file and ends a line that a crash has torn.
func (f *file) open() error {
	h, err := f.openHandle(f.path)
	if err != nil {
		return err
	}
	size, err := prepare(h)
	if err != nil {
		h.Close()
		return err
	}
	f.handle, f.size = h, size
	return nil
}

// prepare makes a file end with a whole line and returns its size.
func prepare(h handle) (size int64, err error) {
	info, err := h.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is no regular file", info.Name())
	}
	size = info.Size()
	if size == 0 {
		return 0, nil
	}
	last := make([]byte, 1)
	if _, err := h.ReadAt(last, size-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return size, nil
	}
	_, err = h.Write(newline)
	return size + 1, err
}

// write adds lines and returns how many bytes of whole lines it has added. With
// an error that may be all of them, when just the rotation has failed.
func (f *file) write(lines []byte) (written int, err error) {
	for written < len(lines) {
		part, rotateErr := f.next(lines[written:])
		n, appendErr := f.append(part)
		written += n
		err = cmp.Or(err, appendErr, rotateErr)
		if appendErr != nil {
			break
		}
	}
	return written, err
}

// next is the part of lines that goes into the file as it is. When none fits, the
// file is rotated first; when that fails, it grows, rather than lose a line.
func (f *file) next(lines []byte) (part []byte, err error) {
	if fit := f.fit(lines); fit > 0 {
		return lines[:fit], nil
	}
	err = f.rotate()
	if fit := f.fit(lines); fit > 0 {
		return lines[:fit], err
	}
	return lines, err
}

// fit is how many bytes of lines, whole ones, fit into the file. An empty file
// takes one that is too long for any.
func (f *file) fit(lines []byte) int {
	room := f.maxSize - f.size
	if f.maxSize == 0 || room >= int64(len(lines)) {
		return len(lines)
	}
	fit := bytes.LastIndexByte(lines[:max(room, 0)], '\n') + 1
	if fit == 0 && f.size == 0 {
		fit = bytes.IndexByte(lines, '\n') + 1
	}
	return fit
}

// append adds lines to the file as it is. It leaves no torn line behind.
func (f *file) append(lines []byte) (written int, err error) {
	if f.handle == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n, err := f.handle.Write(lines)
	f.size += int64(n)
	if err == nil {
		return n, nil
	}
	whole := bytes.LastIndexByte(lines[:n], '\n') + 1
	if torn := int64(n - whole); torn > 0 {
		f.untear(torn)
	}
	return whole, err
}

// untear takes the last bytes off the file. When that fails, the file is opened
// anew for the next line, which ends the torn one. The size is asked of the system,
// as somebody may have emptied the file.
func (f *file) untear(torn int64) {
	info, err := f.handle.Stat()
	if err == nil {
		f.size = info.Size() - torn
		err = f.handle.Truncate(f.size)
	}
	if err != nil {
		f.handle.Close()
		f.handle = nil
	}
}

// rotate begins a new file and numbers the old ones anew.
func (f *file) rotate() error {
	return cmp.Or(f.close(), f.shift(), f.open()) // all of them, in this order
}

// shift renames the file and those before it, up to the first number that is
// free: when it fails half way and is tried again, no old file is pushed out.
func (f *file) shift() error {
	free := 1
	for free < f.maxFiles && exists(f.name(free)) {
		free++
	}
	for i := free; i > 0; i-- {
		if err := os.Rename(f.name(i-1), f.name(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// name is the path of an old file; number 0 is the present one.
func (f *file) name(number int) string {
	if number == 0 {
		return f.path
	}
	return f.path + "." + strconv.Itoa(number)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// reopen opens what is at the path now. The old handle stays when that fails.
func (f *file) reopen() error {
	old := *f
	if err := f.open(); err != nil {
		return fmt.Errorf("audit: cannot open the log anew, the old one stays in use: %w", err)
	}
	return old.close()
}

// close forces the file to the disk.
func (f *file) close() error {
	if f.handle == nil {
		return nil
	}
	err := cmp.Or(f.handle.Sync(), f.handle.Close())
	f.handle = nil
	return err
}
