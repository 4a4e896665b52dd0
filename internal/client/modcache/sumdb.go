package modcache

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modcache/folder"
)

// damagesOfDatabase finds records and tiles of a checksum database that are not whole.
func (c *Cache) damagesOfDatabase(ctx context.Context, e Entry) ([]Damage, error) {
	var damages []Damage
	err := c.walk(ctx, e.tree, func(name string, d fs.DirEntry) error {
		if !d.IsDir() && !c.isWhole(name) {
			damages = append(damages, Damage{name, "is not whole", func(context.Context) error { return c.removeUnlessWhole(name) }})
		}
		return nil
	})
	return damages, err
}

// isWhole reports whether a file of a checksum database can be what its name says. What
// a name says that it does not know, and what cannot be read, it does not judge.
func (c *Cache) isWhole(name string) bool {
	n, err := artifact.Parse(strings.TrimPrefix(name, downloads+"/"))
	if err != nil || n.Kind != artifact.SumTile && n.Kind != artifact.SumLookup {
		return true
	}
	f, err := c.folder.Open(name)
	if err != nil {
		return true
	}
	defer f.Close()
	if folder.TryLock(f) != nil {
		return true // a go command is writing it
	}
	data, err := c.folder.ReadFile(name)
	return err != nil || canBe(n, data)
}

// canBe reports whether a record or a tile can have some content.
func canBe(n artifact.Name, data []byte) bool {
	if n.Kind == artifact.SumLookup {
		_, _, _, err := tlog.ParseRecord(data)
		return err == nil
	}
	t, err := tlog.ParseTilePath(n.Tile)
	return err != nil || t.L == -1 || len(data) == t.W*tlog.HashSize
}

func (c *Cache) removeUnlessWhole(name string) error {
	if c.isWhole(name) {
		return fmt.Errorf("%s is %w", name, ErrInUse)
	}
	return c.folder.Remove(name)
}
