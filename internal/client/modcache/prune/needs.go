package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/gosum"
)

// Needs are the versions that projects need.
type Needs struct {
	files      int // that say so
	whole      map[module.Version]bool
	mods       map[module.Version]bool // of which the go.mod is enough
	toolchains map[string]bool         // as in go1.26.0
}

// ReadNeeds reads what the projects in, above and below some folders need: of every
// go.mod, go.sum, go.work and go.work.sum, and of those that the settings of the go command
// name instead. A version is needed as a whole if one of these files has its hash or
// requires it. Whatever cannot be read is an error, since the versions that it names would
// be lost, and so is a folder without any of these files.
func ReadNeeds(ctx context.Context, s mainmod.Settings, dirs ...string) (*Needs, error) {
	n := &Needs{whole: map[module.Version]bool{}, mods: map[module.Version]bool{}, toolchains: map[string]bool{}}
	for _, dir := range dirs {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		before := n.files
		if err := n.readAround(ctx, dir); err != nil {
			return nil, err
		}
		if n.files == before { // whatever go.work the settings name: it does not say what this folder needs
			return nil, fmt.Errorf("%w in, above or below %s, so that what it needs cannot be known; name the folder of a project", mainmod.ErrNone, dir)
		}
		inForce, err := mainmod.Find(dir, s)
		if err != nil && !errors.Is(err, mainmod.ErrNone) {
			return nil, err
		}
		if err := n.readInForce(inForce); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// readAround reads all files in, above and below a folder, and those where it lies if its
// name is a link.
func (n *Needs) readAround(ctx context.Context, dir string) error {
	all := []string{dir}
	if at, err := filepath.EvalSymlinks(dir); err == nil && at != dir {
		all = append(all, at)
	}
	for _, dir := range all {
		if err := errors.Join(n.readBelow(ctx, dir), n.readAbove(dir)); err != nil {
			return err
		}
	}
	return nil
}

// readBelow reads all files in and below a folder.
func (n *Needs) readBelow(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		return n.read(name)
	})
}

// readAbove reads all files above a folder, whether or not they are in force there.
func (n *Needs) readAbove(dir string) error {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		for _, base := range []string{"go.mod", "go.sum", "go.work", "go.work.sum"} {
			name := filepath.Join(parent, base)
			if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
				continue
			}
			if err := n.read(name); err != nil {
				return err
			}
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

// readInForce reads the files of the module and the workspace that a folder is in, which
// may lie elsewhere and have any name. What -modfile names need not be in each of several
// folders, and takes nothing from what the go.mod there says.
func (n *Needs) readInForce(files mainmod.Files) error {
	var err error
	if files.Work != "" {
		err = errors.Join(n.add(files.Work, n.addWork), n.addIfThere(files.Work+".sum", n.addSum))
	}
	if files.Mod != "" {
		everybody := mainmod.In(files.Root)
		err = errors.Join(err, n.addIfThere(files.Mod, n.addMod), n.addIfThere(files.Sum, n.addSum), n.add(everybody.Mod, n.addMod), n.addIfThere(everybody.Sum, n.addSum))
	}
	return err
}

// read reads a file, if its name says that it tells what is needed.
func (n *Needs) read(name string) error {
	switch filepath.Base(name) {
	case "go.mod":
		return n.add(name, n.addMod)
	case "go.sum", "go.work.sum":
		return n.add(name, n.addSum)
	case "go.work":
		return n.add(name, n.addWork)
	}
	return nil
}

// add adds what a file says.
func (n *Needs) add(name string, parse func(name string, data []byte) error) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := parse(name, data); err != nil {
		if strings.Contains(filepath.ToSlash(name), "/testdata/") {
			return nil // there the go command does not look either
		}
		return fmt.Errorf("what this project needs cannot be known: %w", err)
	}
	n.files++
	return nil
}

func (n *Needs) addIfThere(name string, parse func(name string, data []byte) error) error {
	if err := n.add(name, parse); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (n *Needs) addMod(name string, data []byte) error {
	asWritten := func(_, version string) (string, error) { return version, nil }
	f, err := modfile.Parse(name, data, asWritten)
	if err != nil {
		return err
	}
	for _, r := range f.Require {
		n.whole[r.Mod] = true
	}
	for _, r := range f.Replace {
		n.whole[r.New] = true
	}
	n.addGo(f.Go, f.Toolchain)
	return nil
}

// addSum adds the versions of a go.sum.
func (n *Needs) addSum(_ string, data []byte) error {
	for l := range gosum.Lines(data) {
		if l.IsMod {
			n.mods[l.Module] = true
		} else {
			n.whole[l.Module] = true
		}
	}
	return nil
}

// addWork adds the modules of a workspace, wherever they are.
func (n *Needs) addWork(name string, data []byte) error {
	f, err := modfile.ParseWork(name, data, nil)
	if err != nil {
		return err
	}
	for _, r := range f.Replace {
		n.whole[r.New] = true
	}
	n.addGo(f.Go, f.Toolchain)
	for _, use := range f.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(name), dir)
		}
		member := mainmod.In(dir)
		if err := errors.Join(n.addIfThere(member.Mod, n.addMod), n.addIfThere(member.Sum, n.addSum)); err != nil {
			return err
		}
	}
	return nil
}

// addGo adds the toolchains that a file may have the go command switch to.
func (n *Needs) addGo(g *modfile.Go, t *modfile.Toolchain) {
	if g != nil {
		n.toolchains["go"+g.Version] = true
	}
	if t != nil {
		n.toolchains[t.Name] = true
	}
}

// goVersions are the toolchains that are needed.
func (n *Needs) goVersions() []string {
	if n == nil {
		return nil
	}
	return slices.Collect(maps.Keys(n.toolchains))
}

// isToolchain reports whether a version of the toolchain module is that of one of some
// toolchains: v0.0.1-go1.26.0.linux-amd64 is that of go1.26.0.
func isToolchain(version string, names []string) bool {
	name := strings.TrimPrefix(version, "v0.0.1-")
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[:dot] // without platform
	}
	return slices.Contains(names, name)
}
