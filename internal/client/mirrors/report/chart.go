package report

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"time"

	"github.com/goweir/weir/internal/client/mirrors"
)

// The geometry of all charts, in units of their own. Names stand above what belongs to
// them, so that long ones have room.
const (
	width     = 760.0
	left      = 8.0
	right     = width - 8
	top       = 26.0 // room for the scale
	rowHeight = 46.0
	nameAt    = 16.0 // baseline of the name, from the top of a row
	markAt    = 32.0 // middle of the marks
)

// A drawing is an SVG that is being written.
type drawing struct {
	bytes.Buffer
	rows int
}

// draw returns a chart with so many rows, which is described by a title.
func draw(title string, rows int) *drawing {
	d := new(drawing)
	fmt.Fprintf(d, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>%s</title>\n", width, top+float64(rows)*rowHeight, html.EscapeString(title))
	d.rows = rows
	return d
}

func (d *drawing) done() string {
	d.WriteString("</svg>\n")
	return d.String()
}

// text writes a text, which is escaped.
func (d *drawing) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(d, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, anchor, x, y, html.EscapeString(text))
}

// rect draws a bar; hint is shown when somebody points at it.
func (d *drawing) rect(class string, x, y, w, h float64, hint string) {
	fmt.Fprintf(d, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s</title></rect>\n", class, x, y, w, h, html.EscapeString(hint))
}

// tick draws a line of the scale, with what it stands for.
func (d *drawing) tick(x float64, text string) {
	fmt.Fprintf(d, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", x, x, top-8, top+float64(d.rows)*rowHeight)
	anchor := "middle"
	switch {
	case x < left+20:
		anchor = "start"
	case x > right-20:
		anchor = "end"
	}
	d.text("scale", anchor, x, top-13, text)
}

// rowAt is the top of a row.
func rowAt(i int) float64 { return top + float64(i)*rowHeight }

// A logScale maps durations to places by their logarithms, from one power of ten to
// another.
type logScale struct{ from, to int }

// logScaleOf holds all of some durations.
func logScaleOf(all []mirrors.Latency) (s logScale, ok bool) {
	for _, l := range all {
		for _, d := range l {
			e := exponent(d)
			if !ok {
				s, ok = logScale{int(math.Floor(e)), int(math.Floor(e)) + 1}, true
			}
			s.from, s.to = min(s.from, int(math.Floor(e))), max(s.to, int(math.Ceil(e)))
		}
	}
	return s, ok
}

// exponent is the logarithm of a duration in milliseconds; less than 10 µs counts as that.
func exponent(d time.Duration) float64 {
	return math.Log10(math.Max(float64(d)/float64(time.Millisecond), 0.01))
}

func (s logScale) at(d time.Duration) float64 {
	return left + (right-left)*(exponent(d)-float64(s.from))/float64(s.to-s.from)
}

// strips show each sample of each mirror as a dot.
func strips(r mirrors.Report, of func(mirrors.Result) mirrors.Latency) string {
	var names []string
	var all []mirrors.Latency
	for _, m := range r.Mirrors {
		if l := of(m); len(l) > 0 {
			names, all = append(names, m.Name), append(all, l)
		}
	}
	scale, ok := logScaleOf(all)
	if !ok {
		return ""
	}
	d := draw("How long requests took", len(all))
	for e := scale.from; e <= scale.to; e++ {
		ms := time.Duration(math.Pow10(e) * float64(time.Millisecond))
		d.tick(scale.at(ms), mirrors.FormatDuration(ms))
	}
	for i, l := range all {
		d.strip(rowAt(i), names[i], l, scale)
	}
	return d.done()
}

// strip shows the samples of one mirror, and their median.
func (d *drawing) strip(y float64, name string, l mirrors.Latency, scale logScale) {
	d.text("name", "start", left, y+nameAt, name)
	for i, sample := range l {
		// Dots of about the same time lie beside each other, the same way each time.
		spread := float64(i%5-2) * 2.5
		fmt.Fprintf(d, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", scale.at(sample), y+markAt+spread)
	}
	median, _ := l.Percentile(50)
	d.rect("median", scale.at(median)-1.5, y+markAt-10, 3, 20, "median: "+mirrors.FormatPercentiles(l))
}

// A segment is a part of a bar.
type segment struct {
	class  string
	length float64
	hint   string
}

// A bar is one row of a bar chart.
type bar struct {
	name  string
	parts []segment
	text  string // behind the bar
}

// textRoom is the room for the text behind the longest bar.
const textRoom = 90.0

// bars draws bars to the scale of the longest.
func bars(title string, all []bar) *drawing {
	longest := 0.0
	for _, b := range all {
		longest = max(longest, b.length())
	}
	if longest == 0 {
		return nil
	}
	d := draw(title, len(all))
	for i, b := range all {
		x, y := left, rowAt(i)
		d.text("name", "start", left, y+nameAt, b.name)
		for _, part := range b.parts {
			w := (right - left - textRoom) * part.length / longest
			d.rect(part.class, x, y+markAt-8, w, 14, part.hint)
			x += w
		}
		d.text("value", "start", x+6, y+markAt+3, b.text)
	}
	return d
}

func (b bar) length() (sum float64) {
	for _, part := range b.parts {
		sum += part.length
	}
	return sum
}

func throughputs(r mirrors.Report) string {
	var all []bar
	for _, m := range r.Mirrors {
		if m.Throughput > 0 {
			text := mirrors.FormatRate(m.Throughput)
			all = append(all, bar{m.Name, []segment{{"rate", m.Throughput, text}}, text})
		}
	}
	d := bars("Throughput of zips", all)
	if d == nil {
		return ""
	}
	return d.done()
}

// phases are the parts of a new connection.
var phases = []struct {
	name, class string
	of          func(mirrors.Result) mirrors.Latency
}{
	{"look up the name", "phase1", func(m mirrors.Result) mirrors.Latency { return m.DNS }},
	{"connect", "phase2", func(m mirrors.Result) mirrors.Latency { return m.Connect }},
	{"TLS", "phase3", func(m mirrors.Result) mirrors.Latency { return m.TLS }},
	{"first byte", "phase4", func(m mirrors.Result) mirrors.Latency { return m.FirstByte }},
}

func connections(r mirrors.Report) string {
	var all []bar
	for _, m := range r.Mirrors {
		if len(m.FirstByte) > 0 {
			all = append(all, connection(m))
		}
	}
	d := bars("What a new connection costs", all)
	if d == nil {
		return ""
	}
	x := left
	for _, phase := range phases {
		d.rect(phase.class, x, 4, 10, 10, phase.name)
		d.text("scale", "start", x+15, 13, phase.name)
		x += 150
	}
	return d.done()
}

func connection(m mirrors.Result) bar {
	b := bar{name: m.Name}
	var sum time.Duration
	for _, phase := range phases {
		median, _ := phase.of(m).Percentile(50)
		sum += median
		b.parts = append(b.parts, segment{phase.class, float64(median), phase.name + ": " + mirrors.FormatDuration(median)})
	}
	b.text = mirrors.FormatDuration(sum)
	return b
}
