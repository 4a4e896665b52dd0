package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/goweir/weir/internal/client/modcache/folder"
)

func at(t *testing.T, dir string) *folder.Folder {
	t.Helper()
	f, err := folder.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLinksLeadNowhere(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	precious := filepath.Join(outside, "precious.txt")
	if err := os.WriteFile(precious, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": outside, "file": precious} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := at(t, dir)
	for _, name := range []string{"file", "link/precious.txt", "../" + filepath.Base(outside) + "/precious.txt"} {
		if data, err := f.ReadFile(name); err == nil {
			t.Errorf("%s is read: %q", name, data)
		}
		if err := f.Mark(name); err == nil {
			t.Errorf("%s is written", name)
		}
	}
	if err := f.Remove("link/precious.txt"); err == nil {
		t.Error("a file behind a link can be removed")
	}
	if err := f.Remove("link", "file", "none"); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(precious); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestNobodyIsAloneBesideAnother(t *testing.T) {
	f := at(t, t.TempDir())
	if f.Locked("a/v1.lock") {
		t.Error("a lock that is not there is held")
	}
	if _, err := f.Lstat("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking for a lock made something: %v", err)
	}
	ran := 0
	err := f.Alone(t.Context(), "a/v1.lock", func() error {
		ran++
		if !f.Locked("a/v1.lock") {
			t.Error("the lock is not held")
		}
		return nil
	})
	if err != nil || ran != 1 {
		t.Errorf("ran %d times: %v", ran, err)
	}
	held, err := f.Edit("a/v1.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := folder.TryLock(held); err != nil {
		t.Fatal(err)
	}
	if err := f.Alone(t.Context(), "a/v1.lock", func() error { ran++; return nil }); !errors.Is(err, folder.ErrInUse) || ran != 1 {
		t.Errorf("ran %d times beside another: %v", ran, err)
	}
}
