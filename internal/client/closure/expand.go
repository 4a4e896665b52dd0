package closure

import (
	"context"
	"go/version"
	"maps"
	"slices"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modsource"
)

// maxReads is how many go.mod files are read at one time.
const maxReads = 16

// maxGraph bounds how many go.mod files are read for one list or project. The largest
// graphs there are have a tenth of this.
const maxGraph = 50_000

// requirements is what matters of the go.mod of a dependency.
type requirements struct {
	pruned bool // its requirements name all that its packages need
	list   []module.Version
	goLine *modfile.Go
	chain  *modfile.Toolchain
}

// A reader reads the go.mod files of dependencies, each once.
type reader struct {
	*builder
	mu   sync.Mutex
	mods map[module.Version]requirements
}

// expand adds modules with what their packages and their tests need. A go.mod that
// cannot be read is a failure, and the rest goes on.
func (b *builder) expand(ctx context.Context, roots []module.Version) {
	r := &reader{builder: b, mods: map[module.Version]requirements{}}
	r.read(ctx, roots)
	for _, root := range roots {
		if ctx.Err() != nil {
			return
		}
		b.need(root, true)
		b.askLines(r.mods[root].goLine, r.mods[root].chain)
		r.expand(ctx, r.mods[root])
	}
}

// expand adds what a module requires: the go.mod files that the go command loads, and
// the zips that packages can come from. Those are, of a pruned graph, in the versions
// that are selected, the modules that its go.mod names; of another, all.
func (r *reader) expand(ctx context.Context, top requirements) {
	selected := map[string]string{}
	grow := func(list []module.Version, all bool) (grown bool) {
		for _, v := range list {
			old, known := selected[v.Path]
			if (known || all) && semver.Compare(v.Version, old) > 0 {
				selected[v.Path] = v.Version
				grown = true
			}
		}
		return grown
	}
	for grown := grow(top.list, true); grown && ctx.Err() == nil; {
		grown = false
		for v := range r.reach(ctx, versions(selected), top.pruned) {
			r.need(v, false)
			grown = grow(r.mods[v].list, !top.pruned) || grown
		}
	}
	for _, v := range versions(selected) {
		r.need(v, true)
	}
}

func versions(selected map[string]string) []module.Version {
	var list []module.Version
	for path, v := range selected {
		list = append(list, module.Version{Path: path, Version: v})
	}
	return list
}

// reach returns the versions whose go.mod files the go command loads from some roots
// on: of a pruned graph no further than the roots, except below those that are not
// pruned themselves.
func (r *reader) reach(ctx context.Context, roots []module.Version, pruned bool) map[module.Version]bool {
	reached := map[module.Version]bool{}
	for wave := roots; len(wave) > 0 && ctx.Err() == nil; {
		r.read(ctx, wave)
		var next []module.Version
		for _, v := range wave {
			reached[v] = true
			if mod := r.mods[v]; !pruned || !mod.pruned {
				next = append(next, mod.list...)
			}
		}
		wave = slices.DeleteFunc(next, func(v module.Version) bool { return reached[v] })
	}
	return reached
}

// read reads those go.mod files that have not been read.
func (r *reader) read(ctx context.Context, wanted []module.Version) {
	fresh := map[module.Version]bool{}
	for _, v := range wanted {
		if _, known := r.mods[v]; !known && len(r.mods)+len(fresh) < maxGraph {
			fresh[v] = true
		}
	}
	var reads errgroup.Group
	reads.SetLimit(maxReads)
	for v := range maps.Clone(fresh) {
		reads.Go(func() error {
			mod, err := r.readOne(ctx, v)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mods[v] = mod
			if err != nil && ctx.Err() == nil {
				r.failures = append(r.failures, Failure{artifact.Name{Kind: artifact.Mod, Module: v.Path, Version: v.Version}, err})
			}
			return nil
		})
	}
	reads.Wait()
}

func (r *reader) readOne(ctx context.Context, v module.Version) (requirements, error) {
	n := artifact.Name{Kind: artifact.Mod, Module: v.Path, Version: v.Version}
	data, err := modsource.Read(ctx, r.Source, n)
	if err != nil {
		return requirements{}, err
	}
	mod, err := modfile.ParseLax(n.String(), data, nil)
	if err != nil {
		return requirements{}, &artifact.Error{Class: artifact.ErrBadUpstream, Reason: n.String() + " is not a go.mod file", Err: err}
	}
	found := requirements{goLine: mod.Go, chain: mod.Toolchain}
	found.pruned = mod.Go != nil && version.Compare("go"+mod.Go.Version, "go1.17") >= 0
	for _, required := range mod.Require {
		if checkVersion(required.Mod) == nil {
			found.list = append(found.list, required.Mod)
		}
	}
	return found, nil
}
