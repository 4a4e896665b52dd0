// Package pkggraph tells which of a project's own packages import which: in which layers
// they lie, and where they import each other in a circle.
//
// It reads the import declarations of Go files as a build for this machine would see
// them, by package go/build: build constraints and file names count, vendored packages,
// testdata and modules within modules are left out. It compiles nothing, so it also reads
// what does not compile. Files that cannot be read are problems, not errors.
//
// Source: cmd/go, "go help packages"; package go/build.
package pkggraph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/client/digraph"
)

// A Module is a module whose packages are read.
type Module struct {
	Path string
	Dir  string
}

// A Graph is packages of the same project and what they import. It does not change once
// it is loaded.
type Graph struct {
	Packages []Package // by import path
	Cycles   []Cycle
	Problems []Problem
}

// A Package is one package of the project.
type Package struct {
	Path        string
	Name        string
	Module      string
	Layer       int      // 0: imports no other package of the project, 1: only such ones, …
	Imports     []string // packages of the project
	TestImports []string // those that only tests import
	Others      []string // packages of other modules, those of tests too
}

// A Cycle is packages that import each other, each the next one and the last one the
// first. The compiler refuses it.
type Cycle struct {
	Packages []string
	Test     bool // it goes through tests in the first package
}

// A Problem is what kept a package from being read, or from being read whole.
type Problem struct {
	Dir string
	Err error
}

// maxParallel is how many folders are read at one time.
const maxParallel = 8

// maxFolders bounds how many folders of a project are looked at.
const maxFolders = 100_000

// Load reads the packages of modules with these build tags. An error is that of the
// context, or of a folder that cannot be read at all.
func Load(ctx context.Context, modules []Module, tags []string) (*Graph, error) {
	settings := build.Default
	settings.BuildTags = tags
	var found []folder
	for _, m := range modules {
		list, err := folders(m)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	read := make([]*reading, len(found))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallel)
	for i, f := range found {
		group.Go(func() error {
			read[i] = f.read(&settings)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return assemble(read), nil
}

// A folder is one that a package may be in.
type folder struct {
	module string
	path   string // import path
	dir    string
}

// folders are the folders of a module in which a pattern like ./... looks for packages.
func folders(m Module) ([]folder, error) {
	var list []folder
	err := filepath.WalkDir(m.Dir, func(dir string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if dir != m.Dir && isForeign(dir, d.Name()) {
			return filepath.SkipDir
		}
		if len(list) == maxFolders {
			return fmt.Errorf("%s has more than %d folders; name a smaller module", m.Dir, maxFolders)
		}
		within, err := filepath.Rel(m.Dir, dir)
		list = append(list, folder{m.Path, path.Join(m.Path, filepath.ToSlash(within)), dir})
		return err
	})
	return list, err
}

// isForeign reports whether the packages in a folder are not those of the module around it.
func isForeign(dir, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor" {
		return true
	}
	stat, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil && !stat.IsDir()
}

// A reading is what a folder holds.
type reading struct {
	folder
	name                   string // of the package; empty: there is none
	imports, tests, xtests []string
	err                    error
}

func (f folder) read(c *build.Context) *reading {
	p, err := c.ImportDir(f.dir, 0)
	r := &reading{folder: f}
	if _, none := errors.AsType[*build.NoGoError](err); none {
		return r
	}
	r.name, r.imports, r.tests, r.xtests, r.err = p.Name, p.Imports, p.TestImports, p.XTestImports, err
	if r.name == "" {
		r.name = path.Base(f.path)
	}
	return r
}

// assemble makes the graph of what was read.
func assemble(read []*reading) *Graph {
	g := &Graph{}
	own := map[string]*reading{}
	for _, r := range read {
		if r.err != nil {
			g.Problems = append(g.Problems, Problem{r.dir, r.err})
		}
		if r.name != "" {
			own[r.path] = r
		}
	}
	for _, r := range own {
		g.Packages = append(g.Packages, r.asPackage(own))
	}
	slices.SortFunc(g.Packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	g.arrange(own)
	return g
}

func (r *reading) asPackage(own map[string]*reading) Package {
	p := Package{Path: r.path, Name: r.name, Module: r.module}
	p.Imports, p.Others = divide(r.imports, own)
	tests, others := divide(slices.Concat(r.tests, r.xtests), own)
	p.TestImports = slices.DeleteFunc(tests, func(path string) bool { return path == r.path || slices.Contains(p.Imports, path) })
	p.Others = union(p.Others, others)
	return p
}

// divide separates packages of the project from those of other modules. Those of the
// standard library and "C" are neither.
func divide(imports []string, own map[string]*reading) (ours, others []string) {
	for _, path := range imports {
		first, _, _ := strings.Cut(path, "/")
		switch {
		case own[path] != nil:
			ours = append(ours, path)
		case strings.Contains(first, "."):
			others = append(others, path)
		}
	}
	return union(ours), union(others)
}

// union is every text of some lists, once and sorted.
func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// arrange finds layers and cycles.
func (g *Graph) arrange(own map[string]*reading) {
	var paths []string
	imports := map[string][]string{}
	for _, p := range g.Packages {
		paths = append(paths, p.Path)
		imports[p.Path] = p.Imports
	}
	next := func(path string) []string { return imports[path] }
	layers := digraph.Layers(paths, next)
	for i := range g.Packages {
		g.Packages[i].Layer = layers[g.Packages[i].Path]
	}
	inCycle := map[string]bool{}
	for _, group := range digraph.Cycles(paths, next) {
		for _, path := range group {
			inCycle[path] = true
		}
		g.Cycles = append(g.Cycles, Cycle{Packages: digraph.Round(group[0], next)})
	}
	for _, p := range g.Packages {
		if !inCycle[p.Path] {
			g.addTestCycle(p.Path, own[p.Path].tests, next)
		}
	}
}

// addTestCycle finds a cycle through the tests in a package. Those in an external test
// package may import what imports the package.
func (g *Graph) addTestCycle(path string, tests []string, next func(string) []string) {
	round := digraph.Round(path, func(from string) []string {
		if from == path {
			return tests
		}
		return next(from)
	})
	if round != nil {
		g.Cycles = append(g.Cycles, Cycle{Packages: round, Test: true})
	}
}
