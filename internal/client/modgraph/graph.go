// Package modgraph loads the graph of the modules that a project requires, and tells
// what follows from it: what is in force and who asked for it, what would go with a
// requirement, which modules are there twice or require each other.
//
// It promises the graph that "go mod graph" prints, for a module and for a workspace,
// while it needs no Go installation, builds nothing and changes no file. gomod.Files of go.mod
// are read from the module cache, and otherwise from a source, many at a time, and are
// compared with go.sum. One that cannot be read leaves a hole in the graph, which
// [Graph.Failures] names; nothing is guessed.
//
// It refuses a go.mod whose versions only the go command can resolve, such as names of
// branches. It knows modules, not packages: that a module is required does not mean that
// something of it is compiled.
//
// Sources: the Go Modules Reference, "Minimal version selection", "Graph pruning" and
// "Workspaces"; cmd/go/internal/modload/buildlist.go and modfile.go.
package modgraph

import (
	"cmp"
	"iter"
	"slices"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/gomod"
	"github.com/goweir/weir/internal/client/project"
)

// A Graph is the modules that a project requires, directly and through others. Its
// nodes are module versions: of one module there may be several, of which the highest
// is in force. Main modules have no version. It does not change once it is loaded.
type Graph struct {
	project  *project.Project
	roots    []module.Version // where walks begin
	requires map[module.Version][]module.Version
	mods     map[module.Version]*gomod.File
	selected map[string]string
	failures map[module.Version]error
	excluded map[Edge]bool
}

// An Edge is the requirement of one module on another.
type Edge struct {
	From, To module.Version
}

// A Failure is a module whose go.mod could not be read, so that what it requires is
// missing in the graph.
type Failure struct {
	Module module.Version
	Chain  []module.Version // from a main module to it
	Err    error
}

// newGraph is the graph of a project of which nothing but the roots is known.
func newGraph(p *project.Project, roots []module.Version) *Graph {
	g := &Graph{
		project:  p,
		requires: map[module.Version][]module.Version{},
		mods:     map[module.Version]*gomod.File{},
		selected: map[string]string{},
		failures: map[module.Version]error{},
		excluded: map[Edge]bool{},
	}
	if p.WorkFile != "" {
		g.roots = roots
		g.take(roots)
		return g
	}
	main := module.Version{Path: p.Mains[0].Path}
	g.roots = []module.Version{main}
	g.take(g.roots)
	g.requires[main] = roots
	g.take(roots)
	for _, r := range p.Mains[0].Require {
		if p.Excludes(r.Version) {
			g.excluded[Edge{main, r.Version}] = true
		}
	}
	return g
}

// take puts the highest version of each module in force.
func (g *Graph) take(list []module.Version) {
	for _, m := range list {
		if project.Compare(m.Path, g.Selected(m.Path), m.Version) < 0 {
			g.selected[m.Path] = m.Version
		}
	}
}

// require enters what a module requires, and returns it: what its go.mod says, without
// what the project excludes.
func (g *Graph) require(m module.Version, mod *gomod.File) []module.Version {
	if list, ok := g.requires[m]; ok {
		return list
	}
	list := make([]module.Version, 0, len(mod.Require))
	for _, r := range mod.Require {
		if g.project.Excludes(r) {
			g.excluded[Edge{m, r}] = true
			continue
		}
		list = append(list, r)
	}
	g.requires[m], g.mods[m] = list, mod
	g.take(list)
	return list
}

func (g *Graph) fail(m module.Version, err error) { g.failures[m] = err }

// Project is what the graph was loaded for.
func (g *Graph) Project() *project.Project { return g.project }

// Selected is the version of a module that is in force: "" for a main module, "none"
// where nothing requires it.
func (g *Graph) Selected(path string) string {
	if v, ok := g.selected[path]; ok {
		return v
	}
	return project.None
}

// InForce reports whether a version of a module is the one in force.
func (g *Graph) InForce(m module.Version) bool { return g.Selected(m.Path) == m.Version }

// Requires are the modules that a module version requires, in the order of its go.mod;
// nothing is known of versions that are pruned away.
func (g *Graph) Requires(m module.Version) []module.Version { return g.requires[m] }

// GoLine is the go line of a module version, as far as it is known; empty: it has none.
func (g *Graph) GoLine(m module.Version) string {
	if main, ok := g.project.MainOf(m); ok {
		return main.Go
	}
	if mod := g.mods[m]; mod != nil {
		return mod.Go
	}
	return ""
}

// Nodes are all module versions, those nearest to the main modules first.
func (g *Graph) Nodes() []module.Version {
	nodes := slices.Clone(g.roots)
	seen := map[module.Version]bool{}
	for _, m := range nodes {
		seen[m] = true
	}
	for i := 0; i < len(nodes); i++ {
		for _, r := range g.requires[nodes[i]] {
			if !seen[r] && r.Version != project.None {
				seen[r] = true
				nodes = append(nodes, r)
			}
		}
	}
	return nodes
}

// Edges are all requirements, in the order of "go mod graph".
func (g *Graph) Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		for _, m := range g.Nodes() {
			for _, r := range g.requires[m] {
				if !yield(Edge{m, r}) {
					return
				}
			}
		}
	}
}

// BuildList are the modules in force, main modules first and then by path, without the
// go and toolchain lines.
func (g *Graph) BuildList() []module.Version {
	var mains, others []module.Version
	for path, v := range g.selected {
		m := module.Version{Path: path, Version: v}
		switch {
		case v == project.None || project.IsToolchain(path):
		case v == "":
			mains = append(mains, m)
		default:
			others = append(others, m)
		}
	}
	project.Sort(mains)
	project.Sort(others)
	return append(mains, others...)
}

// Failures are the modules whose go.mod could not be read, by path.
func (g *Graph) Failures() []Failure {
	var list []Failure
	for m, err := range g.failures {
		list = append(list, Failure{Module: m, Chain: g.chain(m), Err: err})
	}
	slices.SortFunc(list, func(a, b Failure) int { return cmp.Compare(project.Format(a.Module), project.Format(b.Module)) })
	return list
}

// Excluded are the requirements that exclude lines of main modules have taken away.
func (g *Graph) Excluded() []Edge {
	var list []Edge
	for e := range g.excluded {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(project.Format(a.To), project.Format(b.To)), cmp.Compare(project.Format(a.From), project.Format(b.From)))
	})
	return list
}
