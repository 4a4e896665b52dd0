// Package bundletest makes bundles for tests of those who make them and of those who take
// them in.
package bundletest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/client/bundle/export"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
)

// Hello is a version of a public module.
func Hello(version string) modtest.Module {
	return modtest.Module{Path: "example.com/hello", Version: version, Mod: "module example.com/hello\n", Files: map[string]string{"hello.go": "package hello // " + version + "\n"}}
}

// Private is a module that no checksum database knows.
var Private = modtest.Module{Path: "corp.example.com/lib", Version: "v1.0.0", Mod: "module corp.example.com/lib\n", Files: map[string]string{"lib.go": "package lib\n"}}

// A World has a proxy with a checksum database, which knows nothing of private modules.
type World struct {
	*modtest.Proxy
	DB       *modtest.SumDB
	Settings map[string]string // of the go command
}

// New is a world whose proxy has some modules.
func New(t *testing.T, modules ...modtest.Module) *World {
	t.Helper()
	p := modtest.New(modules...)
	db := modtest.NewSumDB("sum.example.com", p)
	return &World{p, db, map[string]string{"GOENV": "off", "GOPROXY": p.Start(t), "GOSUMDB": db.Key(), "GONOSUMDB": "corp.example.com"}}
}

// Job makes a bundle of the versions in dir.
func (w *World) Job(t *testing.T, dir string, versions ...string) *export.Job {
	t.Helper()
	m, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return w.Settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := closure.OfList(t.Context(), strings.NewReader(strings.Join(versions, "\n")), closure.Options{Source: m.Verified()})
	if err != nil {
		t.Fatal(err)
	}
	return &export.Job{Dir: dir, Modules: m, Closure: c, Weir: "v0.0.0-test"}
}

// Export makes a bundle in a new folder.
func (w *World) Export(t *testing.T, versions ...string) (dir string, m *bundle.Manifest) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "bundle")
	m, err := Seal(t, w.Job(t, dir, versions...))
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// Seal fetches all files of a bundle, and seals it.
func Seal(t *testing.T, j *export.Job) (*bundle.Manifest, error) {
	t.Helper()
	report, err := j.Fetch(t.Context(), nil)
	if err != nil || len(report.Failures) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	return j.Seal(t.Context())
}

// Pack is a bundle as a tar.
func Pack(t *testing.T, dir string, m *bundle.Manifest, c bundle.Compression) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bundle.Pack(t.Context(), dir, m, &b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ZipOf is a zip of the same module with other contents.
func ZipOf(t *testing.T, m modtest.Module) []byte {
	t.Helper()
	m.Files = map[string]string{"evil.go": "package hello\n"}
	p := modtest.New(m)
	settings := map[string]string{"GOENV": "off", "GOPROXY": p.Start(t), "GOSUMDB": "off"}
	modules, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer modules.Close()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := modsource.Save(t.Context(), modules.Source(), artifact.Name{Kind: artifact.Zip, Module: m.Path, Version: m.Version}, f); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data
}
