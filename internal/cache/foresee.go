package cache

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
)

// foresee begins to fetch what a client who asks for an .info asks for next, while
// it still waits: the .mod, or the .zip when the .mod is there already, which is
// the order of "go get" and of "go mod download". It is a guess that costs little,
// and is not made under pressure.
func (c *Cache) foresee(ctx context.Context, n artifact.Name) {
	if n.Kind != artifact.Info {
		return
	}
	next := n.Sibling(artifact.Mod)
	if c.has(ctx, next.Key()) {
		next = n.Sibling(artifact.Zip)
	}
	key := next.Key()
	if c.has(ctx, key) || c.absent(key) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.flights[key]; ok || c.closed || len(c.flights) >= c.options().MaxFills/2 {
		return
	}
	c.depart(&flight{name: next, key: key, fetch: c.fromSource(next)})
}

func (c *Cache) has(ctx context.Context, key string) bool {
	b, err := c.store.Get(ctx, key)
	if err != nil {
		return false
	}
	b.Close()
	return true
}
