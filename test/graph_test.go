package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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
// go command prints, and the page about it works in a real browser.
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
	t.Run("page", func(t *testing.T) { p.openPage(t) })
	t.Run("picture", func(t *testing.T) { p.openPicture(t) })
}

func (p *graphProject) openPage(t *testing.T) {
	page := p.write(t, "graph.html", p.run(t, p.cache, "weir", "graph", "--format", "html"))
	if stat, err := os.Stat(page); err != nil || stat.Size() > 2<<20 {
		t.Errorf("the page is too large: %v, %v", stat, err)
	}
	dom := browse(t, page, "why=golang.org/x/sys")
	for _, want := range []string{
		`data-ready="golang.org/x/sys"`, "<h2>golang.org/x/sys</h2>", "<h3>Why it is there</h3>", "<h3>Wanted by (",
		`<a href="#why=helm.sh%2Fhelm%2Fv3">helm.sh/helm/v3</a>`,
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if n := len(regexp.MustCompile(`class="node \w+ on focus"`).FindAllString(dom, -1)); n != 1 {
		t.Errorf("%d nodes have the focus", n)
	}
	if !strings.Contains(dom, `class="edge on chain"`) { // the shortest way is one that the picture leaves out
		t.Error("the way to the module is not shown")
	}

	dom = browse(t, page, "q=yaml&hide=indirect")
	shown := regexp.MustCompile(`<tr data-node="\d+"(?: class="")?><td class="name"><a [^>]*>([^<]*)`).FindAllStringSubmatch(dom, -1)
	if len(shown) == 0 || len(shown) > 5 {
		t.Errorf("the search leaves %d rows: %q", len(shown), shown)
	}
	for _, row := range shown {
		if !strings.Contains(row[1], "yaml") {
			t.Errorf("the search for yaml leaves %s", row[1])
		}
	}

	dom = browse(t, page, "why=no.example/module")
	if !strings.Contains(dom, "no.example/module is not in this graph.") {
		t.Error("an unknown module is not told")
	}
}

func (p *graphProject) openPicture(t *testing.T) {
	picture := p.write(t, "graph.svg", p.run(t, p.cache, "weir", "graph", "--format", "svg"))
	dom := browse(t, picture, "")
	if n := strings.Count(dom, `class="node `); n < 200 || strings.Contains(dom, "parsererror") {
		t.Errorf("the picture has %d nodes", n)
	}
}

// browse opens a file in a real browser and returns what has become of it. The browser
// must have nothing to complain about.
func browse(t *testing.T, file, fragment string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	address := url.URL{Scheme: "file", Path: file, Fragment: fragment}
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--dump-dom", address.String())
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium (apt-get install chromium): %v: %s", err, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the browser complains: %s", line)
		}
	}
	return stdout.String()
}
