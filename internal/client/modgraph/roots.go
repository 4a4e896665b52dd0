package modgraph

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/project"
)

// Load loads the graph of the project. An error says that it could not be loaded at all.
func (l *Loader) Load(ctx context.Context) (*Graph, error) { return l.loadProject(ctx, l.project) }

// loadProject loads the graph of a project. A go.mod that asks for less than what comes
// to be in force is taken as the go command would correct it.
func (l *Loader) loadProject(ctx context.Context, p *project.Project) (*Graph, error) {
	if p.WorkFile != "" {
		return l.load(ctx, p, workspace, p.Roots())
	}
	how := unpruned
	if p.Prunes() {
		how = pruned
	}
	roots := p.Roots()
	if redundant(p, roots) {
		corrected, failed, err := l.correct(ctx, p, how, roots, nil)
		if err != nil || failed != nil {
			return failed, err
		}
		roots = corrected
	}
	g, err := l.load(ctx, p, how, roots)
	if err != nil || len(g.failures) > 0 || g.holds(roots) {
		return g, err
	}
	corrected, failed, err := l.correct(ctx, p, how, roots, g)
	if err != nil || failed != nil {
		return failed, err
	}
	return l.load(ctx, p, how, corrected)
}

// redundant reports whether a go.mod names a module twice, or the main module.
func redundant(p *project.Project, roots []module.Version) bool {
	for i, m := range roots {
		if p.IsMain(m.Path) || i > 0 && roots[i-1].Path == m.Path {
			return true
		}
	}
	return false
}

// holds reports whether all these versions are in force.
func (g *Graph) holds(list []module.Version) bool {
	return !slices.ContainsFunc(list, func(m module.Version) bool { return !g.InForce(m) })
}

// correct makes the roots consistent with what they lead to. g is their graph, if it is
// known. failed is a graph with failures that it came upon, with which it cannot go on.
func (l *Loader) correct(ctx context.Context, p *project.Project, how pruning, roots []module.Version, g *Graph) (corrected []module.Version, failed *Graph, err error) {
	if how == pruned {
		return l.correctPruned(ctx, p, roots, g)
	}
	if g == nil {
		if g, err = l.load(ctx, p, unpruned, roots); err != nil {
			return nil, nil, err
		}
		if len(g.failures) > 0 {
			return nil, g, nil
		}
	}
	return g.correctUnpruned(roots), nil, nil
}

// correctPruned raises the roots to the versions in force, again and again, since each
// step may bring further requirements into view.
func (l *Loader) correctPruned(ctx context.Context, p *project.Project, roots []module.Version, g *Graph) (corrected []module.Version, failed *Graph, err error) {
	for {
		raised, changed := raise(p, roots, g)
		if !changed {
			return raised, nil, nil
		}
		if g, err = l.load(ctx, p, pruned, raised); err != nil {
			return nil, nil, err
		}
		if len(g.failures) > 0 {
			return nil, g, nil
		}
		roots = raised
	}
}

// raise puts each path among the roots once, at the version in force, or where no graph
// is known at the highest version among the roots.
func raise(p *project.Project, roots []module.Version, g *Graph) (raised []module.Version, changed bool) {
	highest := map[string]string{}
	for _, m := range roots {
		highest[m.Path] = m.Version // they are sorted
	}
	for i, m := range roots {
		if p.IsMain(m.Path) || i > 0 && roots[i-1].Path == m.Path {
			continue
		}
		v := highest[m.Path]
		if g != nil {
			v = g.Selected(m.Path)
		}
		raised = append(raised, module.Version{Path: m.Path, Version: v})
		changed = changed || v != m.Version
	}
	return raised, changed
}

// correctUnpruned are the roots that lead to the same versions in force: those that are
// in force already and those that are direct, and as few others as are needed.
func (g *Graph) correctUnpruned(roots []module.Version) []module.Version {
	direct := g.project.Direct()
	kept := map[string]bool{}
	var keep []module.Version
	add := func(m module.Version) {
		if !kept[m.Path] {
			kept[m.Path] = true
			keep = append(keep, m)
		}
	}
	for _, m := range roots {
		if g.InForce(m) {
			add(m)
		}
	}
	list := g.sortedSelection()
	for _, m := range list {
		if direct[m.Path] {
			add(m)
		}
	}
	return g.complete(keep, list)
}

// sortedSelection is everything in force but main modules, by path.
func (g *Graph) sortedSelection() []module.Version {
	var list []module.Version
	for path, v := range g.selected {
		if v != "" && v != project.None {
			list = append(list, module.Version{Path: path, Version: v})
		}
	}
	project.Sort(list)
	return list
}

// complete adds to a list as few modules as are needed for it to lead to all of another
// list: those first that lead to the most.
func (g *Graph) complete(keep, all []module.Version) []module.Version {
	have := map[module.Version]bool{}
	for _, m := range keep {
		g.mark(m, have)
	}
	for _, m := range slices.Backward(g.postorder(all)) {
		if g.InForce(m) && !have[m] {
			keep = append(keep, m)
			g.mark(m, have)
		}
	}
	slices.SortStableFunc(keep, func(a, b module.Version) int { return cmp.Compare(a.Path, b.Path) })
	return keep
}

// mark enters a module and all that it leads to.
func (g *Graph) mark(m module.Version, have map[module.Version]bool) {
	if have[m] {
		return
	}
	have[m] = true
	for _, r := range g.requires[m] {
		g.mark(r, have)
	}
}

// postorder lists modules and what they lead to, each after what it requires.
func (g *Graph) postorder(list []module.Version) []module.Version {
	var order []module.Version
	seen := map[module.Version]bool{}
	for _, main := range g.project.Mains {
		seen[module.Version{Path: main.Path}] = true
	}
	var visit func(module.Version)
	visit = func(m module.Version) {
		if seen[m] {
			return
		}
		seen[m] = true
		for _, r := range g.requires[m] {
			visit(r)
		}
		order = append(order, m)
	}
	for _, m := range list {
		visit(m)
	}
	return order
}
