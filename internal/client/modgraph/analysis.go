package modgraph

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/digraph"
	"github.com/goweir/weir/internal/client/project"
)

// Why tells why a module is in the graph.
type Why struct {
	Module  module.Version   // in force
	Chain   []module.Version // a shortest one from a main module to it
	Wanted  []Wish           // by whom it is required, the highest version first
	Through []module.Version // the direct requirements of main modules that lead to it, by path
}

// A Wish is the requirement of one module on another, seen from the latter.
type Wish struct {
	Version string
	By      module.Version
}

// Why tells why a module is in the graph; false: it is not.
func (g *Graph) Why(path string) (Why, bool) {
	m := module.Version{Path: path, Version: g.Selected(path)}
	if m.Version == project.None {
		return Why{}, false
	}
	w := Why{Module: m, Chain: g.chain(m)}
	for e := range g.Edges() {
		if e.To.Path == path {
			w.Wanted = append(w.Wanted, Wish{e.To.Version, e.From})
		}
	}
	slices.SortStableFunc(w.Wanted, func(a, b Wish) int { return project.Compare(path, b.Version, a.Version) })
	for _, root := range g.Direct() {
		if root.Path == path || g.reach([]string{root.Path})[path] {
			w.Through = append(w.Through, root)
		}
	}
	return w, true
}

// Direct are the modules in force that main modules require for themselves, by path.
func (g *Graph) Direct() []module.Version {
	var list []module.Version
	for path := range g.project.Direct() {
		if v := g.Selected(path); v != project.None && !project.IsToolchain(path) {
			list = append(list, module.Version{Path: path, Version: v})
		}
	}
	project.Sort(list)
	return list
}

// chain is a shortest chain of requirements from a main module to a node. What main
// modules require for others only is passed over where there is another way, since it
// explains nothing.
func (g *Graph) chain(to module.Version) []module.Version {
	if chain := g.walk(to, g.explaining); chain != nil {
		return chain
	}
	return g.walk(to, g.Requires)
}

// explaining are the requirements of a node, those of main modules without the lines
// for others.
func (g *Graph) explaining(m module.Version) []module.Version {
	main, ok := g.project.MainOf(m)
	if !ok {
		return g.requires[m]
	}
	indirect := map[string]bool{}
	for _, r := range main.Require {
		indirect[r.Path] = r.Indirect
	}
	return slices.DeleteFunc(slices.Clone(g.requires[m]), func(r module.Version) bool { return indirect[r.Path] })
}

// walk goes from the roots to a node, breadth first.
func (g *Graph) walk(to module.Version, next func(module.Version) []module.Version) []module.Version {
	from := map[module.Version]module.Version{}
	queue := slices.Clone(g.roots)
	for _, m := range queue {
		from[m] = module.Version{}
	}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		if m == to {
			return chainTo(to, from)
		}
		for _, r := range next(m) {
			if _, seen := from[r]; !seen {
				from[r] = m
				queue = append(queue, r)
			}
		}
	}
	return nil
}

func chainTo(to module.Version, from map[module.Version]module.Version) []module.Version {
	var chain []module.Version
	for m := to; m.Path != ""; m = from[m] {
		chain = append(chain, m)
	}
	slices.Reverse(chain)
	return chain
}

// next are the paths that the version in force of a module requires.
func (g *Graph) next(path string) []string {
	var paths []string
	for _, r := range g.requires[module.Version{Path: path, Version: g.Selected(path)}] {
		if !project.IsToolchain(r.Path) {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

// reach are the modules that modules in force lead to, without passing through main
// modules.
func (g *Graph) reach(from []string) map[string]bool {
	reached := map[string]bool{}
	queue := slices.Clone(from)
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		for _, next := range g.next(path) {
			if !reached[next] && !g.project.IsMain(next) {
				reached[next] = true
				queue = append(queue, next)
			}
		}
	}
	return reached
}

// Majors are the modules of which several major versions are in force, each with its
// versions, by path.
func (g *Graph) Majors() [][]module.Version {
	series := map[string][]module.Version{}
	for _, m := range g.BuildList() {
		prefix, _, ok := module.SplitPathVersion(m.Path)
		if !ok {
			prefix = m.Path
		}
		series[prefix] = append(series[prefix], m)
	}
	var list [][]module.Version
	for _, prefix := range slices.Sorted(maps.Keys(series)) {
		if len(series[prefix]) > 1 {
			list = append(list, series[prefix])
		}
	}
	return list
}

// A Removal is what a project would be without a requirement.
type Removal struct {
	Module  module.Version   // that is dropped
	Gone    []module.Version // that would no longer be in force in any version, with the module itself
	Lowered []Change
	Stays   []Wish // why the module itself would stay: who else requires it
}

// A Change is another version of a module.
type Change struct {
	Path     string
	From, To string
}

// Without loads the graph again as if no main module required a module; false: none
// does. Lines for others ("// indirect") that only this one had brought go with it.
//
// That is what the graph tells. "go mod tidy" looks at packages, too, and may drop more.
func (l *Loader) Without(ctx context.Context, g *Graph, path string) (r Removal, ok bool, err error) {
	p, ok := g.drop(path)
	if !ok {
		return r, false, nil
	}
	after, err := l.loadProject(ctx, p)
	if err != nil {
		return r, true, err
	}
	r.Module = module.Version{Path: path, Version: g.Selected(path)}
	for _, m := range g.BuildList() {
		switch v := after.Selected(m.Path); v {
		case m.Version:
		case project.None:
			r.Gone = append(r.Gone, m)
		default:
			r.Lowered = append(r.Lowered, Change{m.Path, m.Version, v})
		}
	}
	if w, ok := after.Why(path); ok {
		r.Stays = w.Wanted
	}
	return r, true, nil
}

// drop is the project without a requirement and without what only this one brought.
func (g *Graph) drop(path string) (p *project.Project, ok bool) {
	var others []string
	for direct := range g.project.Direct() {
		if direct != path && !project.IsToolchain(direct) {
			others = append(others, direct)
		}
	}
	brought, kept := g.reach([]string{path}), g.reach(others)
	copied := *g.project
	copied.Mains = slices.Clone(copied.Mains)
	for i := range copied.Mains {
		m := &copied.Mains[i]
		before := len(m.Require)
		m.Require = slices.DeleteFunc(slices.Clone(m.Require), func(r project.Requirement) bool { return r.Path == path })
		ok = ok || len(m.Require) < before
		m.Require = slices.DeleteFunc(m.Require, func(r project.Requirement) bool { return r.Indirect && brought[r.Path] && !kept[r.Path] })
	}
	return &copied, ok
}

// Cycles are the groups of modules in force that require each other, directly or through
// each other, sorted.
func (g *Graph) Cycles() [][]string {
	var paths []string
	for _, m := range g.BuildList() {
		paths = append(paths, m.Path)
	}
	return digraph.Cycles(paths, g.next)
}
