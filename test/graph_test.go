//go:build !race

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// realGraph is a module with a graph of hundreds of modules.
const realGraph = "/helm.sh/helm/v3/@v/v3.16.2.mod"

// A graphProject is the go.mod of a real module, behind a weir in front of the upstream
// that the machine uses.
type graphProject struct {
	dir, cache string
	env        []string
}

func newGraphProject(t *testing.T) *graphProject {
	t.Helper()
	outer := goEnv(t, "GOPROXY")
	w := startWeir(t, "WEIR_UPSTREAM="+outer["GOPROXY"])
	p := &graphProject{dir: t.TempDir(), cache: t.TempDir()}
	resp, err := http.Get(w.url + realGraph)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", realGraph, resp.Status, err, body)
	}
	p.write(t, "go.mod", string(body))
	p.env = append(os.Environ(), "GOPROXY="+w.url, "GOENV=off", "GOSUMDB=off", "GOWORK=off", "GONOPROXY=", "GOPRIVATE=", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw", "GOVCS=*:off", "PWD="+p.dir)
	return p
}

func (p *graphProject) write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// run runs a command in the project with a module cache, and returns what it prints.
func (p *graphProject) run(t *testing.T, cache, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = p.dir
	cmd.Env = append(slices.Clone(p.env), "GOMODCACHE="+cache)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, &stderr)
	}
	return stdout.String()
}

// The graph of a real project of hundreds of modules is, line by line, the one that the
// go command prints.
func TestGraphOfARealProject(t *testing.T) {
	p := newGraphProject(t)
	var report struct {
		Summary struct{ Modules, Versions int }
		Edges   [][2]string
	}
	if err := json.Unmarshal([]byte(p.run(t, t.TempDir(), "weir", "graph", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(report.Edges))
	for _, e := range report.Edges {
		got = append(got, e[0]+" "+e[1])
	}
	want := strings.Split(strings.TrimSpace(p.run(t, p.cache, "go", "mod", "graph")), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d requirements, the go command prints %d", len(got), len(want))
	}
	if report.Summary.Modules < 200 || len(got) < 1000 {
		t.Errorf("%d modules with %d requirements prove little", report.Summary.Modules, len(got))
	}
}
