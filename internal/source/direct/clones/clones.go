// Package clones keeps what version control has fetched, a folder for each repository.
//
//   - A clone lives longer than the process, and goes when all together have more than
//     their limit and no other has been out of use for as long. One in use never goes.
//   - What a command that was killed has left in it, such as locks, is gone before the
//     next one uses it.
//   - A clone that is of no use is used by nobody who comes later, for whom there is a
//     new one at once, and goes when those have left who use it.
//   - One command at a time asks a repository what it has, as far as its clone is of use.
//
// What is in a clone, this package does not know, and it runs nothing. One Cache has its
// folders for itself. It is safe for concurrent use.
package clones

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Cache has all clones, bounded in size.
type Cache struct {
	dir   string // of all of them
	trash string // where those that are given up go before they are removed
	limit int64  // bytes

	mu     sync.Mutex
	all    map[*Clone]bool
	newest map[string]*Clone // of each repository, by name
	last   int64             // number of a clone, which is higher than all before
}

// A Clone is what is kept of one repository: the folder that the go command has as
// its GOMODCACHE/cache/vcs.
type Clone struct {
	cache *Cache
	name  string // of the repository; that of the folder is this, a dash and a number
	dir   string
	// talk is held by the one command that may ask the repository what it
	// has: the next one finds what this one fetched.
	talk chan struct{}

	// The rest belongs to Cache.mu.
	users int
	size  int64
	used  time.Time
	dirty bool // a command was killed in it
	bad   bool // it is of no use, and goes when nobody uses it
}

// Open returns the Cache in a folder, which is made if need be, for its owner only, with
// what an earlier process has left there. The folder trash must be there, in the same
// file system; what is in it may be removed at any time.
func Open(dir, trash string, limit int64) (*Cache, error) {
	c := &Cache{dir: dir, trash: trash, limit: limit, all: map[*Clone]bool{}, newest: map[string]*Clone{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries { // of one repository the newest comes last, and the others were given up
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		k := c.add(entry.Name())
		k.used = info.ModTime()
		c.last = max(c.last, number(entry.Name())) // however the clock was set since
		if err := tidy(k.dir); err != nil {
			return nil, err
		}
		k.size = Size(k.dir)
	}
	c.mu.Lock()
	gone := c.evict()
	c.mu.Unlock()
	return c, removeAll(gone)
}

// number is the number of the clone in a folder, or 0.
func number(folder string) int64 {
	_, digits, _ := strings.Cut(folder, "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// add takes in the clone that is in a folder, in place of an older one of the same
// repository.
func (c *Cache) add(folder string) *Clone {
	name, _, _ := strings.Cut(folder, "-")
	k := &Clone{cache: c, name: name, dir: filepath.Join(c.dir, folder), talk: make(chan struct{}, 1)}
	if old := c.newest[name]; old != nil {
		old.bad = true
	}
	c.all[k], c.newest[name] = true, k
	return k
}

// Use returns the clone of a repository, whatever that is called, which stays until it
// is given back.
func (c *Cache) Use(repository string) (*Clone, error) {
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(repository)))
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.newest[name]
	if k == nil || k.bad {
		c.last = max(c.last+1, time.Now().UnixNano())
		k = c.add(fmt.Sprintf("%s-%d", name, c.last))
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	if k.dirty && k.users == 0 {
		if err := tidy(k.dir); err != nil {
			return nil, err
		}
		k.dirty = false
	}
	k.users++
	return k, nil
}

// Dir returns the folder.
func (k *Clone) Dir() string { return k.dir }

// GiveBack ends the use of a clone. What cannot be removed now is removed at the next
// start.
func (k *Clone) GiveBack() error {
	c := k.cache
	size, now := Size(k.dir), time.Now()
	os.Chtimes(k.dir, now, now) // what the next process goes by; nothing is lost without
	c.mu.Lock()
	k.users--
	k.size, k.used = size, now
	gone := c.evict()
	c.mu.Unlock()
	return removeAll(gone)
}

// Killed notes that a command was killed in the clone, and may have left locks.
func (k *Clone) Killed() {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	k.dirty = true
}

// GiveUp notes that the clone is of no use. Whoever uses it may go on, but nobody else
// gets it.
func (k *Clone) GiveUp() {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	k.bad = true
}

// GivenUp reports whether the clone is of no use.
func (k *Clone) GivenUp() bool {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	return k.bad
}

// evict moves clones that nobody uses out of the way, until the rest is within
// the limit, and returns where they are now. c.mu is held.
func (c *Cache) evict() (gone []string) {
	for {
		k := c.victim()
		if k == nil {
			return gone
		}
		delete(c.all, k)
		if c.newest[k.name] == k {
			delete(c.newest, k.name)
		}
		to, err := os.MkdirTemp(c.trash, "clone-")
		if err == nil {
			err = os.Rename(k.dir, filepath.Join(to, k.name))
			gone = append(gone, to)
		}
		if err != nil {
			gone = append(gone, k.dir)
		}
	}
}

// victim returns the next clone to go, or nil.
func (c *Cache) victim() *Clone {
	var total int64
	var oldest *Clone
	for k := range c.all {
		total += k.size
		switch {
		case k.users > 0:
		case k.bad:
			return k
		case oldest == nil || k.used.Before(oldest.used):
			oldest = k
		}
	}
	if total <= c.limit {
		return nil
	}
	return oldest
}

// Ask waits for the turn to ask the repository what it has, which lasts until done is
// called.
func (k *Clone) Ask(ctx context.Context) (done func(), err error) {
	select {
	case k.talk <- struct{}{}:
		return func() { <-k.talk }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// tidy removes what commands of version control leave behind when they are
// killed: locks, which would stop all later ones, and unfinished files.
func tidy(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreAbsent(err)
		}
		name := entry.Name()
		nested := filepath.Dir(path) != dir // the go command's own locks end with who holds them
		if nested && strings.HasSuffix(name, ".lock") || strings.HasPrefix(name, "tmp_") {
			return ignoreAbsent(os.Remove(path))
		}
		return nil
	})
}

// Size returns how many bytes the files below a folder have. Files that come
// and go meanwhile count or do not.
func Size(dir string) (size int64) {
	filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func removeAll(dirs []string) (err error) {
	for _, dir := range dirs {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
