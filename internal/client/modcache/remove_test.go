package modcache_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modcache/folder"
	"github.com/goweir/weir/internal/client/modcache/prune"
	"github.com/goweir/weir/internal/modtest"
)

// hold locks a file as the go command does.
func hold(t *testing.T, name string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.TryLock(f); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

func needs(t *testing.T, dirs ...string) *prune.Needs {
	t.Helper()
	n, err := prune.ReadNeeds(t.Context(), mainmod.Settings{}, dirs...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// planned is what may go of a cache by some rules.
func planned(t *testing.T, cache *modcache.Cache, rules prune.Rules) []prune.Removal {
	t.Helper()
	return rules.Plan(scan(t, cache).Entries)
}

func names(plan []prune.Removal) []string {
	all := []string{}
	for _, r := range plan {
		name := r.Entry.String()
		if r.KeepMod {
			name += " but go.mod"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func TestPruningKeepsWhatAProjectNeeds(t *testing.T) {
	t.Parallel()
	c := fill(t, modules...)
	if out, err := c.run(t.Context(), c.url, "build", "."); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before := c.snapshot(t)
	c.age(t, time.Hour)
	cache := c.open(t)
	for _, r := range planned(t, cache, prune.Rules{Needed: needs(t, filepath.Join(filepath.Dir(c.dir), "project")), Now: time.Now()}) {
		if err := r.Do(t.Context(), cache); err != nil {
			t.Errorf("%s: %v", r.Entry, err)
		}
	}
	after := c.snapshot(t)
	for name, text := range before {
		needed := strings.Contains(name, "greet") && strings.Contains(name, "v1.0.0")
		if got, ok := after[name]; ok != needed || ok && got != text {
			t.Errorf("%s: there is %v, want %v", name, ok, needed)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, "example.com", "two")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder was left: %v", err)
	}
	list, err := os.ReadFile(filepath.Join(c.dir, "cache/download/example.com/greet/@v/list"))
	if err != nil || string(list) != "v1.0.0\n" {
		t.Errorf("the list is %q, %v", list, err)
	}
	for _, args := range [][]string{{"build", "-mod=readonly", "."}, {"mod", "verify"}} {
		if out, err := c.run(t.Context(), "off", args...); err != nil {
			t.Errorf("go %s, offline: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := c.run(t.Context(), c.url, "mod", "download", "example.com/greet@v1.1.0"); err != nil {
		t.Errorf("what was pruned comes back: %v: %s", err, out)
	}
}

func TestRemoveLeavesWhatIsLockedOrHasChanged(t *testing.T) {
	t.Parallel()
	c := fill(t, modules[:2]...)
	before := c.snapshot(t)
	c.age(t, time.Hour)
	cache := c.open(t)
	plan := planned(t, cache, prune.Rules{KeepLatest: 1, Now: time.Now()})
	if len(plan) != 1 {
		t.Fatalf("%q", names(plan))
	}
	for name, disturb := range map[string]func() (undo func()){
		"locked": func() func() { return hold(t, filepath.Join(c.dir, greetFiles+".lock")) },
		"used":   func() func() { return c.touch(t, greetFiles+".mod") },
		"finished": func() func() {
			c.change(t, greetFiles+".partial", "x")
			return func() { c.change(t, greetFiles+".partial", "") }
		},
	} {
		undo := disturb()
		if err := plan[0].Do(t.Context(), cache); !errors.Is(err, modcache.ErrInUse) {
			t.Errorf("%s: %v", name, err)
		}
		undo()
		if _, err := os.Stat(filepath.Join(c.dir, greetTree, "greet.go")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.age(t, time.Hour)
	plan = planned(t, cache, prune.Rules{KeepLatest: 1, Now: time.Now()})
	if err := plan[0].Do(t.Context(), cache); err != nil {
		t.Error(err)
	}
	if after := c.snapshot(t); len(after) >= len(before) {
		t.Errorf("%d files are left of %d", len(after), len(before))
	}
}

func TestClonesAndToolchainsGoWithoutTheirLocks(t *testing.T) {
	t.Parallel()
	c := fill(t, modtest.Module{Path: "golang.org/toolchain", Version: "v0.0.1-go1.98.0.linux-amd64", Files: map[string]string{"bin/go": "x"}})
	clone := "cache/vcs/" + strings.Repeat("ab", 32)
	c.change(t, clone+"/objects/pack/x.pack", "bytes")
	c.change(t, clone+".info", "git3:https://example.com/repo")
	c.age(t, time.Hour)
	cache := c.open(t)
	plan := planned(t, cache, prune.Rules{VCS: true, Toolchains: true, Now: time.Now()})
	if len(plan) != 2 {
		t.Fatalf("%q", names(plan))
	}
	unlock := hold(t, filepath.Join(c.dir, clone+".lock"))
	for _, r := range plan {
		if err := r.Do(t.Context(), cache); errors.Is(err, modcache.ErrInUse) != (r.Entry.Kind == modcache.VCS) {
			t.Errorf("%s: %v", r.Entry, err)
		}
	}
	unlock()
	for _, r := range planned(t, cache, prune.Rules{VCS: true, Now: time.Now()}) {
		if err := r.Do(t.Context(), cache); err != nil {
			t.Errorf("%s: %v", r.Entry, err)
		}
	}
	for name := range c.snapshot(t) {
		if !strings.HasPrefix(name, "cache/download/sumdb/") {
			t.Errorf("%s is still there", name)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, clone+".lock")); err != nil {
		t.Errorf("somebody may wait for this lock: %v", err)
	}
}

// touch lets a file have been used just now.
func (c *goCache) touch(t *testing.T, name string) (undo func()) {
	t.Helper()
	name = filepath.Join(c.dir, name)
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	set := func(at time.Time) {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	set(time.Now())
	return func() { set(info.ModTime()) }
}

func TestNothingOutsideTheCacheIsTouched(t *testing.T) {
	t.Parallel()
	c := fill(t, modules...)
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious.txt")
	if err := os.WriteFile(precious, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{greetTree, "."} {
		if err := os.Chmod(filepath.Join(c.dir, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		greetTree + "/link": outside, greetTree + "/file": precious, "linked.example.com": outside, "example.com/linked@v1.0.0": outside,
	} {
		if err := os.Symlink(target, filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(outside, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(outside, 0o700) })
	cache := c.open(t)
	plan := planned(t, cache, prune.Rules{OlderThan: time.Minute, Now: time.Now().Add(time.Hour)})
	if len(plan) != len(modules) {
		t.Errorf("%q", names(plan))
	}
	for _, r := range plan {
		if err := r.Do(t.Context(), cache); err != nil {
			t.Errorf("%s: %v", r.Entry, err)
		}
	}
	if data, err := os.ReadFile(precious); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("the folder that a link leads to has mode %v now", info.Mode())
	}
	if _, err := os.Stat(filepath.Join(c.dir, greetTree)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tree with the links is still there: %v", err)
	}
}

// TestWhateverTheRulesWhatIsKeptStaysWhole tries random rules and projects on a healthy
// cache.
func TestWhateverTheRulesWhatIsKeptStaysWhole(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var all []modtest.Module
	for i := range 4 {
		for j := range 4 {
			path := fmt.Sprintf("example.com/m%d", i)
			all = append(all, modtest.Module{Path: path, Version: fmt.Sprintf("v1.%d.0", j), Mod: "module " + path + "\n", Files: map[string]string{"m.go": "package m\n"}})
		}
	}
	for range 4 {
		c := fill(t, all...)
		kept := map[module.Version]bool{}
		var goSum strings.Builder
		for _, m := range all {
			if rng.IntN(2) == 0 {
				kept[module.Version{Path: m.Path, Version: m.Version}] = true
				fmt.Fprintf(&goSum, "%s %s h1:x\n", m.Path, m.Version)
			}
		}
		before := c.snapshot(t)
		c.age(t, time.Duration(1+rng.IntN(100))*time.Hour)
		rules := prune.Rules{
			OlderThan: time.Duration(rng.IntN(50)) * time.Hour, KeepLatest: rng.IntN(3), VCS: rng.IntN(2) == 0, Now: time.Now(),
			Needed: needs(t, modtest.Tree(t, map[string]string{"go.mod": "module p\n", "go.sum": goSum.String()})),
		}
		cache := c.open(t)
		entries := scan(t, cache).Entries
		gone := map[module.Version]bool{}
		for _, r := range rules.Plan(entries) {
			gone[r.Entry.Module()] = true
			if kept[r.Entry.Module()] {
				t.Errorf("%s is needed and may go: %s", r.Entry, r.Reason)
			}
			if err := r.Do(t.Context(), cache); err != nil {
				t.Errorf("%s: %v", r.Entry, err)
			}
		}
		after := c.snapshot(t)
		for _, m := range all {
			if gone[module.Version{Path: m.Path, Version: m.Version}] {
				continue
			}
			for name, text := range before {
				if (strings.Contains(name, m.Path+"/@v/"+m.Version+".") || strings.HasPrefix(name, m.Path+"@"+m.Version+"/")) && after[name] != text {
					t.Errorf("%s was to be kept", name)
				}
			}
		}
		if damages, _, err := cache.Damages(t.Context(), scan(t, cache), time.Now(), nil); err != nil || len(damages) > 0 {
			t.Errorf("%+v, %v", damages, err)
		}
	}
}
