package doctor

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
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// A folder is the module, and the workspace, that the doctor is called in.
type folder struct {
	dir       string // with go.mod; empty: there is none
	mod       *modfile.File
	modError  error
	workFile  string // go.work; empty: there is none
	work      *modfile.WorkFile
	workError error
}

// maxModFile is how much is read of go.mod and go.work, in bytes: as much as the go
// command accepts of others.
const maxModFile = 16 << 20

// openFolder reads the go.mod and go.work that are in force in a folder.
func openFolder(dir, gowork string) folder {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return folder{}
	}
	f := folder{workFile: gowork}
	switch gowork {
	case "off":
		f.workFile = ""
	case "":
		if above := findAbove(dir, "go.work"); above != "" {
			f.workFile = filepath.Join(above, "go.work")
		}
	}
	if f.dir = findAbove(dir, "go.mod"); f.dir != "" {
		f.mod, f.modError = parseFile(filepath.Join(f.dir, "go.mod"), modfile.Parse)
	}
	if f.workFile != "" {
		f.work, f.workError = parseFile(f.workFile, modfile.ParseWork)
	}
	return f
}

// findAbove is the nearest folder from dir upwards that has a file.
func findAbove(dir, name string) string {
	for {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
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

// goVersion is the version of Go that the folder wants, or nothing.
func (f folder) goVersion() string {
	newest := ""
	for _, v := range f.goVersions() {
		if version.IsValid(v) && (newest == "" || version.Compare(v, newest) > 0) {
			newest = v
		}
	}
	return newest
}

func (f folder) goVersions() []string {
	var all []string
	if f.mod != nil && f.mod.Go != nil {
		all = append(all, "go"+f.mod.Go.Version)
	}
	if f.work != nil && f.work.Go != nil {
		all = append(all, "go"+f.work.Go.Version)
	}
	return all
}

// name is what the folder has, for people.
func (f folder) name() string {
	if f.workFile != "" {
		return "go.work"
	}
	return "go.mod"
}

// requirements are the modules that go.mod requires and that are not replaced, those
// that it requires itself first.
func (f folder) requirements() []module.Version {
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

// folderChecks are those of the folder, if it has anything of Go.
func (m *machine) folderChecks() []*Check {
	var checks []*Check
	if m.folder.workFile != "" {
		checks = append(checks, &Check{ID: "go-work", Run: still(m.folder.checkWork)})
	}
	if m.folder.dir != "" {
		mod := &Check{ID: "go-mod", Run: still(m.folder.checkMod)}
		checks = append(checks, mod,
			&Check{ID: "go-sum", Run: still(m.folder.checkSum)},
			&Check{ID: "private-modules", After: []*Check{mod}, Run: still(m.checkPrivate)})
	}
	return checks
}

func (f folder) checkWork() Result {
	switch {
	case errors.Is(f.workError, fs.ErrNotExist):
		return bad("go-work-missing", "GOWORK names "+f.workFile+", which is not there", "correct it or take it away", byHand("unset GOWORK"))
	case f.workError != nil:
		return bad("go-work-malformed", "the go command refuses go.work: "+oneLine(f.workError), "mend it")
	}
	for _, use := range f.work.Use {
		dir := use.Path
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(f.workFile), dir)
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			return bad("go-work-member-missing", fmt.Sprintf("%s uses %s, which has no go.mod", f.workFile, use.Path),
				"copy the member here, or do without the workspace: GOWORK=off", byHand("export GOWORK=off"))
		}
	}
	return well(f.workFile)
}

func (f folder) checkMod() Result {
	if f.modError != nil {
		return bad("go-mod-malformed", "the go command refuses go.mod: "+oneLine(f.modError), "mend it; lines of <<<<<<< are left from a merge")
	}
	for _, r := range f.mod.Replace {
		if r.New.Version != "" {
			continue
		}
		dir := r.New.Path
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(f.dir, dir)
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			return bad("replacement-missing", fmt.Sprintf("go.mod replaces %s with %s, which has no go.mod", r.Old.Path, r.New.Path), "copy that folder here, or take the replace directive away",
				byHand("go mod edit -dropreplace="+r.Old.Path))
		}
	}
	if f.mod.Module == nil {
		return bad("go-mod-malformed", "go.mod has no module directive", "give the module a path", byHand("go mod edit -module=example.com/name"))
	}
	return well(f.mod.Module.Mod.Path)
}

// maxSumFile is how much is read of go.sum, in bytes.
const maxSumFile = 64 << 20

// sums are the lines of go.sum; none where it cannot be read.
func (f folder) sums() []string {
	file, err := os.Open(filepath.Join(f.dir, "go.sum"))
	if err != nil {
		return nil
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSumFile))
	if err != nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
}

func (f folder) checkSum() Result {
	file, err := os.Open(filepath.Join(f.dir, "go.sum"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return well("there is none")
		}
		return bad("go-sum-unreadable", "go.sum cannot be read", "look at its permissions")
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if fields := bytes.Fields(lines.Bytes()); len(fields) != 0 && len(fields) != 3 {
			return bad("go-sum-malformed", fmt.Sprintf("the go command refuses go.sum: line %d has %d fields, not 3", n, len(fields)),
				"take the marks of the merge conflict away, and have go.sum completed", byHand("go mod tidy"))
		}
	}
	return well("well-formed")
}

// inner are the ends of host names that belong to nobody on the internet.
//
// Sources: RFC 6762, appendix G; RFC 2606; ICANN's resolution 2024.07.29.06.
var inner = []string{".internal", ".intranet", ".corp", ".home", ".lan", ".private", ".local", ".localdomain", ".test", ".localhost"}

func isInner(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	for _, end := range inner {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

func (m *machine) checkPrivate() Result {
	if !m.isPublic() {
		return well("no public proxy is asked")
	}
	for _, r := range m.folder.requirements() {
		if isInner(r.Path) && !m.isPrivate(r.Path) {
			host, _, _ := strings.Cut(r.Path, "/")
			return warn("pattern-missing", fmt.Sprintf("public proxies hear of %s, since GOPRIVATE does not name %s", r.Path, host), "name it in GOPRIVATE", m.makePrivate(host))
		}
	}
	return well("none is shown to public proxies")
}

// makePrivate adds a pattern to GOPRIVATE.
func (m *machine) makePrivate(pattern string) Fix {
	if before := m.env.Value("GOPRIVATE"); before != "" {
		pattern = before + "," + pattern
	}
	return m.set("GOPRIVATE", pattern)
}

// A probe is the module that proxies are asked for.
type probe struct {
	module.Version
	own bool // go.mod requires it, so that it has to be there
}

// chooseProbe takes a module that go.mod requires, or else a small one that is widely
// used.
func (m *machine) chooseProbe() probe {
	for _, r := range m.folder.requirements() {
		if !m.isPrivate(r.Path) && !isInner(r.Path) {
			return probe{r, true}
		}
	}
	return probe{module.Version{Path: "golang.org/x/text", Version: "v0.14.0"}, false}
}

// oneLine is the first line of an error.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return cmp.Or(line, "it is malformed")
}
