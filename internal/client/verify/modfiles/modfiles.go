// Package modfiles reads the files that say what a project requires, go.mod, go.work and
// their sums, as they are, however broken: what the go command could not read is a finding
// in its line.
//
// It promises to go on after a bad line; it refuses a folder that is in no module and no
// workspace. Whether a line is true, it does not judge.
//
// Sources: the Go Modules Reference, "go.mod files", "go.sum files" and "Workspaces";
// cmd/go/internal/modfetch/fetch.go, readGoSum.
package modfiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/verify/finding"
)

// maxFile bounds what is read of a go.mod, go.sum or go.work, in bytes.
const maxFile = 64 << 20

// A Project is a module, or a workspace of several.
type Project struct {
	Root     string     // folder
	Work     *Workspace // nil: a single module
	Members  []*Member
	Findings []finding.Finding // of files that cannot be read by the go command
}

// A Workspace is a go.work, with its sums.
type Workspace struct {
	Name string            // of the file, relative to the root
	File *modfile.WorkFile // nil: it cannot be read
	Sums *SumFile
}

// A Member is a module of the project.
type Member struct {
	Dir  string        // absolute
	Name string        // of its go.mod, relative to the root
	Mod  *modfile.File // nil: it cannot be read
	Sums *SumFile
}

// A SumFile is a go.sum or go.work.sum, which need not be there.
type SumFile struct {
	Name  string // relative to the root
	Data  []byte
	there bool
}

// Open finds and reads the project that a folder is in.
func Open(dir string, s mainmod.Settings) (*Project, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	files, err := mainmod.Find(dir, s)
	if err != nil {
		return nil, err
	}
	if files.Work != "" {
		return openWorkspace(files.Work)
	}
	p := &Project{Root: files.Root}
	return p, p.addMember(files)
}

func openWorkspace(name string) (*Project, error) {
	p := &Project{Root: filepath.Dir(name)}
	data, err := ReadFile(name)
	if err != nil {
		return nil, err
	}
	p.Work = &Workspace{Name: p.Rel(name)}
	if p.Work.Sums, err = p.readSums(name + ".sum"); err != nil {
		return nil, err
	}
	p.Work.File, err = modfile.ParseWork(name, data, AsWritten)
	p.addSyntax(p.Work.Name, data, err)
	if p.Work.File == nil {
		return p, nil
	}
	for _, use := range p.Work.File.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(p.Root, dir)
		}
		err := p.addMember(mainmod.In(dir))
		if errors.Is(err, fs.ErrNotExist) {
			p.Findings = append(p.Findings, finding.New(finding.WorkspaceMissing, p.Work.Name, use.Syntax.Start.Line, "%s has no go.mod", use.Path))
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// AsWritten leaves the versions in a file as they are.
func AsWritten(_, version string) (string, error) { return version, nil }

func (p *Project) addMember(files mainmod.Files) error {
	data, err := ReadFile(files.Mod)
	if err != nil {
		return err
	}
	m := &Member{Dir: files.Root, Name: p.Rel(files.Mod)}
	if m.Sums, err = p.readSums(files.Sum); err != nil {
		return err
	}
	m.Mod, err = modfile.Parse(files.Mod, data, AsWritten)
	p.addSyntax(m.Name, data, err)
	p.Members = append(p.Members, m)
	return nil
}

// addSyntax notes what is wrong with a go.mod or go.work.
func (p *Project) addSyntax(name string, data []byte, err error) {
	if err == nil {
		return
	}
	if marks := mergeMarks(name, data); len(marks) > 0 {
		p.Findings = append(p.Findings, marks...)
		return
	}
	list, ok := errors.AsType[modfile.ErrorList](err)
	if !ok {
		list = modfile.ErrorList{{Err: err}}
	}
	for _, e := range list {
		f := finding.New(finding.GomodMalformed, name, e.Pos.Line, "%v", e.Err)
		f.Module = e.ModPath
		p.Findings = append(p.Findings, f)
	}
}

func (p *Project) readSums(name string) (*SumFile, error) {
	data, err := ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &SumFile{Name: p.Rel(name), Data: data, there: err == nil}, nil
}

// ReadFile reads a file of a project, unless it is larger than any that people write.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return data, err
}

// Rel is the name of a file relative to the root, with slashes.
func (p *Project) Rel(name string) string {
	rel, err := filepath.Rel(p.Root, name)
	if err != nil {
		return filepath.ToSlash(name)
	}
	return filepath.ToSlash(rel)
}

// Abs is the inverse of Rel.
func (p *Project) Abs(name string) string { return filepath.Join(p.Root, filepath.FromSlash(name)) }

// sums are the files with sums that are there.
func (p *Project) sums() []*SumFile {
	var all []*SumFile
	if p.Work != nil && p.Work.Sums.there {
		all = append(all, p.Work.Sums)
	}
	for _, m := range p.Members {
		if m.Sums.there {
			all = append(all, m.Sums)
		}
	}
	return all
}

// Main is the file that the project begins with.
func (p *Project) Main() string {
	if p.Work != nil {
		return p.Work.Name
	}
	return p.Members[0].Name
}

// Names are the names of all files that were read.
func (p *Project) Names() []string {
	var all []string
	if p.Work != nil {
		all = append(all, p.Work.Name)
	}
	for _, m := range p.Members {
		all = append(all, m.Name)
	}
	for _, s := range p.sums() {
		all = append(all, s.Name)
	}
	return all
}

// Repository is the folder of the version control that the project is in, or else its
// root.
func (p *Project) Repository() string {
	for dir := p.Root; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return p.Root
		}
	}
}

// IsIn reports whether a folder is another, or below it.
func IsIn(dir, parent string) bool {
	rel, err := filepath.Rel(parent, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
