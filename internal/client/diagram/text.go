package diagram

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// DOT writes the graph in the language of Graphviz.
//
// Source: https://graphviz.org/doc/info/lang.html
func DOT(w io.Writer, g *Graph) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "digraph %s {\n\trankdir=LR\n\tnode [shape=box fontname=\"sans-serif\" fontsize=10]\n\tedge [fontname=\"sans-serif\" fontsize=8 color=\"#888888\"]\n", dotQuote(g.Title))
	for _, n := range g.Nodes {
		fmt.Fprintf(b, "\t%s [label=%s%s]\n", dotQuote(n.Name), dotQuote(label(n, "\n")), dotStyle(n))
	}
	for _, e := range g.Edges {
		fmt.Fprintf(b, "\t%s -> %s%s\n", dotQuote(g.Nodes[e.From].Name), dotQuote(g.Nodes[e.To].Name), dotEdge(e))
	}
	fmt.Fprintln(b, "}")
	return b.Flush()
}

// label is what stands in the box of a node, in lines.
func label(n Node, newline string) string {
	text := n.Name
	if n.Sub != "" {
		text += newline + n.Sub
	}
	for _, note := range n.Notes {
		text += newline + note.Text
	}
	return text
}

// plain takes away what is no text in any format: control characters and what is not UTF-8.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// dotQuote makes a text a quoted string. A backslash would begin an escape sequence.
func dotQuote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(plain(text)) + `"`
}

func dotStyle(n Node) string {
	style := map[Group]string{Main: ` style="filled,bold" fillcolor="#dbe9ff"`, Direct: ` style=filled fillcolor="#e6f4ea"`, Test: ` style=dashed`}[n.Group]
	if isBad(n) {
		style += ` color="#c62828"`
	}
	return style
}

func dotEdge(e Edge) string {
	var attributes []string
	if e.Label != "" {
		attributes = append(attributes, "label="+dotQuote(e.Label))
	}
	if e.Weak {
		attributes = append(attributes, "style=dotted")
	}
	if len(attributes) == 0 {
		return ""
	}
	return " [" + strings.Join(attributes, " ") + "]"
}

func isBad(n Node) bool {
	for _, note := range n.Notes {
		if note.Bad {
			return true
		}
	}
	return false
}

// maxMermaid is how many edges Mermaid draws where nobody allows it more, as on code
// hosting sites.
const maxMermaid = 500

// Mermaid writes the graph as a flowchart. Of more than 500 edges it leaves out those
// that are implied, and says so in a comment.
//
// Source: https://mermaid.js.org/syntax/flowchart.html
func Mermaid(w io.Writer, g *Graph) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "flowchart LR")
	edges := g.Edges
	if len(edges) > maxMermaid {
		edges = reduced(g)
		fmt.Fprintf(b, "\t%%%% %d edges that longer ways imply are left out\n", len(g.Edges)-len(edges))
	}
	for i, n := range g.Nodes {
		fmt.Fprintf(b, "\tn%d[\"%s\"]%s\n", i, mermaidLabel(n), mermaidClass(n))
	}
	for _, e := range edges {
		arrow := "-->"
		if e.Weak {
			arrow = "-.->"
		}
		if e.Label != "" {
			arrow += `|"` + mermaidText(e.Label) + `"|`
		}
		fmt.Fprintf(b, "\tn%d %s n%d\n", e.From, arrow, e.To)
	}
	fmt.Fprint(b, "\tclassDef main stroke-width:3px\n\tclassDef direct fill:#e6f4ea,color:#000\n\tclassDef test stroke-dasharray:4\n\tclassDef bad stroke:#c62828\n")
	return b.Flush()
}

func mermaidLabel(n Node) string {
	lines := strings.Split(label(n, "\n"), "\n")
	for i, line := range lines {
		lines[i] = mermaidText(line)
	}
	return strings.Join(lines, "<br>")
}

// mermaidText writes characters that mean something as entities. Backquotes would begin
// Markdown.
func mermaidText(text string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", "\n", " ").Replace(plain(text))
}

func mermaidClass(n Node) string {
	switch {
	case isBad(n):
		return ":::bad"
	case n.Group == Main || n.Group == Direct || n.Group == Test:
		return ":::" + string(n.Group)
	}
	return ""
}
