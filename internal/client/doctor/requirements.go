package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
)

// The bounds of looking at requirements: how many, how many at the same time, and how
// many times the usual bound it may take.
const (
	maxRequirements = 20
	atOnce          = 4
	requirementTime = 3
)

// requirementChecks look whether what go.mod requires can be fetched, if anything has
// to be. They rest on the first proxy.
func (m *machine) requirementChecks(others []*Check) []*Check {
	missing := m.missing()
	if len(missing) == 0 || m.listError != nil {
		return nil
	}
	c := &Check{ID: "requirements", Patience: requirementTime, Run: func(ctx context.Context) Result { return m.checkRequirements(ctx, missing) }}
	for _, other := range others {
		if other.proxy == 1 && other.ID == "proxy-info" {
			c.After = []*Check{other}
		}
	}
	return []*Check{c}
}

// missing are requirements that are not in the module cache, as many as are looked at.
// One private module of each host is looked at elsewhere.
func (m *machine) missing() []module.Version {
	cache := filepath.Join(m.env.Value("GOMODCACHE"), "cache", "download")
	var all []module.Version
	for _, r := range m.folder.requirements() {
		key := artifact.Name{Kind: artifact.Mod, Module: r.Path, Version: r.Version}.Key()
		_, err := os.Stat(filepath.Join(cache, filepath.FromSlash(key)))
		if err != nil && !m.isPrivate(r.Path) && r.Path != m.Target.Path && len(all) < maxRequirements {
			all = append(all, r)
		}
	}
	return all
}

// checkRequirements says of the first requirement that cannot be fetched why.
func (m *machine) checkRequirements(ctx context.Context, all []module.Version) Result {
	results := make([]Result, len(all))
	slots := make(chan struct{}, atOnce)
	var workers sync.WaitGroup
	for i, r := range all {
		workers.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			w := &walk{machine: m, path: r.Path, version: r.Version}
			results[i] = w.take(ctx, w.checkName, w.fetchMod, w.proveIfNew)
		})
	}
	workers.Wait()
	isBad := func(r Result) bool { return r.State == Bad }
	first := slices.IndexFunc(results, isBad)
	if first < 0 {
		return well(fmt.Sprintf("%d that are not in the module cache can be fetched", len(all)))
	}
	others := -1
	for _, r := range results {
		if isBad(r) {
			others++
		}
	}
	r := results[first]
	if others > 0 {
		r = r.with(fmt.Sprintf("%d more of %d requirements cannot be fetched", others, len(all)))
	}
	return r.with("see the whole way: weir doctor " + all[first].String())
}

// proveIfNew asks the checksum database for what go.sum does not have.
func (w *walk) proveIfNew(ctx context.Context) error {
	line := fmt.Sprintf("%s %s/go.mod h1:", w.path, w.version)
	if slices.ContainsFunc(w.folder.sums(), func(recorded string) bool { return strings.HasPrefix(recorded, line) }) {
		return nil
	}
	return w.prove(ctx)
}
