package modcache_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/modtest"
)

const (
	greetFiles = "cache/download/example.com/greet/@v/v1.0.0"
	greetTree  = "example.com/greet@v1.0.0"
	otherHash  = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
)

// rezip is a zip with another file in it.
func rezip(t *testing.T, data string) string {
	t.Helper()
	in, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		if err := out.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	w, err := out.Create("example.com/greet@v1.0.0/evil.go")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "package greet\n"); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEachDamageIsFoundAndMended(t *testing.T) {
	for name, test := range map[string]struct {
		plant   func(t *testing.T, c *goCache, files map[string]string)
		problem string
		gone    []string // after the repair
		offline bool     // whether the go command builds without network after it
	}{
		"a truncated zip": {
			plant: func(t *testing.T, c *goCache, files map[string]string) {
				c.change(t, greetFiles+".zip", files[greetFiles+".zip"][:100])
			},
			problem: "its .zip cannot be read", gone: []string{greetFiles + ".zip"}, offline: true,
		},
		"a changed zip": {
			plant: func(t *testing.T, c *goCache, files map[string]string) {
				c.change(t, greetFiles+".zip", rezip(t, files[greetFiles+".zip"]))
			},
			problem: "its .zip differs from its .ziphash and its extracted files", gone: []string{greetFiles + ".zip"}, offline: true,
		},
		"a changed zip that was never extracted": {
			plant: func(t *testing.T, c *goCache, files map[string]string) {
				c.change(t, greetFiles+".zip", rezip(t, files[greetFiles+".zip"]))
				c.removeTree(t, greetTree)
			},
			problem: "its .zip differs from its .ziphash", gone: []string{greetFiles + ".zip", greetFiles + ".ziphash"},
		},
		"an edited file": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetTree+"/sub/sub.go", "package sub // mine\n")
			},
			problem: "sub/sub.go was changed", gone: []string{greetTree + "/sub/sub.go", greetTree + "/greet.go"}, offline: true,
		},
		"a missing file": {
			plant:   func(t *testing.T, c *goCache, _ map[string]string) { c.change(t, greetTree+"/greet.go", "") },
			problem: "greet.go is missing", gone: []string{greetTree + "/sub/sub.go"}, offline: true,
		},
		"an added file": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetTree+"/more.go", "package greet\n")
			},
			problem: "more.go was added", gone: []string{greetTree + "/more.go", greetTree + "/greet.go"}, offline: true,
		},
		"an edited file without zip": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetTree+"/greet.go", "package greet // mine\n")
				c.change(t, greetFiles+".zip", "")
			},
			problem: "its extracted files differ from its .ziphash", gone: []string{greetTree + "/greet.go", greetFiles + ".ziphash"},
		},
		"a wrong ziphash": {
			plant:   func(t *testing.T, c *goCache, _ map[string]string) { c.change(t, greetFiles+".ziphash", otherHash) },
			problem: "its .ziphash differs from its .zip and its extracted files", gone: []string{greetFiles + ".ziphash"}, offline: true,
		},
		"a ziphash of zeroes": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetFiles+".ziphash", strings.Repeat("\x00", 47))
			},
			problem: "its .ziphash holds no hash", gone: []string{greetFiles + ".ziphash"}, offline: true,
		},
		"everything wrong": {
			plant: func(t *testing.T, c *goCache, files map[string]string) {
				c.change(t, greetFiles+".zip", rezip(t, files[greetFiles+".zip"]))
				c.change(t, greetFiles+".ziphash", otherHash)
				c.change(t, greetTree+"/greet.go", "package greet // mine\n")
			},
			problem: "its .zip and its extracted files differ from its .ziphash", gone: []string{greetFiles + ".zip", greetFiles + ".ziphash", greetTree + "/greet.go"},
		},
		"an interrupted extraction": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetFiles+".partial", "x")
				c.change(t, greetTree+"/greet.go", "")
			},
			problem: "its extraction was interrupted", gone: []string{greetFiles + ".partial", greetTree + "/sub/sub.go"}, offline: true,
		},
		"a tree with nothing to prove it": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetFiles+".zip", "")
				c.change(t, greetFiles+".ziphash", "")
			},
			problem: "neither .zip nor .ziphash", gone: []string{greetTree + "/greet.go"},
		},
		"a truncated info": {
			plant: func(t *testing.T, c *goCache, files map[string]string) {
				c.change(t, greetFiles+".info", files[greetFiles+".info"][:10])
			},
			problem: "its .info", gone: []string{greetFiles + ".info"}, offline: true,
		},
		"an empty mod": {
			plant:   func(t *testing.T, c *goCache, _ map[string]string) { c.change(t, greetFiles+".mod", "\n") },
			problem: "its .mod is no go.mod", gone: []string{greetFiles + ".mod"},
		},
		"a changed mod": {
			plant: func(t *testing.T, c *goCache, _ map[string]string) {
				c.change(t, greetFiles+".mod", "module example.com/greet\n\ngo 1.21\n")
			},
			problem: "its .mod differs", gone: []string{greetFiles + ".mod"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := fill(t, modules[:2]...)
			before := c.snapshot(t)
			test.plant(t, c, before)
			cache := c.open(t)
			damages, busy, err := cache.Damages(t.Context(), scan(t, cache), time.Now(), nil)
			if err != nil || len(busy) > 0 {
				t.Fatal(busy, err)
			}
			if len(damages) != 1 || damages[0].Name != "example.com/greet@v1.0.0" || !strings.Contains(damages[0].Problem, test.problem) {
				t.Fatalf("found %+v, want %q", damages, test.problem)
			}
			if err := cache.Repair(t.Context(), damages[0]); err != nil {
				t.Fatal(err)
			}

			after := c.snapshot(t)
			for _, name := range test.gone {
				if _, ok := after[name]; ok {
					t.Errorf("%s is still there", name)
				}
			}
			for name, text := range after {
				if text != before[name] {
					t.Errorf("%s is not what it was in the healthy cache", name)
				}
			}
			for name := range before {
				if _, ok := after[name]; !ok && !strings.Contains(name, "v1.0.0") {
					t.Errorf("%s was healthy and is gone", name)
				}
			}
			if damages, _, err := cache.Damages(t.Context(), scan(t, cache), time.Now(), nil); err != nil || len(damages) > 0 {
				t.Errorf("after the repair: %+v, %v", damages, err)
			}
			c.mustHeal(t, test.offline)
		})
	}
}

// removeTree removes what the go command has extracted.
func (c *goCache) removeTree(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.Command("chmod", "-R", "u+w", filepath.Join(c.dir, name)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// mustHeal has the go command use the cache.
func (c *goCache) mustHeal(t *testing.T, offline bool) {
	t.Helper()
	if out, err := c.run(t.Context(), "off", "build", "."); (err == nil) != offline {
		t.Errorf("offline: %v: %s", err, out)
	}
	for _, args := range [][]string{{"mod", "download"}, {"build", "."}, {"mod", "verify"}} {
		if out, err := c.run(t.Context(), c.url, args...); err != nil {
			t.Errorf("go %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}

func TestAHealthyCacheIsWhole(t *testing.T) {
	t.Parallel()
	c := fill(t, modules...)
	cache := c.open(t)
	damages, busy, err := cache.Damages(t.Context(), scan(t, cache), time.Now().Add(24*time.Hour), nil)
	if err != nil || len(damages) > 0 || len(busy) > 0 {
		t.Errorf("%+v, %v, %v", damages, busy, err)
	}
}

func TestToolchainsAndUnpackedModulesAreWhole(t *testing.T) {
	t.Parallel()
	c := fill(t, modules[0], modtest.Module{
		Path: "golang.org/toolchain", Version: "v0.0.1-go1.99.0.linux-amd64",
		Files: map[string]string{"bin/go": "#!/bin/sh\n", "src/_go.mod": "module std\n"},
	})
	// The go command itself makes this copy, and unpacks this module from its installation.
	c.change(t, "golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64/src/go.mod", "module std\n")
	c.change(t, "golang.org/fips140@v1.0.0/fips.go", "package fips140\n")
	cache := c.open(t)
	contents := scan(t, cache)
	if damages, _, err := cache.Damages(t.Context(), contents, time.Now(), nil); err != nil || len(damages) > 0 {
		t.Errorf("%+v, %v", damages, err)
	}
}

func TestLeftoversGoWhenNobodyWorksOnThem(t *testing.T) {
	t.Parallel()
	c := fill(t, modules[0])
	clone := "cache/vcs/" + strings.Repeat("ab", 32)
	planted := []string{
		"cache/download/example.com/greet/@v/v1.0.0.info12345.tmp", greetFiles + ".zip12345.tmp", "example.com/greet@v1.0.0.tmp-123/greet.go",
		clone + "/shallow.lock", clone + "/refs/heads/main.lock",
		"cache/download/sumdb/sum.example.org/tile/8/0/000", "cache/download/sumdb/sum.example.org/lookup/example.com/greet@v1.0.0",
	}
	for _, name := range planted {
		c.change(t, name, "broken off")
	}
	c.change(t, clone+"/HEAD", "ref: refs/heads/main\n")
	c.change(t, clone+".info", "git3:https://example.com/repo")
	c.change(t, "cache/download/sumdb/sum.example.org/tile/8/0/001.p/2", strings.Repeat("x", 64))
	cache := c.open(t)

	// Somebody may be writing the first: it has no lock, and is new.
	damages, _, err := cache.Damages(t.Context(), scan(t, cache), time.Now(), nil)
	if err != nil || len(damages) != len(planted)-1 {
		t.Errorf("while they are new: %d, %v: %+v", len(damages), err, damages)
	}
	healthy := c.snapshot(t)
	damages, _, err = cache.Damages(t.Context(), scan(t, cache), time.Now().Add(2*time.Hour), nil)
	if err != nil || len(damages) != len(planted) {
		t.Errorf("%d, %v: %+v", len(damages), err, damages)
	}
	for _, d := range damages {
		if err := cache.Repair(t.Context(), d); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	for _, name := range planted {
		delete(healthy, name)
	}
	after := c.snapshot(t)
	if len(after) != len(healthy) {
		t.Errorf("%d files, want %d", len(after), len(healthy))
	}
	for name, text := range healthy {
		if after[name] != text {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestRepairLeavesWhatAGoCommandIsAtWorkOn(t *testing.T) {
	t.Parallel()
	c := fill(t, modules[0])
	c.change(t, greetTree+"/greet.go", "package greet // mine\n")
	c.change(t, greetFiles+".zip12345.tmp", "arriving")
	cache := c.open(t)
	contents := scan(t, cache)
	damages, _, err := cache.Damages(t.Context(), contents, time.Now(), nil)
	if err != nil || len(damages) != 2 {
		t.Fatalf("%+v, %v", damages, err)
	}
	unlock := hold(t, filepath.Join(c.dir, greetFiles+".lock"))
	for _, d := range damages {
		if err := cache.Repair(t.Context(), d); !errors.Is(err, modcache.ErrInUse) {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	damages, busy, err := cache.Damages(t.Context(), contents, time.Now(), nil)
	if err != nil || len(damages) != 0 || len(busy) != 1 {
		t.Errorf("%+v, %v, %v", damages, busy, err)
	}
	unlock()
	if damages, busy, err = cache.Damages(t.Context(), contents, time.Now(), nil); err != nil || len(damages) != 2 || len(busy) != 0 {
		t.Errorf("%+v, %v, %v", damages, busy, err)
	}
}

func TestDamagesEndWithTheContext(t *testing.T) {
	t.Parallel()
	c := fill(t, modules[0])
	cache := c.open(t)
	contents := scan(t, cache)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := cache.Damages(ctx, contents, time.Now(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Damages: %v", err)
	}
	if _, err := cache.Scan(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan: %v", err)
	}
}
