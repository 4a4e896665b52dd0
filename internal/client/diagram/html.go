package diagram

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var script string

// HTML writes a page with the picture, in which nodes can be looked for and looked at,
// and a table of all nodes, which also serves those who run no scripts. The fragment of
// its URL holds what is shown: #why=NAME, q=TEXT and hide=GROUP,GROUP joined by "&".
func HTML(w io.Writer, g *Graph) error {
	b := bufio.NewWriter(w)
	p := page{b, g}
	p.head()
	p.controls()
	l := lay(g, reduced(g))
	b.WriteString("<div class=\"stage\"><div class=\"canvas\" id=\"canvas\" tabindex=\"0\" aria-label=\"picture\">\n")
	openSVG(b, g, l)
	drawing := sketch{b, g, l}
	drawing.edges()
	b.WriteString("<g id=\"extra\"></g>\n")
	drawing.nodes(true)
	b.WriteString("</svg></div><aside id=\"panel\" aria-live=\"polite\"><p class=\"faint\">Choose a node, in the picture or in the table.</p></aside></div>\n")
	p.table()
	if err := p.data(l); err != nil {
		return err
	}
	fmt.Fprintf(b, "<script>%s</script>\n</body>\n</html>\n", script)
	return b.Flush()
}

// A page is an HTML page being written.
type page struct {
	*bufio.Writer
	*Graph
}

// head lets the page run its own script only, and load nothing.
func (p page) head() {
	sum := sha256.Sum256([]byte(script))
	fmt.Fprintf(p, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<style>%s%s</style>
</head>
<body>
<header><h1>%s</h1>
`, base64.StdEncoding.EncodeToString(sum[:]), escape(p.Title), style, pageStyle, escape(p.Title))
	p.WriteString("<ul class=\"facts\">")
	for _, fact := range p.Facts {
		fmt.Fprintf(p, "<li>%s</li>", escape(fact))
	}
	p.WriteString("</ul></header>\n")
}

// controls are for those who run scripts, and are shown to nobody else.
func (p page) controls() {
	p.WriteString(`<section><form id="controls" class="hidden"><input type="search" id="search" placeholder="search (press /)" aria-label="search">` + "\n")
	for _, group := range []Group{Main, Direct, Indirect, Test} {
		if !slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Group == group }) {
			continue
		}
		fmt.Fprintf(p, `<label><input type="checkbox" data-group="%s" checked> <span class="key %s"></span>%s</label>`+"\n", group, group, escape(p.called(group)))
	}
	p.WriteString(`<span><button type="button" id="out" aria-label="smaller">−</button> <button type="button" id="in" aria-label="larger">+</button> <button type="button" id="fit">fit</button> <button type="button" id="clear">clear</button></span></form></section>` + "\n")
}

func (p page) table() {
	p.WriteString("<section><h2>All nodes</h2><div class=\"scroll\"><table id=\"table\"><thead><tr><th>name</th><th>kind</th>")
	for _, column := range p.Columns {
		fmt.Fprintf(p, "<th>%s</th>", escape(column))
	}
	p.WriteString("<th>notes</th></tr></thead><tbody>\n")
	for i, n := range p.Nodes {
		p.row(i, n)
	}
	p.WriteString("</tbody></table></div></section>\n")
}

func (p page) row(i int, n Node) {
	reference := url.QueryEscape(n.Name)
	fmt.Fprintf(p, `<tr data-node="%d" id="why=%s"><td class="name"><a href="#why=%s">%s</a> %s</td><td>%s</td>`, i, reference, reference, escape(n.Name), escape(n.Sub), escape(p.called(n.Group)))
	for c := range p.Columns {
		value := ""
		if c < len(n.Values) {
			value = n.Values[c]
		}
		fmt.Fprintf(p, "<td>%s</td>", escape(value))
	}
	p.WriteString("<td>")
	for _, note := range n.Notes {
		class := "note"
		if note.Bad {
			class += " bad"
		}
		fmt.Fprintf(p, `<span class="%s">%s</span> %s `, class, escape(note.Text), escape(note.More))
	}
	p.WriteString("</td></tr>\n")
}

// data is what the script knows: nodes with their places, and all edges.
func (p page) data(l layout) error {
	type note struct {
		Text string `json:"text"`
		More string `json:"more,omitempty"`
		Bad  bool   `json:"bad,omitempty"`
	}
	type node struct {
		Name   string     `json:"name"`
		Sub    string     `json:"sub,omitempty"`
		Group  Group      `json:"group"`
		Kind   string     `json:"kind"`
		Values []string   `json:"values,omitempty"`
		Notes  []note     `json:"notes,omitempty"`
		Box    [4]float64 `json:"box"`
	}
	var d struct {
		Columns []string `json:"columns"`
		Weak    string   `json:"weak"`
		Nodes   []node   `json:"nodes"`
		Edges   [][4]any `json:"edges"` // from, to, label, weak
	}
	d.Columns, d.Weak = p.Columns, p.Weak
	for i, n := range p.Nodes {
		b := l.boxes[i]
		item := node{n.Name, n.Sub, n.Group, p.called(n.Group), n.Values, nil, [4]float64{b.x, b.y, b.w, b.h}}
		for _, x := range n.Notes {
			item.Notes = append(item.Notes, note(x))
		}
		d.Nodes = append(d.Nodes, item)
	}
	for _, e := range p.Edges {
		d.Edges = append(d.Edges, [4]any{e.From, e.To, e.Label, e.Weak})
	}
	text, err := json.Marshal(d) // which writes < as \u003c, so that nothing ends the element
	if err != nil {
		return err
	}
	fmt.Fprintf(p, "<script type=\"application/json\" id=\"graph\">%s</script>\n", text)
	return nil
}
