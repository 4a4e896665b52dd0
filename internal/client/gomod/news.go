package gomod

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/source"
)

// maxQuestions is how many modules are asked about at one time, beyond their go.mod.
const maxQuestions = 16

// News is what the newest version of a module says of all of them.
type News struct {
	Latest     string   // the newest version of the same kind: a release, where there is one
	Retracted  []string // why the version in force was retracted, by its authors; nil: it was not
	Deprecated string   // why the module should not be used any more
	Err        error    // what kept it from being found out
}

// Updates asks for the newest versions of modules. Main modules, and those that a
// project replaces, have no news. progress is told how many are done.
func (f Files) Updates(ctx context.Context, p *project.Project, list []module.Version, progress func(done int)) map[string]News {
	return each(ctx, published(p, list), progress, func(ctx context.Context, m module.Version) News {
		n, err := f.news(ctx, m)
		if err != nil {
			n.Err = err
		}
		return n
	})
}

// Sizes finds the sizes of the zips of modules, in bytes: of what replaces them, where
// something does. Those that are not known are left out: of folders, and of what no
// proxy says the size of.
func (f Files) Sizes(ctx context.Context, p *project.Project, list []module.Version, progress func(done int)) map[string]int64 {
	var wanted []module.Version
	for _, m := range list {
		if to, ok := p.Replacement(m); m.Version != "" && (!ok || to.Version != "") {
			wanted = append(wanted, m)
		}
	}
	sizes := each(ctx, wanted, progress, func(ctx context.Context, m module.Version) int64 {
		if to, ok := p.Replacement(m); ok {
			m = to
		}
		return f.size(ctx, m)
	})
	for path, size := range sizes {
		if size < 0 {
			delete(sizes, path)
		}
	}
	return sizes
}

// published are the modules of a list that come from elsewhere, and as they are.
func published(p *project.Project, list []module.Version) []module.Version {
	return slices.DeleteFunc(slices.Clone(list), func(m module.Version) bool {
		_, replaced := p.Replacement(m)
		return replaced || m.Version == ""
	})
}

// each asks about modules, some at a time, until the context ends. The results are by
// module path.
func each[T any](ctx context.Context, list []module.Version, progress func(done int), ask func(context.Context, module.Version) T) map[string]T {
	var group errgroup.Group
	group.SetLimit(maxQuestions)
	var mu sync.Mutex
	results := map[string]T{}
	for _, m := range list {
		group.Go(func() error {
			result := ask(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			results[m.Path] = result
			progress(len(results))
			return nil
		})
	}
	group.Wait() // no question is an error
	return results
}

// news reads the go.mod of the newest version.
func (f Files) news(ctx context.Context, m module.Version) (News, error) {
	latest, err := f.latest(ctx, m)
	if err != nil {
		return News{}, err
	}
	data, _, err := f.read(ctx, module.Version{Path: m.Path, Version: latest})
	if err != nil {
		return News{Latest: latest}, err
	}
	g, err := parse(m.Path+"@"+latest+"/go.mod", data)
	if err != nil {
		return News{Latest: latest}, err
	}
	return News{Latest: latest, Retracted: retractions(g.retract, m.Version), Deprecated: g.deprecated}, nil
}

// retractions are the reasons why a version was retracted.
func retractions(list []*modfile.Retract, v string) []string {
	var reasons []string
	for _, r := range list {
		if semver.Compare(r.Low, v) <= 0 && semver.Compare(v, r.High) <= 0 {
			reasons = append(reasons, cmp.Or(strings.TrimSpace(r.Rationale), "no reason given"))
		}
	}
	return reasons
}

// latest is the newest version of a module: a release before pre-releases, and one that
// has a go.mod unless the version in use has none.
func (f Files) latest(ctx context.Context, m module.Version) (string, error) {
	list, err := modsource.Read(ctx, f.Source, artifact.Name{Kind: artifact.List, Module: m.Path})
	if err != nil {
		return "", err
	}
	versions := source.Versions(m.Path, list)
	if !strings.HasSuffix(m.Version, "+incompatible") {
		versions = slices.DeleteFunc(versions, func(v string) bool { return strings.HasSuffix(v, "+incompatible") })
	}
	if len(versions) == 0 {
		return f.latestUntagged(ctx, m.Path)
	}
	for _, v := range slices.Backward(versions) {
		if semver.Prerelease(v) == "" {
			return v, nil
		}
	}
	return versions[len(versions)-1], nil
}

func (f Files) latestUntagged(ctx context.Context, path string) (string, error) {
	data, err := modsource.Read(ctx, f.Source, artifact.Name{Kind: artifact.Latest, Module: path})
	if err != nil {
		return "", err
	}
	info, err := source.ParseInfo(artifact.Name{Kind: artifact.Latest, Module: path}, data)
	if err != nil {
		return "", fmt.Errorf("%s@latest: %w", path, err)
	}
	return info.Version, nil
}

// size is how long a zip is, or -1.
func (f Files) size(ctx context.Context, m module.Version) int64 {
	name := artifact.Name{Kind: artifact.Zip, Module: m.Path, Version: m.Version}
	if f.Cache != "" {
		if stat, err := os.Stat(f.cached(name)); err == nil {
			return stat.Size()
		}
	}
	b, err := f.Source.Fetch(ctx, name)
	if err != nil {
		return -1
	}
	defer b.Close() // without reading: the size stands before the bytes
	return b.Size
}
