package modcache_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/modtest"
)

// modules are of every form that a path and a version may have.
var modules = []modtest.Module{
	{Path: "example.com/greet", Version: "v1.0.0", Mod: "module example.com/greet\n", Files: map[string]string{"greet.go": "package greet\n", "sub/sub.go": "package sub\n"}},
	{Path: "example.com/greet", Version: "v1.1.0", Mod: "module example.com/greet\n", Files: map[string]string{"greet.go": "package greet // new\n"}},
	{Path: "example.com/Capital", Version: "v0.1.0-Beta", Mod: "module example.com/Capital\n", Files: map[string]string{"c.go": "package c\n"}},
	{Path: "example.com/old", Version: "v3.0.0+incompatible", Files: map[string]string{"old.go": "package old\n"}},
	{Path: "example.com/two/v2", Version: "v2.0.1-0.20240102030405-0123456789ab", Mod: "module example.com/two/v2\n", Files: map[string]string{"two.go": "package two\n"}},
}

// goCache is a module cache that the real go command has filled.
type goCache struct {
	dir     string
	url     string // of a proxy
	gosumdb string
}

func fill(t *testing.T, versions ...modtest.Module) *goCache {
	t.Helper()
	proxy := modtest.New(versions...)
	c := &goCache{dir: filepath.Join(t.TempDir(), "mod"), url: proxy.Start(t), gosumdb: "off"}
	if slices.ContainsFunc(versions, func(m modtest.Module) bool { return m.Path == "golang.org/toolchain" }) {
		c.gosumdb = modtest.NewSumDB("sum.example.org", proxy).Key() // the go command insists on one
	}
	t.Cleanup(func() { c.run(context.Background(), c.url, "clean", "-modcache") })
	args := []string{"mod", "download"}
	for _, m := range versions {
		args = append(args, m.Path+"@"+m.Version)
	}
	if out, err := c.run(t.Context(), c.url, args...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

// run runs the go command, in a project that needs the version v1.0.0 of greet only.
func (c *goCache) run(ctx context.Context, goproxy string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	project := filepath.Join(filepath.Dir(c.dir), "project")
	err := errors.Join(os.MkdirAll(project, 0o700),
		os.WriteFile(filepath.Join(project, "go.mod"), []byte("module example.com/project\n\ngo 1.21\n\nrequire example.com/greet v1.0.0\n"), 0o600),
		os.WriteFile(filepath.Join(project, "p.go"), []byte("package p\n\nimport _ \"example.com/greet\"\n"), 0o600))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = project
	cmd.Env = append(os.Environ(), "GOMODCACHE="+c.dir, "GOPROXY="+goproxy, "GOSUMDB="+c.gosumdb, "GOPATH="+filepath.Dir(c.dir), "GOENV=off", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "GOWORK=off", "GOVCS=*:off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *goCache) open(t *testing.T) *modcache.Cache {
	t.Helper()
	cache, err := modcache.Open(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cache.Close() })
	return cache
}

func scan(t *testing.T, cache *modcache.Cache) *modcache.Contents {
	t.Helper()
	contents, err := cache.Scan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

// age lets all files have been used and changed so long ago.
func (c *goCache) age(t *testing.T, d time.Duration) {
	t.Helper()
	then := time.Now().Add(-d)
	for name := range c.snapshot(t) {
		if err := os.Chtimes(filepath.Join(c.dir, name), then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot is the content of all files, by name, without locks and lists.
func (c *goCache) snapshot(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(c.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) == ".lock" || d.Name() == "lock" || d.Name() == "list" {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(c.dir, name)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// change replaces a file of the cache, in whatever folder it is; an empty text removes it.
func (c *goCache) change(t *testing.T, name string, text string) {
	t.Helper()
	full := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(full), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if text == "" {
		return
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestScanFindsAndMeasuresWhatIsThere(t *testing.T) {
	t.Parallel()
	c := fill(t, modules...)
	c.change(t, "cache/download/sumdb/sum.example.org/tile/8/0/000.p/1", strings.Repeat("x", 32))
	c.change(t, "cache/vcs/"+strings.Repeat("ab", 32)+"/HEAD", "ref: refs/heads/main\n")
	c.change(t, "cache/vcs/"+strings.Repeat("ab", 32)+".info", "git3:https://user:canary@example.com/repo")
	c.change(t, "notes.txt", "mine")
	cache := c.open(t)
	contents := scan(t, cache)

	var got []string
	size := int64(0)
	for _, e := range contents.Entries {
		got = append(got, string(e.Kind)+" "+e.String())
		size += e.Size()
		if e.Kind == modcache.Module && (e.Zip == 0 || e.Tree == 0 || e.Used.IsZero()) {
			t.Errorf("%s: zip of %d bytes, tree of %d, used %v", e, e.Zip, e.Tree, e.Used)
		}
	}
	slices.Sort(got)
	want := []string{
		"checksums sum.example.org", "module example.com/Capital@v0.1.0-Beta", "module example.com/greet@v1.0.0", "module example.com/greet@v1.1.0",
		"module example.com/old@v3.0.0+incompatible", "module example.com/two/v2@v2.0.1-0.20240102030405-0123456789ab",
		"repository git3:https://example.com/repo", "unknown notes.txt",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all := int64(0)
	for _, text := range c.snapshot(t) {
		all += int64(len(text))
	}
	if size != all {
		t.Errorf("the entries have %d bytes, the files %d", size, all)
	}
}

func TestLookingAtACacheDoesNotCountAsUse(t *testing.T) {
	t.Parallel()
	c := fill(t, modules...)
	c.age(t, 100*24*time.Hour)
	cache := c.open(t)
	for range 2 {
		contents := scan(t, cache)
		if _, _, err := cache.Damages(t.Context(), contents, time.Now(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range scan(t, cache).Entries {
		if time.Since(e.Used) < 99*24*time.Hour {
			t.Errorf("%s seems to have been used at %v", e, e.Used)
		}
	}
}

func TestOpenRefusesWhatIsNoModuleCache(t *testing.T) {
	dir := t.TempDir()
	if _, err := modcache.Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := modcache.Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := modcache.Open("mod"); !errors.Is(err, modcache.ErrNoCache) {
		t.Errorf("a relative path: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := modcache.Open(dir); !errors.Is(err, modcache.ErrNoCache) {
		t.Errorf("somebody's folder: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "cache", "download")); err != nil {
		t.Fatal(err)
	}
	if _, err := modcache.Open(dir); !errors.Is(err, modcache.ErrNoCache) {
		t.Errorf("a link instead of cache/download: %v", err)
	}
}

func greet(version string) module.Version {
	return module.Version{Path: "example.com/greet", Version: version}
}

func TestLookupHasTheHashesOfGoSum(t *testing.T) {
	t.Parallel()
	c := fill(t, modules[0])
	cache := c.open(t)
	e, err := cache.Lookup(greet("v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	zipHash, err := cache.Hash(e)
	if err != nil {
		t.Fatal(err)
	}
	modHash, err := cache.HashMod(e)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.run(t.Context(), c.url, "build", "."); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	goSum, err := os.ReadFile(filepath.Join(filepath.Dir(c.dir), "project", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	want := "example.com/greet v1.0.0 " + zipHash + "\nexample.com/greet v1.0.0/go.mod " + modHash + "\n"
	if string(goSum) != want {
		t.Errorf("go.sum is\n%snot\n%s", goSum, want)
	}
	none, err := cache.Lookup(greet("v9.0.0"))
	if err != nil || none.Size() != 0 {
		t.Errorf("a version that is not there: %+v, %v", none, err)
	}
}
