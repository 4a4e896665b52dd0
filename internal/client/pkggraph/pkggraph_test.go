package pkggraph

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/goweir/weir/internal/modtest"
)

func load(t *testing.T, files map[string]string, tags ...string) *Graph {
	t.Helper()
	g, err := Load(t.Context(), []Module{{"m.example/m", modtest.Tree(t, files)}}, tags)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *Graph) find(t *testing.T, path string) Package {
	t.Helper()
	for _, p := range g.Packages {
		if p.Path == path {
			return p
		}
	}
	t.Fatalf("there is no package %s among %v", path, g.Packages)
	return Package{}
}

func TestImportsAreThoseOfABuildHere(t *testing.T) {
	other := map[string]string{"linux": "windows"}[runtime.GOOS]
	if other == "" {
		other = "linux"
	}
	files := map[string]string{
		"go.mod":               "module m.example/m\n",
		"main.go":              "package main\nimport (\n\"fmt\"\n\"m.example/m/a\"\n\"other.example/x/y\"\n)\n",
		"a/a.go":               "package a\nimport _ \"m.example/m/b\"\n",
		"a/a_" + other + ".go": "package a\nimport _ \"m.example/m/never\"\n",
		"a/tagged.go":          "//go:build special\n\npackage a\nimport _ \"m.example/m/tagged\"\n",
		"a/a_test.go":          "package a\nimport _ \"m.example/m/fake\"\nimport _ \"m.example/m/b\"\n",
		"a/x_test.go":          "package a_test\nimport _ \"m.example/m/a\"\nimport _ \"third.example/t\"\n",
		"b/b.go":               "package b\n",
		"fake/fake.go":         "package fake\n",
		"tagged/tagged.go":     "package tagged\n",
		"never/never.go":       "package never\n",
		"vendor/v/v.go":        "package v\n",
		"a/testdata/t.go":      "package t\n",
		"_x/x.go":              "package x\n",
		".hidden/x.go":         "package x\n",
		"nested/go.mod":        "module nested.example\n",
		"nested/n.go":          "package n\n",
		"docs/readme.txt":      "no Go here\n",
	}
	g := load(t, files)
	var paths []string
	for _, p := range g.Packages {
		paths = append(paths, p.Path)
	}
	if want := []string{"m.example/m", "m.example/m/a", "m.example/m/b", "m.example/m/fake", "m.example/m/never", "m.example/m/tagged"}; !slices.Equal(paths, want) {
		t.Errorf("the packages are %q, want %q", paths, want)
	}
	want := Package{Path: "m.example/m/a", Name: "a", Module: "m.example/m", Layer: 1, Imports: []string{"m.example/m/b"}, TestImports: []string{"m.example/m/fake"}, Others: []string{"third.example/t"}}
	if got := g.find(t, "m.example/m/a"); !reflect.DeepEqual(got, want) {
		t.Errorf("a is %+v, want %+v", got, want)
	}
	if got := g.find(t, "m.example/m"); got.Layer != 2 || got.Name != "main" || !slices.Equal(got.Others, []string{"other.example/x/y"}) {
		t.Errorf("main is %+v", got)
	}
	if len(g.Cycles) > 0 || len(g.Problems) > 0 {
		t.Errorf("cycles %v, problems %v", g.Cycles, g.Problems)
	}
	if got := load(t, files, "special").find(t, "m.example/m/a").Imports; !slices.Equal(got, []string{"m.example/m/b", "m.example/m/tagged"}) {
		t.Errorf("with its tag, a imports %q", got)
	}
}

func TestCyclesThatTheCompilerRefusesAreFound(t *testing.T) {
	g := load(t, map[string]string{
		"a/a.go":      "package a\nimport _ \"m.example/m/b\"\n",
		"b/b.go":      "package b\nimport _ \"m.example/m/c\"\n",
		"c/c.go":      "package c\nimport _ \"m.example/m/a\"\n",
		"d/d.go":      "package d\n",
		"d/d_test.go": "package d\nimport _ \"m.example/m/e\"\n",
		"e/e.go":      "package e\nimport _ \"m.example/m/d\"\n",
		"f/f.go":      "package f\n",
		"f/f_test.go": "package f_test\nimport _ \"m.example/m/h\"\n", // allowed
		"h/h.go":      "package h\nimport _ \"m.example/m/f\"\n",
	})
	want := []Cycle{
		{Packages: []string{"m.example/m/a", "m.example/m/b", "m.example/m/c"}},
		{Packages: []string{"m.example/m/d", "m.example/m/e"}, Test: true},
	}
	if !reflect.DeepEqual(g.Cycles, want) {
		t.Errorf("got %v, want %v", g.Cycles, want)
	}
}

func TestWhatCannotBeReadIsAProblemAndNoError(t *testing.T) {
	g := load(t, map[string]string{
		"bad/bad.go": "package bad\nimport \"m.example/m/good\n",
		"two/a.go":   "package a\n", "two/b.go": "package b\n",
		"good/good.go": "package good\nfunc broken( {\n",
	})
	if len(g.Problems) != 2 {
		t.Errorf("the problems are %v", g.Problems)
	}
	g.find(t, "m.example/m/good")
}

func TestPackagesOfAWorkspaceImportEachOther(t *testing.T) {
	one := modtest.Tree(t, map[string]string{"go.mod": "module one.example\n", "a.go": "package one\nimport _ \"two.example/lib\"\n"})
	two := modtest.Tree(t, map[string]string{"go.mod": "module two.example\n", "lib/lib.go": "package lib\n"})
	g, err := Load(t.Context(), []Module{{"one.example", one}, {"two.example", two}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.find(t, "one.example"); !slices.Equal(got.Imports, []string{"two.example/lib"}) || got.Layer != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, []Module{{"m.example/m", modtest.Tree(t, map[string]string{"a.go": "package a\n"})}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(t.Context(), []Module{{"m.example/m", filepath.Join(t.TempDir(), "absent")}}, nil); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
