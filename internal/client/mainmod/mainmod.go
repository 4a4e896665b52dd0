// Package mainmod finds the files that make a folder part of a module or a workspace:
// go.mod and go.work with their sums, or what settings of the go command name instead.
//
// It promises to find those that the go command would use there, and to refuse the
// settings that it refuses. It looks at names only and reads no file. That the go command
// ignores a go.mod in the folder of GOPATH itself is not part of the promise.
//
// Sources: the Go Modules Reference, "Workspaces"; cmd/go/internal/modload/init.go,
// FindGoWork, findWorkspaceFile, findModuleRoot, Init and modFilePath.
package mainmod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goweir/weir/internal/goenv"
)

// ErrNone: the folder is in no module and no workspace.
var ErrNone = errors.New("there is no go.mod or go.work")

// Settings are those of the go command that say which files count.
type Settings struct {
	GOWORK  string // off, or the absolute name of a go.work; empty, or auto: the one above the folder
	GOROOT  string // the Go installation, beyond which no go.work is looked for; empty: not known
	ModFile string // the flag -modfile, as of the folder; empty: none
}

// SettingsOf are the settings of this machine. Which go.work another folder has, that the
// go command was asked in, does not count.
func SettingsOf(env *goenv.Env) Settings {
	s := Settings{GOROOT: env.GOROOT()}
	if work, ok := env.Lookup("GOWORK"); ok && work.Layer != goenv.Default {
		s.GOWORK = work.Value
	}
	s.ModFile, _ = env.Flag("modfile")
	return s
}

// Files are those of a folder: absolute names, empty where there is none.
type Files struct {
	Work string // the go.work in force
	Root string // the folder of the go.mod in it or above it
	Mod  string // that go.mod, or the one of -modfile
	Sum  string // what is, or would be, the go.sum of Mod
}

// Find finds the files of a folder. The error is ErrNone, or that the go command would
// refuse the settings there.
func Find(dir string, s Settings) (Files, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Files{}, err
	}
	f := Files{}
	if f.Work, err = s.workFile(dir); err != nil {
		return Files{}, err
	}
	if f.Work != "" && s.ModFile != "" {
		return Files{}, errors.New("-modfile of GOFLAGS cannot be used in a workspace; leave that with GOWORK=off, or take the flag away: go env -u GOFLAGS")
	}
	mod := above(dir, "go.mod", "")
	if f.Work == "" && (mod == "" || isTemp(filepath.Dir(mod))) {
		return Files{}, fmt.Errorf("%w in %s or above it; go there, name its folder, or make one: go mod init", ErrNone, dir)
	}
	if mod == "" {
		return f, nil
	}
	f.Root = filepath.Dir(mod)
	if f.Mod, err = s.modFile(dir, f.Root); err != nil {
		return Files{}, err
	}
	f.Sum = strings.TrimSuffix(f.Mod, ".mod") + ".sum"
	return f, nil
}

// In are the files of the module in a folder, which need not be there: those of a member
// of a workspace.
func In(dir string) Files {
	return Files{Root: dir, Mod: filepath.Join(dir, "go.mod"), Sum: filepath.Join(dir, "go.sum")}
}

// workFile is the go.work in force in a folder.
func (s Settings) workFile(dir string) (string, error) {
	switch s.GOWORK {
	case "off":
		return "", nil
	case "", "auto":
		return above(dir, "go.work", s.GOROOT), nil
	}
	if !filepath.IsAbs(s.GOWORK) {
		return "", fmt.Errorf("GOWORK=%s is neither off nor an absolute path", s.GOWORK)
	}
	return s.GOWORK, nil
}

// modFile is what stands for the go.mod in the root of a module.
func (s Settings) modFile(dir, root string) (string, error) {
	switch {
	case s.ModFile == "":
		return filepath.Join(root, "go.mod"), nil
	case !strings.HasSuffix(s.ModFile, ".mod"):
		return "", fmt.Errorf("-modfile=%s of GOFLAGS names no file that ends in .mod", s.ModFile)
	case filepath.IsAbs(s.ModFile):
		return s.ModFile, nil
	}
	return filepath.Join(dir, s.ModFile), nil
}

// above is the file of a name in a folder or the nearest one above it; empty: there is
// none. Nothing is looked for in the folder end or above it, unless all begins there.
func above(dir, name, end string) string {
	if end != "" {
		end = filepath.Clean(end)
	}
	for {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file
		}
		up := filepath.Dir(dir)
		if up == dir || up == end {
			return ""
		}
		dir = up
	}
}

// isTemp reports whether a folder is the one for temporary files, whose go.mod the go
// command ignores: it would be that of whatever is tried out below.
func isTemp(dir string) bool {
	a, errA := os.Stat(dir)
	b, errB := os.Stat(os.TempDir())
	return errA == nil && errB == nil && os.SameFile(a, b)
}
