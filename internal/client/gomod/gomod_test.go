package gomod

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
)

// mod is a version of a module that has the rest of a go.mod.
func mod(path, version, gomod string) modtest.Module {
	return modtest.Module{Path: path, Version: version, Mod: "module " + path + "\n" + gomod, Files: map[string]string{"x.go": "package x\n"}}
}

// open is the modules of a proxy.
func open(t *testing.T, p *modtest.Proxy) source.Source {
	t.Helper()
	settings := map[string]string{"GOENV": "off", "GOPROXY": p.Start(t), "GOSUMDB": "off"}
	m, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.Source()
}

// find is a project with the rest of a go.mod.
func find(t *testing.T, gomod string) *project.Project {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m.example/main\n"+gomod), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Find(dir, mainmod.Settings{GOWORK: "off"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUpdatesTellOfRetractionsAndDeprecations(t *testing.T) {
	proxy := modtest.New(mod("m.example/deep", "v1.0.0", ""), mod("m.example/a", "v1.0.0", ""),
		modtest.Module{Path: "m.example/deep", Version: "v1.1.0", Mod: "// Deprecated: use m.example/c.\nmodule m.example/deep\n\nretract v1.0.0 // wrong\nretract [v0.1.0, v1.0.5]\n"})
	p := find(t, "require m.example/b v1.0.0\nreplace m.example/b => ../b\n")
	list := []module.Version{{Path: "m.example/main"}, {Path: "m.example/a", Version: "v1.0.0"}, {Path: "m.example/b", Version: "v1.0.0"}, {Path: "m.example/deep", Version: "v1.0.0"}, {Path: "m.example/gone", Version: "v1.0.0"}}
	calls := 0
	news := Files{Source: open(t, proxy)}.Updates(t.Context(), p, list, func(int) { calls++ })
	if n := news["m.example/deep"]; n.Latest != "v1.1.0" || !slices.Equal(n.Retracted, []string{"wrong", "no reason given"}) || n.Deprecated != "use m.example/c." || n.Err != nil {
		t.Errorf("deep: %+v", n)
	}
	if n := news["m.example/a"]; n.Latest != "v1.0.0" || n.Retracted != nil || n.Err != nil {
		t.Errorf("a: %+v", n)
	}
	if n := news["m.example/gone"]; n.Err == nil {
		t.Errorf("gone: %+v", n)
	}
	if len(news) != 3 || calls != 3 {
		t.Errorf("%d questions were asked, there is news of %v", calls, news)
	}
}

func TestTheNewestVersionIsOfTheSameKind(t *testing.T) {
	list := []modtest.Module{
		mod("m.example/a", "v1.0.0", ""), mod("m.example/a", "v1.1.0-rc.1", ""), {Path: "m.example/a", Version: "v3.0.0+incompatible", Files: map[string]string{"x.go": "package x\n"}},
		mod("m.example/pre", "v0.1.0-alpha.1", ""), mod("m.example/pre", "v0.1.0-alpha.2", ""),
		mod("m.example/untagged", "v0.0.0-20240102030405-0123456789ab", ""),
	}
	files := Files{Source: open(t, modtest.New(list...))}
	for _, c := range [][3]string{
		{"m.example/a", "v1.0.0", "v1.0.0"}, {"m.example/a", "v2.0.0+incompatible", "v3.0.0+incompatible"}, {"m.example/pre", "v0.1.0-alpha.1", "v0.1.0-alpha.2"},
		{"m.example/untagged", "v0.0.0-20230102030405-0123456789ab", "v0.0.0-20240102030405-0123456789ab"},
	} {
		if got, err := files.latest(t.Context(), module.Version{Path: c[0], Version: c[1]}); err != nil || got != c[2] {
			t.Errorf("the newest for %s@%s is %s, %v; want %s", c[0], c[1], got, err, c[2])
		}
	}
}

func TestSizesAreThoseOfWhatStandsForAModule(t *testing.T) {
	proxy := modtest.New(mod("m.example/a", "v1.0.0", ""), mod("m.example/c", "v1.0.0", ""), modtest.BigModule("m.example/b", "v1.1.0", 300_000))
	p := find(t, "replace m.example/b => m.example/b v1.1.0\nreplace m.example/d => ../local\n")
	cache := t.TempDir()
	zip := filepath.Join(cache, "cache", "download", "m.example", "a", "@v", "v1.0.0.zip")
	if err := os.MkdirAll(filepath.Dir(zip), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(zip, make([]byte, 12345), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy.Break("/m.example/c/@v/v1.0.0.zip", modtest.Status(500, 0))
	var list []module.Version
	for _, name := range []string{"a", "b", "c", "d"} {
		list = append(list, module.Version{Path: "m.example/" + name, Version: "v1.0.0"})
	}
	sizes := Files{Cache: cache, Source: open(t, proxy)}.Sizes(t.Context(), p, list, func(int) {})
	if len(sizes) != 2 || sizes["m.example/a"] != 12345 || sizes["m.example/b"] < 300_000 {
		t.Errorf("the sizes are %v", sizes)
	}
	if proxy.Count("/m.example/a/@v/v1.0.0.zip") != 0 {
		t.Error("the proxy was asked for what the module cache has")
	}
}

func FuzzGoModOfAStranger(f *testing.F) {
	f.Add([]byte("module a.example\ngo 1.20\nrequire b.example v1.0.0\nretract [v1.0.0, v1.1.0] // why\n"))
	f.Add([]byte("// Deprecated: x\nmodule a"))
	f.Add([]byte("go 1.21.99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parse("go.mod", data)
		if err != nil {
			return
		}
		if g.Go == "" && g.Pruned {
			t.Error("a go.mod without a go line prunes")
		}
		retractions(g.retract, "v1.0.0")
		for _, m := range g.Require {
			if m.Path == "" || m.Version == "" {
				t.Errorf("requires %v", m)
			}
		}
	})
}
