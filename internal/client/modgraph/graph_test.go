package modgraph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
)

// mod is a version of a module that has the rest of a go.mod.
func mod(path, version, gomod string) modtest.Module {
	return modtest.Module{Path: path, Version: version, Mod: "module " + path + "\n" + gomod, Files: map[string]string{"x.go": "package x\n"}}
}

// shop is a world to ask questions about: main requires a and b for itself.
func shop(t *testing.T) *world {
	return newWorld(t, []modtest.Module{
		mod("m.example/a", "v1.0.0", "go 1.20\nrequire m.example/c v1.1.0\nrequire m.example/only v1.0.0\n"),
		mod("m.example/b", "v1.0.0", "go 1.20\nrequire m.example/c v1.2.0\nrequire m.example/c/v2 v2.0.0\nrequire m.example/bad v1.0.0\n"),
		mod("m.example/c", "v1.1.0", "go 1.20\n"),
		mod("m.example/c", "v1.2.0", "go 1.20\nrequire m.example/d v1.0.0\n"),
		mod("m.example/c/v2", "v2.0.0", "go 1.20\n"),
		mod("m.example/d", "v1.0.0", "go 1.20\nrequire m.example/b v1.0.0\n"),
		mod("m.example/only", "v1.0.0", "go 1.20\nrequire m.example/deep v1.0.0\n"),
		mod("m.example/deep", "v1.0.0", "go 1.20\n"),
		{Path: "m.example/deep", Version: "v1.1.0", Mod: "// Deprecated: use m.example/c.\nmodule m.example/deep\n\nretract v1.0.0 // wrong\n"},
	}, map[string]string{"go.mod": `module m.example/main
go 1.20
require (
	m.example/a v1.0.0
	m.example/b v1.0.0
)
require (
	m.example/c v1.2.0 // indirect
	m.example/c/v2 v2.0.0 // indirect
	m.example/d v1.0.0 // indirect
	m.example/deep v1.0.0 // indirect
	m.example/only v1.0.0 // indirect
)
exclude m.example/bad v1.0.0
`})
}

func texts(list []module.Version) []string {
	var out []string
	for _, m := range list {
		out = append(out, Format(m))
	}
	return out
}

func TestWhyPassesOverWhatWasOnlyWrittenDown(t *testing.T) {
	w := shop(t)
	if !w.wantSame(t) {
		t.Fatal("the go command cannot load the graph")
	}
	why, ok := w.mustLoad(t).Why("m.example/c")
	want := Why{
		Module:  module.Version{Path: "m.example/c", Version: "v1.2.0"},
		Chain:   []module.Version{{Path: "m.example/main"}, {Path: "m.example/b", Version: "v1.0.0"}, {Path: "m.example/c", Version: "v1.2.0"}},
		Wanted:  []Wish{{"v1.2.0", module.Version{Path: "m.example/main"}}, {"v1.2.0", module.Version{Path: "m.example/b", Version: "v1.0.0"}}, {"v1.1.0", module.Version{Path: "m.example/a", Version: "v1.0.0"}}},
		Through: []module.Version{{Path: "m.example/a", Version: "v1.0.0"}, {Path: "m.example/b", Version: "v1.0.0"}},
	}
	if !ok || !reflect.DeepEqual(why, want) {
		t.Errorf("got %+v, want %+v", why, want)
	}
	if _, ok := w.mustLoad(t).Why("m.example/bad"); ok {
		t.Error("an excluded version is said to be there")
	}
}

func TestMajorsCyclesAndExclusionsAreFound(t *testing.T) {
	g := shop(t).mustLoad(t)
	if got := g.Majors(); len(got) != 1 || !slices.Equal(texts(got[0]), []string{"m.example/c@v1.2.0", "m.example/c/v2@v2.0.0"}) {
		t.Errorf("majors: %v", got)
	}
	if got := g.Cycles(); !reflect.DeepEqual(got, [][]string{{"m.example/b", "m.example/c", "m.example/d"}}) {
		t.Errorf("cycles: %v", got)
	}
	if got := g.Excluded(); len(got) != 1 || Format(got[0].From) != "m.example/b@v1.0.0" || Format(got[0].To) != "m.example/bad@v1.0.0" {
		t.Errorf("excluded: %v", got)
	}
	if got := texts(g.Direct()); !slices.Equal(got, []string{"m.example/a@v1.0.0", "m.example/b@v1.0.0"}) {
		t.Errorf("direct: %v", got)
	}
	if got := texts(g.BuildList()); got[0] != "m.example/main" || len(got) != 8 {
		t.Errorf("in force: %v", got)
	}
	if got := g.GoLine(module.Version{Path: "m.example/a", Version: "v1.0.0"}); got != "1.20" {
		t.Errorf("the go line is %q", got)
	}
}

func TestWithoutTellsWhatOnlyOneRequirementBrings(t *testing.T) {
	w := shop(t)
	l, err := w.loader(t, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, ok, err := l.Without(t.Context(), g, "m.example/a")
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if got := texts(r.Gone); !slices.Equal(got, []string{"m.example/a@v1.0.0", "m.example/deep@v1.0.0", "m.example/only@v1.0.0"}) || len(r.Lowered) > 0 || len(r.Stays) > 0 {
		t.Errorf("got %+v", r)
	}
	if _, ok, _ := l.Without(t.Context(), g, "m.example/bad"); ok {
		t.Error("what nobody requires was dropped")
	}
	if r, _, _ = l.Without(t.Context(), g, "m.example/d"); len(r.Stays) != 1 || Format(r.Stays[0].By) != "m.example/c@v1.2.0" {
		t.Errorf("d stays because of %v", r.Stays)
	}
}

func TestWithoutTellsWhichVersionsWouldBeLower(t *testing.T) {
	w := shop(t)
	w.write(t, map[string]string{"go.mod": "module m.example/main\ngo 1.16\nrequire m.example/a v1.0.0\nrequire m.example/b v1.0.0\nexclude m.example/bad v1.0.0\n"})
	l, err := w.loader(t, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := l.Without(t.Context(), g, "m.example/b")
	if want := []Change{{"m.example/c", "v1.2.0", "v1.1.0"}}; err != nil || !slices.Equal(r.Lowered, want) {
		t.Errorf("lowered: %+v, %v; want %+v", r.Lowered, err, want)
	}
}

func TestAGoModThatGoSumDoesNotKnowIsRefused(t *testing.T) {
	w := shop(t)
	w.write(t, map[string]string{"go.sum": "m.example/a v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nsome nonsense\nm.example/a v1.0.0 h1:of-the-zip\n"})
	g, err := w.load(t)
	if err != nil {
		t.Fatal(err)
	}
	f := g.Failures()
	if len(f) != 1 || !errors.Is(f[0].Err, artifact.ErrIntegrity) || !strings.Contains(f[0].Err.Error(), "m.example/a@v1.0.0") {
		t.Errorf("got %v", f)
	}
	if !w.bothFail(t) {
		t.Error("the go command does not mind")
	}
}

// bothFail reports whether the go command cannot load the graph, either.
func (w *world) bothFail(t *testing.T) bool {
	_, err := w.goModGraph(t, t.TempDir())
	return err != nil
}

func TestWhatTheModuleCacheHasIsNotFetched(t *testing.T) {
	w := shop(t)
	cache := t.TempDir()
	want, err := w.goModGraph(t, cache)
	if err != nil {
		t.Fatal(err)
	}
	w.proxy.ResetCounts()
	l, err := w.loader(t, cache)
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.Load(t.Context())
	if err != nil || !slices.Equal(edgeLines(g), want) {
		t.Errorf("%v; %s", err, difference(edgeLines(g), want))
	}
	if asked := w.proxy.Requests(); len(asked) > 0 {
		t.Errorf("the proxy was asked for %v", asked)
	}
}

func TestEachFileIsFetchedOnce(t *testing.T) {
	w := shop(t)
	w.mustLoad(t)
	for path, n := range w.proxy.Requests() {
		if n != 1 || !strings.HasSuffix(path, ".mod") {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

func TestAMissingModuleIsAHoleWithAName(t *testing.T) {
	w := newWorld(t, []modtest.Module{mod("m.example/a", "v1.0.0", "go 1.16\nrequire m.example/b v1.0.0\n"), mod("m.example/b", "v1.0.0", "require m.example/gone v1.0.0\n")},
		map[string]string{"go.mod": "module m.example/main\ngo 1.20\nrequire m.example/a v1.0.0\n"})
	g, err := w.load(t)
	if err != nil {
		t.Fatal(err)
	}
	f := g.Failures()
	if len(f) != 1 || !errors.Is(f[0].Err, artifact.ErrNotFound) || strings.Join(texts(f[0].Chain), " ") != "m.example/main m.example/a@v1.0.0 m.example/b@v1.0.0 m.example/gone@v1.0.0" {
		t.Errorf("got %+v", f)
	}
	if g.Selected("m.example/gone") != "v1.0.0" {
		t.Error("what is known of the hole is not told")
	}
}

func TestHostileFilesAreHolesAndNothingElse(t *testing.T) {
	for what, text := range map[string]string{
		"no go.mod":         "<html>\x00",
		"no module":         "go 1.20\n",
		"another module":    "module m.example/other\n",
		"a version that is": "module m.example/a\nrequire m.example/b ../../../etc/passwd\n",
		"a path that is":    "module m.example/a\nrequire ../../etc v1.0.0\n",
		"an open block":     "module m.example/a\nrequire (\n",
		"a wrong major":     "module m.example/a\nrequire m.example/b v2.0.0\n",
	} {
		w := newWorld(t, nil, map[string]string{"go.mod": "module m.example/main\ngo 1.20\nrequire m.example/a v1.0.0\n"})
		if err := w.proxy.Add(modtest.Module{Path: "m.example/a", Version: "v1.0.0", Mod: text, Files: map[string]string{"x.go": "package x\n"}}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		g, err := w.load(t)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(g.Failures()) == 0 {
			// The path of a requirement is looked at when it is loaded, which pruning may spare.
			if what != "a path that is" {
				t.Errorf("%s: the graph has no hole: %v", what, edgeLines(g))
			}
		}
		if !w.bothFail(t) && what != "a path that is" {
			t.Errorf("%s: the go command takes it", what)
		}
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	w := shop(t)
	w.proxy.Break("/m.example/c/@v/v1.2.0.mod", modtest.Hang)
	defer w.proxy.Heal()
	l, err := w.loader(t, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	go func() {
		w.proxy.Await(ctx, "/m.example/c/@v/v1.2.0.mod", 1)
		cancel(why)
	}()
	if _, err := l.Load(ctx); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestFilesOfAProjectThatAreWrongSayWhatToDo(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"go mod init":       {"x.go": "package x\n"},
		"go mod tidy":       {"go.mod": "module m\nrequire m.example/a master\n"},
		"go mod edit":       {"go.mod": "go 1.20\n"},
		"go mod edit -mod":  {"go.mod": "module toolchain\n"},
		"go work use DIR":   {"go.work": "go 1.20\n"},
		"-dropuse":          {"go.work": "go 1.20\nuse ./a\nuse ./b\n", "a/go.mod": "module m\n", "b/go.mod": "module m\n"},
		"uses ./absent":     {"go.work": "go 1.20\nuse ./absent\n"},
		"GOWORK=off":        {"go.work": "nonsense\n"},
		"malformed module":  {"go.mod": "module m\nrequire m.example/a/v1 v1.0.0\n"},
		"should be v0 or":   {"go.mod": "module m\nrequire m.example/a v2.0.0\n"},
		"unknown directive": {"go.mod": "module m\nnonsense\n"},
	} {
		w := newWorld(t, nil, files)
		if _, err := Find(w.dir, "", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q in it", files, err, want)
		}
	}
}

func TestFindLooksWhereTheGoCommandDoes(t *testing.T) {
	w := newWorld(t, nil, map[string]string{
		"../go.work": "go 1.20\nuse ./main\n", "go.mod": "module m.example/main\n", "deep/er/x.go": "package x\n", "named.work": "go 1.20\nuse (\n.\n./other\n)\n", "other/go.mod": "module m.example/other\n",
	})
	deep := filepath.Join(w.dir, "deep", "er")
	for what, c := range map[string]struct {
		goWork, goroot string
		mains          int
		work           string
	}{
		"above":           {"", "", 1, filepath.Join(w.root, "go.work")},
		"off":             {"off", "", 1, ""},
		"named":           {filepath.Join(w.dir, "named.work"), "", 2, filepath.Join(w.dir, "named.work")},
		"within a GOROOT": {"", w.root, 1, ""},
	} {
		p, err := Find(deep, c.goWork, c.goroot)
		if err != nil || len(p.Mains) != c.mains || p.WorkFile != c.work {
			t.Errorf("%s: got %+v, %v", what, p, err)
		}
	}
	if _, err := Find(filepath.Join(w.root), "off", ""); err == nil {
		t.Error("there is a project where none is")
	}
}

func TestReplacementsAreToldWithTheirFolders(t *testing.T) {
	w := newWorld(t, []modtest.Module{mod("m.example/b", "v1.1.0", "")}, map[string]string{
		"go.mod":          "module m.example/main\ngo 1.20\nrequire m.example/a v1.0.0\nrequire m.example/b v1.0.0\nreplace m.example/a => ../local\nreplace m.example/b v1.0.0 => m.example/b v1.1.0\n",
		"../local/go.mod": "module anything\n",
	})
	g := w.mustLoad(t)
	to, ok := g.Project().Replacement(module.Version{Path: "m.example/a", Version: "v1.0.0"})
	if !ok || to.Version != "" || to.Path != filepath.Join(w.root, "local") {
		t.Errorf("a is replaced by %v, %v", to, ok)
	}
	if to, _ := g.Project().Replacement(module.Version{Path: "m.example/b", Version: "v1.0.0"}); Format(to) != "m.example/b@v1.1.0" {
		t.Errorf("b is replaced by %v", to)
	}
	if _, ok := g.Project().Replacement(module.Version{Path: "m.example/b", Version: "v1.1.0"}); ok {
		t.Error("another version of b is replaced")
	}
}

func TestUpdatesTellOfRetractionsAndDeprecations(t *testing.T) {
	w := shop(t)
	g := w.mustLoad(t)
	files := Files{Source: w.source(t).Source()}
	w.proxy.Remove("m.example/only", "v1.0.0")
	calls := 0
	news := files.Updates(t.Context(), g.Project(), g.BuildList(), func(int) { calls++ })
	if n := news["m.example/deep"]; n.Latest != "v1.1.0" || !slices.Equal(n.Retracted, []string{"wrong"}) || n.Deprecated != "use m.example/c." || n.Err != nil {
		t.Errorf("deep: %+v", n)
	}
	if n := news["m.example/a"]; n.Latest != "v1.0.0" || n.Retracted != nil || n.Err != nil {
		t.Errorf("a: %+v", n)
	}
	if n := news["m.example/only"]; n.Err == nil {
		t.Errorf("only, which is gone: %+v", n)
	}
	if _, ok := news["m.example/main"]; ok || calls != 7 {
		t.Errorf("%d questions were asked, the main module among them: %v", calls, ok)
	}
}

func TestTheNewestVersionIsOfTheSameKind(t *testing.T) {
	list := []modtest.Module{
		mod("m.example/a", "v1.0.0", ""), mod("m.example/a", "v1.1.0-rc.1", ""), {Path: "m.example/a", Version: "v3.0.0+incompatible", Files: map[string]string{"x.go": "package x\n"}},
		mod("m.example/pre", "v0.1.0-alpha.1", ""), mod("m.example/pre", "v0.1.0-alpha.2", ""),
		mod("m.example/untagged", "v0.0.0-20240102030405-0123456789ab", ""),
	}
	w := newWorld(t, list, nil)
	files := Files{Source: w.source(t).Source()}
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
	w := newWorld(t, []modtest.Module{mod("m.example/a", "v1.0.0", ""), mod("m.example/c", "v1.0.0", ""), modtest.BigModule("m.example/b", "v1.1.0", 300_000)}, map[string]string{
		"go.mod":          "module m.example/main\ngo 1.20\nrequire m.example/a v1.0.0\nrequire m.example/b v1.0.0\nrequire m.example/c v1.0.0\nrequire m.example/d v1.0.0\nreplace m.example/b => m.example/b v1.1.0\nreplace m.example/d => ../local\n",
		"../local/go.mod": "module anything\n",
	})
	g := w.mustLoad(t)
	cache := t.TempDir()
	zip := filepath.Join(cache, "cache", "download", "m.example", "a", "@v", "v1.0.0.zip")
	if err := os.MkdirAll(filepath.Dir(zip), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(zip, make([]byte, 12345), 0o600); err != nil {
		t.Fatal(err)
	}
	w.proxy.Break("/m.example/c/@v/v1.0.0.zip", modtest.Status(500, 0))
	files := Files{Cache: cache, Source: w.source(t).Source()}
	sizes := files.Sizes(t.Context(), g.Project(), g.BuildList(), func(int) {})
	if len(sizes) != 2 || sizes["m.example/a"] != 12345 || sizes["m.example/b"] < 300_000 {
		t.Errorf("the sizes are %v", sizes)
	}
	if w.proxy.Count("/m.example/a/@v/v1.0.0.zip") != 0 {
		t.Error("the proxy was asked for what the module cache has")
	}
}

func TestVersionsAreOrderedAsTheGoCommandDoes(t *testing.T) {
	for _, c := range []struct {
		path, low, high string
	}{
		{"m", "v1.0.0-rc.1", "v1.0.0"}, {"m", "none", "v0.0.0-0"}, {"m", "v9.0.0", ""}, {"go", "1.21", "1.21rc2"}, {"go", "1.21rc2", "1.21.0"}, {"go", "1.9", "1.10"},
		{"toolchain", "go1.21.0", "go1.22.1-local"}, {"toolchain", "default", "go1.0"}, {"toolchain", "1.20", "go1.21"},
	} {
		if Compare(c.path, c.low, c.high) >= 0 || Compare(c.path, c.high, c.low) <= 0 || Compare(c.path, c.low, c.low) != 0 {
			t.Errorf("%s: %s is not below %s", c.path, c.low, c.high)
		}
	}
}

func FuzzGoModOfAStranger(f *testing.F) {
	f.Add([]byte("module a.example\ngo 1.20\nrequire b.example v1.0.0\nretract [v1.0.0, v1.1.0] // why\n"))
	f.Add([]byte("// Deprecated: x\nmodule a"))
	f.Add([]byte("go 1.21.99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parseGoMod("go.mod", data)
		if err != nil {
			return
		}
		if g.goVersion == "" && g.pruned {
			t.Error("a go.mod without a go line prunes")
		}
		retractions(g.retract, "v1.0.0")
		for _, m := range g.require {
			if m.Path == "" || m.Version == "" {
				t.Errorf("requires %v", m)
			}
		}
	})
}

func FuzzGoSum(f *testing.F) {
	f.Add("a.example v1.0.0/go.mod h1:x=\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := sums{}
		s.add(text)
		for m, lines := range s {
			if m.Path == "" || len(lines) == 0 || strings.ContainsAny(fmt.Sprint(m.Path, lines[0]), " \n") {
				t.Errorf("%q gives %v %v", text, m, lines)
			}
		}
	})
}
