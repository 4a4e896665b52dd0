package cage

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
)

// A workspace is the folder of one command: its home, its temporary files, and
// its module cache, in which only the clone of the repository outlives it.
type workspace struct{ dir string }

// newWorkspace makes a workspace within a folder, around the folder of a clone.
func newWorkspace(within, clone string) (w workspace, err error) {
	w.dir, err = os.MkdirTemp(within, "run-")
	if err != nil {
		return w, err
	}
	for _, dir := range []string{w.tmp(), w.work(), w.telemetry(), filepath.Dir(w.vcs())} {
		err = errors.Join(err, os.MkdirAll(dir, 0o700))
	}
	err = errors.Join(err, os.Symlink(clone, w.vcs()))
	// The go command would start a process of its own to look after statistics.
	err = errors.Join(err, os.WriteFile(filepath.Join(w.telemetry(), "mode"), []byte("off"), 0o600))
	if err != nil {
		return w, errors.Join(err, w.Remove())
	}
	return w, nil
}

func (w workspace) home() string     { return filepath.Join(w.dir, "home") }
func (w workspace) tmp() string      { return filepath.Join(w.dir, "tmp") }
func (w workspace) work() string     { return filepath.Join(w.dir, "work") }
func (w workspace) modCache() string { return filepath.Join(w.dir, "mod") }
func (w workspace) vcs() string      { return filepath.Join(w.modCache(), "cache", "vcs") }

// credentials returns where git finds passwords.
func (w workspace) credentials() string { return filepath.Join(w.dir, "credentials") }

// telemetry returns where the go command keeps its statistics.
func (w workspace) telemetry() string {
	config := ".config"
	if runtime.GOOS == "darwin" {
		config = filepath.Join("Library", "Application Support")
	}
	return filepath.Join(w.home(), config, "go", "telemetry")
}

// File returns where the go command puts an artifact of a canonical version.
func (w workspace) File(n artifact.Name) string {
	return filepath.Join(w.modCache(), "cache", "download", filepath.FromSlash(n.Key()))
}

// KeepPacked lets the go command believe that it has extracted a version, so
// that it only makes the zip.
func (w workspace) KeepPacked(n artifact.Name) error {
	mod, err := module.EscapePath(n.Module)
	if err != nil {
		return err
	}
	version, err := module.EscapeVersion(n.Version)
	if err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(w.modCache(), filepath.FromSlash(mod)+"@"+version), 0o700)
}

// Remove removes the workspace. Files that are open stay readable, where the
// system allows that; elsewhere they go when the next process starts.
func (w workspace) Remove() error { return os.RemoveAll(w.dir) }
