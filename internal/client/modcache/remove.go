package modcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/client/modcache/folder"
)

// Remove takes away an entry, unless it has been used or changed since it was scanned:
// then, or while somebody else holds its lock, the error matches ErrInUse and nothing has
// happened.
func (c *Cache) Remove(ctx context.Context, e Entry) error {
	return c.removeAlone(ctx, e, func() error {
		if e.Version == "" {
			return c.folder.Remove(e.tree, e.file(".info"))
		}
		return c.removeVersion(e)
	})
}

// RemoveContent is Remove for the content of a version: its .info and .mod stay.
func (c *Cache) RemoveContent(ctx context.Context, e Entry) error {
	return c.removeAlone(ctx, e, func() error { return c.removeContent(e, contentEndings...) })
}

func (c *Cache) removeAlone(ctx context.Context, e Entry, remove func() error) error {
	return c.folder.Alone(ctx, e.lock(), func() error {
		if err := c.unchanged(e); err != nil {
			return err
		}
		return remove()
	})
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
	if err := c.folder.Remove(e.file(".mod"), e.file(".info")); err != nil {
		return err
	}
	return c.rewriteList(path.Dir(e.base))
}

// removeContent removes the tree of a version, and files of these endings. Until all of
// it is gone there is a .partial, with which the go command marks what is incomplete.
func (c *Cache) removeContent(e Entry, endings ...string) error {
	partial := e.file(".partial")
	if err := c.folder.Mark(partial); err != nil {
		return err
	}
	if e.tree != "" {
		if err := c.folder.RemoveTree(e.tree); err != nil {
			return err
		}
	}
	for _, ending := range endings {
		if err := c.folder.Remove(e.file(ending)); err != nil {
			return err
		}
	}
	return c.folder.Remove(partial)
}

// rewriteList has the list of versions name those whose .mod is there, for those who
// use the cache as a proxy. The go command does so when it adds a .mod. If somebody else
// is at it, it is left to them.
//
// Source: cmd/go/internal/modfetch/cache.go, rewriteVersionList.
func (c *Cache) rewriteList(dir string) error {
	f, err := c.folder.Edit(path.Join(dir, "list"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := folder.TryLock(f); err != nil {
		return nil
	}
	all, err := fs.ReadDir(c.folder.FS(), dir)
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
