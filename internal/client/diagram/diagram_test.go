package diagram

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hostile are texts that mean something in some format.
var hostile = []string{`a"b`, `a\`, `a\"`, "a]--", "</script><script>alert(1)</script>", "<b>&amp;", "a`b", "a#b;", "a\nb", "%%", "';--", "\x01\x1b[31m", "]]>", "\xff", "ü€漢字", `" onload="x`}

func sample() *Graph {
	g := &Graph{Title: "Modules of <m>", Facts: []string{"a & b"}, Columns: []string{"go", "zip"}}
	g.Nodes = []Node{
		{Name: "m.example/main", Group: Main, Values: []string{"1.26"}},
		{Name: "m.example/a", Sub: "v1.0.0", Group: Direct, Notes: []Note{{"retracted", "it <breaks>", true}}, Values: []string{"1.20", "1 MB"}},
		{Name: "m.example/b", Sub: "v1.2.0", Group: Indirect, Notes: []Note{{"majors", "", false}}},
		{Name: "m.example/t", Sub: "v0.1.0", Group: Test},
	}
	g.Edges = []Edge{{From: 0, To: 1}, {From: 1, To: 2, Label: "v1.1.0"}, {From: 0, To: 2, Weak: true}, {From: 2, To: 1}, {From: 0, To: 3}, {From: 3, To: 3}}
	return g
}

func random(seed uint64, nodes, edges int) *Graph {
	d := rand.New(rand.NewPCG(seed, 1))
	g := &Graph{Title: "random", Nodes: []Node{{Name: "main", Group: Main}}}
	for i := range nodes {
		g.Nodes = append(g.Nodes, Node{Name: fmt.Sprintf("n%d.example/%s", i, strings.Repeat("x", d.IntN(30))), Sub: "v1.0.0", Group: Indirect})
		g.Edges = append(g.Edges, Edge{From: d.IntN(i + 1), To: i + 1})
	}
	for range edges - nodes {
		g.Edges = append(g.Edges, Edge{From: d.IntN(nodes), To: d.IntN(nodes)})
	}
	return g
}

func draw(t *testing.T, how func(io.Writer, *Graph) error, g *Graph) string {
	t.Helper()
	var b bytes.Buffer
	if err := how(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const quoted = `"(?:[^"\\\n]|\\.)*"`

// dotLine is every line that may be in a graph, with the grammar of Graphviz.
var dotLine = regexp.MustCompile(`^(?:digraph ` + quoted + ` \{|\trankdir=LR|\t(?:node|edge) \[[^\]]*\]|\t` + quoted + ` \[label=` + quoted + `(?: \w+=(?:\w+|` + quoted + `))*\]|\t` + quoted + ` -> ` + quoted + `(?: \[(?: ?\w+=(?:\w+|` + quoted + `))+\])?|\})$`)

var mermaidLine = regexp.MustCompile("^(?:flowchart LR|\t%% .*|\tn\\d+\\[\"[^\"`]*\"\\](?::::\\w+)?|\tn\\d+ (?:-->|-\\.->)(?:\\|\"[^\"`]*\"\\|)? n\\d+|\tclassDef \\w+ [\\w:;,#-]+)$")

func checkLines(t *testing.T, text string, grammar *regexp.Regexp) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !grammar.MatchString(line) {
			t.Errorf("%q is no line of this language", line)
		}
	}
}

func checkXML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
}

func TestDOTHasEveryNodeAndEdge(t *testing.T) {
	text := draw(t, DOT, sample())
	checkLines(t, text, dotLine)
	for _, want := range []string{
		"digraph \"Modules of <m>\" {\n",
		"\t\"m.example/a\" [label=\"m.example/a\\nv1.0.0\\nretracted\" style=filled fillcolor=\"#e6f4ea\" color=\"#c62828\"]\n",
		"\t\"m.example/a\" -> \"m.example/b\" [label=\"v1.1.0\"]\n",
		"\t\"m.example/main\" -> \"m.example/b\" [style=dotted]\n",
		"\t\"m.example/t\" -> \"m.example/t\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestMermaidDrawsWhatItMay(t *testing.T) {
	text := draw(t, Mermaid, sample())
	checkLines(t, text, mermaidLine)
	for _, want := range []string{"\tn1[\"m.example/a<br>v1.0.0<br>retracted\"]:::bad\n", "\tn1 -->|\"v1.1.0\"| n2\n", "\tn0 -.-> n2\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	big := random(1, 200, 1500)
	text = draw(t, Mermaid, big)
	checkLines(t, text, mermaidLine)
	if !strings.Contains(text, "edges that longer ways imply are left out") || strings.Count(text, " --> ") >= len(big.Edges) {
		t.Error("nothing was left out of 1500 edges")
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	text := draw(t, SVG, sample())
	checkXML(t, text)
	if strings.Count(text, `class="node `) != 4 || !strings.Contains(text, "it &lt;breaks&gt;") || strings.Contains(text, "http://www.w3.org/1999/xlink") {
		t.Errorf("got %s", text)
	}
	if !strings.Contains(text, `class="edge back"`) {
		t.Error("the edge that closes a cycle looks like any other")
	}
}

func TestHTMLStandsAlone(t *testing.T) {
	text := draw(t, HTML, sample())
	for _, want := range []string{"<!DOCTYPE html>", "script-src 'sha256-", "default-src 'none'", `<tr data-node="1" id="why=m.example%2Fa">`, "it &lt;breaks&gt;", "<li>a &amp; b</li>", "<th>zip</th>", "<td>1 MB</td>"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if outside := regexp.MustCompile(`(?:src|href)="(?:https?:)?//|@import|url\(["']?(?:https?:)?//`).FindString(text); outside != "" {
		t.Errorf("the page refers to something elsewhere: %s", outside)
	}
	var data struct {
		Nodes []struct{ Name string }
		Edges [][]any
	}
	_, rest, _ := strings.Cut(text, `id="graph">`)
	body, _, _ := strings.Cut(rest, "</script>")
	if err := json.Unmarshal([]byte(body), &data); err != nil || len(data.Nodes) != 4 || len(data.Edges) != 6 {
		t.Errorf("the data is %+v, %v", data, err)
	}
}

func TestTextsOfStrangersStayTexts(t *testing.T) {
	g := &Graph{Title: hostile[4], Facts: hostile, Columns: hostile[:2]}
	for i, text := range hostile {
		g.Nodes = append(g.Nodes, Node{Name: text, Sub: text, Group: Direct, Notes: []Note{{text, text, i%2 == 0}}, Values: []string{text}})
		g.Edges = append(g.Edges, Edge{From: 0, To: i, Label: text})
	}
	checkLines(t, draw(t, DOT, g), dotLine)
	checkLines(t, draw(t, Mermaid, g), mermaidLine)
	checkXML(t, draw(t, SVG, g))
	page := draw(t, HTML, g)
	if n := strings.Count(strings.ToLower(page), "<script"); n != 2 {
		t.Errorf("the page has %d scripts", n)
	}
	if strings.Contains(page, `" onload="`) {
		t.Error("a text has become an attribute")
	}
}

func FuzzTextsStayTexts(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, name, more string) {
		g := &Graph{Title: more, Facts: []string{more}, Nodes: []Node{{Name: name, Sub: more, Group: Main, Notes: []Note{{more, name, true}}}, {Name: more}}, Edges: []Edge{{From: 0, To: 1, Label: more}}}
		checkXML(t, draw(t, SVG, g))
		checkLines(t, draw(t, DOT, g), dotLine)
		checkLines(t, draw(t, Mermaid, g), mermaidLine)
		if page := draw(t, HTML, g); strings.Count(strings.ToLower(page), "<script") != 2 {
			t.Errorf("a text has become a script: %q, %q", name, more)
		}
	})
}

func TestReducedEdgesImplyAllOthers(t *testing.T) {
	for seed := range uint64(20) {
		g := random(seed, 40, 160)
		kept := reduced(g)
		if len(kept) >= len(g.Edges) {
			t.Errorf("graph %d keeps %d of %d edges", seed, len(kept), len(g.Edges))
		}
		before, after := adjacency(len(g.Nodes), g.Edges), adjacency(len(g.Nodes), kept)
		for n := range g.Nodes {
			if a, b := reach(n, before), reach(n, after); len(a) != len(b) {
				t.Fatalf("in graph %d, node %d leads to %d nodes and not to %d any more", seed, n, len(b), len(a))
			}
		}
	}
}

// Boxes do not lie upon each other, everything is within the picture, and what does not
// close a cycle leads to the right.
func TestLayoutIsReadable(t *testing.T) {
	for seed := range uint64(8) {
		g := random(seed, 60, 150)
		l := lay(g, reduced(g))
		for i, a := range l.boxes {
			if a.x < 0 || a.y < 0 || a.x+a.w > l.width || a.y+a.h > l.height {
				t.Errorf("graph %d: box %d at %v is outside of %v × %v", seed, i, a, l.width, l.height)
			}
			for j, b := range l.boxes[:i] {
				if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
					t.Errorf("graph %d: boxes %d and %d lie upon each other: %v, %v", seed, i, j, a, b)
				}
			}
		}
		for _, p := range l.paths {
			if !slices.IsSortedFunc(p.points, func(a, b point) int { return int(a.x - b.x) }) {
				t.Errorf("graph %d: the edge from %d to %d turns back: %v", seed, p.From, p.To, p.points)
			}
			if from, to := l.boxes[p.From], l.boxes[p.To]; !p.back && from.x >= to.x {
				t.Errorf("graph %d: the edge from %d to %d leads to the left", seed, p.From, p.To)
			}
		}
	}
}

// Untangling must never leave more crossings than the first order of the layers had.
func TestUntanglingHelps(t *testing.T) {
	g := random(3, 120, 240)
	d := &drawing{graph: g}
	forward, backward := split(len(g.Nodes), reduced(g))
	d.placeInLayers(forward, backward)
	for _, e := range forward {
		d.connect(e, e.From, e.To, false)
	}
	before := d.crossings()
	d.untangle()
	if after := d.crossings(); after*2 > before {
		t.Errorf("%d crossings, before %d", after, before)
	}
}

func TestPicturesOfTheSameGraphAreEqual(t *testing.T) {
	for _, how := range []func(io.Writer, *Graph) error{DOT, Mermaid, SVG, HTML} {
		first, second := draw(t, how, random(5, 80, 300)), draw(t, how, random(5, 80, 300))
		if first != second {
			t.Error("the same graph was drawn in two ways")
		}
	}
}

func TestFocusLeavesWhatLeadsToAndFromANode(t *testing.T) {
	g := Focus(sample(), "m.example/b")
	var names []string
	for _, n := range g.Nodes {
		names = append(names, n.Name)
	}
	if want := []string{"m.example/main", "m.example/a", "m.example/b"}; !slices.Equal(names, want) || len(g.Edges) != 4 {
		t.Errorf("left are %q and %v", names, g.Edges)
	}
	if g := Focus(sample(), "nobody"); len(g.Nodes) != 0 {
		t.Errorf("left are %v", g.Nodes)
	}
}

// An empty graph has an empty picture.
func TestNothingCanBeDrawn(t *testing.T) {
	for _, how := range []func(io.Writer, *Graph) error{DOT, Mermaid, SVG, HTML} {
		draw(t, how, &Graph{Title: "nothing"})
	}
	checkXML(t, draw(t, SVG, &Graph{}))
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestAFullDiskIsAnError(t *testing.T) {
	for _, how := range []func(io.Writer, *Graph) error{DOT, Mermaid, SVG, HTML} {
		if how(broken{}, sample()) == nil {
			t.Error("no error")
		}
	}
}
