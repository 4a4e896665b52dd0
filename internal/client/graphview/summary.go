package graphview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/term"
)

// facts are what is to be said of the modules as a whole, most important first.
func (r *Report) facts() []string {
	s := r.Summary
	facts := []string{
		fmt.Sprintf("%s in force, %d of them direct", count(s.Modules, "module"), s.Direct),
		fmt.Sprintf("%s between %s", count(s.Edges, "requirement"), count(s.Versions, "version")),
	}
	if s.Majors > 0 {
		facts = append(facts, fmt.Sprintf("%s in several major versions", count(s.Majors, "module")))
	}
	for _, row := range []struct {
		n    int
		what string
	}{{s.Replaced, "replaced"}, {s.Excluded, "excluded"}} {
		if row.n > 0 {
			facts = append(facts, fmt.Sprintf("%d %s", row.n, row.what))
		}
	}
	if s.Cycles > 0 {
		facts = append(facts, fmt.Sprintf("%s of modules that require each other", count(s.Cycles, "group")))
	}
	if s.Retracted != nil {
		facts = append(facts, fmt.Sprintf("%d retracted, %d deprecated, %d outdated", *s.Retracted, *s.Deprecated, *s.Outdated))
	}
	if s.Unasked != nil && *s.Unasked > 0 {
		facts = append(facts, fmt.Sprintf("%s could not be asked for news", count(*s.Unasked, "module")))
	}
	if s.ZipBytes != nil {
		facts = append(facts, term.Size(*s.ZipBytes)+" in all zips"+unknown(*s.Unsized))
	}
	return facts
}

func unknown(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of unknown size)", n)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printSummary prints what is to be minded, and counts.
func (r *Report) printSummary(s *term.Screen) {
	if rows := r.matters(); len(rows) > 0 {
		s.Table(rows)
		fmt.Fprintln(s)
	}
	r.printLargest(s)
	facts := strings.Join(r.facts(), "; ") + "."
	for _, line := range fold(s, facts) {
		fmt.Fprintln(s, line)
	}
	if r.Summary.Retracted == nil {
		fmt.Fprintln(s, s.Paint(term.Faint, "Retracted or deprecated? Nobody asked; --updates does."))
	}
}

// fold breaks a text where the terminal ends.
func fold(s *term.Screen, text string) []string { return term.Wrap(text, s.Width()) }

// matters are the rows of what is to be minded.
func (r *Report) matters() [][]term.Cell {
	var rows [][]term.Cell
	row := func(style term.Style, what, subject, more string) {
		rows = append(rows, []term.Cell{{Text: what, Style: style}, {Text: strings.TrimSpace(subject + "  " + more)}})
	}
	for _, f := range r.Failures {
		row(term.Bad, "unknown", spaced([]string{f.Module})[0], f.Error)
	}
	for _, m := range r.Modules {
		for _, n := range m.notes() {
			if n.long != "" {
				row(n.style, n.short, m.Path+" "+m.Version, n.long)
			}
		}
	}
	for _, list := range r.Majors {
		row(term.Warn, "majors", strings.Join(spaced(list), ", "), "")
	}
	for _, list := range r.Cycles {
		row(term.Warn, "cycle", strings.Join(list, ", "), "")
	}
	for _, e := range r.Excluded {
		row(term.Plain, "excluded", spaced([]string{e[1]})[0], "wanted by "+spaced([]string{e[0]})[0])
	}
	return rows
}

// spaced writes modules with a blank before the version.
func spaced(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strings.Replace(name, "@", " ", 1)
	}
	return list
}

// largest is how many zips are shown.
const largest = 5

// printLargest prints the largest zips, if they are known.
func (r *Report) printLargest(s *term.Screen) {
	if r.Summary.ZipBytes == nil {
		return
	}
	sized := slices.DeleteFunc(slices.Clone(r.Modules), func(m Module) bool { return m.ZipBytes == nil })
	slices.SortStableFunc(sized, func(a, b Module) int { return cmp.Compare(*b.ZipBytes, *a.ZipBytes) })
	rows := [][]term.Cell{term.Head("ZIP", "THE LARGEST")}
	for _, m := range sized[:min(largest, len(sized))] {
		rows = append(rows, []term.Cell{{Text: term.Size(*m.ZipBytes), Right: true}, {Text: m.Path + " " + m.Version}})
	}
	if len(rows) > 1 {
		s.Table(rows)
		fmt.Fprintln(s)
	}
}

// PrintWhy prints why a module is there.
func (r *Report) PrintWhy(s *term.Screen) {
	w := r.Why
	fmt.Fprintf(s, "%s is there because of\n", s.Paint(term.Strong, spaced([]string{w.Module})[0]))
	for i, name := range spaced(w.Chain) {
		branch := "  "
		if i > 0 {
			branch += strings.Repeat("   ", i-1) + "└─ "
		}
		fmt.Fprintln(s, s.Paint(term.Faint, branch)+name)
	}
	if len(w.Through) > 0 {
		fmt.Fprintf(s, "\nWhat leads to it among your own requirements (%d):\n", len(w.Through))
		for _, name := range spaced(w.Through) {
			fmt.Fprintln(s, "  "+name)
		}
	}
	fmt.Fprintf(s, "\nAsked for by (%d):\n", len(w.Wanted))
	_, inForce := cut(w.Module)
	rows := make([][]term.Cell, 0, len(w.Wanted))
	for _, wish := range w.Wanted {
		style := term.Faint
		if wish[0] == inForce {
			style = term.Good
		}
		rows = append(rows, []term.Cell{{Text: "  " + wish[0], Style: style}, {Text: spaced([]string{wish[1]})[0] + r.aside(wish[1])}})
	}
	s.Table(rows)
}

// aside says of a main module that it requires what is asked about for others only.
func (r *Report) aside(by string) string {
	path, _ := cut(r.Why.Module)
	for _, m := range r.Modules {
		if m.Path == path && m.Kind == "indirect" && slices.Contains(r.Main, by) {
			return " (// indirect)"
		}
	}
	return ""
}

// PrintWithout prints what would go with a requirement.
func (r *Report) PrintWithout(s *term.Screen) {
	w := r.Without
	fmt.Fprintf(s, "Without %s\n", s.Paint(term.Strong, spaced([]string{w.Module})[0]))
	rows := make([][]term.Cell, 0, len(w.Gone)+len(w.Lowered))
	for _, name := range spaced(w.Gone) {
		rows = append(rows, []term.Cell{{Text: "  gone", Style: term.Good}, {Text: name}})
	}
	for _, c := range w.Lowered {
		rows = append(rows, []term.Cell{{Text: "  lower", Style: term.Warn}, {Text: fmt.Sprintf("%s %s, not %s", c[0], c[2], c[1])}})
	}
	for _, wish := range w.Stays {
		rows = append(rows, []term.Cell{{Text: "  stays", Style: term.Bad}, {Text: spaced([]string{wish[1]})[0] + " requires it, " + wish[0]}})
	}
	s.Table(rows)
	text := fmt.Sprintf("%s of %d would go", count(len(w.Gone), "module"), r.Summary.Modules)
	if w.ZipBytes != nil {
		text += ", " + term.Size(*w.ZipBytes) + " of zips"
	}
	for _, line := range fold(s, text+". go mod tidy also looks at packages, and may drop more.") {
		fmt.Fprintln(s, line)
	}
}
