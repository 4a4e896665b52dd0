// Package closure says which files a project needs from module proxies, and works
// through them.
//
// What a project needs is what its go.sum files know: of each line for a go.mod the
// .mod, of each line for a module the .zip, for all platforms, since go mod tidy does
// not look at the one it runs on. To that come the zips of everything that go.mod
// requires, so that "go mod download" works, too, and the toolchain that the go and
// toolchain lines ask for, one for each platform. Every version comes with its .info.
//
// A line module@version of a list stands for the module and for what its packages and
// their tests need, found by reading the go.mod files of its requirement graph as the
// go command loads it: pruned from go 1.17 on.
//
// The package reads files of the project and asks a Source for go.mod files. It runs
// no command and writes nothing.
//
// Sources: the Go Modules Reference, "go.sum files", "Module graph pruning" and
// "Workspaces"; go.dev/doc/toolchain; cmd/go/internal/modload/buildlist.go.
package closure

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/source"
)

// Options are what is needed to find out what is needed.
type Options struct {
	Source    source.Source // of .mod files that the project has no go.sum line for
	Platforms []Platform    // that toolchains are wanted for; none: no toolchains
	AtHand    string        // a toolchain that need not be brought, such as go1.26.8; empty: none

	Settings mainmod.Settings // which go.mod or go.work count
}

// A Module is a version of a module that is needed.
type Module struct {
	module.Version
	Zip bool // its files are needed, not only its go.mod

	// What the go.sum files of the project have for the zip and for the go.mod: any of
	// these is right. Empty where they have nothing.
	Sums, ModSums []string
}

// Artifacts are the files of the module that are needed.
func (m Module) Artifacts() []artifact.Name {
	info := artifact.Name{Kind: artifact.Info, Module: m.Path, Version: m.Version.Version}
	names := []artifact.Name{info, info.Sibling(artifact.Mod)}
	if m.Zip {
		names = append(names, info.Sibling(artifact.Zip))
	}
	return names
}

// A Closure is all that is needed.
type Closure struct {
	Modules  []Module  // by path and version
	Notes    []string  // what people should know of it
	Failures []Failure // go.mod files that could not be read, so that modules may be missing

	// Direct are the paths of the modules that the project itself requires, and of those
	// that a list names. The go command asks for their newest versions, too: in "go list
	// -m -u" and, to see what is deprecated, in "go install module@version".
	Direct []string
}

// Artifacts are all files that are needed.
func (c *Closure) Artifacts() []artifact.Name {
	var names []artifact.Name
	for _, m := range c.Modules {
		names = append(names, m.Artifacts()...)
	}
	return names
}

// Leave leaves out the modules that match, for a reason.
func (c *Closure) Leave(match func(module string) bool, why string) {
	var left []string
	c.Modules = slices.DeleteFunc(c.Modules, func(m Module) bool {
		if match(m.Path) {
			left = append(left, m.Path)
			return true
		}
		return false
	})
	c.Direct = slices.DeleteFunc(c.Direct, match)
	if left = slices.Compact(left); len(left) > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("left out, since %s: %s", why, strings.Join(left, ", ")))
	}
}

// A builder collects what is needed.
type builder struct {
	Options
	modules  map[module.Version]*Module
	notes    []string
	failures []Failure
	direct   []string
	newest   string // toolchain that go and toolchain lines ask for, such as go1.26.8
	named    []string
}

func newBuilder(o Options) *builder {
	return &builder{Options: o, modules: map[module.Version]*Module{}}
}

// need adds a module, or files of it.
func (b *builder) need(v module.Version, zip bool) *Module {
	m := b.modules[v]
	if m == nil {
		m = &Module{Version: v}
		b.modules[v] = m
	}
	m.Zip = m.Zip || zip
	return m
}

// closure is what was collected, in order.
func (b *builder) closure() *Closure {
	b.needToolchains()
	slices.Sort(b.direct)
	c := &Closure{Notes: b.notes, Failures: b.failures, Direct: slices.Compact(b.direct)}
	for _, m := range b.modules {
		c.Modules = append(c.Modules, *m)
	}
	slices.SortFunc(c.Modules, func(x, y Module) int { return Compare(x.Version, y.Version) })
	return c
}

// Compare orders versions of modules by path, and those of one path by age.
func Compare(x, y module.Version) int {
	return cmp.Or(strings.Compare(x.Path, y.Path), semver.Compare(x.Version, y.Version), strings.Compare(x.Version, y.Version))
}
