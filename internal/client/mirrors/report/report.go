// Package report shows a measurement of mirrors as one HTML page with charts.
//
// The page is complete in itself: it loads nothing, runs no script, and forbids both to
// itself, so that it can be mailed, kept, and opened without a network. It follows the
// light or dark scheme of whoever looks at it. Whatever mirrors have said is escaped.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"strings"

	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/source"
)

//go:embed style.css
var style string

// HTML is the page.
func HTML(r mirrors.Report) []byte {
	p := new(page)
	p.head("Module proxies, measured")
	p.intro(r)
	p.recommendation(r)
	p.ranking(r)
	p.chart("Small files", "Each dot is one request for a list, @latest, .info or .mod over a connection that was open; the bar is the median. Further left is better, and each step of the scale is ten times the one before.", strips(r, mirrors.Result.Small))
	p.chart("Zips", "Each dot is one .zip, from the request to the last byte. All mirrors were asked for the same zips.", strips(r, func(m mirrors.Result) mirrors.Latency { return m.Zip }))
	p.chart("Throughput", "Zips one after the other: all their bytes by all the time they took.", throughputs(r))
	p.chart("A new connection", "What the first request costs: medians of looking up the name, connecting, agreeing on TLS, and waiting for the first byte.", connections(r))
	p.numbers(r)
	p.findings(r)
	p.modules(r)
	p.WriteString("</main>\n</body>\n</html>\n")
	return p.Bytes()
}

// A page is HTML that is being written.
type page struct{ bytes.Buffer }

func (p *page) head(title string) {
	p.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	p.WriteString("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n")
	p.WriteString("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	p.WriteString("<link rel=\"icon\" href=\"data:,\">\n")
	p.element("title", "", title)
	p.WriteString("<style>\n" + style + "</style>\n</head>\n<body>\n<main>\n")
	p.element("h1", "", title)
}

// element writes an element with text, which is escaped.
func (p *page) element(name, class, text string) {
	if class != "" {
		class = " class=\"" + class + "\""
	}
	fmt.Fprintf(p, "<%s%s>%s</%s>\n", name, class, html.EscapeString(text), name)
}

func (p *page) intro(r mirrors.Report) {
	p.element("p", "faint", fmt.Sprintf("%s, %d rounds in %s, compared with the checksum database %s.",
		r.Began.UTC().Format("2006-01-02 15:04 MST"), r.Rounds, r.Took, r.SumDB))
	for _, note := range r.Notes {
		p.element("p", "faint", note)
	}
}

func (p *page) recommendation(r mirrors.Report) {
	goproxy, reason := r.Recommend()
	p.WriteString("<section id=\"recommended\">\n")
	p.element("h2", "", "Recommended")
	if goproxy != "" {
		p.element("pre", "", "GOPROXY="+source.RedactList(goproxy))
	}
	p.element("p", "", reason)
	p.WriteString("</section>\n")
}

func (p *page) ranking(r mirrors.Report) {
	p.element("h2", "", "Ranking")
	p.WriteString("<div class=\"scroll\"><table id=\"ranking\">\n")
	p.row("th", "", "Mirror", "Result", "Good answers", "A module", "Throughput", "Behind", "Proven")
	for _, m := range r.Mirrors {
		p.row("td", string(m.Tone()), m.Name, m.Verdict(), mirrors.FormatShare(m.SuccessRate()), m.PerModule.String(),
			mirrors.FormatRate(m.Throughput), mirrors.FormatCount(len(m.Behind), m.Compared), mirrors.FormatCount(m.Proven, m.Proven+len(m.Wrong)))
	}
	p.WriteString("</table></div>\n")
}

// row writes a row of a table, with cells of one kind.
func (p *page) row(cell, class string, texts ...string) {
	fmt.Fprintf(p, "<tr class=\"%s\">", class)
	for i, text := range texts {
		kind := ""
		if i > 0 && cell == "td" && isNumber(text) {
			kind = " class=\"number\""
		}
		fmt.Fprintf(p, "<%s%s>%s</%s>", cell, kind, html.EscapeString(text), cell)
	}
	p.WriteString("</tr>\n")
}

func isNumber(text string) bool {
	return text == "-" || text != "" && text[0] >= '0' && text[0] <= '9'
}

func (p *page) chart(title, caption, svg string) {
	if svg == "" {
		return
	}
	p.element("h2", "", title)
	p.WriteString("<figure>\n" + svg)
	p.element("figcaption", "", caption)
	p.WriteString("</figure>\n")
}

// numbers are the percentiles.
func (p *page) numbers(r mirrors.Report) {
	p.element("h2", "", "All numbers")
	p.element("p", "faint", "50th, 90th and 99th percentile; those for which the sample is too small (10 for the 90th, 100 for the 99th) are left out.")
	p.WriteString("<div class=\"scroll wide\"><table id=\"numbers\">\n")
	p.row("th", "", "Mirror", "DNS", "Connect", "TLS", "First byte", "list", "@latest", ".info", ".mod", ".zip", "HTTP", "Checksum database")
	for _, m := range r.Mirrors {
		texts := []string{m.Name}
		for _, l := range []mirrors.Latency{m.DNS, m.Connect, m.TLS, m.FirstByte, m.List, m.Latest, m.Info, m.Mod, m.Zip} {
			texts = append(texts, mirrors.FormatPercentiles(l))
		}
		p.row("td", "", append(texts, mirrors.FormatProtocol(m.Protocol), string(m.SumDB))...)
	}
	p.WriteString("</table></div>\n")
}

// findings are wrong bytes, and versions that are missing.
func (p *page) findings(r mirrors.Report) {
	var found []string
	for _, m := range r.Mirrors {
		for _, w := range m.Wrong {
			found = append(found, fmt.Sprintf("%s: %s hashes to %s, the checksum database says %s", m.Name, w.File, w.Got, w.Want))
		}
		for _, lag := range m.Behind {
			found = append(found, fmt.Sprintf("%s: the newest %s is %s, another mirror has %s", m.Name, lag.Module, lag.Has, lag.Newest))
		}
		if len(m.Missing) > 0 {
			found = append(found, fmt.Sprintf("%s: lacks %s", m.Name, strings.Join(m.Missing, ", ")))
		}
	}
	p.list("findings", "What is wrong, old or missing", found)
}

func (p *page) modules(r mirrors.Report) { p.list("modules", "What was asked for", r.Modules) }

func (p *page) list(id, title string, texts []string) {
	if len(texts) == 0 {
		return
	}
	p.element("h2", "", title)
	fmt.Fprintf(p, "<ul id=\"%s\">\n", id)
	for _, text := range texts {
		p.element("li", "", text)
	}
	p.WriteString("</ul>\n")
}
