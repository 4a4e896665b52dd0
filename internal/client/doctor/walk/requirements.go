package walk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/gosum"
)

// The bounds of looking at requirements: how many, how many at the same time, and how
// many times the usual bound it may take.
const (
	maxRequirements = 20
	atOnce          = 4
	requirementTime = 3
)

// Requirements looks whether what go.mod requires can be fetched, if anything has to be. It rests
// on what is found of the first proxy. One module is left out, since it is looked at elsewhere.
func (w *Walker) Requirements(leftOut string, ofFirstProxy []*check.Check) []*check.Check {
	missing := w.missing(leftOut)
	if len(missing) == 0 {
		return nil
	}
	return []*check.Check{{ID: "requirements", Patience: requirementTime, After: check.Find(ofFirstProxy, "proxy-info"),
		Run: func(ctx context.Context) check.Result { return w.checkRequirements(ctx, missing) }}}
}

// missing are requirements that are not in the module cache, as many as are looked at.
// One private module of each host is looked at elsewhere.
func (w *Walker) missing(leftOut string) []module.Version {
	cache := filepath.Join(w.settings.Value("GOMODCACHE"), "cache", "download")
	var all []module.Version
	for _, r := range w.settings.Folder.Requirements() {
		key := artifact.Name{Kind: artifact.Mod, Module: r.Path, Version: r.Version}.Key()
		_, err := os.Stat(filepath.Join(cache, filepath.FromSlash(key)))
		if err != nil && !w.settings.IsPrivate(r.Path) && r.Path != leftOut && len(all) < maxRequirements {
			all = append(all, r)
		}
	}
	return all
}

// checkRequirements says of the first requirement that cannot be fetched why.
func (w *Walker) checkRequirements(ctx context.Context, all []module.Version) check.Result {
	results := make([]check.Result, len(all))
	slots := make(chan struct{}, atOnce)
	var workers sync.WaitGroup
	for i, r := range all {
		workers.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			way := w.begin(r)
			results[i] = way.take(ctx, way.checkName, way.fetchMod, way.proveIfNew)
		})
	}
	workers.Wait()
	isBad := func(r check.Result) bool { return r.State == check.Bad }
	first := slices.IndexFunc(results, isBad)
	if first < 0 {
		return check.Well(fmt.Sprintf("%d that are not in the module cache can be fetched", len(all)))
	}
	others := -1
	for _, r := range results {
		if isBad(r) {
			others++
		}
	}
	r := results[first]
	if others > 0 {
		r = r.With(fmt.Sprintf("%d more of %d requirements cannot be fetched", others, len(all)))
	}
	return r.With("see the whole way: weir doctor " + all[first].String())
}

// proveIfNew asks the checksum database for what go.sum does not have.
func (w *walk) proveIfNew(ctx context.Context) error {
	if slices.ContainsFunc(w.settings.Folder.Sums(), func(l gosum.Line) bool { return l.Module == w.module && l.IsMod && l.Known() }) {
		return nil
	}
	return w.prove(ctx)
}
