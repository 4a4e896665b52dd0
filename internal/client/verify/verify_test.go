package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/verify"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
)

// upstream has all modules of these tests, and a checksum database of them.
var (
	upstream = modtest.New(
		modtest.Module{Path: "example.com/word", Version: "v1.2.0", Mod: "module example.com/word\n\ngo 1.21\n", Files: map[string]string{"word.go": "package word\n\nconst Hello = \"hello\"\n", "LICENSE": "free\n"}},
		modtest.Module{Path: "example.com/word", Version: "v1.3.0", Mod: "module example.com/word\n\ngo 1.21\n", Files: map[string]string{"word.go": "package word\n\nconst Hello = \"hi\"\n"}},
		modtest.Module{Path: "example.com/greet", Version: "v1.0.0", Mod: "module example.com/greet\n\ngo 1.21\n\nrequire example.com/word v1.2.0\n", Files: map[string]string{"greet.go": "package greet\n\nimport \"example.com/word\"\n\nconst Text = word.Hello\n"}},
		modtest.Module{Path: "example.com/fork", Version: "v0.0.0-20240102030405-0123456789ab", Mod: "module example.com/fork\n", Files: map[string]string{"word.go": "package word\n"}},
		modtest.Module{Path: "corp.example.net/secret", Version: "v1.0.0", Mod: "module corp.example.net/secret\n", Files: map[string]string{"s.go": "package secret\n"}},
	)
	database = modtest.NewSumDB("sum.example.org", upstream)
	shared   string // a folder
)

// mainCleaner ends what was started for all tests.
type mainCleaner []func()

func (c *mainCleaner) Cleanup(f func()) { *c = append(*c, f) }

// TestMain gives the go command of all tests the upstream, and a module cache of its own.
func TestMain(m *testing.M) {
	code, err := prepared(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func prepared(m *testing.M) (int, error) {
	var cleaner mainCleaner
	defer func() {
		for _, f := range slices.Backward(cleaner) {
			f()
		}
	}()
	var err error
	if shared, err = os.MkdirTemp("", "verify-test-"); err != nil {
		return 1, err
	}
	cleaner.Cleanup(func() { os.RemoveAll(shared) })
	for name, value := range map[string]string{
		"GOPROXY": upstream.Start(&cleaner), "GOSUMDB": database.Key(), "GOMODCACHE": filepath.Join(shared, "mod"), "GOPATH": shared,
		"GOENV": "off", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOWORK": "", "GOVCS": "*:off", "GOPRIVATE": "", "GONOSUMDB": "", "GONOPROXY": "",
	} {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}

// base is a project that is as it should be, but for its go.sum.
var base = map[string]string{
	"go.mod":  "module example.com/app\n\ngo 1.21\n\nrequire example.com/greet v1.0.0\n\nrequire example.com/word v1.2.0 // indirect\n",
	"main.go": "package main\n\nimport \"example.com/greet\"\n\nfunc main() { println(greet.Text) }\n",
}

// A place is where a test has a project.
type place struct {
	*testing.T
	dir      string
	settings map[string]string // other than those of all tests
	cache    string
}

func newPlace(t *testing.T, files map[string]string) *place {
	t.Helper()
	p := &place{T: t, dir: t.TempDir(), settings: map[string]string{}, cache: os.Getenv("GOMODCACHE")}
	for name, text := range files {
		p.write(name, text)
	}
	return p
}

// tidied is a place with the base project and its go.sum.
func tidied(t *testing.T) *place {
	t.Helper()
	p := newPlace(t, base)
	p.run("mod", "tidy")
	return p
}

func (p *place) write(name, text string) {
	p.Helper()
	full := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(text), 0o600)); err != nil {
		p.Fatal(err)
	}
}

func (p *place) read(name string) string {
	p.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(name)))
	if err != nil {
		p.Fatal(err)
	}
	return string(data)
}

// run runs the go command in the project.
func (p *place) run(args ...string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), "GOMODCACHE="+p.cache)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.Fatalf("go %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// verify verifies, with what o says besides.
func (p *place) verify(o verify.Options, offline ...bool) *verify.Report {
	p.Helper()
	o.Env = goenv.Load(func(name string) string {
		if value, ok := p.settings[name]; ok {
			return value
		}
		return os.Getenv(name)
	})
	if o.Dir == "" {
		o.Dir = p.dir
	}
	if cache, err := modcache.Open(p.cache); err == nil {
		defer cache.Close()
		o.Cache = cache
	}
	if len(offline) == 0 {
		modules, err := modsource.Open(p.Context(), o.Env, modsource.Options{})
		if err != nil {
			p.Fatal(err)
		}
		defer modules.Close()
		o.Modules = modules
	}
	report, err := verify.Run(p.Context(), o)
	if err != nil {
		p.Fatal(err)
	}
	return report
}

// snapshot is all files with their texts and times.
func (p *place) snapshot() map[string]string {
	p.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(p.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || d.IsDir() {
			files[name] = "folder"
			return err
		}
		data, err := os.ReadFile(name)
		files[name] = info.ModTime().String() + string(data)
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return files
}

// brief is a report as lines of "rule file:line".
func brief(r *verify.Report) []string {
	all := []string{}
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s:%d", f.Rule, f.File, f.Line))
	}
	return all
}

func (p *place) want(r *verify.Report, want ...string) {
	p.Helper()
	if got := brief(r); !slices.Equal(got, want) {
		p.Errorf("found %q, want %q", got, want)
		for _, f := range r.Findings {
			p.Logf("%+v", f)
		}
	}
}

func TestACleanProjectIsCleanAndIsNotTouched(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	p.run("mod", "vendor")
	p.write("sub/deep/none.txt", "")
	before := p.snapshot()
	r := p.verify(verify.Options{Dir: filepath.Join(p.dir, "sub", "deep")})
	p.want(r)
	if r.Lines != 4 || r.Proven != 4 || r.Cached != 4 || r.Fetched != 0 || r.Database != "sum.example.org" || r.Worst() != finding.None {
		t.Errorf("%+v", r)
	}
	if r = p.verify(verify.Options{Bytes: true, SumsOnly: true}); r.Fetched != 4 || len(r.Findings) > 0 {
		t.Errorf("with bytes: %+v", r)
	}
	if r = p.verify(verify.Options{}, true); r.Cached != 4 || r.Proven != 0 || len(r.Findings) > 0 {
		t.Errorf("offline: %+v", r)
	}
	if after := p.snapshot(); !maps.Equal(before, after) {
		t.Error("the project was changed")
	}
}

func TestACleanWorkspaceIsCleanAndIsNotTouched(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"go.work":     "go 1.22\n\nuse (\n\t./app\n\t./lib\n)\n",
		"app/go.mod":  "module example.com/app\n\ngo 1.22\n\nrequire example.com/greet v1.0.0\n\nrequire example.com/word v1.2.0 // indirect\n",
		"app/main.go": base["main.go"],
		"lib/go.mod":  "module example.com/lib\n\ngo 1.22\n\nrequire example.com/word v1.2.0\n",
		"lib/lib.go":  "package lib\n\nimport _ \"example.com/word\"\n",
	})
	for _, member := range []string{"app", "lib"} {
		p.run("-C", member, "mod", "tidy")
	}
	p.run("work", "vendor")
	before := p.snapshot()
	r := p.verify(verify.Options{Dir: filepath.Join(p.dir, "lib")})
	p.want(r)
	if r.Lines != 6 || r.Proven != 6 || !slices.Contains(r.Files, "app/go.sum") {
		t.Errorf("%+v", r)
	}
	if after := p.snapshot(); !maps.Equal(before, after) {
		t.Error("the workspace was changed")
	}
	p.write("go.work.sum", "example.com/word v1.2.0 "+otherHash+"\n")
	p.want(p.verify(verify.Options{SumsOnly: true}), "gosum-conflict app/go.sum:3", "gosum-database go.work.sum:1", "gosum-conflict lib/go.sum:1")
	p.write("go.work.sum", "")
	p.write("vendor/example.com/word/word.go", "package word\n\nconst Hello = \"evil\"\n")
	p.write("go.work", "go 1.22\n\nuse (\n\t./app\n\t./lib\n\t./none\n)\n")
	p.want(p.verify(verify.Options{SumsOnly: true}), "workspace-missing go.work:6")
	p.write("go.work", strings.Replace(p.read("go.work"), "\t./none\n", "", 1))
	p.want(p.verify(verify.Options{}), "vendor-changed vendor/example.com/word/word.go:1")
}

// otherHash has the form of a hash, and is that of nothing.
const otherHash = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

// sumLine replaces a line of go.sum, from 1.
func (p *place) sumLine(at int, replace func(string) string) {
	p.Helper()
	lines := strings.SplitAfter(p.read("go.sum"), "\n")
	lines[at-1] = replace(lines[at-1])
	p.write("go.sum", strings.Join(lines, ""))
}

func withHash(hash string) func(string) string {
	return func(text string) string { return text[:strings.LastIndex(text, " ")+1] + hash + "\n" }
}

func TestWrongLinesAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		plant   func(p *place)
		options verify.Options
		want    []string
	}{
		"a wrong zip hash": {
			plant: func(p *place) { p.sumLine(3, withHash(otherHash)) },
			want:  []string{"gosum-database go.sum:3"},
		},
		"a wrong go.mod hash": {
			plant: func(p *place) { p.sumLine(2, withHash(otherHash)) },
			want:  []string{"gosum-database go.sum:2"},
		},
		"a wrong hash with an empty cache": {
			plant: func(p *place) { p.sumLine(1, withHash(otherHash)); p.cache = filepath.Join(p.dir, "none") },
			want:  []string{"gosum-database go.sum:1"},
		},
		"a wrong hash and no database": {
			plant: func(p *place) { p.sumLine(1, withHash(otherHash)); p.settings["GOSUMDB"] = "off" },
			want:  []string{"gosum-cache go.sum:1", "setting-sumdb-off go.mod:1"},
		},
		"nobody but the proxy to ask": {
			plant: func(p *place) {
				p.sumLine(1, withHash(otherHash))
				p.settings["GOSUMDB"], p.cache = "off", filepath.Join(p.dir, "none")
			},
			want: []string{"gosum-proxy go.sum:1", "setting-sumdb-off go.mod:1"},
		},
		"merge marks": {
			plant: func(p *place) {
				p.sumLine(2, func(text string) string { return "<<<<<<< HEAD\n" + text + "=======\n" + text + ">>>>>>> branch\n" })
			},
			want: []string{"merge-conflict go.sum:2", "merge-conflict go.sum:4", "merge-conflict go.sum:6", "gosum-duplicate go.sum:5"},
		},
		"two hashes": {
			plant: func(p *place) { p.sumLine(1, func(text string) string { return text + withHash(otherHash)(text) }) },
			want:  []string{"gosum-conflict go.sum:2", "gosum-database go.sum:2"},
		},
		"malformed lines": {
			plant: func(p *place) {
				p.sumLine(4, func(text string) string {
					return text + "example.com/word v1.2.0\n\nexample.com/word latest " + otherHash + "\n../word v1.0.0 " + otherHash + "\nexample.com/word v1.2.0 h9:abc\n"
				})
			},
			want: []string{"gosum-malformed go.sum:5", "gosum-malformed go.sum:7", "gosum-malformed go.sum:8", "gosum-malformed go.sum:9"},
		},
		"a version that the database does not know": {
			plant: func(p *place) {
				p.sumLine(4, func(text string) string { return text + "example.com/unknown v1.0.0 " + otherHash + "\n" })
			},
			want: []string{"gosum-unknown go.sum:5"},
		},
		"merge marks in go.mod": {
			plant: func(p *place) {
				p.write("go.mod", "module example.com/app\n<<<<<<< HEAD\ngo 1.21\n=======\ngo 1.22\n>>>>>>> other\n")
			},
			want: []string{"merge-conflict go.mod:2", "merge-conflict go.mod:4", "merge-conflict go.mod:6"},
		},
		"a go.mod that is none": {
			plant: func(p *place) {
				p.write("go.mod", "module example.com/app\n\nrequire example.com/greet\nrequird x v1.0.0\n")
			},
			want: []string{"gomod-malformed go.mod:3", "gomod-malformed go.mod:4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := tidied(t)
			test.plant(p)
			test.options.SumsOnly = true
			p.want(p.verify(test.options), test.want...)
		})
	}
}

func TestSettingsThatLeaveTheSumsUnprovenAreFound(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	for name, test := range map[string]struct {
		settings map[string]string
		want     []string
	}{
		"-mod=mod":          {map[string]string{"GOFLAGS": "-modcacherw -mod=mod"}, []string{"setting-mod go.mod:1"}},
		"everything":        {map[string]string{"GOPRIVATE": "*"}, []string{"setting-public-unproven go.sum:1"}},
		"a top domain":      {map[string]string{"GONOSUMDB": "*.com"}, []string{"setting-public-unproven go.sum:1"}},
		"hides none":        {map[string]string{"GOPRIVATE": "github.com"}, nil},
		"what may be":       {map[string]string{"GOPRIVATE": "example.com/greet"}, nil},
		"hidden by another": {map[string]string{"GOPRIVATE": "*", "GONOSUMDB": "corp.example.net"}, nil},
	} {
		p := &place{T: t, dir: p.dir, cache: p.cache, settings: test.settings}
		r := p.verify(verify.Options{SumsOnly: true})
		if got := brief(r); !slices.Equal(got, append([]string{}, test.want...)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestWhatTheGoCommandWouldChangeIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(p *place)
		want  []string
	}{
		"unused lines": {
			plant: func(p *place) {
				p.run("mod", "download", "example.com/word@v1.3.0")
				p.write("go.sum", p.read("go.sum")+sumsOf(p.T, "example.com/word", "v1.3.0"))
			},
			want: []string{"gosum-unused go.sum:5", "gosum-unused go.sum:6"},
		},
		"a missing line": {
			plant: func(p *place) { p.sumLine(3, func(string) string { return "" }) },
			want:  []string{"readonly go.mod:1", "gosum-missing go.sum:3"},
		},
		"a go.mod that is not tidy": {
			plant: func(p *place) {
				p.write("go.mod", strings.Replace(p.read("go.mod"), " // indirect", "", 1))
			},
			want: []string{"gomod-untidy go.mod:7", "gomod-untidy go.mod:8"},
		},
		"an import that go.mod does not know": {
			plant: func(p *place) { p.write("more.go", "package main\n\nimport _ \"example.com/fork\"\n") },
			want: []string{
				"gosum-missing go.sum:1", "gosum-missing go.sum:1", "readonly more.go:3", "gomod-untidy go.mod:5", "gomod-untidy go.mod:6", "gomod-untidy go.mod:6",
			},
		},
		"errors in source are another matter": {
			plant: func(p *place) { p.write("broken.go", "package main\n\nfunc {\n") },
			want:  nil,
		},
		"vendor of another version": {
			plant: func(p *place) {
				p.run("mod", "vendor")
				p.run("get", "example.com/word@v1.3.0")
				p.run("mod", "tidy")
			},
			want: []string{"vendor-out-of-step vendor/modules.txt:4", "vendor-out-of-step vendor/modules.txt:4"},
		},
		"vendored files": {
			plant: func(p *place) {
				p.run("mod", "vendor")
				p.write("vendor/example.com/greet/greet.go", "package greet\n\nconst Text = \"evil\"\n")
				p.write("vendor/example.com/greet/more.go", "package greet\n")
				if err := os.Remove(filepath.Join(p.dir, "vendor/example.com/word/LICENSE")); err != nil {
					p.Fatal(err)
				}
			},
			want: []string{"vendor-changed vendor/example.com/greet/greet.go:1", "vendor-changed vendor/example.com/greet/more.go:1", "vendor-changed vendor/example.com/word/LICENSE:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := tidied(t)
			test.plant(p)
			before := p.snapshot()
			p.want(p.verify(verify.Options{}), test.want...)
			if after := p.snapshot(); !maps.Equal(before, after) {
				t.Error("the project was changed")
			}
		})
	}
}

func TestTheGoModOfEverybodyIsJudged(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	p.write("alt.mod", "module example.com/other\n")
	for _, flags := range []string{"-modfile=alt.mod", "'-modfile=alt.mod'", `"-mod=readonly" "-modfile=alt.mod" "-ldflags=-s -w"`} {
		p.settings["GOFLAGS"] = flags
		p.want(p.verify(verify.Options{}))
	}
}

// sumsOf are the lines of go.sum of a version in the shared module cache.
func sumsOf(t *testing.T, path, version string) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", path+"@"+version).Output()
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) string {
		_, rest, _ := strings.Cut(string(out), "\""+name+"\": \"")
		value, _, _ := strings.Cut(rest, "\"")
		return value
	}
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", path, version, field("Sum"), path, version, field("GoModSum"))
}

func TestReplacementsThatOthersDoNotHaveAreFound(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	outside := newPlace(t, map[string]string{"go.mod": "module example.com/word\n"})
	p.write("inside/go.mod", "module example.com/word\n")
	p.write("go.mod", p.read("go.mod")+"\nreplace (\n"+
		"\texample.com/a => ./inside\n"+
		"\texample.com/b => "+outside.dir+"\n"+
		"\texample.com/c => ./missing\n"+
		"\texample.com/d => example.com/fork v0.0.0-20240102030405-0123456789ab\n"+
		"\texample.com/e => example.com/fork v1.0.0\n"+
		")\n")
	r := p.verify(verify.Options{})
	for _, want := range []string{"replace-local go.mod:10", "replace-outside go.mod:11", "replace-missing go.mod:12", "replace-unpinned go.mod:13"} {
		if !slices.Contains(brief(r), want) {
			t.Errorf("no %s in %q", want, brief(r))
		}
	}
	if slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Line == 14 }) {
		t.Errorf("a release is a good replacement: %q", brief(r))
	}
	p.write("go.mod", "module example.com/app\n\nreplace example.com/word => example.com/fork main\n")
	r = p.verify(verify.Options{})
	if f := r.Findings[slices.Index(brief(r), "replace-unpinned go.mod:3")]; f.Severity != finding.Error {
		t.Errorf("%+v", f)
	}
}

// ownCache gives the place a module cache of its own, with all that it needs.
func (p *place) ownCache() {
	p.Helper()
	p.cache = filepath.Join(p.TempDir(), "mod")
	p.run("mod", "download")
}

func TestDamageInTheModuleCacheIsFound(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	p.ownCache()
	p.want(p.verify(verify.Options{SumsOnly: true}))
	for name, text := range map[string]string{"example.com/greet@v1.0.0/greet.go": "package greet // mine\n", "cache/download/example.com/word/@v/v1.2.0.zip": "PK"} {
		if err := os.WriteFile(filepath.Join(p.cache, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A .mod that cannot be read, not even by root, is one that is something else.
	mod := filepath.Join(p.cache, "cache/download/example.com/word/@v/v1.2.0.mod")
	if err := errors.Join(os.Remove(mod), os.Mkdir(mod, 0o700)); err != nil {
		t.Fatal(err)
	}
	r := p.verify(verify.Options{SumsOnly: true})
	p.want(r, "cache-damaged go.sum:1", "not-checked go.sum:3", "not-checked go.sum:4")
	if err := os.Remove(mod); err != nil {
		t.Fatal(err)
	}
	r = p.verify(verify.Options{SumsOnly: true})
	p.want(r, "cache-damaged go.sum:1", "cache-damaged go.sum:3")
	if !strings.Contains(r.Findings[0].Message, "greet.go was changed") || !strings.Contains(r.Findings[1].Message, "zip") {
		t.Errorf("%+v", r.Findings)
	}
}

func TestAProxyThatLiesIsFound(t *testing.T) {
	t.Parallel()
	moved := modtest.Module{Path: "example.com/greet", Version: "v1.0.0", Mod: "module example.com/greet\n\ngo 1.21\n", Files: map[string]string{"greet.go": "package greet\n\nconst Text = \"evil\"\n"}}
	proxy := modtest.New(moved)
	p := tidied(t)
	p.settings["GOPROXY"] = proxy.Start(t)
	database.MirrorAt(proxy)

	// The record of the database is enough to see that go.sum is right.
	p.want(p.verify(verify.Options{SumsOnly: true}))
	// The bytes show that the tag was moved, and that one module is gone.
	p.want(p.verify(verify.Options{SumsOnly: true, Bytes: true}),
		"gosum-proxy go.sum:1", "gosum-proxy go.sum:2", "gosum-proxy go.sum:3", "gosum-proxy go.sum:4")
}

func TestPrivateModulesAreNotNamedToTheDatabase(t *testing.T) {
	t.Parallel()
	proxy := modtest.New(modtest.Module{Path: "corp.example.net/secret", Version: "v1.0.0", Mod: "module corp.example.net/secret\n", Files: map[string]string{"s.go": "package secret\n"}})
	db := modtest.NewSumDB("sum.example.org", proxy)
	p := newPlace(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.21\n\nrequire corp.example.net/secret v1.0.0\n", "go.sum": sumsOf(t, "corp.example.net/secret", "v1.0.0")})
	maps.Copy(p.settings, map[string]string{"GOPROXY": proxy.Start(t), "GOSUMDB": db.Key(), "GONOSUMDB": "corp.example.net"})
	p.cache = filepath.Join(p.dir, "none")
	r := p.verify(verify.Options{SumsOnly: true})
	p.want(r)
	if r.Fetched != 2 || r.Proven != 0 {
		t.Errorf("nothing was compared: %+v", r)
	}
	for path := range proxy.Requests() {
		if strings.Contains(path, "lookup") {
			t.Errorf("the database was asked for %s", path)
		}
	}
}

func TestWhatCannotBeReachedIsNotClean(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	dead := modtest.New()
	p.settings["GOPROXY"], p.settings["GOSUMDB"] = dead.Start(t), database.Key()+" http://127.0.0.1:1"
	dead.SetDown(true)
	r := p.verify(verify.Options{SumsOnly: true})
	p.want(r, "not-checked go.sum:1")
	if r.Worst() != finding.Error || !strings.Contains(r.Findings[0].Message, "4 of 4 lines") || r.Cached != 4 {
		t.Errorf("%+v", r)
	}
	p.cache = filepath.Join(p.dir, "none")
	p.want(p.verify(verify.Options{SumsOnly: true, Bytes: true}), "not-checked go.sum:1", "not-checked go.sum:1")
	r = p.verify(verify.Options{SumsOnly: true}, true)
	p.want(r, "not-checked go.sum:1")
	if r.Worst() != finding.Warning {
		t.Errorf("offline, that is what was asked for: %+v", r.Findings)
	}
}

func TestVerifyEndsWithTheContext(t *testing.T) {
	t.Parallel()
	p := tidied(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := verify.Run(ctx, verify.Options{Dir: p.dir, Env: goenv.Load(os.Getenv)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := verify.Run(t.Context(), verify.Options{Dir: t.TempDir(), Env: goenv.Load(os.Getenv)}); !errors.Is(err, mainmod.ErrNone) {
		t.Errorf("no project: %v", err)
	}
}
