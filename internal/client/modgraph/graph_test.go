package modgraph

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/project"
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
		out = append(out, project.Format(m))
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
	if got := g.Excluded(); len(got) != 1 || project.Format(got[0].From) != "m.example/b@v1.0.0" || project.Format(got[0].To) != "m.example/bad@v1.0.0" {
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
	if r, _, _ = l.Without(t.Context(), g, "m.example/d"); len(r.Stays) != 1 || project.Format(r.Stays[0].By) != "m.example/c@v1.2.0" {
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
