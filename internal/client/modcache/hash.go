package modcache

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/modcache/check"
	"github.com/goweir/weir/internal/h1"
)

// Check compares what is kept of a version with itself, see package check. It returns
// what is wrong, for people. While a go command downloads the version, the error matches
// ErrInUse.
func (c *Cache) Check(ctx context.Context, e Entry) (problems []string, err error) {
	if c.folder.Locked(e.lock()) {
		return nil, fmt.Errorf("%s is %w", e, ErrInUse)
	}
	v, err := c.examine(ctx, e)
	return v.Problems, err
}

// examine is Check for those who hold the lock, or do not mind.
func (c *Cache) examine(ctx context.Context, e Entry) (check.Verdict, error) {
	there := slices.DeleteFunc(slices.Clone(endings), func(ending string) bool { return !e.has(ending) })
	return check.Examine(ctx, c.folder, check.Version{Module: e.Module(), Toolchain: e.Kind == Toolchain, Base: e.base, Endings: there, Tree: e.tree})
}

// Hash is the hash that the go command has noted of the zip of a version; empty where it
// has none.
func (c *Cache) Hash(e Entry) (string, error) {
	if !e.has(".ziphash") {
		return "", nil
	}
	data, err := c.folder.ReadFile(e.file(".ziphash"))
	if hash := strings.TrimSpace(string(data)); err == nil && h1.Is(hash) {
		return hash, nil
	}
	return "", err
}

// HashMod is the hash of the .mod of a version; empty where the cache has none.
func (c *Cache) HashMod(e Entry) (string, error) {
	if !e.has(".mod") {
		return "", nil
	}
	data, err := c.folder.ReadFile(e.file(".mod"))
	if err != nil {
		return "", err
	}
	return h1.GoMod(data), nil
}
