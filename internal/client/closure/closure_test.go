package closure

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
)

// from is a source of modules, which are given as "path@version: lines of go.mod".
func from(t *testing.T, modules ...string) (source.Source, *modtest.Proxy) {
	t.Helper()
	p := modtest.New()
	for _, m := range modules {
		name, mod, _ := strings.Cut(m, ": ")
		path, version, _ := strings.Cut(name, "@")
		err := p.Add(modtest.Module{Path: path, Version: version, Mod: "module " + path + "\n" + strings.ReplaceAll(mod, "; ", "\n") + "\n"})
		if err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]string{"GOENV": "off", "GOPROXY": p.Start(t), "GOSUMDB": "off"}
	m, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.Source(), p
}

// nowhere is a source that nobody should ask.
var nowhere = source.Refuse(errors.New("nobody should have been asked"))

// short is a closure as "path@version" for each zip and "path@version/mod" for the rest.
func short(c *Closure) string {
	var all []string
	for _, m := range c.Modules {
		name := m.Version.String()
		if !m.Zip {
			name += "/mod"
		}
		all = append(all, strings.TrimPrefix(name, "example.com/"))
	}
	return strings.Join(all, " ")
}

const hash = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// sums are lines of go.sum: "path@version" of a zip, "path@version/mod" of a go.mod.
func sums(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		path, version, _ := strings.Cut(name, "@")
		version, mod := strings.CutSuffix(version, "/mod")
		if mod {
			version += "/go.mod"
		}
		fmt.Fprintf(&b, "example.com/%s %s %s\n", path, version, hash)
	}
	return b.String()
}

func TestAProjectNeedsWhatItsGoSumKnows(t *testing.T) {
	linux := []Platform{{"linux", "amd64"}}
	for what, tt := range map[string]struct {
		files map[string]string
		o     Options
		want  string
	}{
		"zips and go.mods": {
			map[string]string{"go.mod": "module m\ngo 1.21\nrequire example.com/a v1.0.0", "go.sum": sums("a@v1.0.0", "a@v1.0.0/mod", "b@v1.5.0/mod")},
			Options{}, "a@v1.0.0 b@v1.5.0/mod",
		},
		"zips of all that is required, for go mod download": {
			map[string]string{"go.mod": "module m\nrequire example.com/a v1.0.0", "go.sum": sums("a@v1.0.0/mod")},
			Options{}, "a@v1.0.0",
		},
		"nothing without dependencies": {map[string]string{"go.mod": "module m\n"}, Options{Platforms: linux}, ""},
		"replacements": {
			map[string]string{
				"go.mod": "module m\nrequire (\nexample.com/a v1.0.0\nexample.com/b v1.0.0\n)\nreplace example.com/a => example.com/fork v1.1.0\nreplace example.com/b v1.0.0 => ../b\n",
				"go.sum": sums("fork@v1.1.0/mod"),
			},
			Options{}, "fork@v1.1.0",
		},
		"the folder above": {
			map[string]string{"go.mod": "module m\nrequire example.com/a v1.0.0", "go.sum": sums("a@v1.0.0/mod"), "deep/below/x.go": "package x"},
			Options{}, "a@v1.0.0",
		},
		"a workspace": {
			map[string]string{
				"go.work": "go 1.21\nuse (\n./deep\n./other\n)\nreplace example.com/a => example.com/fork v1.1.0\n", "go.work.sum": sums("extra@v1.0.0/mod", "fork@v1.1.0/mod"),
				"deep/go.mod": "module example.com/deep\nrequire (\nexample.com/a v1.0.0\nexample.com/other v0.0.0\n)\n", "deep/go.sum": sums("a@v1.0.0/mod"),
				"other/go.mod": "module example.com/other\nrequire example.com/b v1.0.0\n", "other/go.sum": sums("b@v1.0.0", "b@v1.0.0/mod"),
			},
			Options{}, "a@v1.0.0/mod b@v1.0.0 extra@v1.0.0/mod fork@v1.1.0",
		},
		"one module of a workspace that is off": {
			map[string]string{
				"go.work": "go 1.21\nuse ./deep\n", "deep/go.mod": "module m\n", "deep/go.sum": sums("a@v1.0.0"), "go.work.sum": sums("b@v1.0.0"),
			},
			Options{Settings: mainmod.Settings{GOWORK: "off"}}, "a@v1.0.0",
		},
		"the toolchain of the go line": {
			map[string]string{"go.mod": "module m\ngo 1.26.8\n"}, Options{Platforms: append(linux, Platform{"darwin", "arm64"})},
			"golang.org/toolchain@v0.0.1-go1.26.8.darwin-arm64 golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64",
		},
		"the toolchain of the toolchain line": {
			map[string]string{"go.mod": "module m\ngo 1.22.0\ntoolchain go1.23.4\n"}, Options{Platforms: linux}, "golang.org/toolchain@v0.0.1-go1.23.4.linux-amd64",
		},
		"no toolchain older than the one at hand": {
			map[string]string{"go.mod": "module m\ngo 1.26.8\n"}, Options{Platforms: linux, AtHand: "go1.26.8"}, "",
		},
		"no toolchain of a version of the language": {map[string]string{"go.mod": "module m\ngo 1.21\n"}, Options{Platforms: linux}, ""},
		"no toolchain of somebody else": {
			map[string]string{"go.mod": "module m\ngo 1.22\ntoolchain go1.22.1-corp\n"}, Options{Platforms: linux}, "",
		},
	} {
		tt.o.Source = nowhere
		dir := modtest.Tree(t, tt.files)
		if _, ok := tt.files["deep/go.mod"]; ok || tt.files["deep/below/x.go"] != "" {
			dir = filepath.Join(dir, "deep")
		}
		c, err := OfProject(t.Context(), dir, tt.o)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := short(c); got != tt.want || len(c.Failures) > 0 {
			t.Errorf("%s: got %s, want %s; failures %v", what, got, tt.want, c.Failures)
		}
	}
}

func TestWhatGoSumDoesNotKnowIsFoundInTheGraphAndSaid(t *testing.T) {
	src, _ := from(t, "example.com/a@v1.0.0: go 1.21; require example.com/b v1.0.0", "example.com/b@v1.0.0: go 1.21")
	c, err := OfProject(t.Context(), modtest.Tree(t, map[string]string{"go.mod": "module m\ngo 1.21\nrequire example.com/a v1.0.0\n"}), Options{Source: src})
	if err != nil || short(c) != "a@v1.0.0 b@v1.0.0" {
		t.Errorf("got %s, %v", short(c), err)
	}
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "example.com/a@v1.0.0") || !strings.Contains(c.Notes[0], "go mod tidy") {
		t.Errorf("the notes are %q", c.Notes)
	}
}

func TestBadProjectsAreNamed(t *testing.T) {
	for what, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no project":       {map[string]string{"x.go": "package x"}, "no go.mod or go.work"},
		"a broken go.mod":  {map[string]string{"go.mod": "modul m"}, "go.mod:1"},
		"a broken go.sum":  {map[string]string{"go.mod": "module m\n", "go.sum": sums("a@v1.0.0") + "<<<<<<< HEAD\n"}, "go.sum:2"},
		"a broken go.work": {map[string]string{"go.work": "use\n"}, "go.work:1"},
		"a member missing": {map[string]string{"go.work": "go 1.21\nuse ./gone\n"}, "gone"},
		"a path in go.sum": {map[string]string{"go.mod": "module m\n", "go.sum": "../../etc v1.0.0 " + hash}, "no path of a module"},
	} {
		if _, err := OfProject(t.Context(), modtest.Tree(t, tt.files), Options{Source: nowhere, Settings: mainmod.Settings{GOWORK: "auto"}}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The graph of a module is read as the go command reads it.
func TestAListBringsEachModuleWithWhatItRequires(t *testing.T) {
	src, _ := from(t,
		// Pruned: what a requirement requires is not loaded, unless it is older than that.
		"example.com/tool@v1.0.0: go 1.21; require example.com/a v1.0.0; require example.com/old v1.0.0 // indirect",
		"example.com/a@v1.0.0: go 1.21; require example.com/unneeded v1.0.0",
		"example.com/unneeded@v1.0.0: go 1.21",
		"example.com/old@v1.0.0: require example.com/older v1.0.0",
		"example.com/older@v1.0.0: require example.com/oldest v1.0.0",
		"example.com/oldest@v1.0.0: ",
		// Not tidy: a requirement asks for more than the module says.
		"example.com/untidy@v1.0.0: go 1.21; require example.com/b v1.0.0; require example.com/c v1.0.0",
		"example.com/b@v1.0.0: go 1.21; require example.com/c v1.1.0",
		"example.com/c@v1.0.0: go 1.21",
		"example.com/c@v1.1.0: go 1.21",
		// Not pruned: everything.
		"example.com/all@v1.0.0: require example.com/x v1.0.0; require example.com/y v1.0.0",
		"example.com/x@v1.0.0: require example.com/y v1.2.0",
		"example.com/y@v1.0.0: require example.com/z v1.0.0",
		"example.com/y@v1.2.0: ",
		"example.com/z@v1.0.0: require example.com/x v1.0.0",
	)
	for list, want := range map[string]string{
		"example.com/tool@v1.0.0":                         "a@v1.0.0 old@v1.0.0 older@v1.0.0/mod oldest@v1.0.0/mod tool@v1.0.0",
		"example.com/untidy@v1.0.0":                       "b@v1.0.0 c@v1.0.0/mod c@v1.1.0 untidy@v1.0.0",
		"example.com/all@v1.0.0":                          "all@v1.0.0 x@v1.0.0 y@v1.0.0/mod y@v1.2.0 z@v1.0.0",
		"# nothing\n\n// at all\n":                        "",
		sums("a@v1.0.0", "b@v1.0.0/mod") + "# alone":      "a@v1.0.0 b@v1.0.0/mod",
		"go1.26.8\ngo1.27rc1 # soon":                      "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64 golang.org/toolchain@v0.0.1-go1.27rc1.linux-amd64",
		"example.com/c@v1.0.0 // x\nexample.com/a@v1.0.0": "a@v1.0.0 c@v1.0.0 unneeded@v1.0.0",
	} {
		c, err := OfList(t.Context(), strings.NewReader(list), Options{Source: src, Platforms: []Platform{{"linux", "amd64"}}})
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		if got := short(c); got != want || len(c.Failures) > 0 {
			t.Errorf("%q needs %s, want %s; failures %v", list, got, want, c.Failures)
		}
	}
}

func TestBadLinesOfAListAreNamed(t *testing.T) {
	for list, want := range map[string]string{
		"example.com/a@v1.0.0\nexample.com/a@latest": `line 2: "latest" is no canonical version of example.com/a`,
		"example.com/a@v2.0.0":                       "no canonical version",
		"example.com/a":                              "neither module@version nor a toolchain",
		"go1.26":                                     "neither",
		"../../etc/passwd@v1.0.0":                    "no module path",
		"a b":                                        "no line of a go.sum file",
		strings.Repeat("a", maxLine+1):               "too long",
	} {
		if _, err := OfList(t.Context(), strings.NewReader(list), Options{Source: nowhere}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v", list, err)
		}
	}
}

func TestAGoModThatCannotBeReadIsAFailureAndTheRestGoesOn(t *testing.T) {
	src, _ := from(t, "example.com/a@v1.0.0: go 1.21; require example.com/gone v1.0.0; require example.com/b v1.0.0", "example.com/b@v1.0.0: go 1.21")
	c, err := OfList(t.Context(), strings.NewReader("example.com/a@v1.0.0\n"), Options{Source: src})
	if err != nil || short(c) != "a@v1.0.0 b@v1.0.0 gone@v1.0.0" {
		t.Errorf("got %s, %v", short(c), err)
	}
	if len(c.Failures) != 1 || c.Failures[0].Name.Module != "example.com/gone" || !errors.Is(c.Failures[0].Err, artifact.ErrNotFound) {
		t.Errorf("the failures are %v", c.Failures)
	}
}

func TestEachGoModIsReadOnce(t *testing.T) {
	src, p := from(t, "example.com/a@v1.0.0: go 1.21; require example.com/c v1.0.0", "example.com/b@v1.0.0: go 1.21; require example.com/c v1.0.0", "example.com/c@v1.0.0: ")
	if _, err := OfList(t.Context(), strings.NewReader("example.com/a@v1.0.0\nexample.com/b@v1.0.0\n"), Options{Source: src}); err != nil {
		t.Fatal(err)
	}
	for path, n := range p.Requests() {
		if n != 1 || !strings.HasSuffix(path, ".mod") {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

func TestPlatforms(t *testing.T) {
	got, err := ParsePlatforms("linux/amd64, windows/arm64")
	if err != nil || !slices.Equal(got, []Platform{{"linux", "amd64"}, {"windows", "arm64"}}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParsePlatforms("none"); got != nil || err != nil {
		t.Errorf("none: got %v, %v", got, err)
	}
	for _, bad := range []string{"", "linux", "linux/", "/amd64", "linux/amd64/v3", "Linux/amd64", "linux/amd64,"} {
		if got, err := ParsePlatforms(bad); err == nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}

// A private module has no record in a checksum database, but in go.sum.
func TestUnprovenModulesAreComparedWithGoSum(t *testing.T) {
	src, _ := from(t, "example.com/a@v1.0.0: ")
	n := artifact.Name{Kind: artifact.Mod, Module: "example.com/a", Version: "v1.0.0"}
	data, err := modsource.Read(t.Context(), src, n)
	if err != nil {
		t.Fatal(err)
	}
	right := h1.GoMod(data)
	a := module.Version{Path: n.Module, Version: n.Version}
	for what, tt := range map[string]struct {
		sums     []string
		unproven bool
		good     bool
	}{
		"right": {[]string{hash, right}, true, true}, "wrong": {[]string{hash}, true, false}, "unknown": {nil, true, true}, "proven by others": {[]string{hash}, false, true},
	} {
		c := &Closure{Modules: []Module{{Version: a, ModSums: tt.sums}}}
		_, err := modsource.Read(t.Context(), c.Guard(src, func(string) bool { return tt.unproven }), n)
		if (err == nil) != tt.good || err != nil && !errors.Is(err, artifact.ErrIntegrity) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWorkGoesOnAfterFailuresAndStopsWhenItsContextEnds(t *testing.T) {
	names := make([]artifact.Name, 10)
	for i := range names {
		names[i] = artifact.Name{Kind: artifact.Mod, Module: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"}
	}
	var seen []int
	report, err := Work(t.Context(), slices.Values(names), len(names), 3, func(_ context.Context, n artifact.Name) []Result {
		r := Result{Name: n, Bytes: 1, Present: n == names[1]}
		if n == names[7] || n == names[2] {
			r = Result{Name: n, Err: errors.New("bad")}
		}
		return []Result{r}
	}, func(p Progress) { seen = append(seen, p.Done) })
	if err != nil || report.Fetched != 7 || report.Present != 1 || report.Bytes != 8 || len(report.Failures) != 2 || report.Failures[0].Name != names[2] {
		t.Errorf("got %+v, %v", report, err)
	}
	if !slices.Equal(seen, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("the progress was %v", seen)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	report, err = Work(ctx, slices.Values(names), len(names), 1, func(_ context.Context, n artifact.Name) []Result {
		if n == names[3] {
			cancel(stop)
		}
		return []Result{{Name: n}}
	}, nil)
	if !errors.Is(err, stop) || report.Fetched != 3 {
		t.Errorf("got %+v, %v", report, err)
	}
}

func FuzzOfList(f *testing.F) {
	f.Add("example.com/a@v1.0.0 # x\ngo1.26.8\n" + sums("a@v1.0.0", "b@v1.0.0/mod"))
	f.Add("@\n/@v1.0.0\nexample.com/a@v1.0.0/../..\n")
	f.Fuzz(func(t *testing.T, list string) {
		empty := source.Refuse(artifact.NotFound("nothing is here"))
		c, err := OfList(t.Context(), strings.NewReader(list), Options{Source: empty, Platforms: []Platform{{"linux", "amd64"}}})
		if err != nil {
			return
		}
		for _, n := range c.Artifacts() {
			if back, err := artifact.Parse(n.Key()); err != nil || back != n {
				t.Fatalf("%q needs %+v, which is no artifact: %v", list, n, err)
			}
		}
	})
}
