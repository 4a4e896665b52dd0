package mainmod

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/goenv"
)

// tree writes files into a folder of their own.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		text := "module m.example/m\n"
		if strings.HasSuffix(name, ".work") {
			text = "go 1.20\n"
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindFindsWhatTheGoCommandDoes(t *testing.T) {
	w := tree(t, "go.work", "named", "main/go.mod", "main/deep/go.mod/x.go", "main/deep/go.work/x.go", "main/inner/go.mod", "none/x.go")
	alone := tree(t, "go.mod", "alt.mod", "deep/alt.mod")
	work, main := filepath.Join(w, "go.work"), filepath.Join(w, "main")
	module := func(work, root string) Files {
		f := In(root)
		f.Work = work
		return f
	}
	instead := func(mod string) Files {
		return Files{Root: alone, Mod: mod + ".mod", Sum: mod + ".sum"}
	}
	for what, c := range map[string]struct {
		dir, goWork, flags string
		want               Files
	}{
		"above, but no folder":        {filepath.Join(main, "deep"), "", "", module(work, main)},
		"the nearest":                 {filepath.Join(main, "inner"), "auto", "", module(work, filepath.Join(main, "inner"))},
		"off":                         {main, "off", "", module("", main)},
		"named, whatever its name":    {main, filepath.Join(w, "named"), "", module(filepath.Join(w, "named"), main)},
		"named, from elsewhere":       {alone, work, "", module(work, alone)},
		"a workspace without module":  {filepath.Join(w, "none"), "", "", Files{Work: work}},
		"a module alone":              {filepath.Join(alone, "deep"), "", "", module("", alone)},
		"another go.mod":              {alone, "", "-v -modfile=alt.mod", instead(filepath.Join(alone, "alt"))},
		"another go.mod, as of here":  {filepath.Join(alone, "deep"), "", "-modfile=alt.mod", instead(filepath.Join(alone, "deep", "alt"))},
		"another go.mod, by its path": {alone, "", "-modfile=" + filepath.Join(w, "x.mod"), instead(filepath.Join(w, "x"))},
	} {
		got, err := Find(c.dir, settings(c.goWork, c.flags))
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", what, got, err, c.want)
		}
		said := map[string]string{}
		if out, err := goCommand(t, c.dir, c.goWork, c.flags, "env", "-json", "GOWORK", "GOMOD"); err != nil || json.Unmarshal(out, &said) != nil {
			t.Fatalf("%s: go env: %v, %s", what, err, out)
		}
		if strings.TrimPrefix(said["GOWORK"], "off") != got.Work || c.flags == "" && strings.TrimPrefix(said["GOMOD"], os.DevNull) != got.Mod {
			t.Errorf("%s: got %+v, the go command finds %v", what, got, said)
		}
	}
}

func TestWhatTheGoCommandRefusesIsRefused(t *testing.T) {
	w := tree(t, "go.work", "main/go.mod", "main/alt.mod", "none/x.go")
	for _, c := range []struct{ want, dir, goWork, flags string }{
		{"absolute path", "main", "../go.work", ""},
		{"go mod init", "none", "off", ""},
		{"cannot be used in a workspace", "main", "", "-modfile=alt.mod"},
		{"cannot be used in a workspace", ".", "", "-modfile=alt.mod"},
		{"ends in .mod", "main", "off", "-modfile=alt"},
	} {
		dir := filepath.Join(w, c.dir)
		_, err := Find(dir, settings(c.goWork, c.flags))
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrNone) != (c.dir == "none") {
			t.Errorf("%+v: got %v", c, err)
		}
		if out, err := goCommand(t, dir, c.goWork, c.flags, "mod", "graph"); err == nil {
			t.Errorf("%+v: the go command finds %s", c, out)
		}
	}
}

func settings(goWork, flags string) Settings {
	variables := map[string]string{"GOWORK": goWork, "GOFLAGS": flags, "GOENV": "off"}
	return SettingsOf(goenv.Load(func(name string) string { return variables[name] }))
}

func goCommand(t *testing.T, dir, goWork, flags string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOENV=off", "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK="+goWork, "GOFLAGS="+flags)
	return cmd.CombinedOutput()
}

// Modules that are tried out below the folder for temporary files would find what anybody
// has left there.
func TestNoGoModIsThatOfTheFolderForTemporaryFiles(t *testing.T) {
	w := tree(t, "go.mod", "try/x.go", "try/named.work")
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} { // of one system or another
		t.Setenv(name, w)
	}
	if w != os.TempDir() {
		t.Fatalf("the folder for temporary files is %s", os.TempDir())
	}
	if f, err := Find(filepath.Join(w, "try"), Settings{}); !errors.Is(err, ErrNone) {
		t.Errorf("got %+v, %v", f, err)
	}
	if f, err := Find(filepath.Join(w, "try"), Settings{GOWORK: filepath.Join(w, "try", "named.work")}); err != nil || f.Mod == "" {
		t.Errorf("in a workspace: got %+v, %v", f, err)
	}
}

func TestNoGoWorkIsThatOfAGoInstallation(t *testing.T) {
	w := tree(t, "go.work", "go/src/go.mod", "go/src/x/x.go")
	for _, c := range []struct{ goroot, want string }{{"", filepath.Join(w, "go.work")}, {filepath.Join(w, "go") + string(filepath.Separator), ""}} {
		if f, err := Find(filepath.Join(w, "go", "src", "x"), Settings{GOROOT: c.goroot}); err != nil || f.Work != c.want {
			t.Errorf("with GOROOT=%s: got %+v, %v", c.goroot, f, err)
		}
	}
}

// A go command that was asked somewhere says which go.work is in force there.
func TestTheGoWorkOfAnotherFolderDoesNotCount(t *testing.T) {
	w := tree(t, "go.work", "go.mod")
	t.Chdir(w)
	env := goenv.Load(func(string) string { return "" })
	if err := env.Ask(t.Context()); err != nil || env.Value("GOWORK") == "" {
		t.Fatalf("GOWORK=%s, %v", env.Value("GOWORK"), err)
	}
	if s := SettingsOf(env); s.GOWORK != "" || s.GOROOT == "" {
		t.Errorf("got %+v", s)
	}
}
