package archtest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEveryImportIsAnArrowOfTheTable(t *testing.T) {
	report(t, checkImports(house, parseTree(t, os.DirFS(root))))
}

func TestProductImportsNothingUnwanted(t *testing.T) {
	report(t, checkUnwanted(house, parseTree(t, os.DirFS(root))))
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	report(t, checkDocs(parseTree(t, os.DirFS(root))))
}

func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

// checkImports compares the imports of a tree with a table of allowed ones, in
// both directions: neither an arrow nor a row may be missing.
func checkImports(table map[string]room, pkgs []*pkg) (problems []string) {
	gone := maps.Clone(table)
	for _, p := range pkgs {
		row, ok := table[p.dir]
		delete(gone, p.dir)
		if !ok {
			problems = append(problems, fmt.Sprintf("package %s has no row in the table of allowed imports: add one to "+
				"internal/archtest/table_test.go that says what it may import, and its place to docs/design.md", p.dir))
			continue
		}
		for _, a := range p.imports {
			if !allowed(table, row, p.dir, a) {
				problems = append(problems, fmt.Sprintf("%s imports %s (%s), which the table in internal/archtest/table_test.go does not allow: "+
					"move the code, hand it over as an interface or a function, or add the arrow there and say why in docs/design.md", p.dir, a.to, a.at))
			}
		}
		for _, to := range unused(row, p.imports) {
			problems = append(problems, fmt.Sprintf("the table in internal/archtest/table_test.go lets %s import %s, which it does not: remove the arrow", p.dir, to))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(gone)) {
		problems = append(problems, fmt.Sprintf("the table in internal/archtest/table_test.go has a row for %s, which does not exist: remove the row", dir))
	}
	return problems
}

func allowed(table map[string]room, row room, from string, a arrow) bool {
	switch {
	case a.test && a.local && (a.to == from || table[a.to].testOnly || slices.Contains(row.tests, a.to)):
		return true
	case a.local:
		return slices.Contains(row.imports, a.to)
	case isStandard(a.to):
		return true
	}
	return slices.ContainsFunc(row.imports, a.within)
}

// unused are the arrows of a row that no import needs.
func unused(row room, imports []arrow) []string {
	return slices.DeleteFunc(slices.Concat(row.imports, row.tests), func(to string) bool {
		return slices.ContainsFunc(imports, func(a arrow) bool { return a.to == to || !a.local && a.within(to) })
	})
}

// within reports whether an arrow leads into a module of others.
func (a arrow) within(module string) bool {
	return a.to == module || strings.HasPrefix(a.to, module+"/")
}

// isStandard reports whether an import path is one of the standard library:
// only there the first element has no dot.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

func checkUnwanted(table map[string]room, pkgs []*pkg) (problems []string) {
	for _, p := range pkgs {
		if table[p.dir].testOnly {
			continue
		}
		for _, a := range p.imports {
			parent, _, _ := strings.Cut(a.to, "/")
			why := unwanted[a.to] + unwanted[parent+"/*"]
			if !a.test && why != "" {
				problems = append(problems, fmt.Sprintf("%s imports %s (%s): %s; do without it, or move the code to a test", p.dir, a.to, a.at, why))
			}
		}
	}
	return problems
}

func checkDocs(pkgs []*pkg) (problems []string) {
	for _, p := range pkgs {
		begin := "Package " + p.name
		if p.name == "main" {
			begin = "Command " + p.dir[strings.LastIndex(p.dir, "/")+1:]
		}
		if rest, ok := strings.CutPrefix(p.doc, begin); !ok || !strings.ContainsAny(rest[:min(len(rest), 1)], " \n.,") {
			problems = append(problems, fmt.Sprintf("package %s has no doc comment that starts with %q: "+
				"say above the package clause of one file what it promises and refuses", p.dir, begin))
		}
	}
	return problems
}

func TestTheChecksNoticeABadTree(t *testing.T) {
	const (
		doc = "// Package b does things.\n"
		own = `"` + modulePath + `/`
	)
	table := map[string]room{
		"a": {imports: []string{"b", "example.com/dep"}},
		"b": {tests: []string{"d"}},
		"d": {},
		"h": {testOnly: true},
	}
	good := map[string]string{
		"a/a.go":          "// Package a is fine.\npackage a; import (_ \"fmt\"; _ \"example.com/dep/sub\"; _ " + own + "b\")",
		"b/b.go":          doc + "package b",
		"b/b_test.go":     "package b_test; import (_ \"testing\"; _ " + own + "b\"; _ " + own + "d\"; _ " + own + "h\")",
		"b/gen.go":        "//go:build ignore\n\npackage main; import _ \"text/template\"",
		"b/testdata/x.go": "package ignored; import _ \"example.com/anything\"",
		"d/d.go":          "// Package d is fine.\npackage d",
		"h/h.go":          "// Package h helps tests.\npackage h; import _ \"testing\"",
		"nested/go.mod":   "module example.com/nested",
		"nested/n.go":     "package n; import _ \"example.com/anything\"",
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"good tree", "b/more.go", "package b", ""},
		{"arrow that is not there", "b/b.go", doc + "package b\nimport _ " + own + "a\"", "b imports a (b/b.go:3)"},
		{"arrow that only tests have", "b/b.go", doc + "package b\nimport _ " + own + "d\"", "b imports d (b/b.go:3)"},
		{"arrow of a test", "b/b_test.go", "package b\nimport _ " + own + "a\"\nimport _ " + own + "d\"", "b imports a (b/b_test.go:2)"},
		{"test helper in product code", "b/b.go", doc + "package b\nimport _ " + own + "h\"", "b imports h"},
		{"module that is not allowed", "b/b.go", doc + "package b\nimport _ \"example.com/dep\"", "b imports example.com/dep"},
		{"module whose path begins alike", "a/x.go", "package a; import _ \"example.com/depot\"", "a imports example.com/depot"},
		{"package without a row", "c/c.go", "// Package c is new.\npackage c", "package c has no row"},
		{"no doc comment", "b/b.go", "package b", "package b has no doc comment"},
		{"doc comment of another package", "b/b.go", "// Package bb is fine.\npackage b", `starts with "Package b"`},
		{"command that is not named", "b/b.go", "// Package main runs.\npackage main", `starts with "Command b"`},
		{"templates", "b/b.go", doc + "package b\nimport _ \"text/template\"", "b imports text/template (b/b.go:3)"},
		{"testing in product code", "b/b.go", doc + "package b\nimport _ \"testing/fstest\"", "b imports testing/fstest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{c.file: {Data: []byte(c.text)}}
			for name, text := range good {
				if name != c.file {
					files[name] = &fstest.MapFile{Data: []byte(text)}
				}
			}
			pkgs := parseTree(t, files)
			expect(t, slices.Concat(checkImports(table, pkgs), checkUnwanted(table, pkgs), checkDocs(pkgs)), c.want)
		})
	}
	t.Run("arrow that nobody needs", func(t *testing.T) {
		pkgs := parseTree(t, fstest.MapFS{"b/b.go": {Data: []byte(good["b/b.go"])}})
		for _, row := range []room{{imports: []string{"d"}}, {imports: []string{"example.com/dep"}}, {tests: []string{"d"}}} {
			expect(t, checkImports(map[string]room{"b": row}, pkgs), "lets b import")
		}
	})
	t.Run("row of a package that went", func(t *testing.T) {
		pkgs := parseTree(t, fstest.MapFS{"b/b.go": {Data: []byte(good["b/b.go"])}})
		expect(t, checkImports(map[string]room{"a": {}, "b": {}}, pkgs), "a row for a, which does not exist")
	})
}

// expect wants one problem that says want, or none if want is empty.
func expect(t *testing.T, problems []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(problems) > 0:
		t.Errorf("a good tree is refused: %q", problems)
	case want != "" && (len(problems) != 1 || !strings.Contains(problems[0], want)):
		t.Errorf("problems are %q, want one that says %q", problems, want)
	}
}
