package graphview

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/diagram"
	"github.com/goweir/weir/internal/client/pkggraph"
	"github.com/goweir/weir/internal/client/term"
)

// Packages is all that is known of the packages of a project. It is the JSON document.
type Packages struct {
	Main     []string  `json:"main"`
	Layers   int       `json:"layers"`
	Packages []Package `json:"packages"` // by path
	Cycles   []Cycle   `json:"cycles,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// A Package is one package.
type Package struct {
	Path        string   `json:"path"`
	Name        string   `json:"name"`
	Module      string   `json:"module"`
	Layer       int      `json:"layer"` // 0 imports no other package of the project
	Imports     []string `json:"imports,omitempty"`
	TestImports []string `json:"testImports,omitempty"`
	Others      []string `json:"others,omitempty"` // packages of other modules
}

// A Cycle is packages that import each other, in order.
type Cycle struct {
	Packages []string `json:"packages"`
	Test     bool     `json:"test,omitempty"` // through tests of the first
}

// A Problem is a folder that could not be read.
type Problem struct {
	Dir   string `json:"dir"`
	Error string `json:"error"`
}

// NewPackages says all that is known.
func NewPackages(main []string, g *pkggraph.Graph) *Packages {
	p := &Packages{Main: main, Packages: []Package{}}
	for _, x := range g.Packages {
		p.Packages = append(p.Packages, Package(x))
		p.Layers = max(p.Layers, x.Layer+1)
	}
	for _, c := range g.Cycles {
		p.Cycles = append(p.Cycles, Cycle(c))
	}
	for _, x := range g.Problems {
		p.Problems = append(p.Problems, Problem{x.Dir, oneLine(x.Err.Error())})
	}
	return p
}

// Print prints the packages in layers, the uppermost first, with what they import.
func (p *Packages) Print(s *term.Screen) {
	var rows [][]term.Cell
	for layer := p.Layers - 1; layer >= 0; layer-- {
		rows = append(rows, []term.Cell{{Text: fmt.Sprintf("layer %d", layer), Style: term.Faint}})
		for _, x := range p.Packages {
			if x.Layer == layer {
				rows = append(rows, p.row(x))
			}
		}
	}
	s.Table(rows)
	fmt.Fprintln(s)
	for _, c := range p.Cycles {
		fmt.Fprintf(s, "%s %s\n", s.Paint(term.Bad, "cycle"), c.String())
	}
	for _, x := range p.Problems {
		fmt.Fprintf(s, "%s %s: %s\n", s.Paint(term.Warn, "unread"), x.Dir, x.Error)
	}
	for _, line := range fold(s, strings.Join(p.facts(), "; ")+".") {
		fmt.Fprintln(s, line)
	}
}

// String is the cycle as a way that ends where it begins.
func (c Cycle) String() string {
	way := slices.Concat(c.Packages, c.Packages[:1])
	text := strings.Join(way, " → ")
	if c.Test {
		text += " (through the tests of " + c.Packages[0] + ")"
	}
	return text
}

func (p *Packages) facts() []string {
	edges, tests := 0, 0
	for _, x := range p.Packages {
		edges += len(x.Imports)
		tests += len(x.TestImports)
	}
	facts := []string{fmt.Sprintf("%s in %s", count(len(p.Packages), "package"), count(p.Layers, "layer")), count(edges, "import") + " between them", fmt.Sprintf("%d more by tests", tests)}
	if len(p.Cycles) > 0 {
		facts = append(facts, count(len(p.Cycles), "cycle"))
	}
	if len(p.Problems) > 0 {
		facts = append(facts, count(len(p.Problems), "folder")+" could not be read whole")
	}
	return facts
}

// short is the path of a package within the only main module.
func (p *Packages) short(path string) string {
	if len(p.Main) != 1 {
		return path
	}
	if path == p.Main[0] {
		return "."
	}
	return strings.TrimPrefix(path, p.Main[0]+"/")
}

func (p *Packages) row(x Package) []term.Cell {
	row := []term.Cell{{Text: "  " + p.short(x.Path), Style: term.Strong}}
	if imports := p.imports(x); imports != "" {
		row = append(row, term.Cell{Text: imports})
	}
	return row
}

func (p *Packages) imports(x Package) string {
	texts := make([]string, 0, len(x.Imports)+len(x.TestImports))
	for _, path := range x.Imports {
		texts = append(texts, p.short(path))
	}
	for _, path := range x.TestImports {
		texts = append(texts, p.short(path)+" (tests)")
	}
	return strings.Join(texts, ", ")
}

// Picture is the packages and what they import of each other, to be drawn. Imports of
// tests are weak.
func (p *Packages) Picture() *diagram.Graph {
	g := &diagram.Graph{
		Title:   "Packages of " + strings.Join(p.Main, ", "),
		Facts:   p.facts(),
		Columns: []string{"layer", "imports of other modules"},
		Names:   map[diagram.Group]string{diagram.Main: "program", diagram.Direct: "imported by nobody", diagram.Indirect: "imported", diagram.Test: "imported by tests only"},
		Weak:    "test",
	}
	place := map[string]int{}
	imported := map[string]bool{}
	for i, x := range p.Packages {
		place[x.Path] = i
		for _, path := range x.Imports {
			imported[path] = true
		}
	}
	notes := p.cycleNotes()
	for i, x := range p.Packages {
		g.Nodes = append(g.Nodes, diagram.Node{Name: x.Path, Group: p.group(x, imported), Notes: notes[x.Path], Values: []string{fmt.Sprint(x.Layer), strings.Join(x.Others, " ")}})
		for _, path := range x.Imports {
			g.Edges = append(g.Edges, diagram.Edge{From: i, To: place[path]})
		}
		for _, path := range x.TestImports {
			g.Edges = append(g.Edges, diagram.Edge{From: i, To: place[path], Weak: true})
		}
	}
	return g
}

// group tells programs and what nobody imports from packages that others build upon, and
// from those that only tests import.
func (p *Packages) group(x Package, imported map[string]bool) diagram.Group {
	switch {
	case x.Name == "main":
		return diagram.Main
	case imported[x.Path]:
		return diagram.Indirect
	case p.testsImport(x.Path):
		return diagram.Test
	}
	return diagram.Direct
}

func (p *Packages) testsImport(path string) bool {
	return slices.ContainsFunc(p.Packages, func(x Package) bool { return slices.Contains(x.TestImports, path) })
}

func (p *Packages) cycleNotes() map[string][]diagram.Note {
	notes := map[string][]diagram.Note{}
	for _, c := range p.Cycles {
		for _, path := range c.Packages {
			notes[path] = append(notes[path], diagram.Note{Text: "cycle", More: c.String(), Bad: true})
		}
	}
	return notes
}
