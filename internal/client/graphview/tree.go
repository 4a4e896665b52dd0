package graphview

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/client/term"
)

// A tree is the modules in force, each below one that requires it: as near to a main
// module as may be. Where else it is required it is only named.
type tree struct {
	*term.Screen
	modules  map[string]Module
	children map[string][]string // by path
	repeats  map[string][]string
	wants    map[[2]string]string // the version that one module requires of another
	stray    []Module             // that no module in force requires, main modules for others only
}

// Tree prints the modules below each other, and then the summary.
func (r *Report) Tree(s *term.Screen) {
	t := &tree{Screen: s, modules: map[string]Module{}, children: map[string][]string{}, repeats: map[string][]string{}, wants: map[[2]string]string{}}
	for _, m := range r.Modules {
		t.modules[m.Path] = m
	}
	t.plant(r)
	var b strings.Builder
	for _, main := range r.Main {
		fmt.Fprintln(&b, t.line(t.modules[main], ""))
		t.grow(&b, main, "")
	}
	if len(t.stray) > 0 {
		fmt.Fprintln(&b, t.Paint(term.Faint, "Required only by versions that are not in force, or as // indirect:"))
	}
	for _, m := range t.stray {
		fmt.Fprintln(&b, "  "+t.line(m, ""))
	}
	fmt.Fprintln(s, b.String())
	r.printSummary(s)
}

// plant gives each module its place, breadth first.
func (t *tree) plant(r *Report) {
	planted := map[string]bool{}
	for _, main := range r.Main {
		planted[main] = true
	}
	for queue := slices.Clone(r.Main); len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		for _, name := range t.branches(path) {
			to, version := cut(name)
			t.wants[[2]string{path, to}] = version
			if planted[to] {
				t.repeats[path] = append(t.repeats[path], to)
				continue
			}
			planted[to] = true
			t.children[path] = append(t.children[path], to)
			queue = append(queue, to)
		}
	}
	for _, m := range r.Modules {
		if !planted[m.Path] {
			t.stray = append(t.stray, m)
		}
	}
}

// branches are what is shown below a module: what it requires, of a main module only
// what it requires for itself.
func (t *tree) branches(path string) []string {
	m := t.modules[path]
	return slices.DeleteFunc(slices.Clone(m.Requires), func(name string) bool {
		to, _ := cut(name)
		return project.IsToolchain(to) || t.modules[to].Path == "" || m.Kind == "main" && t.modules[to].Kind == "indirect"
	})
}

// grow prints what is below a module.
func (t *tree) grow(b *strings.Builder, path, indent string) {
	children, repeats := t.children[path], t.repeats[path]
	for i, child := range children {
		last := i == len(children)-1 && len(repeats) == 0
		fork, below := "├─ ", "│  "
		if last {
			fork, below = "└─ ", "   "
		}
		fmt.Fprintln(b, t.Paint(term.Faint, indent+fork)+t.line(t.modules[child], t.wants[[2]string{path, child}]))
		t.grow(b, child, indent+below)
	}
	if len(repeats) > 0 {
		line := fmt.Sprintf("%s└─ and %d shown elsewhere: %s", indent, len(repeats), strings.Join(repeats, ", "))
		if t.IsTerminal() {
			line = term.Cut(line, t.Width())
		}
		fmt.Fprintln(b, t.Paint(term.Faint, line))
	}
}

// line is a module in one line. wanted is the version that the one above it requires.
func (t *tree) line(m Module, wanted string) string {
	if m.Kind == "main" {
		text := t.Paint(term.Strong, m.Path)
		if m.Go != "" {
			text += t.Paint(term.Faint, " go "+m.Go)
		}
		return text
	}
	text := m.Path + " " + m.Version
	if wanted != "" && wanted != m.Version {
		text += t.Paint(term.Faint, " (here: "+wanted+")")
	}
	for _, n := range m.notes() {
		text += " " + t.Paint(n.style, "["+n.short+"]")
	}
	if m.ZipBytes != nil {
		text += t.Paint(term.Faint, " "+term.Size(*m.ZipBytes))
	}
	return text
}

// A remark is something to mind about a module.
type remark struct {
	short string
	long  string
	style term.Style
}

func (m Module) notes() []remark {
	var list []remark
	if len(m.Retracted) > 0 {
		list = append(list, remark{"retracted", strings.Join(m.Retracted, "; "), term.Bad})
	}
	if m.Deprecated != "" {
		list = append(list, remark{"deprecated", m.Deprecated, term.Bad})
	}
	if m.Replaced != "" {
		list = append(list, remark{"replaced", "by " + m.Replaced, term.Warn})
	}
	if m.Outdated() {
		list = append(list, remark{"newest " + m.Latest, "", term.Faint})
	}
	return list
}
