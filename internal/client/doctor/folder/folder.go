// Package folder looks at the folder that the doctor is called in: its go.mod, go.sum and
// go.work.
//
// It says what these files ask for, and checks whether
// the go command would take them. What cannot be read is found by the checks; to all others it
// asks for nothing. Local files are read, as far as they are not too large; nothing is run,
// nothing is changed, nobody is asked.
package folder

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/version"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/gosum"
)

// A Folder is the module, and the workspace, that the doctor is called in. The zero Folder
// has neither.
type Folder struct {
	Dir string // with go.mod; empty: there is none

	mod       *modfile.File
	modError  error
	workFile  string // go.work; empty: there is none
	work      *modfile.WorkFile
	workError error
}

// maxModFile is how much is read of go.mod and go.work, in bytes: as much as the go
// command accepts of others.
const maxModFile = 16 << 20

// Open reads the go.mod and go.work that are in force in a folder.
func Open(dir string, s mainmod.Settings) Folder {
	s.ModFile = "" // what the module says for everybody is looked at
	files, err := mainmod.Find(dir, s)
	f := Folder{}
	if err != nil && !errors.Is(err, mainmod.ErrNone) {
		f.workFile, f.workError = s.GOWORK, err
		s.GOWORK = "off" // the module can be looked at all the same
		files, _ = mainmod.Find(dir, s)
	}
	f.Dir = files.Root
	if files.Mod != "" {
		f.mod, f.modError = parseFile(files.Mod, modfile.Parse)
	}
	if files.Work != "" {
		f.workFile = files.Work
		f.work, f.workError = parseFile(f.workFile, modfile.ParseWork)
	}
	return f
}

func parseFile[T any](name string, parse func(string, []byte, modfile.VersionFixer) (*T, error)) (*T, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxModFile))
	if err != nil {
		return nil, err
	}
	return parse(filepath.Base(name), data, nil)
}

// GoVersion is the version of Go that the folder wants, or nothing.
func (f Folder) GoVersion() string {
	newest := ""
	for _, v := range f.goVersions() {
		if version.IsValid(v) && (newest == "" || version.Compare(v, newest) > 0) {
			newest = v
		}
	}
	return newest
}

func (f Folder) goVersions() []string {
	var all []string
	if f.mod != nil && f.mod.Go != nil {
		all = append(all, "go"+f.mod.Go.Version)
	}
	if f.work != nil && f.work.Go != nil {
		all = append(all, "go"+f.work.Go.Version)
	}
	return all
}

// Name is what the folder has and can be read, for people.
func (f Folder) Name() string {
	if f.work != nil {
		return "go.work"
	}
	return "go.mod"
}

// Requirements are the modules that go.mod requires and that are not replaced, those
// that it requires itself first.
func (f Folder) Requirements() []module.Version {
	if f.mod == nil {
		return nil
	}
	replaced := map[string]bool{}
	for _, r := range f.mod.Replace {
		replaced[r.Old.Path] = true
	}
	var direct, indirect []module.Version
	for _, r := range f.mod.Require {
		switch {
		case replaced[r.Mod.Path]:
		case r.Indirect:
			indirect = append(indirect, r.Mod)
		default:
			direct = append(direct, r.Mod)
		}
	}
	return append(direct, indirect...)
}

// HasVendor reports whether there is a folder vendor where -mod=vendor looks for it.
func (f Folder) HasVendor() bool {
	dir := f.Dir
	if f.workFile != "" {
		dir = filepath.Dir(f.workFile)
	}
	info, err := os.Stat(filepath.Join(dir, "vendor"))
	return err == nil && info.IsDir()
}

// Checks are those of the files that are there.
func (f Folder) Checks() []*check.Check {
	var checks []*check.Check
	if f.workFile != "" {
		checks = append(checks, &check.Check{ID: "go-work", Run: check.Still(f.checkWork)})
	}
	if f.Dir != "" {
		checks = append(checks,
			&check.Check{ID: "go-mod", Run: check.Still(f.checkMod)},
			&check.Check{ID: "go-sum", Run: check.Still(f.checkSum)})
	}
	return checks
}

func (f Folder) checkWork() check.Result {
	switch {
	case errors.Is(f.workError, fs.ErrNotExist):
		return check.Trouble("go-work-missing", "GOWORK names "+f.workFile+", which is not there", "correct it or take it away", check.ByHand("unset GOWORK"))
	case f.workError != nil:
		return check.Trouble("go-work-malformed", "the go command refuses go.work: "+oneLine(f.workError), "mend it")
	}
	for _, use := range f.work.Use {
		dir := use.Path
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(f.workFile), dir)
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			return check.Trouble("go-work-member-missing", fmt.Sprintf("%s uses %s, which has no go.mod", f.workFile, use.Path),
				"copy the member here, or do without the workspace: GOWORK=off", check.ByHand("export GOWORK=off"))
		}
	}
	return check.Well(f.workFile)
}

func (f Folder) checkMod() check.Result {
	if f.modError != nil {
		return check.Trouble("go-mod-malformed", "the go command refuses go.mod: "+oneLine(f.modError), "mend it; lines of <<<<<<< are left from a merge")
	}
	for _, r := range f.mod.Replace {
		if r.New.Version != "" {
			continue
		}
		dir := r.New.Path
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(f.Dir, dir)
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			return check.Trouble("replacement-missing", fmt.Sprintf("go.mod replaces %s with %s, which has no go.mod", r.Old.Path, r.New.Path), "copy that folder here, or take the replace directive away",
				check.ByHand("go mod edit -dropreplace="+r.Old.Path))
		}
	}
	if f.mod.Module == nil {
		return check.Trouble("go-mod-malformed", "go.mod has no module directive", "give the module a path", check.ByHand("go mod edit -module=example.com/name"))
	}
	return check.Well(f.mod.Module.Mod.Path)
}

// maxSumFile is how much is read of go.sum, in bytes.
const maxSumFile = 64 << 20

// Sums are the lines of go.sum that count; none where it cannot be read.
func (f Folder) Sums() []gosum.Line {
	file, err := os.Open(filepath.Join(f.Dir, "go.sum"))
	if err != nil {
		return nil
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSumFile))
	if err != nil {
		return nil
	}
	return slices.Collect(gosum.Lines(data))
}

func (f Folder) checkSum() check.Result {
	file, err := os.Open(filepath.Join(f.Dir, "go.sum"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return check.Well("there is none")
		}
		return check.Trouble("go-sum-unreadable", "go.sum cannot be read", "look at its permissions")
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if fields := bytes.Fields(lines.Bytes()); len(fields) != 0 && len(fields) != 3 {
			return check.Trouble("go-sum-malformed", fmt.Sprintf("the go command refuses go.sum: line %d has %d fields, not 3", n, len(fields)),
				"take the marks of the merge conflict away, and have go.sum completed", check.ByHand("go mod tidy"))
		}
	}
	return check.Well("well-formed")
}

// oneLine is the first line of an error.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return cmp.Or(line, "it is malformed")
}
