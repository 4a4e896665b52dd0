package modgraph

import (
	"context"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/gomod"
	"github.com/goweir/weir/internal/client/project"
)

// maxReads is how many go.mod files are read at one time.
const maxReads = 32

// pruning says how far the requirements of a module are followed.
type pruning uint8

const (
	pruned    pruning = iota // as far as what it requires itself
	unpruned                 // all the way
	workspace                // as those of a main module of a workspace: one step further
)

// A Loader loads the graphs of a project. What it has read it keeps, so that a second
// graph costs little. It is for one goroutine.
type Loader struct {
	project  *project.Project
	files    gomod.Files
	progress func(read int) // told how many go.mod files have been read

	known map[module.Version]answer
}

// An answer is a go.mod, or why there is none.
type answer struct {
	mod *gomod.File
	err error
}

// NewLoader returns a Loader. progress may be nil.
func NewLoader(p *project.Project, f gomod.Files, progress func(read int)) *Loader {
	if progress == nil {
		progress = func(int) {}
	}
	return &Loader{project: p, files: f, progress: progress, known: map[module.Version]answer{}}
}

// A visit is a module that is to be loaded, and how.
type visit struct {
	m   module.Version
	how pruning
}

// A loading is the loading of one graph. All its state belongs to the goroutine that
// calls run; others only read files for it.
type loading struct {
	*Loader
	graph *Graph

	seen    map[visit]bool
	queue   []visit
	waiting map[module.Version][]pruning // for a file that is being read
	read    chan reading
}

// A reading is the end of the reading of one file.
type reading struct {
	m module.Version
	answer
}

// load loads the graph that begins with some roots.
//
// How far it goes is told by the Go Modules Reference, "Graph pruning", and for
// workspaces by cmd/go/internal/modload/buildlist.go.
func (l *Loader) load(ctx context.Context, p *project.Project, how pruning, roots []module.Version) (*Graph, error) {
	w := &loading{Loader: l, graph: newGraph(p, roots), seen: map[visit]bool{}, waiting: map[module.Version][]pruning{}, read: make(chan reading)}
	for _, m := range roots {
		w.enqueue(m, how)
	}
	w.run(ctx)
	if how == workspace {
		w.followUpgrades(ctx, roots)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return w.graph, nil
}

func (w *loading) enqueue(m module.Version, how pruning) {
	v := visit{m, how}
	if m.Version == project.None || w.seen[v] {
		return
	}
	w.seen[v] = true
	w.queue = append(w.queue, v)
}

// run loads what is in the queue, and what follows from it.
func (w *loading) run(ctx context.Context) {
	for len(w.queue) > 0 || len(w.waiting) > 0 {
		if len(w.queue) > 0 && len(w.waiting) < maxReads {
			v := w.queue[0]
			w.queue = w.queue[1:]
			w.begin(ctx, v)
			continue
		}
		r := <-w.read
		w.known[r.m] = r.answer
		w.progress(len(w.known))
		ways := w.waiting[r.m]
		delete(w.waiting, r.m)
		for _, how := range ways {
			w.arrived(r.m, how, r.answer)
		}
	}
}

// begin reads a file, unless it is known or is being read.
func (w *loading) begin(ctx context.Context, v visit) {
	if main, ok := w.graph.project.MainOf(v.m); ok {
		w.arrived(v.m, v.how, answer{mod: gomod.OfMain(main)})
		return
	}
	if a, ok := w.known[v.m]; ok {
		w.arrived(v.m, v.how, a)
		return
	}
	ways, running := w.waiting[v.m]
	w.waiting[v.m] = append(ways, v.how)
	if running {
		return
	}
	go func() {
		g, err := w.files.Read(ctx, w.graph.project, v.m)
		w.read <- reading{v.m, answer{g, err}}
	}()
}

// arrived enters what a go.mod requires, and goes on with it.
func (w *loading) arrived(m module.Version, how pruning, a answer) {
	if a.err != nil {
		w.graph.fail(m, a.err)
		return
	}
	list := w.graph.require(m, a.mod)
	next := pruned
	if how == unpruned || !a.mod.Pruned {
		next = unpruned
	}
	if how == pruned && a.mod.Pruned {
		return
	}
	for _, r := range list {
		w.enqueue(r, next)
	}
}

// followUpgrades loads, for a workspace, the versions in force of what its modules
// require, where these are above what was required: only they tell what is imported.
func (w *loading) followUpgrades(ctx context.Context, roots []module.Version) {
	relevant := map[string]bool{}
	for _, m := range roots {
		relevant[m.Path] = true
	}
	followed := map[module.Version]bool{}
	for {
		next := map[module.Version]bool{}
		for path := range relevant {
			m := module.Version{Path: path, Version: w.graph.Selected(path)}
			if !followed[m] {
				next[m] = true
				continue
			}
			for _, r := range w.graph.Requires(m) {
				s := module.Version{Path: r.Path, Version: w.graph.Selected(r.Path)}
				if project.Compare(r.Path, s.Version, r.Version) > 0 && !followed[s] {
					next[s] = true
				}
			}
		}
		if len(next) == 0 {
			return
		}
		for m := range next {
			w.enqueue(m, workspace)
			followed[m], relevant[m.Path] = true, true
		}
		w.run(ctx)
	}
}
