package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the folder of the module, seen from this one.
const root = "../.."

// A pkg is what the checks want to know of a package. All its files count,
// whatever platform they are for.
type pkg struct {
	dir     string // path in the tree
	name    string
	doc     string // all its doc comments
	imports []arrow
}

// An arrow is one import, with the place where it stands.
type arrow struct {
	to    string // import path, without modulePath for packages of this module
	at    string // file:line
	local bool   // to is a package of this module
	test  bool   // it stands in a test file
}

// parseTree reads the packages of the module in a tree, by path.
func parseTree(t *testing.T, tree fs.FS) []*pkg {
	t.Helper()
	var pkgs []*pkg
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name != "." && isOutside(tree, name) {
			return fs.SkipDir
		}
		p, err := parseDir(tree, name)
		if p != nil {
			pkgs = append(pkgs, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) == 0 {
		t.Fatal("the tree holds no package")
	}
	return pkgs
}

// isOutside reports whether the go command takes no package of the module from
// a folder: data of tests, hidden folders, other modules.
func isOutside(tree fs.FS, dir string) bool {
	base := path.Base(dir)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

// parseDir reads the package in a folder; nil if there is none.
func parseDir(tree fs.FS, dir string) (*pkg, error) {
	files, err := fs.Glob(tree, path.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	p := &pkg{dir: dir}
	for _, name := range files {
		if err := p.parseFile(tree, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *pkg) parseFile(tree fs.FS, name string) error {
	src, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	if isIgnored(file) {
		return nil
	}
	test := strings.HasSuffix(name, "_test.go")
	if !test {
		p.name = file.Name.Name
		p.doc += file.Doc.Text()
	}
	for _, spec := range file.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		within, local := strings.CutPrefix(to, modulePath+"/")
		at := fmt.Sprintf("%s:%d", name, fset.Position(spec.Pos()).Line)
		p.imports = append(p.imports, arrow{to: within, at: at, local: local, test: test})
	}
	return nil
}

// isIgnored reports whether a file is a program of its own that belongs to no
// package, such as a generator.
func isIgnored(file *ast.File) bool {
	return slices.ContainsFunc(file.Comments, func(group *ast.CommentGroup) bool {
		return group.Pos() < file.Package && group.List[0].Text == "//go:build ignore"
	})
}
