//go:build !race

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// modCache is the module cache of the machine.
func (m *machine) modCache() string { return filepath.Join(m.home(), "gopath", "pkg", "mod") }

// age lets everything in the module cache have been used this long ago.
func (m *machine) age(t *testing.T, d time.Duration) {
	t.Helper()
	then := time.Now().Add(-d)
	err := filepath.WalkDir(m.modCache(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(name, then, then)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// several are n modules with a zip each, and the arguments of go mod download for them.
func several(prefix string, n int) (modules []modtest.Module, args []string) {
	args = []string{"mod", "download"}
	for i := range n {
		path := fmt.Sprintf("example.com/%s/m%02d", prefix, i)
		modules = append(modules, simple(path, "v1.0.0"))
		args = append(args, path+"@v1.0.0")
	}
	return modules, args
}

// While the go command downloads some versions, others are pruned and everything is
// repaired, again and again: each gets what it wants, and neither notices the other.
func TestCleanAndGoDownloadDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	oldModules, oldArgs := several("old", 20)
	newModules, newArgs := several("new", 40)
	p := modtest.New(append(oldModules, newModules...)...)
	m := newMachine(t, p.Start(t), "off", "module example.com/project\n")
	if out, _, err := m.run(t, oldArgs...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.age(t, 100*24*time.Hour)

	done := make(chan error, 1)
	go func() {
		out, _, err := m.runOnce(t, newArgs...)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		done <- err
	}()
	for running := true; running; {
		select {
		case err := <-done:
			running = false
			if err != nil {
				t.Error(err)
			}
		default:
		}
		// After the go command has ended, each runs once more.
		for _, args := range [][]string{{"clean", "--older-than", "90d", "--yes"}, {"clean", "--repair", "--yes"}} {
			if out, err := m.weir(t, "", args...); err != nil {
				t.Errorf("weir %s: %v: %s", strings.Join(args, " "), err, out)
			}
		}
	}
	for i, n := range map[string]int{"old": 0, "new": len(newModules)} {
		trees, err := filepath.Glob(filepath.Join(m.modCache(), "example.com", i, "*@v1.0.0"))
		if err != nil || len(trees) != n {
			t.Errorf("%d %s versions are there, want %d (%v)", len(trees), i, n, err)
		}
	}
	if out, err := m.weir(t, "", "clean", "--repair"); err != nil || !strings.Contains(out, "Nothing is broken: looked at 40 of 40 entries") {
		t.Errorf("%v: %s", err, out)
	}
	p.SetDown(true)
	if out, _, err := m.run(t, newArgs...); err != nil {
		t.Errorf("offline: %v: %s", err, out)
	}
}

// A version whose zip is just arriving is left alone, with its temporary file.
func TestCleanLeavesADownloadUnderWayAlone(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/a", "v1.0.0"))
	p.Break(".zip", modtest.HangBody)
	m := newMachine(t, p.Start(t), "off", "module example.com/project\n")
	done := make(chan error, 1)
	go func() {
		out, _, err := m.runOnce(t, "mod", "download", "example.com/a@v1.0.0")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		done <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Await(ctx, "/example.com/a/@v/v1.0.0.zip", 1); err != nil {
		t.Fatal(err)
	}
	out, err := m.weir(t, "", "clean", "--repair", "--yes")
	if err != nil || !strings.Contains(out, "skipped  example.com/a@v1.0.0\n         a go command is at work on it") {
		t.Errorf("%v: %s", err, out)
	}
	m.age(t, 100*24*time.Hour)
	out, err = m.weir(t, "", "clean", "--older-than", "90d", "--yes")
	if err == nil || !strings.Contains(out, "still there") || !strings.Contains(out, "in use by a go command") {
		t.Errorf("%v: %s", err, out)
	}
	p.Heal()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if out, err := m.weir(t, "", "clean", "--repair"); err != nil || !strings.Contains(out, "Nothing is broken: looked at 1 of 1 entries") {
		t.Errorf("%v: %s", err, out)
	}
}
