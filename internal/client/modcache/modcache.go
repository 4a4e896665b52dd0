// Package modcache knows the module cache of the go command: what lies in it and since
// when nobody has used it, what may go, and what is broken.
//
// It promises that
//
//   - nothing outside the folder of the cache is read or changed, see package folder,
//     and that a folder which is no module cache is refused;
//   - a version is only touched while its lock is held, the one that the go command
//     takes to download it, and only as it was when it was looked at;
//   - whenever the work ends early, what is left is what the go command takes for a
//     download that was interrupted, and mends by itself;
//   - the repair takes away only what is broken, so that the next go command brings it
//     again, and of the bytes that can be made anew from others only the copies.
//
// What is broken in a version, package check tells; what may go, package prune.
//
// A go command that reads the tree of a version holds no lock. Like go clean -modcache,
// pruning can take a tree away from one that runs; what was used in the last minutes is
// therefore kept.
//
// Sources: the Go Modules Reference, "Module cache"; cmd/go/internal/modfetch, cache.go
// and fetch.go; cmd/go/internal/modfetch/codehost, WorkDir; golang.org/x/mod/zip.
package modcache

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/modcache/folder"
)

// Folders of a module cache. All names within it have slashes.
const (
	downloads = "cache/download"
	sums      = "cache/download/sumdb"
	repos     = "cache/vcs"
)

// Why something is left alone.
var (
	ErrNoCache = errors.New("not a module cache")
	ErrInUse   = folder.ErrInUse // a go command is at work there, or was until just now
)

// A Cache is a module cache. It is safe for concurrent use.
type Cache struct {
	Dir    string
	folder *folder.Folder
}

// Open opens the module cache in a folder. The error matches fs.ErrNotExist where there
// is no such folder or nothing in it, and ErrNoCache where there is something else.
func Open(dir string) (*Cache, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%q is %w: the go command accepts absolute paths only", dir, ErrNoCache)
	}
	in, err := folder.At(dir)
	if err != nil {
		return nil, err
	}
	c := &Cache{Dir: dir, folder: in}
	if err := c.recognize(); err != nil {
		in.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the cache.
func (c *Cache) Close() error { return c.folder.Close() }

// UsedBy says what the times of last use are taken from: "atime", or "mtime", the time
// of the download, where the file system does not note when a file is read.
func (c *Cache) UsedBy() string { return c.folder.UsedBy() }

// recognize refuses a folder that does not look like a module cache.
func (c *Cache) recognize() error {
	info, err := c.folder.Lstat(downloads)
	if err == nil && info.IsDir() {
		return nil
	}
	all, readErr := fs.ReadDir(c.folder.FS(), ".")
	switch {
	case readErr != nil:
		return readErr
	case len(all) == 0:
		return fmt.Errorf("%s is empty: %w", c.Dir, fs.ErrNotExist)
	}
	return fmt.Errorf("%s is %w: it has no folder %s; see go env GOMODCACHE", c.Dir, ErrNoCache, filepath.FromSlash(downloads))
}

// A Kind says what an Entry is.
type Kind string

// The kinds of entries.
const (
	Module    Kind = "module"
	Toolchain Kind = "toolchain"  // a Go toolchain, which is a module for the go command
	VCS       Kind = "repository" // a clone that versions were made from
	SumDB     Kind = "checksums"  // records and tiles of a checksum database
	Unknown   Kind = "unknown"    // nothing the go command has put there
)

// toolchainModule is the module whose versions are toolchains.
const toolchainModule = "golang.org/toolchain"

// An Entry is what is kept of one version of a module, or of one repository or database.
type Entry struct {
	Kind    Kind
	Name    string    // of a module its path, else of the repository, database or file
	Version string    // of a module
	Zip     int64     // bytes
	Tree    int64     // bytes of the extracted files
	Rest    int64     // bytes of everything else
	Used    time.Time // the last time, as far as it is known

	files map[string]fs.FileInfo // besides the tree and the lock, by their names in the cache
	tree  string                 // the folder of the extracted files, or of the clone; empty: there is none
	base  string                 // what the names of its files begin with
}

// Content is what the zip, its hash and the extracted files take: Size without .info, .mod
// and what else there is.
func (e Entry) Content() int64 {
	size := e.Tree
	for _, ending := range contentEndings {
		if info := e.files[e.file(ending)]; info != nil {
			size += info.Size()
		}
	}
	return size
}

// Size is what the entry takes, in bytes of its files.
func (e Entry) Size() int64 { return e.Zip + e.Tree + e.Rest }

// String names the entry for people.
func (e Entry) String() string {
	if e.Version == "" {
		return e.Name
	}
	return e.Name + "@" + e.Version
}

// Module is the version that an entry is of.
func (e Entry) Module() module.Version { return module.Version{Path: e.Name, Version: e.Version} }

// file is the name that a file of this ending has.
func (e Entry) file(ending string) string { return e.base + ending }

// has reports whether there is a file of this ending.
func (e Entry) has(ending string) bool { return e.files[e.file(ending)] != nil }

// lock is the name of the file that the go command locks.
func (e Entry) lock() string { return e.file(".lock") }

// newEntry is an entry of a version without anything in it.
func newEntry(m module.Version) (Entry, error) {
	escPath, err := module.EscapePath(m.Path)
	if err != nil {
		return Entry{}, err
	}
	escVersion, err := module.EscapeVersion(m.Version)
	if err != nil {
		return Entry{}, err
	}
	kind := Module
	if m.Path == toolchainModule {
		kind = Toolchain
	}
	return Entry{
		Kind: kind, Name: m.Path, Version: m.Version,
		base:  path.Join(downloads, escPath, "@v", escVersion),
		files: map[string]fs.FileInfo{},
	}, nil
}

// treeOf is the folder that the files of a version are extracted to.
func treeOf(base string) string {
	escPath, escVersion, _ := strings.Cut(strings.TrimPrefix(base, downloads+"/"), "/@v/")
	return escPath + "@" + escVersion
}

// endings of the files of a version, and of those that hold or describe its content.
var (
	endings        = []string{".info", ".mod", ".zip", ".ziphash", ".partial"}
	contentEndings = []string{".zip", ".ziphash"}
)

// Lookup returns what is kept of a version. There may be nothing of it: then its Size
// is zero. The tree is not measured.
func (c *Cache) Lookup(m module.Version) (Entry, error) {
	e, err := newEntry(m)
	if err != nil {
		return Entry{}, err
	}
	for _, ending := range endings {
		info, err := c.folder.Lstat(e.file(ending))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Entry{}, err
		}
		e.add(e.file(ending), info, c.folder)
	}
	if info, err := c.folder.Lstat(treeOf(e.base)); err == nil && info.IsDir() {
		e.tree = treeOf(e.base)
	}
	return e, nil
}

// add notes a file.
func (e *Entry) add(name string, info fs.FileInfo, in *folder.Folder) {
	e.files[name] = info
	if path.Ext(name) == ".zip" {
		e.Zip += info.Size()
	} else {
		e.Rest += info.Size()
	}
	e.use(in.Used(info))
}

func (e *Entry) use(t time.Time) {
	if t.After(e.Used) {
		e.Used = t
	}
}
