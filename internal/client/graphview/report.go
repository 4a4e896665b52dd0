// Package graphview shows graphs of modules and of packages to people and machines: as a
// text tree, as JSON, and as what package diagram draws.
//
// It decides nothing about the graphs. Texts of strangers, such as reasons for
// retractions, are made fit for one line of a terminal. Nothing shown holds a secret: no
// URL of a proxy is among it.
package graphview

import (
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/gomod"
	"github.com/goweir/weir/internal/client/modgraph"
	"github.com/goweir/weir/internal/client/project"
)

// Extras are what was asked for beyond the graph. Nil: it was not.
type Extras struct {
	News  map[string]gomod.News // by module path
	Sizes map[string]int64      // of zips in bytes, by module path
}

// A Report is all that is known of the modules of a project. It is the JSON document.
type Report struct {
	Main      []string       `json:"main"`
	Workspace string         `json:"workspace,omitempty"` // the go.work
	Summary   Summary        `json:"summary"`
	Modules   []Module       `json:"modules"` // in force, main modules first, then by path
	Edges     [][2]string    `json:"edges"`   // as "go mod graph" prints them
	Majors    [][]string     `json:"majors,omitempty"`
	Cycles    [][]string     `json:"cycles,omitempty"`
	Excluded  [][2]string    `json:"excluded,omitempty"` // requirements that exclude lines take away
	Failures  []Failure      `json:"failures,omitempty"`
	Why       *WhyReport     `json:"why,omitempty"`
	Without   *RemovalReport `json:"without,omitempty"`
}

// A Summary counts.
type Summary struct {
	Modules    int    `json:"modules"` // in force, without main modules
	Direct     int    `json:"direct"`
	Versions   int    `json:"versions"` // in the graph, in force or not
	Edges      int    `json:"edges"`
	Majors     int    `json:"majors"` // modules with several major versions in force
	Cycles     int    `json:"cycles"`
	Replaced   int    `json:"replaced"`
	Excluded   int    `json:"excluded"`
	Outdated   *int   `json:"outdated,omitempty"`   // there is a newer version
	Retracted  *int   `json:"retracted,omitempty"`  // absent: nobody asked
	Deprecated *int   `json:"deprecated,omitempty"` // absent: nobody asked
	Unasked    *int   `json:"unasked,omitempty"`    // of which nothing newer could be found out
	ZipBytes   *int64 `json:"zipBytes,omitempty"`   // of all zips whose size is known
	Unsized    *int   `json:"unsized,omitempty"`    // zips whose size is not known
}

// A Module is a module in force.
type Module struct {
	Path       string   `json:"path"`
	Version    string   `json:"version,omitempty"` // none: a main module
	Kind       string   `json:"kind"`              // main, direct or indirect
	Dir        string   `json:"dir,omitempty"`     // of a main module
	Go         string   `json:"go,omitempty"`      // its go line
	Replaced   string   `json:"replaced,omitempty"`
	Versions   []string `json:"versions,omitempty"` // that are asked for, the highest first
	Requires   []string `json:"requires,omitempty"`
	Latest     string   `json:"latest,omitempty"`
	Retracted  []string `json:"retracted,omitempty"`
	Deprecated string   `json:"deprecated,omitempty"`
	Unasked    string   `json:"unasked,omitempty"` // why the newest version is not known
	ZipBytes   *int64   `json:"zipBytes,omitempty"`
}

// Name is the module as the graph writes it.
func (m Module) Name() string {
	return project.Format(module.Version{Path: m.Path, Version: m.Version})
}

// A Failure is a module of which nothing is known.
type Failure struct {
	Module string   `json:"module"`
	Chain  []string `json:"chain"`
	Error  string   `json:"error"`
}

// A WhyReport says why a module is there.
type WhyReport struct {
	Module  string      `json:"module"`
	Chain   []string    `json:"chain"`
	Through []string    `json:"through,omitempty"` // direct requirements of main modules that lead to it
	Wanted  [][2]string `json:"wanted,omitempty"`  // version, and by whom
}

// A RemovalReport says what would go with a requirement.
type RemovalReport struct {
	Module   string      `json:"module"`
	Gone     []string    `json:"gone,omitempty"`
	Lowered  [][3]string `json:"lowered,omitempty"` // path, from, to
	Stays    [][2]string `json:"stays,omitempty"`   // the module itself: version, and by whom it is required
	ZipBytes *int64      `json:"zipBytes,omitempty"`
}

// NewReport says all that is known.
func NewReport(g *modgraph.Graph, x Extras) *Report {
	r := &Report{Workspace: g.Project().WorkFile}
	versions := versionsOf(g)
	direct := map[string]bool{}
	for _, m := range g.Direct() {
		direct[m.Path] = true
	}
	for _, m := range g.BuildList() {
		item := describe(g, x, m)
		item.Versions = versions[m.Path]
		switch {
		case m.Version == "":
			item.Kind = "main"
			r.Main = append(r.Main, m.Path)
		case direct[m.Path]:
			item.Kind = "direct"
		default:
			item.Kind = "indirect"
		}
		r.Modules = append(r.Modules, item)
	}
	for e := range g.Edges() {
		r.Edges = append(r.Edges, [2]string{project.Format(e.From), project.Format(e.To)})
	}
	for _, list := range g.Majors() {
		r.Majors = append(r.Majors, formatAll(list))
	}
	r.Cycles = g.Cycles()
	for _, e := range g.Excluded() {
		r.Excluded = append(r.Excluded, [2]string{project.Format(e.From), project.Format(e.To)})
	}
	for _, f := range g.Failures() {
		r.Failures = append(r.Failures, Failure{project.Format(f.Module), formatAll(f.Chain), oneLine(f.Err.Error())})
	}
	r.summarize(g, x)
	return r
}

// versionsOf are the versions of each module that are asked for, the highest first.
func versionsOf(g *modgraph.Graph) map[string][]string {
	versions := map[string][]string{}
	for _, m := range g.Nodes() {
		if m.Version != "" {
			versions[m.Path] = append(versions[m.Path], m.Version)
		}
	}
	for path, list := range versions {
		slices.SortFunc(list, func(a, b string) int { return project.Compare(path, b, a) })
	}
	return versions
}

func describe(g *modgraph.Graph, x Extras, m module.Version) Module {
	item := Module{Path: m.Path, Version: m.Version, Go: g.GoLine(m), Requires: formatAll(g.Requires(m))}
	for _, main := range g.Project().Mains {
		if m.Version == "" && main.Path == m.Path {
			item.Dir = main.Dir
		}
	}
	if to, ok := g.Project().Replacement(m); ok {
		item.Replaced = project.Format(to)
	}
	if n, ok := x.News[m.Path]; ok {
		item.Latest, item.Deprecated = n.Latest, oneLine(n.Deprecated)
		for _, reason := range n.Retracted {
			item.Retracted = append(item.Retracted, oneLine(reason))
		}
		if n.Err != nil {
			item.Unasked = oneLine(n.Err.Error())
		}
	}
	if size, ok := x.Sizes[m.Path]; ok {
		item.ZipBytes = &size
	}
	return item
}

// maxLine is the most that is shown of a text of strangers, in bytes.
const maxLine = 500

func oneLine(text string) string { return artifact.Clean(text, maxLine) }

func formatAll(list []module.Version) []string {
	texts := make([]string, 0, len(list))
	for _, m := range list {
		texts = append(texts, project.Format(m))
	}
	return texts
}

func (r *Report) summarize(g *modgraph.Graph, x Extras) {
	s := &r.Summary
	s.Edges, s.Majors, s.Cycles, s.Excluded = len(r.Edges), len(r.Majors), len(r.Cycles), len(r.Excluded)
	for _, m := range g.Nodes() {
		if m.Version != "" && !project.IsToolchain(m.Path) {
			s.Versions++
		}
	}
	if x.News != nil {
		s.Outdated, s.Retracted, s.Deprecated, s.Unasked = new(int), new(int), new(int), new(int)
	}
	if x.Sizes != nil {
		s.ZipBytes, s.Unsized = new(int64), new(int)
	}
	for _, m := range r.Modules {
		if m.Kind != "main" {
			s.count(m)
		}
	}
}

func (s *Summary) count(m Module) {
	s.Modules++
	add(&s.Direct, m.Kind == "direct")
	add(&s.Replaced, m.Replaced != "")
	add(s.Outdated, m.Outdated())
	add(s.Retracted, len(m.Retracted) > 0)
	add(s.Deprecated, m.Deprecated != "")
	add(s.Unasked, m.Unasked != "")
	add(s.Unsized, m.ZipBytes == nil)
	if m.ZipBytes != nil {
		*s.ZipBytes += *m.ZipBytes
	}
}

// add counts one, where something is counted at all.
func add(counter *int, one bool) {
	if counter != nil && one {
		*counter++
	}
}

// Outdated reports whether there is a newer version.
func (m Module) Outdated() bool {
	return m.Latest != "" && project.Compare(m.Path, m.Latest, m.Version) > 0
}

// AddWhy adds why a module is there.
func (r *Report) AddWhy(w modgraph.Why) {
	r.Why = &WhyReport{Module: project.Format(w.Module), Chain: formatAll(w.Chain), Through: formatAll(w.Through), Wanted: wishes(w.Wanted)}
}

// AddWithout adds what would go with a requirement.
func (r *Report) AddWithout(m modgraph.Removal, x Extras) {
	w := &RemovalReport{Module: project.Format(m.Module), Gone: formatAll(m.Gone), Stays: wishes(m.Stays)}
	for _, c := range m.Lowered {
		w.Lowered = append(w.Lowered, [3]string{c.Path, c.From, c.To})
	}
	if x.Sizes != nil {
		w.ZipBytes = new(int64)
		for _, gone := range m.Gone {
			*w.ZipBytes += x.Sizes[gone.Path]
		}
	}
	r.Without = w
}

func wishes(list []modgraph.Wish) [][2]string {
	var pairs [][2]string
	for _, w := range list {
		pairs = append(pairs, [2]string{w.Version, project.Format(w.By)})
	}
	return pairs
}

// cut is a module as the graph writes it, in path and version.
func cut(name string) (path, version string) {
	path, version, _ = strings.Cut(name, "@")
	return path, version
}
