package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/client/bundle/bundletest"
	"github.com/goweir/weir/internal/client/bundle/export"
	"github.com/goweir/weir/internal/modtest"
)

func TestTheSameModulesMakeTheSameBytes(t *testing.T) {
	t.Parallel()
	modules := []modtest.Module{bundletest.Private}
	var versions []string
	for n := range 9 {
		m := bundletest.Hello(fmt.Sprintf("v1.%d.0", n))
		modules = append(modules, m)
		versions = append(versions, m.Path+"@"+m.Version)
	}
	w := bundletest.New(t, modules...)
	w.Export(t, versions...) // the database has all records from now on
	var tars [][]byte
	for range 3 {
		dir, m := w.Export(t, versions...)
		slices.Reverse(versions)
		tars = append(tars, bundletest.Pack(t, dir, m, bundle.Zstd))
	}
	if !bytes.Equal(tars[0], tars[1]) || !bytes.Equal(tars[1], tars[2]) {
		t.Error("the tars differ")
	}
}

func TestAnInterruptedExportFetchesOnlyTheRest(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Hello("v1.1.0"))
	dir := t.TempDir()
	w.Break("v1.1.0.zip", modtest.Status(500, 0))
	e := w.Job(t, dir, "example.com/hello@v1.0.0", "example.com/hello@v1.1.0")
	report, err := e.Fetch(t.Context(), nil)
	if err != nil || report.Fetched != 5 || len(report.Failures) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, err := bundle.Read(dir); !errors.Is(err, bundle.ErrNone) {
		t.Errorf("a bundle that is not whole has a manifest: %v", err)
	}
	if err := export.CheckDir(dir); err != nil {
		t.Errorf("it cannot be gone on with: %v", err)
	}
	w.Heal()
	w.ResetCounts()
	report, err = e.Fetch(t.Context(), nil)
	if err != nil || report.Fetched != 1 || report.Present != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	if got := w.Requests(); len(got) != 1 || w.Count("/example.com/hello/@v/v1.1.0.zip") != 1 {
		t.Errorf("it asked for %v", got)
	}
}

func TestSealNoticesWhatChangedInTheFolder(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Private)
	dir := t.TempDir()
	e := w.Job(t, dir, "example.com/hello@v1.0.0")
	if _, err := bundletest.Seal(t, e); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "example.com", "hello", "@v", "v1.0.0.zip"), bundletest.ZipOf(t, bundletest.Hello("v1.0.0")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bundletest.Seal(t, e); !errors.Is(err, artifact.ErrIntegrity) {
		t.Errorf("a zip that changed: %v", err)
	}
	if _, err := bundle.Read(dir); !errors.Is(err, bundle.ErrNone) {
		t.Errorf("the folder has a manifest: %v", err)
	}
}

func TestGoSumOfTheProjectCounts(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Private)
	e := w.Job(t, t.TempDir(), "corp.example.com/lib v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	report, err := e.Fetch(t.Context(), nil)
	if err != nil || len(report.Failures) != 1 || !errors.Is(report.Failures[0].Err, artifact.ErrIntegrity) {
		t.Errorf("%+v, %v", report, err)
	}
}
