// Package gomod reads what matters of the go.mod files of published modules, and what the
// newest of them say of all versions.
//
// Files come from folders that stand for modules, from the module cache, and otherwise
// from a source. What go.sum knows must be what go.sum knows, wherever it comes from. A
// go.mod of a stranger is read as the go command reads it: what it does not have to say
// is passed over, and what cannot be right is an error. Nothing is written.
//
// Sources: the Go Modules Reference, "go.mod files" and "Module graph pruning";
// cmd/go/internal/modload/modfile.go, goModSummary.
package gomod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/source"
)

// A File is what matters of a go.mod.
type File struct {
	Path       string
	Go         string // its go line; empty: there is none
	Pruned     bool   // those that require it need not look at what it requires in turn
	Require    []module.Version
	retract    []*modfile.Retract
	deprecated string
}

// Files reads go.mod files: from folders that stand for modules, from the module
// cache, from a source.
type Files struct {
	Cache  string        // GOMODCACHE; empty: there is none
	Source source.Source // asked for what the cache does not have
}

// Read reads the go.mod of a module, or of what replaces it. One that is published is
// compared with go.sum.
func (f Files) Read(ctx context.Context, p *project.Project, m module.Version) (*File, error) {
	if project.IsToolchain(m.Path) {
		return lineAsModule(m), nil
	}
	actual, replaced := p.Replacement(m)
	if !replaced {
		actual = m
	}
	if actual.Version == "" {
		file := filepath.Join(actual.Path, "go.mod")
		data, err := project.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("what replaces %s has no go.mod that can be read: %w", project.Format(m), err)
		}
		return parse(file, data)
	}
	g, err := f.fetched(ctx, p, actual)
	if err != nil {
		return nil, err
	}
	if g.Path != m.Path && g.Path != actual.Path {
		return nil, fmt.Errorf("the go.mod of %s says that it is the module %q; require it under that name, or replace it", project.Format(actual), g.Path)
	}
	return g, nil
}

// lineAsModule is what the go or the toolchain line of a go.mod stands for: a version
// of Go comes with the toolchain of that name.
func lineAsModule(m module.Version) *File {
	g := &File{Path: m.Path, Pruned: true}
	if m.Path == project.GoLine && project.Demands(m.Version) {
		g.Require = []module.Version{{Path: project.ToolchainLine, Version: "go" + m.Version}}
	}
	return g
}

// fetched reads the go.mod of a version that is published, and compares it with go.sum.
func (f Files) fetched(ctx context.Context, p *project.Project, m module.Version) (*File, error) {
	if err := module.Check(m.Path, m.Version); err != nil {
		return nil, err
	}
	data, where, err := f.read(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := p.CheckSum(m, data, where); err != nil {
		return nil, err
	}
	g, err := parse(project.Format(m)+"/go.mod", data)
	if err == nil && g.Path == "" {
		err = fmt.Errorf("the go.mod of %s does not name its module", project.Format(m))
	}
	return g, err
}

// read brings a go.mod, and says where from.
func (f Files) read(ctx context.Context, m module.Version) (data []byte, where string, err error) {
	name := artifact.Name{Kind: artifact.Mod, Module: m.Path, Version: m.Version}
	if f.Cache != "" {
		file := f.cached(name)
		data, err := project.ReadFile(file)
		if err == nil {
			return data, file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
	}
	data, err = modsource.Read(ctx, f.Source, name)
	return data, "the proxy", err
}

// cached is where the module cache has an artifact.
func (f Files) cached(n artifact.Name) string {
	return filepath.Join(f.Cache, "cache", "download", filepath.FromSlash(n.Key()))
}

// parse reads the go.mod of a dependency as the go command does.
func parse(name string, data []byte) (*File, error) {
	f, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return nil, err
	}
	g := &File{retract: f.Retract}
	if f.Module != nil {
		g.Path, g.deprecated = f.Module.Mod.Path, f.Module.Deprecated
	}
	for _, r := range f.Require {
		g.Require = append(g.Require, r.Mod)
	}
	if f.Go != nil {
		g.setGo(f.Go.Version)
	}
	return g, nil
}

// setGo takes a go line into account.
func (g *File) setGo(v string) {
	g.Go, g.Pruned = v, project.Prunes(v)
	if project.Demands(v) {
		g.Require = append(g.Require, module.Version{Path: project.GoLine, Version: v})
	}
}

// OfMain is a main module of a workspace as others see it.
func OfMain(m project.Main) *File {
	g := &File{Path: m.Path}
	for _, r := range m.Require {
		g.Require = append(g.Require, r.Version)
	}
	if m.Go != "" {
		g.setGo(m.Go)
	}
	return g
}
