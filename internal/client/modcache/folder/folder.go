// Package folder is the folder of a module cache, as somebody may treat it who is not the
// go command.
//
// It promises that nothing outside of it is read or changed, wherever symbolic links in
// it lead; that files are read without that counting as use, where the system allows it;
// and that go commands are kept away by the locks that they take themselves. What the
// files are it does not know.
//
// Sources: the Go Modules Reference, "Module cache"; cmd/go/internal/modfetch, cache.go;
// cmd/go/internal/lockedfile.
package folder

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// A Folder is the folder of a module cache. Names in it have slashes. It is safe for
// concurrent use.
type Folder struct {
	dir   string
	root  *os.Root
	times clock
}

// At opens a folder.
func At(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{dir: dir, root: root, times: clockOf(dir)}, nil
}

// Close closes the folder.
func (d *Folder) Close() error { return d.root.Close() }

// UsedBy says what Used goes by: "atime", or "mtime", the time of the download, where the
// file system does not note when a file is read.
func (d *Folder) UsedBy() string { return d.times.name }

// Used is when a file was last used, as far as it is known.
func (d *Folder) Used(info fs.FileInfo) time.Time { return d.times.used(info) }

// FS is for walking the folder.
func (d *Folder) FS() fs.FS { return d.root.FS() }

// Lstat describes a file or folder; it follows no symbolic link.
func (d *Folder) Lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

// Edit opens a file that is there, for reading and writing.
func (d *Folder) Edit(name string) (*os.File, error) { return d.root.OpenFile(name, os.O_RDWR, 0) }

// Mark makes an empty file.
func (d *Folder) Mark(name string) error { return d.root.WriteFile(name, nil, 0o666) }

// Open opens a file for reading, if possible so that its time of last use
// stays: who looks after the cache does not use it.
func (d *Folder) Open(name string) (*os.File, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|noAccessTime, 0)
	if err != nil && noAccessTime != 0 {
		return d.root.Open(name) // only the owner of a file may read it quietly
	}
	return f, err
}

// ReadFile reads a small file.
func (d *Folder) ReadFile(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(data) > maxSmall {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxSmall)
	}
	return data, err
}

// maxSmall bounds what is read as a whole, in bytes: the largest go.mod there may be.
const maxSmall = 16 << 20
