package prefetch

import (
	"go/version"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
)

// requirements are what a go.mod says about other modules.
type requirements struct {
	pruned bool // modules that require this one need not read further
	list   []requirement
}

type requirement struct {
	module.Version
	indirect bool
}

// readRequirements reads a go.mod as the go command reads that of a dependency.
// One that cannot be read requires nothing.
func readRequirements(m module.Version, data []byte, allowed func(from, to string) bool) requirements {
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return requirements{pruned: true}
	}
	req := requirements{pruned: f.Go != nil && version.Compare("go"+f.Go.Version, "go1.17") >= 0}
	for _, r := range f.Require {
		if artifact.IsCanonical(r.Mod.Path, r.Mod.Version) && module.Check(r.Mod.Path, r.Mod.Version) == nil && allowed(m.Path, r.Mod.Path) {
			req.list = append(req.list, requirement{r.Mod, r.Indirect})
		}
	}
	return req
}

// newest is what follows from a version list: the files of the newest release,
// or of the newest pre-release where there is none; or @latest, where the list
// is empty.
func newest(path string, list []byte) []guess {
	var release, pre string
	for line := range strings.Lines(string(list)) {
		v := strings.TrimSpace(line)
		switch {
		case !artifact.IsCanonical(path, v):
		case semver.Prerelease(v) == "" && (release == "" || semver.Compare(v, release) > 0):
			release = v
		case semver.Prerelease(v) != "" && (pre == "" || semver.Compare(v, pre) > 0):
			pre = v
		}
	}
	if release == "" {
		release = pre
	}
	if release == "" {
		return []guess{{name: artifact.Name{Kind: artifact.Latest, Module: path}, on: twin}}
	}
	m := module.Version{Path: path, Version: release}
	return []guess{{name: file(artifact.Info, m), on: twin}, {name: file(artifact.Mod, m), on: twin}}
}

// file is the name of a file of a version, or of the list of its module.
func file(k artifact.Kind, m module.Version) artifact.Name {
	if k == artifact.List {
		return artifact.Name{Kind: k, Module: m.Path}
	}
	return artifact.Name{Kind: k, Module: m.Path, Version: m.Version}
}
