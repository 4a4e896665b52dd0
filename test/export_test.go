//go:build !race

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/modtest"
)

// Ctrl-C ends an export within the time that a request takes to give up. The same
// command goes on where it was: nothing that came is fetched again.
func TestAnExportThatWasInterruptedFetchesOnlyTheRest(t *testing.T) {
	t.Parallel()
	modules, project := graph(30)
	p := modtest.New(modules...)
	db := modtest.NewSumDB("sum.example.com", p)
	m := newMachine(t, p.Start(t), db.Key(), project)
	m.write(t, "go.sum", sums(t, db, modules))
	out := filepath.Join(m.home(), "deps.tar")

	const stuck = "/example.com/graph/m029/@v/v1.0.0.zip" // the last that is asked for
	p.Break(stuck, modtest.Hang)
	cmd := exec.CommandContext(t.Context(), "weir", "export", "--out", out)
	cmd.Env, cmd.Dir = m.env, m.project
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), stuck, 1); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(complaints.String(), "run the same command again") {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a tar that is not whole: %v", err)
	}

	p.Heal()
	p.ResetCounts()
	if out, err := m.weir(t, "", "export", "--out", out); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	again := 0
	for path := range p.Requests() {
		if !strings.HasPrefix(path, "/sumdb/") {
			again++
		}
	}
	// What was under way, and no more: no more than 16 are at one time.
	if p.Count(stuck) != 1 || again > 16 {
		t.Errorf("%d of 90 files were fetched again", again)
	}
}

// Whoever can write the bundle can make it agree with itself. Not with the checksum
// database.
func TestWhatTheChecksumDatabaseDoesNotKnowIsNotServed(t *testing.T) {
	t.Parallel()
	modules, project := graph(3)
	p := modtest.New(modules...)
	db := modtest.NewSumDB("sum.example.com", p)
	m := newMachine(t, p.Start(t), db.Key(), project)
	m.write(t, "go.sum", sums(t, db, modules))
	if out, err := m.weir(t, "", "export", "--out", "../bundle"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const victim = "example.com/graph/m001/@v/v1.0.0.mod"
	evil := []byte("module example.com/graph/m001\n\nrequire example.com/evil v1.0.0\n")
	forge(t, filepath.Join(m.home(), "bundle"), victim, evil)

	w := startWeir(t, "WEIR_UPSTREAM=off", "WEIR_SUMDB="+db.Key())
	out, err := m.weir(t, "", "import", "--data", w.data, "../bundle")
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 || !strings.Contains(out, "refused: example.com/graph/m001@v1.0.0 (mod)") {
		t.Errorf("%v: %s", err, out)
	}
	if r := w.get(t, "/"+victim); r.status != 404 {
		t.Errorf("the forged go.mod: %s", r)
	}
	w.want(t, "/example.com/graph/m002/@v/v1.0.0.mod", truth(t, p, "/example.com/graph/m002/@v/v1.0.0.mod"))
}

// forge changes a file of a bundle and what the manifest says of it.
func forge(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "weir-bundle.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	for _, f := range manifest["files"].([]any) {
		if f := f.(map[string]any); f["path"] == name {
			f["size"], f["sha256"] = len(data), hex.EncodeToString(sum[:])
		}
	}
	forged, err := json.Marshal(manifest)
	if err == nil {
		err = os.WriteFile(file, forged, 0o600)
	}
	if err != nil || bytes.Equal(text, forged) {
		t.Fatalf("the manifest cannot be forged: %v", err)
	}
}
