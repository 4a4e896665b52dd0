package closure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/mainmod"
)

// maxFile bounds the files of a project, in bytes.
const maxFile = 16 << 20

// A project is a module with its go.mod, or a workspace with those of its modules.
type project struct {
	work *modfile.WorkFile // nil: no workspace
	mods []*modfile.File
	sums []string // files
}

// OfProject is what the project in a folder needs: the module or the workspace that the
// folder belongs to.
func OfProject(ctx context.Context, dir string, o Options) (*Closure, error) {
	p, err := openProject(dir, o.Settings)
	if err != nil {
		return nil, err
	}
	b := newBuilder(o)
	for _, name := range p.sums {
		if err := b.addSumFile(name); err != nil {
			return nil, err
		}
	}
	b.expand(ctx, b.addRequirements(p))
	p.askToolchain(b)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b.closure(), nil
}

// openProject reads the files of a project.
func openProject(dir string, s mainmod.Settings) (*project, error) {
	files, err := mainmod.Find(dir, s)
	if err != nil {
		return nil, err
	}
	p := &project{}
	if files.Work != "" {
		return p, p.openWorkspace(files.Work)
	}
	return p, p.openModule(files)
}

func (p *project) openWorkspace(name string) error {
	data, err := readFile(name)
	if err != nil {
		return err
	}
	if p.work, err = modfile.ParseWork(name, data, nil); err != nil {
		return err
	}
	p.sums = append(p.sums, name+".sum")
	for _, use := range p.work.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(name), dir)
		}
		if err := p.openModule(mainmod.In(dir)); err != nil {
			return err
		}
	}
	return nil
}

func (p *project) openModule(files mainmod.Files) error {
	data, err := readFile(files.Mod)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(files.Mod, data, nil)
	if err != nil {
		return err
	}
	p.mods = append(p.mods, mod)
	p.sums = append(p.sums, files.Sum)
	return nil
}

// readFile reads a file of a project.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return os.ReadFile(name)
}

// addSumFile adds what a go.sum file knows. A project without dependencies has none.
func (b *builder) addSumFile(name string) error {
	data, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if err := b.addSum(line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return nil
}

// addRequirements adds what the go.mod files require, and returns what no go.sum file
// knows.
func (b *builder) addRequirements(p *project) (unknown []module.Version) {
	for _, mod := range p.mods {
		for _, r := range mod.Require {
			v, ok := p.effective(mod, r.Mod)
			if ok && !r.Indirect {
				b.direct = append(b.direct, v.Path)
			}
			switch {
			case !ok:
			case b.modules[v] != nil:
				b.need(v, true)
			default:
				unknown = append(unknown, v)
			}
		}
	}
	if len(unknown) > 0 {
		others := ""
		if n := len(unknown) - 1; n > 0 {
			others = fmt.Sprintf(" and %d more", n)
		}
		b.notes = append(b.notes, fmt.Sprintf("go.sum knows nothing of %s%s, which go.mod requires; go mod tidy would add what is missing", unknown[0], others))
	}
	return unknown
}

// effective is the version that a requirement leads to, unless that is a folder or a
// module of the workspace, or it is excluded.
func (p *project) effective(mod *modfile.File, v module.Version) (module.Version, bool) {
	for _, member := range p.mods {
		if member.Module != nil && member.Module.Mod.Path == v.Path {
			return v, false
		}
	}
	for _, x := range mod.Exclude {
		if x.Mod == v {
			return v, false
		}
	}
	for _, r := range p.replaces() {
		if r.Old.Path == v.Path && (r.Old.Version == "" || r.Old.Version == v.Version) {
			return r.New, r.New.Version != ""
		}
	}
	return v, true
}

// replaces are the replacements in force: those of the workspace before those of its
// modules, which count for all of them.
func (p *project) replaces() (all []*modfile.Replace) {
	if p.work != nil {
		all = append(all, p.work.Replace...)
	}
	for _, mod := range p.mods {
		all = append(all, mod.Replace...)
	}
	return all
}

// askToolchain notes what the go and toolchain lines of a project ask for.
func (p *project) askToolchain(b *builder) {
	if p.work != nil {
		b.askLines(p.work.Go, p.work.Toolchain)
	}
	for _, mod := range p.mods {
		b.askLines(mod.Go, mod.Toolchain)
	}
}

func (b *builder) askLines(goLine *modfile.Go, toolchainLine *modfile.Toolchain) {
	var goVersion, toolchain string
	if goLine != nil {
		goVersion = goLine.Version
	}
	if toolchainLine != nil {
		toolchain = toolchainLine.Name
	}
	b.askToolchain(goVersion, toolchain)
}
