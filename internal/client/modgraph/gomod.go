package modgraph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/source"
)

// A goMod is what matters of the go.mod of a module in the graph.
type goMod struct {
	path       string
	goVersion  string // empty: there is no go line
	pruned     bool   // those that require it need not look at what it requires in turn
	require    []module.Version
	retract    []*modfile.Retract
	deprecated string
}

// Files reads go.mod files: from folders that stand for modules, from the module
// cache, from a source.
type Files struct {
	Cache  string        // GOMODCACHE; empty: there is none
	Source source.Source // asked for what the cache does not have
}

// goMod reads the go.mod of a module, or of what replaces it.
func (f Files) goMod(ctx context.Context, p *Project, m module.Version) (*goMod, error) {
	if IsToolchain(m.Path) {
		return lineAsModule(m), nil
	}
	actual, replaced := p.Replacement(m)
	if !replaced {
		actual = m
	}
	if actual.Version == "" {
		file := filepath.Join(actual.Path, "go.mod")
		data, err := readLocal(file)
		if err != nil {
			return nil, fmt.Errorf("what replaces %s has no go.mod that can be read: %w", Format(m), err)
		}
		return parseGoMod(file, data)
	}
	g, err := f.fetched(ctx, p, actual)
	if err != nil {
		return nil, err
	}
	if g.path != m.Path && g.path != actual.Path {
		return nil, fmt.Errorf("the go.mod of %s says that it is the module %q; require it under that name, or replace it", Format(actual), g.path)
	}
	return g, nil
}

// lineAsModule is what the go or the toolchain line of a go.mod stands for: a version
// of Go comes with the toolchain of that name.
func lineAsModule(m module.Version) *goMod {
	g := &goMod{path: m.Path, pruned: true}
	if m.Path == goLine && demands(m.Version) {
		g.require = []module.Version{{Path: toolchainLine, Version: "go" + m.Version}}
	}
	return g
}

// fetched reads the go.mod of a version that is published, and compares it with go.sum.
func (f Files) fetched(ctx context.Context, p *Project, m module.Version) (*goMod, error) {
	if err := module.Check(m.Path, m.Version); err != nil {
		return nil, err
	}
	data, where, err := f.read(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := p.sums.check(m, data, where); err != nil {
		return nil, err
	}
	g, err := parseGoMod(Format(m)+"/go.mod", data)
	if err == nil && g.path == "" {
		err = fmt.Errorf("the go.mod of %s does not name its module", Format(m))
	}
	return g, err
}

// read brings a go.mod, and says where from.
func (f Files) read(ctx context.Context, m module.Version) (data []byte, where string, err error) {
	name := artifact.Name{Kind: artifact.Mod, Module: m.Path, Version: m.Version}
	if f.Cache != "" {
		file := f.cached(name)
		data, err := readLocal(file)
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

// check compares a go.mod with the lines of go.sum about it, if there are any.
func (s sums) check(m module.Version, data []byte, where string) error {
	lines := s[m]
	if len(lines) == 0 {
		return nil
	}
	sum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil || slices.Contains(lines, sum) {
		return err
	}
	return &artifact.Error{
		Class: artifact.ErrIntegrity,
		Reason: fmt.Sprintf("the go.mod of %s is not the one that go.sum knows: %s has %s, go.sum says %s",
			Format(m), where, sum, strings.Join(lines, ", ")),
		Hint: "one of them was changed. Look where the line of go.sum comes from (git log -S); do not just delete it",
	}
}

// parseGoMod reads the go.mod of a dependency as the go command does.
func parseGoMod(name string, data []byte) (*goMod, error) {
	f, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return nil, err
	}
	g := &goMod{retract: f.Retract}
	if f.Module != nil {
		g.path, g.deprecated = f.Module.Mod.Path, f.Module.Deprecated
	}
	for _, r := range f.Require {
		g.require = append(g.require, r.Mod)
	}
	if f.Go != nil {
		g.setGo(f.Go.Version)
	}
	return g, nil
}

// setGo takes a go line into account.
func (g *goMod) setGo(v string) {
	g.goVersion, g.pruned = v, prunes(v)
	if demands(v) {
		g.require = append(g.require, module.Version{Path: goLine, Version: v})
	}
}

// asMember is a main module of a workspace as a node of the graph.
func (m Main) asMember() *goMod {
	g := &goMod{path: m.Path}
	for _, r := range m.Require {
		g.require = append(g.require, r.Version)
	}
	if m.Go != "" {
		g.setGo(m.Go)
	}
	return g
}
