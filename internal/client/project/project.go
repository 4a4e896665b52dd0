// Package project reads the files that say what a project requires: go.mod, go.work and
// go.sum, of a single module or of a workspace.
//
// It promises to say of what it refuses what to do about it. It reads local files only, runs nothing and changes nothing. It
// refuses a go.mod whose versions only the go command can resolve, such as names of
// branches.
//
// Sources: the Go Modules Reference, "go.mod files" and "Workspaces";
// cmd/go/internal/modload/init.go and modfile.go.
package project

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/mainmod"
)

// A Project is the main modules, and what their files say about the graph.
type Project struct {
	WorkFile string // the go.work; empty: a single module
	Mains    []Main // in the order of the go.work

	goVersion string // of the go.work, or of the module
	toolchain string
	overrides replacements   // of the go.work, which count before all others
	replaced  []replacements // of the main modules; the last one that has a line counts
	excluded  map[module.Version]bool
	sums      sums
}

// A Main is a main module.
type Main struct {
	Path      string
	Dir       string
	Go        string // of its go line; empty: it has None
	Toolchain string
	Require   []Requirement
}

// A Requirement is a require line of a main module.
type Requirement struct {
	module.Version
	Indirect bool
}

// replacements are the replace lines of one file.
type replacements struct {
	dir   string // that folders are relative to
	lines map[module.Version]module.Version
}

// Find reads the project that a folder belongs to: its module, or the workspace that is in
// force there.
func Find(dir string, s mainmod.Settings) (*Project, error) {
	files, err := mainmod.Find(dir, s)
	if err != nil {
		return nil, err
	}
	if files.Work != "" {
		return readWorkspace(files.Work)
	}
	return readModule(files)
}

func readModule(files mainmod.Files) (*Project, error) {
	p := &Project{excluded: map[module.Version]bool{}, sums: sums{}}
	f, err := p.addMain(files)
	if err != nil {
		return nil, err
	}
	p.goVersion, p.toolchain = defaultModGo, p.Mains[0].Toolchain
	if f.Go != nil {
		p.goVersion = f.Go.Version
	}
	return p, nil
}

func readWorkspace(file string) (*Project, error) {
	data, err := ReadFile(file)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(file, data, fixed)
	if err != nil {
		return nil, fmt.Errorf("%w; correct it, or leave the workspace with GOWORK=off", err)
	}
	p := &Project{WorkFile: file, goVersion: defaultWorkGo, excluded: map[module.Version]bool{}, sums: sums{}}
	if work.Go != nil {
		p.goVersion = work.Go.Version
	}
	if work.Toolchain != nil {
		p.toolchain = work.Toolchain.Name
	}
	dir := filepath.Dir(file)
	p.overrides = readReplacements(dir, work.Replace)
	for _, use := range work.Use {
		if _, err := p.addMain(mainmod.In(absolute(dir, filepath.FromSlash(use.Path)))); err != nil {
			return nil, fmt.Errorf("%s uses %s: %w", file, use.Path, err)
		}
	}
	if len(p.Mains) == 0 {
		return nil, fmt.Errorf("%s uses no module; add one: go work use DIR", file)
	}
	return p, p.addSums(file + ".sum")
}

// addMain reads a go.mod and its go.sum.
func (p *Project) addMain(files mainmod.Files) (*modfile.File, error) {
	file := files.Mod
	data, err := ReadFile(file)
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse(file, data, fixed)
	if err != nil {
		return nil, err
	}
	if f.Module == nil {
		return nil, fmt.Errorf("%s does not name its module; say so: go mod edit -module=example.com/mod", file)
	}
	m := Main{Path: f.Module.Mod.Path, Dir: files.Root}
	if IsToolchain(m.Path) {
		return nil, fmt.Errorf("%s: no module may be named %q; rename it: go mod edit -module=example.com/mod", file, m.Path)
	}
	if p.IsMain(m.Path) {
		return nil, fmt.Errorf("%s is the second module named %s; drop one of them: go work edit -dropuse=DIR", file, m.Path)
	}
	if f.Go != nil {
		m.Go = f.Go.Version
	}
	if f.Toolchain != nil {
		m.Toolchain = f.Toolchain.Name
	}
	for _, r := range f.Require {
		m.Require = append(m.Require, Requirement{r.Mod, r.Indirect})
	}
	for _, x := range f.Exclude {
		p.excluded[x.Mod] = true
	}
	p.Mains = append(p.Mains, m)
	p.replaced = append(p.replaced, readReplacements(files.Root, f.Replace))
	return f, p.addSums(files.Sum)
}

func readReplacements(dir string, lines []*modfile.Replace) replacements {
	r := replacements{dir: dir, lines: map[module.Version]module.Version{}}
	for _, line := range lines {
		r.lines[line.Old] = line.New
	}
	return r
}

// of is what stands for a module version: a line for this version counts before one
// for all versions.
func (r replacements) of(m module.Version) (module.Version, bool) {
	to, ok := r.lines[m]
	if !ok {
		to, ok = r.lines[module.Version{Path: m.Path}]
	}
	if ok && to.Version == "" {
		to.Path = absolute(r.dir, filepath.FromSlash(to.Path))
	}
	return to, ok
}

// Replacement is what stands for a module version, and reports whether something does.
// A folder is absolute, and has no version.
func (p *Project) Replacement(m module.Version) (module.Version, bool) {
	if m.Version == "" && p.IsMain(m.Path) {
		return module.Version{}, false
	}
	if to, ok := p.overrides.of(m); ok {
		return to, true
	}
	for _, r := range slices.Backward(p.replaced) {
		if to, ok := r.of(m); ok {
			return to, true
		}
	}
	return module.Version{}, false
}

// IsMain reports whether a path is that of a main module.
func (p *Project) IsMain(path string) bool {
	_, ok := p.MainOf(module.Version{Path: path})
	return ok
}

// MainOf is the main module that a node of the graph is.
func (p *Project) MainOf(m module.Version) (Main, bool) {
	for _, main := range p.Mains {
		if main.Path == m.Path && m.Version == "" {
			return main, true
		}
	}
	return Main{}, false
}

// Roots are what the graph begins with: the main modules of a workspace, or what the
// single main module requires.
func (p *Project) Roots() []module.Version {
	var roots []module.Version
	if p.WorkFile != "" {
		for _, m := range p.Mains {
			roots = append(roots, module.Version{Path: m.Path})
		}
	} else {
		roots = p.required(p.Mains[0])
	}
	roots = append(roots, module.Version{Path: GoLine, Version: p.goVersion})
	if p.toolchain != "" {
		roots = append(roots, module.Version{Path: ToolchainLine, Version: p.toolchain})
	}
	Sort(roots)
	return roots
}

// required are the modules that a main module requires, without those excluded.
func (p *Project) required(m Main) []module.Version {
	var list []module.Version
	for _, r := range m.Require {
		if !p.excluded[r.Version] {
			list = append(list, r.Version)
		}
	}
	return list
}

// Prunes reports whether the graph of a single module leaves out what is required by
// modules that tell themselves all that they need.
func (p *Project) Prunes() bool { return Prunes(p.goVersion) }

// Excludes reports whether a version is not to be used, whoever requires it.
func (p *Project) Excludes(m module.Version) bool { return p.excluded[m] }

// Direct are the paths that main modules require for themselves.
func (p *Project) Direct() map[string]bool {
	direct := map[string]bool{GoLine: true}
	for _, m := range p.Mains {
		for _, r := range m.Require {
			if !r.Indirect && !p.excluded[r.Version] {
				direct[r.Path] = true
			}
		}
	}
	return direct
}

// fixed refuses versions that only the go command can make canonical, since it asks
// for a list of versions or for a branch first.
func fixed(path, v string) (string, error) {
	if v == "" || module.CanonicalVersion(v) != v {
		return "", fmt.Errorf("%s %q is no version yet; let the go command find out which it is: go mod tidy", path, v)
	}
	_, major, ok := module.SplitPathVersion(path)
	if !ok {
		return "", fmt.Errorf("malformed module path %q", path)
	}
	return v, module.CheckPathMajor(v, major)
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// maxLocal is how much of a file is read, in bytes: the limit of a go.mod.
const maxLocal = 16 << 20

// ReadFile reads a file of this machine, of at most the size that a go.mod may have.
func ReadFile(file string) ([]byte, error) {
	stat, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if stat.Size() > maxLocal {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxLocal)
	}
	return os.ReadFile(file)
}
