package caches

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/goenv"
)

// told are settings of which the environment says this.
func told(environment map[string]string) *settings.Settings {
	return &settings.Settings{Env: goenv.Load(func(name string) string { return environment[name] })}
}

func TestAFolderIsTried(t *testing.T) {
	dir := t.TempDir()
	s := told(nil)
	if r := checkFolder(s, "GOMODCACHE", filepath.Join(dir, "a", "b")); r.State == check.Bad {
		t.Errorf("one that can be made: %+v", r)
	}
	if r := checkFolder(s, "GOMODCACHE", "relative"); r.Kind != "cache-malformed" || r.Fixes[0].Command != "go env -u GOMODCACHE" {
		t.Errorf("a relative one: %+v", r)
	}
	exported := told(map[string]string{"GOMODCACHE": "relative"})
	if r := checkFolder(exported, "GOMODCACHE", "relative"); r.Fixes[0].Command != "unset GOMODCACHE" {
		t.Errorf("a relative one of the environment: %+v", r)
	}
	if r := checkFolder(s, "GOTMPDIR", filepath.Join(dir, "none")); r.Kind != "folder-missing" || r.Fixes[0].Apply(t.Context()) != nil || checkFolder(s, "GOTMPDIR", filepath.Join(dir, "none")).State != check.OK {
		t.Errorf("GOTMPDIR that does not exist: %+v", r)
	}
	left, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || !slices.Equal(left, []string{"none"}) {
		t.Errorf("%q was left there: %v", left, err)
	}
}
