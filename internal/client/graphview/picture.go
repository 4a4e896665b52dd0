package graphview

import (
	"strings"

	"github.com/goweir/weir/internal/client/diagram"
	"github.com/goweir/weir/internal/client/term"
)

// Picture is the modules in force and what they require of each other, to be drawn. An
// edge bears the version that was asked for where another is in force. What main modules
// require for others only is weak.
func (r *Report) Picture() *diagram.Graph {
	g := &diagram.Graph{Title: "Modules of " + strings.Join(r.Main, ", "), Facts: r.facts(), Columns: []string{"go line", "versions asked for"}, Weak: "// indirect"}
	if r.Summary.ZipBytes != nil {
		g.Columns = append(g.Columns, "zip")
	}
	place := map[string]int{}
	several := r.several()
	for i, m := range r.Modules {
		place[m.Path] = i
		g.Nodes = append(g.Nodes, node(m, several[m.Path]))
	}
	for from, m := range r.Modules {
		for _, name := range m.Requires {
			path, version := cut(name)
			to, ok := place[path]
			if !ok {
				continue
			}
			e := diagram.Edge{From: from, To: to, Weak: m.Kind == "main" && r.Modules[to].Kind == "indirect"}
			if version != r.Modules[to].Version && r.Modules[to].Kind != "main" {
				e.Label = version
			}
			g.Edges = append(g.Edges, e)
		}
	}
	return g
}

// several are notes about modules that are not alone, by path.
func (r *Report) several() map[string][]diagram.Note {
	notes := map[string][]diagram.Note{}
	for _, list := range r.Majors {
		for _, name := range list {
			path, _ := cut(name)
			notes[path] = append(notes[path], diagram.Note{Text: "majors", More: strings.Join(spaced(list), ", ")})
		}
	}
	for _, list := range r.Cycles {
		for _, path := range list {
			notes[path] = append(notes[path], diagram.Note{Text: "cycle", More: strings.Join(list, ", ")})
		}
	}
	for _, f := range r.Failures {
		path, _ := cut(f.Module)
		notes[path] = append(notes[path], diagram.Note{Text: "unknown", More: f.Error, Bad: true})
	}
	return notes
}

func node(m Module, more []diagram.Note) diagram.Node {
	n := diagram.Node{Name: m.Path, Sub: m.Version, Group: diagram.Group(m.Kind), Notes: more, Values: []string{m.Go, strings.Join(m.Versions, " ")}}
	if m.ZipBytes != nil {
		n.Values = append(n.Values, term.Size(*m.ZipBytes))
	}
	for _, x := range m.notes() {
		n.Notes = append(n.Notes, diagram.Note{Text: x.short, More: x.long, Bad: x.style == term.Bad})
	}
	return n
}
