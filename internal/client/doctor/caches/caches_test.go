package caches

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/check"
)

func TestAFolderIsTried(t *testing.T) {
	dir := t.TempDir()
	if r := checkFolder("GOMODCACHE", filepath.Join(dir, "a", "b")); r.State == check.Bad {
		t.Errorf("one that can be made: %+v", r)
	}
	if r := checkFolder("GOMODCACHE", "relative"); r.Kind != "cache-malformed" {
		t.Errorf("a relative one: %+v", r)
	}
	if r := checkFolder("GOTMPDIR", filepath.Join(dir, "none")); r.Kind != "folder-missing" || r.Fixes[0].Apply(t.Context()) != nil || checkFolder("GOTMPDIR", filepath.Join(dir, "none")).State != check.OK {
		t.Errorf("GOTMPDIR that does not exist: %+v", r)
	}
	left, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || !slices.Equal(left, []string{"none"}) {
		t.Errorf("%q was left there: %v", left, err)
	}
}

func TestSizesAreForPeople(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1500: "1.5 kB", 66_900_000_000: "66.9 GB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
