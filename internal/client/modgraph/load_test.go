package modgraph

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/gomod"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
)

// A world is a proxy and the files of a project.
type world struct {
	proxy *modtest.Proxy
	url   string
	dir   string // of the project
	root  string // what lies around it, too
}

func newWorld(t *testing.T, modules []modtest.Module, files map[string]string) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{proxy: modtest.New(modules...), root: root, dir: filepath.Join(root, "main")}
	w.url = w.proxy.Start(t)
	w.write(t, files)
	return w
}

// write writes files; names are relative to the folder of the project.
func (w *world) write(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(w.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// source is the modules of the world as the go command would get them.
func (w *world) source(t *testing.T) *modsource.Modules {
	t.Helper()
	settings := map[string]string{"GOENV": "off", "GOPROXY": w.url, "GOSUMDB": "off"}
	m, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func (w *world) loader(t *testing.T, cache string) (*Loader, error) {
	t.Helper()
	p, err := project.Find(w.dir, mainmod.Settings{})
	if err != nil {
		return nil, err
	}
	return NewLoader(p, gomod.Files{Cache: cache, Source: w.source(t).Source()}, nil), nil
}

// load loads the graph.
func (w *world) load(t *testing.T) (*Graph, error) {
	t.Helper()
	l, err := w.loader(t, "")
	if err != nil {
		return nil, err
	}
	return l.Load(t.Context())
}

func (w *world) mustLoad(t *testing.T) *Graph {
	t.Helper()
	g, err := w.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if f := g.Failures(); len(f) > 0 {
		t.Fatalf("failures: %v", f)
	}
	return g
}

// goModGraph is what the go command says, in lines.
func (w *world) goModGraph(t *testing.T, cache string) (lines []string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "graph")
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOENV=off", "GOPROXY="+w.url, "GOSUMDB=off", "GONOSUMDB=", "GONOPROXY=", "GOPRIVATE=", "GOFLAGS=-modcacherw", "GOMODCACHE="+cache, "GOTOOLCHAIN=local", "GOWORK=", "GOVCS=*:off", "PWD="+w.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	for line := range strings.Lines(stdout.String()) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	slices.Sort(lines)
	return lines, nil
}

func edgeLines(g *Graph) []string {
	var lines []string
	for e := range g.Edges() {
		lines = append(lines, project.Format(e.From)+" "+project.Format(e.To))
	}
	slices.Sort(lines)
	return lines
}

// wantSame compares with the go command, and reports whether there is a graph at all.
func (w *world) wantSame(t *testing.T) bool {
	t.Helper()
	want, goErr := w.goModGraph(t, t.TempDir())
	g, err := w.load(t)
	if err == nil && len(g.Failures()) > 0 {
		err = g.Failures()[0].Err
	}
	if (goErr != nil) != (err != nil) {
		t.Errorf("the error is %v; the go command says: %v", err, goErr)
	}
	if goErr != nil || err != nil {
		return false
	}
	if got := edgeLines(g); !slices.Equal(got, want) {
		t.Errorf("the graph differs:\n%s", difference(got, want))
	}
	return true
}

func difference(got, want []string) string {
	var b strings.Builder
	for _, line := range got {
		if !slices.Contains(want, line) {
			fmt.Fprintf(&b, "+ %s\n", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	if b.Len() == 0 {
		fmt.Fprintf(&b, "got %d lines, want %d", len(got), len(want))
	}
	return b.String()
}

// A dice makes worlds.
type dice struct{ *rand.Rand }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }

// universe are the modules of the worlds of dice: path and version.
var universe = func() (all [][2]string) {
	for _, path := range []string{"a.example/a", "a.example/b", "a.example/c", "a.example/d", "a.example/e", "a.example/f"} {
		for _, v := range []string{"v0.1.0", "v1.0.0", "v1.1.0-rc.1", "v1.1.0", "v1.2.0"} {
			all = append(all, [2]string{path, v})
		}
	}
	return append(all, [2]string{"a.example/a/v2", "v2.0.0"}, [2]string{"a.example/a/v2", "v2.1.0"}, [2]string{"a.example/b", "v3.0.0+incompatible"},
		[2]string{"a.example/c", "v1.2.1-0.20240102030405-0123456789ab"}, [2]string{"a.example/main", "v1.0.0"}, [2]string{"a.example/second", "v1.0.0"})
}()

func (d dice) goLine() string {
	return pick(d, []string{"", "go 1.13\n", "go 1.16\n", "go 1.17\n", "go 1.17\n", "go 1.20\n", "go 1.20\n", "go 1.21\n", "go 1.21rc2\n", "go 1.21.5\n", "go 1.22.0\n"})
}

func (d dice) requires(most int) string {
	var b strings.Builder
	for range d.IntN(most + 1) {
		m := pick(d, universe)
		fmt.Fprintf(&b, "require %s %s", m[0], m[1])
		if d.chance(40) {
			b.WriteString(" // indirect")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (d dice) modules() []modtest.Module {
	var list []modtest.Module
	for _, m := range universe {
		mod := "module " + m[0] + "\n" + d.goLine() + d.requires(3)
		if d.chance(10) {
			mod += "exclude a.example/d v1.0.0\nreplace a.example/e => ../e\nretract v1.0.0\n"
		}
		if strings.HasSuffix(m[1], "+incompatible") {
			mod = ""
		}
		list = append(list, modtest.Module{Path: m[0], Version: m[1], Mod: mod, Files: map[string]string{"x.go": "package x\n"}})
	}
	return list
}

// adjustments are replace and exclude lines.
func (d dice) adjustments() string {
	var b strings.Builder
	if d.chance(30) {
		m := pick(d, universe)
		fmt.Fprintf(&b, "exclude %s %s\n", m[0], m[1])
	}
	if d.chance(25) {
		b.WriteString("replace a.example/d => a.example/d v1.0.0\n")
	}
	if d.chance(25) {
		b.WriteString("replace a.example/e v1.1.0 => ../local\n")
	}
	if d.chance(15) {
		b.WriteString("replace a.example/f v1.2.0 => a.example/b v1.0.0\n")
	}
	return b.String()
}

func (d dice) toolchain() string {
	return pick(d, []string{"", "", "", "toolchain go1.22.1\n", "toolchain go1.21.0\n", "toolchain default\n", "toolchain go1.22.1-local\n"})
}

func (d dice) project(inWorkspace bool) map[string]string {
	files := map[string]string{"../local/go.mod": "module whatever\n" + d.goLine() + d.requires(3)}
	main := "module a.example/main\n" + d.goLine() + d.toolchain() + d.requires(6)
	if !inWorkspace {
		files["go.mod"] = main + d.adjustments()
		return files
	}
	files["go.mod"] = main
	files["second/go.mod"] = "module a.example/second\n" + d.goLine() + d.requires(6)
	files["third/go.mod"] = "module a.example/third\n" + d.goLine() + d.requires(2) + "replace a.example/c v1.0.0 => ../../local\n"
	files["go.work"] = "go 1.22.0\n" + d.toolchain() + "use (\n\t.\n\t./second\n\tthird\n)\n" + withoutExclude(d.adjustments())
	return files
}

// withoutExclude takes away what a go.work cannot have.
func withoutExclude(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "exclude") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestRandomGraphsAreThoseOfTheGoCommand(t *testing.T) {
	const worlds = 36
	failed := 0
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := dice{rand.New(rand.NewPCG(seed, 5))}
			if w := newWorld(t, d.modules(), d.project(seed%3 == 2)); !w.wantSame(t) {
				failed++
			}
		})
	}
	if failed > worlds/2 {
		t.Errorf("%d of %d worlds could not be loaded by anybody", failed, worlds)
	}
}
