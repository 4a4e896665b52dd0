package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// machine is where a developer runs the go command: with an empty module cache,
// a project, and nothing of what this machine is told.
type machine struct {
	project string // folder
	env     []string
}

// newMachine makes a machine whose go command has this GOPROXY and GOSUMDB, with
// a project of this go.mod.
func newMachine(t *testing.T, goproxy, gosumdb, mod string) *machine {
	t.Helper()
	root := t.TempDir()
	m := &machine{project: filepath.Join(root, "project")}
	if err := os.Mkdir(m.project, 0o700); err != nil {
		t.Fatal(err)
	}
	m.write(t, "go.mod", mod)
	m.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + root, "TMPDIR=" + root, "GOENV=off", "GOTOOLCHAIN=local", "GOVCS=*:off", "CGO_ENABLED=0",
		"GOPATH=" + filepath.Join(root, "gopath"), "GOCACHE=" + goEnv(t, "GOCACHE")["GOCACHE"], "GOFLAGS=-modcacherw", endAtOnce,
		"GOPROXY=" + goproxy, "GOSUMDB=" + gosumdb,
	}
	return m
}

func (m *machine) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.project, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the go command, for two minutes at most, and returns what it says and
// how long it took. Where the machine stands still, upstreams that are given a second
// look dead, and the go command fails without anybody's fault: then it runs again.
func (m *machine) run(t *testing.T, args ...string) (string, time.Duration, error) {
	t.Helper()
	watch := startStopwatch()
	out, took, err := m.runOnce(t, args...)
	if err != nil && watch.stoodStill() > 0 {
		return m.runOnce(t, args...)
	}
	return out, took, err
}

func (m *machine) runOnce(t *testing.T, args ...string) (string, time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = m.project, m.env
	watch := startStopwatch()
	out, err := cmd.CombinedOutput()
	return string(out), watch.took(), err
}

// goSum is the go.sum of the project.
func (m *machine) goSum(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(m.project, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// graph is a graph of n modules, each of which requires the next four, and the
// go.mod of a project that needs all of them.
func graph(n int) (modules []modtest.Module, project string) {
	name := func(i int) string { return fmt.Sprintf("example.com/graph/m%03d", i) }
	var all strings.Builder
	for i := range n {
		m := simple(name(i), "v1.0.0")
		for j := i + 1; j < min(i+5, n); j++ {
			m.Mod += "\nrequire " + name(j) + " v1.0.0\n"
		}
		modules = append(modules, m)
		all.WriteString("\t" + name(i) + " v1.0.0\n")
	}
	return modules, "module example.com/project\n\ngo 1.21\n\nrequire (\n" + all.String() + ")\n"
}

// sums is the go.sum of a project that needs all of these modules, as the
// checksum database has it.
func sums(t *testing.T, db *modtest.SumDB, modules []modtest.Module) string {
	t.Helper()
	var all strings.Builder
	for _, m := range modules {
		rec := httptest.NewRecorder()
		db.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/lookup/"+m.Path+"@"+m.Version, nil))
		for line := range bytes.Lines(rec.Body.Bytes()) {
			if bytes.HasPrefix(line, []byte(m.Path+" ")) {
				all.Write(line)
			}
		}
	}
	return all.String()
}

// configFile writes a configuration file and returns the variable that names it.
func configFile(t *testing.T, text string) (variable, name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "WEIR_CONFIG=" + name, name
}
