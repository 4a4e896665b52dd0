package warm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
)

func hello(version string) modtest.Module {
	return modtest.Module{Path: "example.com/hello", Version: version, Mod: "module example.com/hello\n", Files: map[string]string{"hello.go": "package hello\n"}}
}

// open opens the modules of a proxy.
func open(t *testing.T, url, gosumdb string) *modsource.Modules {
	t.Helper()
	settings := map[string]string{"GOENV": "off", "GOPROXY": url, "GOSUMDB": gosumdb}
	m, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func needs(t *testing.T, m *modsource.Modules, list string) *closure.Closure {
	t.Helper()
	c, err := closure.OfList(t.Context(), strings.NewReader(list), closure.Options{Source: m.Verified()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAProxyIsAskedForEverything(t *testing.T) {
	p := modtest.New(hello("v1.0.0"), hello("v1.1.0"), hello("v1.2.0-pre"))
	db := modtest.NewSumDB("sum.example.com", p)
	m := open(t, p.Start(t), db.Key())
	report, err := Proxy(t.Context(), needs(t, m, "example.com/hello@v1.0.0"), m, nil)
	if err != nil || report.Fetched != 3 || len(report.Failures) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	for _, path := range []string{
		"/example.com/hello/@v/v1.0.0.info", "/example.com/hello/@v/v1.0.0.mod", "/example.com/hello/@v/v1.0.0.zip", "/sumdb/sum.example.com/lookup/example.com/hello@v1.0.0",
		// What go install asks to see if it is deprecated.
		"/example.com/hello/@v/list", "/example.com/hello/@v/v1.1.0.info", "/example.com/hello/@v/v1.1.0.mod",
	} {
		if p.Count(path) == 0 {
			t.Errorf("%s was not asked for", path)
		}
	}
	if p.Count("/example.com/hello/@v/v1.1.0.zip") > 0 {
		t.Error("the zip of a version that is not needed was asked for")
	}
}

func TestTheNewestOfAModuleWithoutTagsIsAskedFor(t *testing.T) {
	const pseudo = "v0.0.0-20240203040506-0123456789ab"
	p := modtest.New(hello(pseudo))
	m := open(t, p.Start(t), "off")
	if report, err := Proxy(t.Context(), needs(t, m, "example.com/hello@"+pseudo), m, nil); err != nil || report.Fetched != 3 {
		t.Errorf("%+v, %v", report, err)
	}
	if p.Count("/example.com/hello/@latest") != 1 {
		t.Errorf("it asked for %v", p.Requests())
	}
}

func TestAFileCountsAsBroughtOnlyWhenItIsRight(t *testing.T) {
	p := modtest.New(hello("v1.0.0"), hello("v1.1.0"))
	db := modtest.NewSumDB("sum.example.com", p)
	db.Lie("example.com/hello", "v1.1.0")
	m := open(t, p.Start(t), db.Key())
	p.Break("v1.0.0.zip", modtest.Corrupt)
	c := &closure.Closure{}
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		module := closure.Module{Zip: true}
		module.Path, module.Version.Version = "example.com/hello", version
		c.Modules = append(c.Modules, module)
	}
	report, err := Proxy(t.Context(), c, m, nil)
	if err != nil || report.Fetched != 3 || len(report.Failures) != 3 {
		t.Errorf("%+v, %v", report, err)
	}
	for _, f := range report.Failures {
		if class := artifact.Class(f.Err); class != artifact.ErrIntegrity && class != artifact.ErrBadUpstream {
			t.Errorf("%s: %v", f.Name, f.Err)
		}
	}
}

// cache makes an empty module cache that the go command of this process uses.
func cache(t *testing.T, url, gosumdb string) ModCache {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{
		"GOENV": "off", "GOPROXY": url, "GOSUMDB": gosumdb, "GOMODCACHE": filepath.Join(dir, "mod"), "GOPATH": filepath.Join(dir, "path"),
		"GOPRIVATE": "", "GONOPROXY": "", "GONOSUMDB": "", "GOFLAGS": "-modcacherw",
	} {
		t.Setenv(name, value)
	}
	return ModCache{Dir: filepath.Join(dir, "mod"), Writable: true}
}

func TestAModuleCacheIsFilledOnce(t *testing.T) {
	old := hello("v0.9.0")
	p := modtest.New(hello("v1.0.0"), hello("v1.1.0"), old)
	db := modtest.NewSumDB("sum.example.com", p)
	url := p.Start(t)
	mods := cache(t, url, db.Key())
	c := needs(t, open(t, url, db.Key()), "example.com/hello@v1.0.0\nexample.com/hello v0.9.0/go.mod h1:"+"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	report, err := mods.Fill(t.Context(), c, nil)
	if err != nil || report.Fetched != 2 || report.Bytes == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, err := os.Stat(filepath.Join(mods.Dir, "example.com/hello@v1.0.0/hello.go")); err != nil {
		t.Errorf("it is not unpacked: %v", err)
	}
	if p.Count("/example.com/hello/@v/v0.9.0.zip") > 0 {
		t.Error("a zip was fetched of which only the go.mod is needed")
	}
	p.ResetCounts()
	more := needs(t, open(t, url, db.Key()), "example.com/hello@v1.0.0\nexample.com/hello@v1.1.0")
	p.ResetCounts()
	report, err = mods.Fill(t.Context(), more, nil)
	if err != nil || report.Fetched != 1 || report.Present != 1 {
		t.Errorf("once more: %+v, %v", report, err)
	}
	for path := range p.Requests() {
		if strings.Contains(path, "v1.0.0.") {
			t.Errorf("%s was fetched again", path)
		}
	}
}

// The go command at hand may be older than what the project, and so its toolchain, needs.
func TestWhatNeedsANewerGoIsBroughtAllTheSame(t *testing.T) {
	m := hello("v1.0.0")
	m.Mod += "\ngo 1.999\n"
	p := modtest.New(m)
	db := modtest.NewSumDB("sum.example.com", p)
	url := p.Start(t)
	mods := cache(t, url, db.Key())
	c := needs(t, open(t, url, db.Key()), "example.com/hello@v1.0.0")
	report, err := mods.Fill(t.Context(), c, nil)
	if err != nil || report.Fetched != 1 || len(report.Failures) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, err := os.Stat(filepath.Join(mods.Dir, "example.com/hello@v1.0.0/hello.go")); err != nil {
		t.Errorf("it is not unpacked: %v", err)
	}
}

func TestFoldersAreWritableWhereTheUserWantsThat(t *testing.T) {
	for _, want := range []bool{true, false} {
		if got := strings.HasSuffix(ModCache{Writable: want}.settings()[3], " -modcacherw"); got != want {
			t.Errorf("wanted %t: %t", want, got)
		}
	}
}

func TestWhatAModuleCacheCannotHaveIsNamed(t *testing.T) {
	p := modtest.New(hello("v1.0.0"), hello("v1.1.0"))
	url := p.Start(t)
	mods := cache(t, url, "off")
	m := open(t, url, "off")
	c := needs(t, m, "example.com/hello@v1.0.0\nexample.com/hello v1.1.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nexample.com/gone@v1.0.0\nexample.com/gone v1.1.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	report, err := mods.Fill(t.Context(), c, nil)
	if err != nil || report.Fetched != 1 || len(report.Failures) != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, f := range report.Failures {
		switch {
		case f.Name.Module == "example.com/gone" && strings.Contains(f.Err.Error(), "404"):
		case f.Name.Module == "example.com/hello" && errors.Is(f.Err, artifact.ErrIntegrity):
		default:
			t.Errorf("%s: %v", f.Name, f.Err)
		}
	}
}

func TestWithoutAGoCommandItIsSaid(t *testing.T) {
	mods := cache(t, "off", "off")
	t.Setenv("PATH", t.TempDir())
	c := &closure.Closure{Modules: []closure.Module{{}}}
	c.Modules[0].Path, c.Modules[0].Version.Version = "example.com/hello", "v1.0.0"
	report, err := mods.Fill(t.Context(), c, nil)
	if err != nil || len(report.Failures) != 1 || !strings.Contains(report.Failures[0].Err.Error(), "no go command") {
		t.Errorf("%+v, %v", report, err)
	}
}
