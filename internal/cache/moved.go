package cache

import (
	"context"
	"encoding/json"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// Moved is a version whose tag stands for another commit than when it was stored. What
// is stored stays.
type Moved struct {
	Module, Version string
	Tag             string    // as in refs/tags/v1.2.3
	Was, Is         string    // commits
	Since           time.Time // when the version was stored
}

// compareTags tells of the versions of a module that are stored and whose tags have
// moved since, each once for each commit. refs are the commits of today, by name.
func (c *Cache) compareTags(ctx context.Context, mod string, versions []string, refs map[string]string) {
	if refs == nil {
		return
	}
	for _, v := range versions {
		m, ok := c.origin(ctx, mod, v)
		m.Is = refs[m.Tag]
		if !ok || m.Is == "" || m.Is == m.Was {
			continue
		}
		if _, first := c.moved.SetIfAbsent(mod+"@"+v+" "+m.Is, struct{}{}); first {
			c.options().OnMoved(m)
		}
	}
}

// origin is where a stored version comes from, as far as its .info says that.
func (c *Cache) origin(ctx context.Context, mod, version string) (m Moved, ok bool) {
	b, err := c.store.Get(ctx, artifact.Name{Kind: artifact.Info, Module: mod, Version: version}.Key())
	if err != nil {
		return m, false
	}
	since := b.Time
	data, err := b.ReadAll(artifact.Info.MaxSize())
	if err != nil {
		return m, false
	}
	var info struct {
		Origin struct{ Ref, Hash string }
	}
	if json.Unmarshal(data, &info) != nil || info.Origin.Hash == "" {
		return m, false
	}
	return Moved{Module: mod, Version: version, Tag: info.Origin.Ref, Was: info.Origin.Hash, Since: since}, true
}
