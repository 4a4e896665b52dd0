package compare_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/verify/compare"
	"github.com/goweir/weir/internal/client/verify/modfiles"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/gosum"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/modtest"
)

const (
	goMod     = "module m.example/a\n"
	otherHash = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
)

// A world has one module, a proxy, a checksum database, and lines about the module.
type world struct {
	proxy    *modtest.Proxy
	database *modtest.SumDB
	settings map[string]string // of the go command
	zip, mod modfiles.Line     // as they should be
	cache    string            // folder of a module cache; empty: there is none
	offline  bool
	bytes    bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	files := map[string]string{"go.mod": goMod, "a.go": "package a\n"}
	w := &world{proxy: modtest.New(modtest.Module{Path: "m.example/a", Version: "v1.0.0", Mod: goMod, Files: map[string]string{"a.go": files["a.go"]}})}
	w.database = modtest.NewSumDB("sum.example.org", w.proxy)
	w.settings = map[string]string{"GOENV": "off", "GOPROXY": w.proxy.Start(t), "GOSUMDB": w.database.Key(), "GOMODCACHE": t.TempDir()}
	m := module.Version{Path: "m.example/a", Version: "v1.0.0"}
	prefix := m.String() + "/"
	var names []string
	for name := range maps.Keys(files) {
		names = append(names, prefix+name)
	}
	hash, err := dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(files[strings.TrimPrefix(name, prefix)])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.zip = modfiles.Line{File: "go.sum", At: 1, Line: gosum.Line{Module: m, Hash: hash}}
	w.mod = modfiles.Line{File: "go.sum", At: 2, Line: gosum.Line{Module: m, IsMod: true, Hash: h1.GoMod([]byte(goMod))}}
	return w
}

// keep puts the version into a module cache, with a hash of its zip.
func (w *world) keep(t *testing.T, mod, zipHash string) {
	t.Helper()
	w.cache = t.TempDir()
	dir := filepath.Join(w.cache, "cache", "download", "m.example", "a", "@v")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "v1.0.0.mod"), []byte(mod), 0o600), os.WriteFile(filepath.Join(dir, "v1.0.0.ziphash"), []byte(zipHash), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) compare(t *testing.T) compare.Tally {
	t.Helper()
	with := compare.With{Bytes: w.bytes, Progress: func(string) {}}
	if !w.offline {
		modules, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return w.settings[name] }), modsource.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer modules.Close()
		with.Modules = modules
	}
	if w.cache != "" {
		cache, err := modcache.Open(w.cache)
		if err != nil {
			t.Fatal(err)
		}
		defer cache.Close()
		with.Cache = cache
	}
	tally, err := compare.Lines(t.Context(), []modfiles.Line{w.zip, w.mod}, with)
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

func TestLinesAreComparedWithAllWhoKnowBetter(t *testing.T) {
	for what, c := range map[string]struct {
		plant                   func(t *testing.T, w *world)
		proven, cached, fetched int
		findings                []string // severity, rule and line
	}{
		"the database":                            {func(*testing.T, *world) {}, 2, 0, 0, nil},
		"the database, and bytes":                 {func(_ *testing.T, w *world) { w.bytes = true }, 2, 0, 2, nil},
		"the database, and a cache":               {func(t *testing.T, w *world) { w.keep(t, goMod, w.zip.Hash) }, 2, 2, 0, nil},
		"a cache alone":                           {func(t *testing.T, w *world) { w.keep(t, goMod, w.zip.Hash); w.offline = true }, 0, 2, 0, nil},
		"nothing":                                 {func(_ *testing.T, w *world) { w.offline = true }, 0, 0, 0, []string{"warning not-checked 1"}},
		"a cache with a part of it":               {func(t *testing.T, w *world) { w.keep(t, goMod, "nonsense"); w.offline = true }, 0, 1, 0, []string{"warning not-checked 1"}},
		"bytes, where no database may hear of it": {func(_ *testing.T, w *world) { w.settings["GONOSUMDB"] = "m.example" }, 0, 0, 2, nil},
		"a cache instead of bytes":                {func(t *testing.T, w *world) { w.settings["GOSUMDB"] = "off"; w.keep(t, goMod, w.zip.Hash) }, 0, 2, 0, nil},
		"a wrong line":                            {func(_ *testing.T, w *world) { w.zip.Hash = otherHash }, 1, 0, 0, []string{"error gosum-database 1"}},
		"a wrong line, whatever the cache has":    {func(t *testing.T, w *world) { w.keep(t, goMod, w.zip.Hash); w.zip.Hash = otherHash }, 1, 1, 0, []string{"error gosum-database 1"}},
		"a wrong line and bytes":                  {func(_ *testing.T, w *world) { w.settings["GOSUMDB"], w.mod.Hash = "off", otherHash }, 0, 0, 1, []string{"error gosum-proxy 2"}},
		"a wrong cache":                           {func(t *testing.T, w *world) { w.keep(t, goMod+"\n", w.zip.Hash) }, 2, 1, 0, []string{"error gosum-cache 2"}},
		"what the database has not":               {func(_ *testing.T, w *world) { w.zip.Module.Version, w.mod.Module.Version = "v1.1.0", "v1.1.0" }, 0, 0, 0, []string{"error gosum-unknown 1"}},
		"what nobody has any more": {func(_ *testing.T, w *world) {
			w.settings["GOSUMDB"] = "off"
			w.proxy.Remove("m.example/a", "v1.0.0")
		}, 0, 0, 0, []string{"error gosum-proxy 1", "error gosum-proxy 2"}},
		"a database that is silent": {func(_ *testing.T, w *world) { w.proxy.Break("/lookup/m.example/a@v1.0.0", modtest.Status(403, 0)) }, 0, 0, 0, []string{"error not-checked 1"}},
		"a proxy that is silent": {func(_ *testing.T, w *world) {
			w.settings["GOSUMDB"] = "off"
			w.proxy.Break(".zip", modtest.Status(403, 0))
		}, 0, 0, 1, []string{"error not-checked 1"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.plant(t, w)
			got := w.compare(t)
			var findings []string
			for _, f := range got.Findings {
				findings = append(findings, fmt.Sprintf("%s %s %d", f.Severity, f.Rule, f.Line))
			}
			slices.Sort(findings)
			if got.Proven != c.proven || got.Cached != c.cached || got.Fetched != c.fetched || !slices.Equal(findings, c.findings) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestNoDatabaseHearsOfWhatIsKeptFromIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings["GOPRIVATE"], w.settings["GONOPROXY"] = "m.example", "none"
	if got := w.compare(t); got.Database != "sum.example.org" || got.Fetched != 2 {
		t.Errorf("got %+v", got)
	}
	for path := range w.proxy.Requests() {
		if strings.Contains(path, "/lookup/") {
			t.Errorf("the database was asked for %s", path)
		}
	}
}
