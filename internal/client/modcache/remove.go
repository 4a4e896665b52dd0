package modcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Remove takes away an entry, unless it has been used or changed since it was scanned:
// then, or while somebody else holds its lock, the error matches ErrInUse and nothing has
// happened.
func (c *Cache) Remove(ctx context.Context, e Entry) error {
	return c.removeAlone(ctx, e, func() error {
		if e.Version == "" {
			return c.removeFiles(e.tree, e.file(".info"))
		}
		return c.removeVersion(e)
	})
}

// RemoveContent is Remove for the content of a version: its .info and .mod stay.
func (c *Cache) RemoveContent(ctx context.Context, e Entry) error {
	return c.removeAlone(ctx, e, func() error { return c.removeContent(e, contentEndings...) })
}

func (c *Cache) removeAlone(ctx context.Context, e Entry, remove func() error) error {
	return c.alone(ctx, e.lock(), func() error {
		if err := c.unchanged(e); err != nil {
			return err
		}
		return remove()
	})
}

// alone runs f with the locks that keep go commands away: the one of an entry, and the
// one for go.sum, without which none is finished.
func (c *Cache) alone(ctx context.Context, lock string, f func() error) error {
	unlockSums, err := c.lockSums(ctx)
	if err != nil {
		return err
	}
	defer unlockSums()
	unlock, err := c.tryLock(lock)
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// unchanged reports that an entry is not as it was when it was looked at.
func (c *Cache) unchanged(e Entry) error {
	if e.Version == "" {
		return nil // the lock of a clone is held whenever it is used
	}
	now, err := c.Lookup(e.Module())
	if err != nil {
		return err
	}
	same := len(now.files) == len(e.files) && now.tree == e.tree && !now.Used.After(e.Used)
	for name, info := range now.files {
		was := e.files[name]
		same = same && was != nil && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime())
	}
	if !same {
		return fmt.Errorf("%s is %w", e, ErrInUse)
	}
	return nil
}

func (c *Cache) removeVersion(e Entry) error {
	if err := c.removeContent(e, contentEndings...); err != nil {
		return err
	}
	if err := c.removeFiles(e.file(".mod"), e.file(".info")); err != nil {
		return err
	}
	return c.rewriteList(path.Dir(e.base))
}

// removeContent removes the tree of a version, and files of these endings. Until all of
// it is gone there is a .partial, with which the go command marks what is incomplete.
func (c *Cache) removeContent(e Entry, endings ...string) error {
	partial := e.file(".partial")
	if err := c.root.WriteFile(partial, nil, 0o666); err != nil {
		return err
	}
	if e.tree != "" {
		if err := c.removeTree(e.tree); err != nil {
			return err
		}
	}
	for _, ending := range endings {
		if err := c.removeFiles(e.file(ending)); err != nil {
			return err
		}
	}
	return c.removeFiles(partial)
}

// removeTree removes a folder with all that is in it, and the folders above it that
// are empty then.
func (c *Cache) removeTree(dir string) error {
	if err := c.makeWritable(dir); err != nil {
		return err
	}
	if err := c.root.RemoveAll(dir); err != nil {
		return err
	}
	for parent := path.Dir(dir); parent != "." && c.root.Remove(parent) == nil; {
		parent = path.Dir(parent)
	}
	return nil
}

// makeWritable lets the folders of a tree be emptied: the go command makes them
// read-only. What symbolic links lead to stays as it is.
func (c *Cache) makeWritable(dir string) error {
	info, err := c.root.Lstat(dir)
	if err != nil || !info.IsDir() {
		return ignoreAbsent(err)
	}
	return fs.WalkDir(c.root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return ignoreAbsent(err)
		}
		return ignoreAbsent(c.root.Chmod(name, 0o777))
	})
}

// removeFiles removes files or folders, those that are there.
func (c *Cache) removeFiles(names ...string) error {
	for _, name := range names {
		if err := c.makeWritable(name); err != nil {
			return err
		}
		if err := ignoreAbsent(c.root.RemoveAll(name)); err != nil {
			return err
		}
	}
	return nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// rewriteList has the list of versions name those whose .mod is there, for those who
// use the cache as a proxy. The go command does so when it adds a .mod. If somebody else
// is at it, it is left to them.
//
// Source: cmd/go/internal/modfetch/cache.go, rewriteVersionList.
func (c *Cache) rewriteList(dir string) error {
	f, err := c.root.OpenFile(path.Join(dir, "list"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := tryLockFile(f); err != nil {
		return nil
	}
	all, err := fs.ReadDir(c.root.FS(), dir)
	if err != nil {
		return err
	}
	var versions []string
	for _, d := range all {
		if version, ok := strings.CutSuffix(d.Name(), ".mod"); ok && module.CanonicalVersion(version) == version {
			versions = append(versions, version)
		}
	}
	semver.Sort(versions)
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(append(versions, ""), "\n"))
	return err
}
