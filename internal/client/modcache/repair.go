package modcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Damage is something broken, which the repair takes away.
type Damage struct {
	Name    string // module@version, or the name of a file in the cache
	Problem string // for people
	repair  func(context.Context) error
}

// old is how long after its last change a temporary file is one that was left over,
// where there is no lock that tells.
const old = time.Hour

// Damages finds all that is broken in a cache. That needs the hash of every file.
// progress, which may be nil, hears how many of how many entries have been looked at. Busy
// are those that a go command is at work on: they are not looked at.
func (c *Cache) Damages(ctx context.Context, contents *Contents, now time.Time, progress func(done, total int)) (damages []Damage, busy []string, err error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range contents.Entries {
		group.Go(func() error {
			found, err := c.damagesOf(groupCtx, e)
			mu.Lock()
			defer mu.Unlock()
			damages = append(damages, found...)
			if errors.Is(err, ErrInUse) {
				busy = append(busy, e.String())
				return nil
			}
			return err
		})
		progress(i, len(contents.Entries))
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for _, l := range contents.Leftovers {
		if l.lock == "" && now.Sub(l.info.ModTime()) < old || l.lock != "" && c.folder.Locked(l.lock) {
			continue
		}
		damages = append(damages, Damage{l.Name, "was left over by work that was interrupted", c.removeLeftover(l)})
	}
	slices.SortFunc(damages, func(a, b Damage) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(busy)
	return damages, busy, nil
}

// Repair takes away what is broken, if it still is. While a go command is at work on it,
// the error matches ErrInUse.
func (c *Cache) Repair(ctx context.Context, d Damage) error { return d.repair(ctx) }

func (c *Cache) damagesOf(ctx context.Context, e Entry) ([]Damage, error) {
	switch e.Kind {
	case Module, Toolchain:
		problems, err := c.Check(ctx, e)
		if len(problems) == 0 {
			return nil, err
		}
		return []Damage{{e.String(), strings.Join(problems, "; "), c.repairVersion(e)}}, err
	case VCS:
		return c.damagesOfClone(ctx, e)
	case SumDB:
		return c.damagesOfDatabase(ctx, e)
	}
	return nil, nil
}

// repairVersion looks again, now that no go command is at work there, and takes away
// what is broken.
func (c *Cache) repairVersion(e Entry) func(context.Context) error {
	return func(ctx context.Context) error {
		return c.folder.Alone(ctx, e.lock(), func() error {
			now, err := c.Lookup(e.Module())
			if err != nil {
				return err
			}
			broken, err := c.examine(ctx, now)
			if err != nil {
				return err
			}
			if broken.Tree {
				return c.removeContent(now, broken.Endings...)
			}
			for _, ending := range broken.Endings {
				if err := c.folder.Remove(now.file(ending)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (c *Cache) removeLeftover(l Leftover) func(context.Context) error {
	return func(ctx context.Context) error {
		if l.lock == "" {
			return c.folder.Remove(l.Name)
		}
		return c.folder.Alone(ctx, l.lock, func() error { return c.folder.Remove(l.Name) })
	}
}

// damagesOfClone finds locks that git has left in a clone: with one, it refuses to work.
func (c *Cache) damagesOfClone(ctx context.Context, e Entry) ([]Damage, error) {
	if c.folder.Locked(e.lock()) {
		return nil, fmt.Errorf("%s is %w", e, ErrInUse)
	}
	var damages []Damage
	err := c.walk(ctx, e.tree, func(name string, d fs.DirEntry) error {
		switch {
		case d.IsDir() && d.Name() == "objects":
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".lock":
			return nil
		}
		damages = append(damages, Damage{name, "is a lock that git has left in the clone of " + e.Name, func(ctx context.Context) error {
			return c.folder.Alone(ctx, e.lock(), func() error { return c.folder.Remove(name) })
		}})
		return nil
	})
	return damages, err
}
