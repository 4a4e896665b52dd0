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

	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/modtest"
)

// hold locks a file as the go command does.
func hold(t *testing.T, name string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if err := modcache.TryLockFile(f); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func needs(t *testing.T, dirs ...string) *modcache.Needs {
	t.Helper()
	n, err := modcache.ReadNeeds(t.Context(), dirs...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func names(plan []modcache.Removal) []string {
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

func TestPlanFollowsTheRules(t *testing.T) {
	t.Parallel()
	c := fill(t, append([]modtest.Module{
		{Path: "golang.org/toolchain", Version: "v0.0.1-go1.98.0.linux-amd64", Files: map[string]string{"bin/go": "x"}},
		{Path: "golang.org/toolchain", Version: "v0.0.1-go1.99.0.linux-amd64", Files: map[string]string{"bin/go": "x"}},
	}, modules...)...)
	c.change(t, "cache/vcs/"+strings.Repeat("ab", 32)+"/HEAD", "ref: refs/heads/main\n")
	c.change(t, "cache/vcs/"+strings.Repeat("ab", 32)+".info", "git3:https://example.com/repo")
	c.change(t, "mine.txt", "mine")
	c.age(t, 10*24*time.Hour)
	contents := scan(t, c.open(t))
	now := time.Now()
	const (
		greet0, greet1 = "example.com/greet@v1.0.0", "example.com/greet@v1.1.0"
		capital        = "example.com/Capital@v0.1.0-Beta"
		old            = "example.com/old@v3.0.0+incompatible"
		two            = "example.com/two/v2@v2.0.1-0.20240102030405-0123456789ab"
		repo           = "git3:https://example.com/repo"
		go98, go99     = "golang.org/toolchain@v0.0.1-go1.98.0.linux-amd64", "golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64"
	)
	someProject := needs(t, project(t, map[string]string{
		"a/go.mod":     "module a\n\ngo 1.21\n\ntoolchain go1.98.0\n\nrequire example.com/old v3.0.0+incompatible\n",
		"b/go.mod":     "module b\n",
		"b/sub/go.sum": "example.com/greet v1.1.0 h1:x\n<<<<<<< HEAD\nexample.com/greet v1.0.0/go.mod h1:x\n",
	}))
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		rules modcache.Rules
		want  []string
	}{
		"no rule":                  {modcache.Rules{}, []string{}},
		"old enough":               {modcache.Rules{OlderThan: 9 * day}, []string{capital, greet0, greet1, old, two}},
		"too young":                {modcache.Rules{OlderThan: 11 * day, VCS: true, Toolchains: true}, []string{}},
		"the newest stay":          {modcache.Rules{KeepLatest: 1}, []string{greet0}},
		"two newest stay":          {modcache.Rules{KeepLatest: 2}, []string{}},
		"what a project needs":     {modcache.Rules{Needed: someProject}, []string{capital, greet0 + " but go.mod", two}},
		"both must agree":          {modcache.Rules{Needed: someProject, KeepLatest: 1}, []string{greet0 + " but go.mod"}},
		"all three must agree":     {modcache.Rules{Needed: someProject, KeepLatest: 1, OlderThan: 11 * day}, []string{}},
		"clones":                   {modcache.Rules{VCS: true}, []string{repo}},
		"toolchains, but not this": {modcache.Rules{Toolchains: true, InUse: []string{"go1.99.0"}}, []string{go98}},
		"toolchains not needed":    {modcache.Rules{Toolchains: true, Needed: someProject, VCS: true, OlderThan: day}, []string{capital, repo, greet0 + " but go.mod", two, go99}},
	} {
		test.rules.Now = now
		slices.Sort(test.want)
		if got := names(contents.Plan(test.rules)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := contents.Plan(modcache.Rules{KeepLatest: 1, Now: now.Add(-10*day + modcache.Young/2)}); len(got) != 0 {
		t.Errorf("what has just been used may go: %q", names(got))
	}
}

func TestNeedsAreThoseOfAllProjects(t *testing.T) {
	t.Parallel()
	c := fill(t, modules...)
	c.age(t, time.Hour)
	contents := scan(t, c.open(t))
	prune := func(n *modcache.Needs) []string {
		return names(contents.Plan(modcache.Rules{Needed: n, Now: time.Now()}))
	}
	outside := project(t, map[string]string{"go.mod": "module outside\n", "go.sum": "example.com/two/v2 v2.0.1-0.20240102030405-0123456789ab h1:x\n"})
	dir := project(t, map[string]string{
		"go.work":                 "go 1.21\n\nuse ./a\n\nuse " + outside + "\n\nreplace example.com/x => example.com/Capital v0.1.0-Beta\n",
		"go.work.sum":             "example.com/greet v1.0.0 h1:x\n",
		"a/go.mod":                "module a\n",
		"a/deep/none.txt":         "",
		"a/testdata/x/go.mod":     "this is broken, and the go command does not mind\n",
		"node_modules/x/y/go.mod": "so is this\n",
	})
	want := []string{"example.com/greet@v1.1.0", "example.com/old@v3.0.0+incompatible"}
	for _, at := range []string{dir, filepath.Join(dir, "a", "deep")} {
		if got := prune(needs(t, at)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	if _, err := modcache.ReadNeeds(t.Context(), dir, t.TempDir()); !errors.Is(err, modcache.ErrNoProject) {
		t.Errorf("a folder without project: %v", err)
	}
	broken := project(t, map[string]string{"go.mod": "module a\n", "b/go.mod": "<<<<<<< HEAD\nmodule b\n"})
	if _, err := modcache.ReadNeeds(t.Context(), broken); err == nil || !strings.Contains(err.Error(), filepath.Join("b", "go.mod")) {
		t.Errorf("a go.mod that cannot be read: %v", err)
	}
	if _, err := modcache.ReadNeeds(t.Context(), filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
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
	for _, r := range scan(t, cache).Plan(modcache.Rules{Needed: needs(t, filepath.Join(filepath.Dir(c.dir), "project")), Now: time.Now()}) {
		if err := cache.Remove(t.Context(), r); err != nil {
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
	plan := scan(t, cache).Plan(modcache.Rules{KeepLatest: 1, Now: time.Now()})
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
		if err := cache.Remove(t.Context(), plan[0]); !errors.Is(err, modcache.ErrInUse) {
			t.Errorf("%s: %v", name, err)
		}
		undo()
		if _, err := os.Stat(filepath.Join(c.dir, greetTree, "greet.go")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.age(t, time.Hour)
	plan = scan(t, cache).Plan(modcache.Rules{KeepLatest: 1, Now: time.Now()})
	if err := cache.Remove(t.Context(), plan[0]); err != nil {
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
	plan := scan(t, cache).Plan(modcache.Rules{VCS: true, Toolchains: true, Now: time.Now()})
	if len(plan) != 2 {
		t.Fatalf("%q", names(plan))
	}
	unlock := hold(t, filepath.Join(c.dir, clone+".lock"))
	for _, r := range plan {
		if err := cache.Remove(t.Context(), r); errors.Is(err, modcache.ErrInUse) != (r.Entry.Kind == modcache.VCS) {
			t.Errorf("%s: %v", r.Entry, err)
		}
	}
	unlock()
	for _, r := range scan(t, cache).Plan(modcache.Rules{VCS: true, Now: time.Now()}) {
		if err := cache.Remove(t.Context(), r); err != nil {
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
	plan := scan(t, cache).Plan(modcache.Rules{OlderThan: time.Minute, Now: time.Now().Add(time.Hour)})
	if len(plan) != len(modules) {
		t.Errorf("%q", names(plan))
	}
	for _, r := range plan {
		if err := cache.Remove(t.Context(), r); err != nil {
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
		rules := modcache.Rules{
			OlderThan: time.Duration(rng.IntN(50)) * time.Hour, KeepLatest: rng.IntN(3), VCS: rng.IntN(2) == 0, Now: time.Now(),
			Needed: needs(t, project(t, map[string]string{"go.mod": "module p\n", "go.sum": goSum.String()})),
		}
		cache := c.open(t)
		contents := scan(t, cache)
		gone := map[module.Version]bool{}
		for _, r := range contents.Plan(rules) {
			gone[r.Entry.Module()] = true
			if kept[r.Entry.Module()] {
				t.Errorf("%s is needed and may go: %s", r.Entry, r.Reason)
			}
			if err := cache.Remove(t.Context(), r); err != nil {
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

func TestSizesAreForPeople(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1550: "1.6 kB", 9949: "9.9 kB", 9951: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 2_500_000_000: "2.5 GB"} {
		if got := modcache.Size(bytes); got != want {
			t.Errorf("%d is %s, want %s", bytes, got, want)
		}
	}
}
