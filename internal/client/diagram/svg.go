package diagram

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"io"
	"net/url"
	"strings"
)

// style is how nodes and edges look, on light and on dark ground.
//
//go:embed picture.css
var style string

// SVG writes a picture of the graph: what leads to something stands on its left.
func SVG(w io.Writer, g *Graph) error {
	b := bufio.NewWriter(w)
	l := lay(g, reduced(g))
	openSVG(b, g, l)
	fmt.Fprintf(b, "<style>%s</style>\n<rect class=\"ground\" width=\"100%%\" height=\"100%%\"/>\n", style)
	drawing := sketch{b, g, l}
	drawing.edges()
	drawing.nodes(false)
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func openSVG(b *bufio.Writer, g *Graph, l layout) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" id="picture" role="img" aria-labelledby="picture-title" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", l.width, l.height, l.width, l.height)
	fmt.Fprintf(b, "<title id=\"picture-title\">%s</title>\n", escape(g.Title))
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>` + "\n")
}

// escape makes a text fit for HTML and XML.
func escape(text string) string { return html.EscapeString(plain(text)) }

// A sketch is a picture being written.
type sketch struct {
	*bufio.Writer
	*Graph
	layout
}

func (s sketch) edges() {
	s.WriteString("<g id=\"edges\">\n")
	for _, p := range s.paths {
		class := "edge"
		if p.Weak {
			class += " weak"
		}
		if p.back {
			class += " back"
		}
		fmt.Fprintf(s, `<path class="%s" data-from="%d" data-to="%d" d="%s" %s><title>%s</title></path>`+"\n", class, p.From, p.To, curve(p.points), tipOf(p), escape(s.describe(p.Edge)))
	}
	s.WriteString("</g>\n")
}

// tipOf puts the arrow where the edge ends; one that leads to the left ends where its
// path begins.
func tipOf(p path) string {
	if p.back {
		return `marker-start="url(#tip)"`
	}
	return `marker-end="url(#tip)"`
}

func (s sketch) describe(e Edge) string {
	text := s.Nodes[e.From].Name + " → " + s.Nodes[e.To].Name
	if e.Label != "" {
		text += " " + e.Label
	}
	if e.Weak && s.Weak != "" {
		text += " (" + s.Weak + ")"
	}
	return text
}

// curve connects points: those of one layer by a straight line, layers by a curve.
func curve(points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", points[0].x, points[0].y)
	for i := 1; i < len(points); i++ {
		from, to := points[i-1], points[i]
		if from.y == to.y {
			fmt.Fprintf(&b, "H%.1f", to.x)
			continue
		}
		middle := max(to.x-layerGap, from.x) // the way to the gap between the layers is straight
		half := (middle + to.x) / 2
		fmt.Fprintf(&b, "H%.1fC%.1f %.1f %.1f %.1f %.1f %.1f", middle, half, from.y, half, to.y, to.x, to.y)
	}
	return b.String()
}

// nodes draws the boxes, as links to what the page says of them if it is on a page.
func (s sketch) nodes(links bool) {
	s.WriteString("<g id=\"nodes\">\n")
	for i, n := range s.Nodes {
		box := s.boxes[i]
		class := "node " + string(n.Group)
		if isBad(n) {
			class += " bad"
		}
		if links {
			fmt.Fprintf(s, `<a href="#why=%s">`, url.QueryEscape(n.Name))
		}
		fmt.Fprintf(s, `<g class="%s" data-node="%d" transform="translate(%.1f %.1f)"><title>%s</title><rect width="%.1f" height="%.0f" rx="5"/>%s</g>`,
			class, i, box.x, box.y, escape(tooltip(n)), box.w, box.h, lines(n))
		if links {
			s.WriteString("</a>")
		}
		s.WriteString("\n")
	}
	s.WriteString("</g>\n")
}

// lines are what stands in a box.
func lines(n Node) string {
	sub := subtitle(n)
	if sub == "" {
		return fmt.Sprintf(`<text x="%d" y="21">%s</text>`, nodePadding, escape(n.Name))
	}
	return fmt.Sprintf(`<text x="%d" y="15">%s</text><text class="sub" x="%d" y="28">%s</text>`, nodePadding, escape(n.Name), nodePadding, escape(sub))
}

func tooltip(n Node) string {
	text := strings.TrimSpace(n.Name + " " + n.Sub)
	for _, note := range n.Notes {
		text += "\n" + note.Text
		if note.More != "" {
			text += ": " + note.More
		}
	}
	return text
}
