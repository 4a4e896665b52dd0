package folder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/mainmod"
)

func TestTheFolderIsReadAsTheGoCommandDoes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("go.work", "go 1.25.0\n\nuse ./a\n")
	write("a/go.mod", "module example.com/a\n\ngo 1.24.0\n\nrequire (\n\texample.com/i v1.0.0 // indirect\n\texample.com/d v1.0.0\n\texample.com/r v1.0.0\n)\n\nreplace example.com/r => ../r\n")
	write("a/b/x.go", "package b\n")
	f := Open(filepath.Join(dir, "a", "b"), mainmod.Settings{})
	if f.Dir != filepath.Join(dir, "a") || f.workFile != filepath.Join(dir, "go.work") || f.GoVersion() != "go1.25.0" || fmt.Sprint(f.Requirements()) != "[example.com/d@v1.0.0 example.com/i@v1.0.0]" {
		t.Errorf("got %+v, %s, %v", f, f.GoVersion(), f.Requirements())
	}
	if r := f.checkWork(); r.State != check.OK {
		t.Errorf("go.work: %+v", r)
	}
	if r := f.checkMod(); r.Kind != "replacement-missing" {
		t.Errorf("go.mod: %+v", r)
	}
	if f := Open(filepath.Join(dir, "a"), mainmod.Settings{GOWORK: "off"}); f.workFile != "" || f.GoVersion() != "go1.24.0" {
		t.Errorf("with GOWORK=off: %+v", f)
	}
	if f := Open(dir, mainmod.Settings{GOWORK: "go.work"}); f.checkWork().Kind != "go-work-malformed" {
		t.Errorf("with a relative GOWORK: %+v", f.checkWork())
	}
	f = Open(filepath.Join(dir, "a", "b"), mainmod.Settings{GOWORK: "go.work"})
	var ids []string
	for _, c := range f.Checks() {
		ids = append(ids, c.ID)
	}
	if fmt.Sprint(ids) != "[go-work go-mod go-sum]" || f.checkWork().Kind != "go-work-malformed" || f.checkMod().Kind != "replacement-missing" || len(f.Requirements()) != 2 || f.Name() != "go.mod" {
		t.Errorf("a module with a relative GOWORK: %+v, %q", f, ids)
	}
}
