package direct

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// clones are the caches of version control: a folder for each repository, which
// the go command has as its GOMODCACHE/cache/vcs, bounded in size by giving up
// the one that has not been used for the longest time.
type clones struct {
	dir   string // of all of them
	trash string // where those that are given up go before they are removed
	limit int64  // bytes

	mu  sync.Mutex
	all map[string]*clone // by name
}

// A clone is what is kept of one repository.
type clone struct {
	name string
	dir  string
	// talk is held by the one command that may ask the repository what it
	// has: the next one finds what this one fetched.
	talk chan struct{}

	// The rest belongs to clones.mu.
	users int
	size  int64
	used  time.Time
	dirty bool // a command was killed in it
	bad   bool // it is of no use, and goes when nobody uses it
}

// openClones takes over what an earlier process has left.
func openClones(dir, trash string, limit int64) (*clones, error) {
	c := &clones{dir: dir, trash: trash, limit: limit, all: map[string]*clone{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		k := c.add(entry.Name())
		k.used = info.ModTime()
		if err := tidy(k.dir); err != nil {
			return nil, err
		}
		k.size = sizeOf(k.dir)
	}
	c.mu.Lock()
	gone := c.evict()
	c.mu.Unlock()
	return c, removeAll(gone)
}

func (c *clones) add(name string) *clone {
	k := &clone{name: name, dir: filepath.Join(c.dir, name), talk: make(chan struct{}, 1)}
	c.all[name] = k
	return k
}

// use returns the clone of a repository, which stays until it is given back.
func (c *clones) use(r repository) (*clone, error) {
	name := cloneName(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.all[name]
	if !ok {
		k = c.add(name)
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

// cloneName returns the name of the folder for a repository.
func cloneName(r repository) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(r.vcs+" "+r.url)))
}

// giveBack ends the use of a clone.
func (c *clones) giveBack(k *clone) error {
	size, now := sizeOf(k.dir), time.Now()
	os.Chtimes(k.dir, now, now) // what the next process goes by; nothing is lost without
	c.mu.Lock()
	k.users--
	k.size, k.used = size, now
	gone := c.evict()
	c.mu.Unlock()
	return removeAll(gone)
}

// killed notes that a command was killed in a clone, and may have left locks.
func (c *clones) killed(k *clone) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.dirty = true
}

// giveUp notes that a clone is of no use.
func (c *clones) giveUp(k *clone) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.bad = true
}

// evict moves clones that nobody uses out of the way, until the rest is within
// the limit, and returns where they are now. c.mu is held.
func (c *clones) evict() (gone []string) {
	for {
		k := c.victim()
		if k == nil {
			return gone
		}
		delete(c.all, k.name)
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
func (c *clones) victim() *clone {
	var total int64
	var oldest *clone
	for _, k := range c.all {
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

// ask waits for the turn to ask the repository what it has.
func (k *clone) ask(ctx context.Context) (done func(), err error) {
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

// sizeOf returns how many bytes the files below a folder have. Files that come
// and go meanwhile count or do not.
func sizeOf(dir string) (size int64) {
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
