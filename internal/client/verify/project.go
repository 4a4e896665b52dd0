package verify

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/gosum"
)

// ErrNoProject: the folder is in no module and no workspace.
var ErrNoProject = errors.New("no go.mod and no go.work")

// maxFile bounds what is read of a go.mod, go.sum or go.work, in bytes.
const maxFile = 64 << 20

// A project is a module, or a workspace of several.
type project struct {
	root     string // folder
	work     *workspace
	members  []*member
	findings []finding.Finding // of files that cannot be read by the go command
}

// A workspace is a go.work, with its sums.
type workspace struct {
	name string // of the file, relative to the root
	file *modfile.WorkFile
	sums *sumFile
}

// A member is a module of the project.
type member struct {
	dir  string        // absolute
	name string        // of its go.mod, relative to the root
	mod  *modfile.File // nil: it cannot be read
	sums *sumFile
}

// A sumFile is a go.sum or go.work.sum, which need not be there.
type sumFile struct {
	name  string // relative to the root
	data  []byte
	there bool
}

// open finds and reads the project that a folder is in. gowork is the setting GOWORK.
func open(dir, gowork string) (*project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	work := gowork
	if work == "" {
		work = above(dir, "go.work")
	}
	if work != "" && work != "off" {
		return openWorkspace(work)
	}
	mod := above(dir, "go.mod")
	if mod == "" {
		return nil, fmt.Errorf("%s: there is %w in it or above it", dir, ErrNoProject)
	}
	p := &project{root: filepath.Dir(mod)}
	return p, p.addMember(p.root)
}

// above is the file of this name in a folder or the nearest one above it; empty: none.
func above(dir, base string) string {
	for {
		name := filepath.Join(dir, base)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

func openWorkspace(name string) (*project, error) {
	p := &project{root: filepath.Dir(name)}
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	p.work = &workspace{name: p.rel(name)}
	if p.work.sums, err = p.readSums(name + ".sum"); err != nil {
		return nil, err
	}
	p.work.file, err = modfile.ParseWork(name, data, asWritten)
	p.addSyntax(p.work.name, data, err)
	if p.work.file == nil {
		return p, nil
	}
	for _, use := range p.work.file.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(p.root, dir)
		}
		err := p.addMember(dir)
		if errors.Is(err, fs.ErrNotExist) {
			p.findings = append(p.findings, finding.New(finding.WorkspaceMissing, p.work.name, use.Syntax.Start.Line, "%s has no go.mod", use.Path))
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// asWritten leaves the versions in a file as they are.
func asWritten(_, version string) (string, error) { return version, nil }

func (p *project) addMember(dir string) error {
	name := filepath.Join(dir, "go.mod")
	data, err := readFile(name)
	if err != nil {
		return err
	}
	m := &member{dir: dir, name: p.rel(name)}
	if m.sums, err = p.readSums(filepath.Join(dir, "go.sum")); err != nil {
		return err
	}
	m.mod, err = modfile.Parse(name, data, asWritten)
	p.addSyntax(m.name, data, err)
	p.members = append(p.members, m)
	return nil
}

// addSyntax notes what is wrong with a go.mod or go.work.
func (p *project) addSyntax(name string, data []byte, err error) {
	if err == nil {
		return
	}
	if marks := gosum.MergeMarks(name, data); len(marks) > 0 {
		p.findings = append(p.findings, marks...)
		return
	}
	list, ok := errors.AsType[modfile.ErrorList](err)
	if !ok {
		list = modfile.ErrorList{{Err: err}}
	}
	for _, e := range list {
		f := finding.New(finding.GomodMalformed, name, e.Pos.Line, "%v", e.Err)
		f.Module = e.ModPath
		p.findings = append(p.findings, f)
	}
}

func (p *project) readSums(name string) (*sumFile, error) {
	data, err := readFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &sumFile{name: p.rel(name), data: data, there: err == nil}, nil
}

func readFile(name string) ([]byte, error) {
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

// rel is the name of a file relative to the root, with slashes.
func (p *project) rel(name string) string {
	rel, err := filepath.Rel(p.root, name)
	if err != nil {
		return filepath.ToSlash(name)
	}
	return filepath.ToSlash(rel)
}

// abs is the inverse of rel.
func (p *project) abs(name string) string { return filepath.Join(p.root, filepath.FromSlash(name)) }

// sums are the files with sums that are there.
func (p *project) sums() []*sumFile {
	var all []*sumFile
	if p.work != nil && p.work.sums.there {
		all = append(all, p.work.sums)
	}
	for _, m := range p.members {
		if m.sums.there {
			all = append(all, m.sums)
		}
	}
	return all
}

// main is the file that the project begins with.
func (p *project) main() string {
	if p.work != nil {
		return p.work.name
	}
	return p.members[0].name
}

// names are the names of all files that were read.
func (p *project) names() []string {
	var all []string
	if p.work != nil {
		all = append(all, p.work.name)
	}
	for _, m := range p.members {
		all = append(all, m.name)
	}
	for _, s := range p.sums() {
		all = append(all, s.name)
	}
	return all
}

// readable reports whether the go command can read all go.mod and go.work.
func (p *project) readable() bool { return len(p.findings) == 0 }

// repository is the folder of the version control that the project is in, or else its
// root.
func (p *project) repository() string {
	for dir := p.root; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return p.root
		}
	}
}

// isIn reports whether a folder is another, or below it.
func isIn(dir, parent string) bool {
	rel, err := filepath.Rel(parent, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
