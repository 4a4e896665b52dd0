package project

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/modtest"
)

func TestFilesOfAProjectThatAreWrongSayWhatToDo(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"go mod init":       {"x.go": "package x\n"},
		"go mod tidy":       {"go.mod": "module m\nrequire m.example/a master\n"},
		"go mod edit":       {"go.mod": "go 1.20\n"},
		"go mod edit -mod":  {"go.mod": "module toolchain\n"},
		"go work use DIR":   {"go.work": "go 1.20\n"},
		"-dropuse":          {"go.work": "go 1.20\nuse ./a\nuse ./b\n", "a/go.mod": "module m\n", "b/go.mod": "module m\n"},
		"uses ./absent":     {"go.work": "go 1.20\nuse ./absent\n"},
		"GOWORK=off":        {"go.work": "nonsense\n"},
		"malformed module":  {"go.mod": "module m\nrequire m.example/a/v1 v1.0.0\n"},
		"should be v0 or":   {"go.mod": "module m\nrequire m.example/a v2.0.0\n"},
		"unknown directive": {"go.mod": "module m\nnonsense\n"},
	} {
		w := modtest.Tree(t, files)
		if _, err := Find(w, mainmod.Settings{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q in it", files, err, want)
		}
	}
}

func TestFindLooksWhereTheGoCommandDoes(t *testing.T) {
	w := modtest.Tree(t, map[string]string{
		"go.work": "go 1.20\nuse ./main\n", "main/go.mod": "module m.example/main\n", "main/deep/er/x.go": "package x\n", "main/named.work": "go 1.20\nuse (\n.\n./other\n)\n", "main/other/go.mod": "module m.example/other\n",
	})
	deep := filepath.Join(w, "main", "deep", "er")
	for what, c := range map[string]struct {
		goWork, goroot string
		mains          int
		work           string
	}{
		"above":           {"", "", 1, filepath.Join(w, "go.work")},
		"off":             {"off", "", 1, ""},
		"named":           {filepath.Join(w, "main", "named.work"), "", 2, filepath.Join(w, "main", "named.work")},
		"within a GOROOT": {"", w, 1, ""},
	} {
		p, err := Find(deep, mainmod.Settings{GOWORK: c.goWork, GOROOT: c.goroot})
		if err != nil || len(p.Mains) != c.mains || p.WorkFile != c.work {
			t.Errorf("%s: got %+v, %v", what, p, err)
		}
	}
	if _, err := Find(w, mainmod.Settings{GOWORK: "off"}); err == nil {
		t.Error("there is a project where none is")
	}
}

func TestVersionsAreOrderedAsTheGoCommandDoes(t *testing.T) {
	for _, c := range []struct {
		path, low, high string
	}{
		{"m", "v1.0.0-rc.1", "v1.0.0"}, {"m", "none", "v0.0.0-0"}, {"m", "v9.0.0", ""}, {"go", "1.21", "1.21rc2"}, {"go", "1.21rc2", "1.21.0"}, {"go", "1.9", "1.10"},
		{"toolchain", "go1.21.0", "go1.22.1-local"}, {"toolchain", "default", "go1.0"}, {"toolchain", "1.20", "go1.21"},
	} {
		if Compare(c.path, c.low, c.high) >= 0 || Compare(c.path, c.high, c.low) <= 0 || Compare(c.path, c.low, c.low) != 0 {
			t.Errorf("%s: %s is not below %s", c.path, c.low, c.high)
		}
	}
}

func TestReplacementsAreToldWithTheirFolders(t *testing.T) {
	root := modtest.Tree(t, map[string]string{"main/go.mod": "module m.example/main\nrequire m.example/a v1.0.0\nreplace m.example/a => ../local\nreplace m.example/b v1.0.0 => m.example/b v1.1.0\n"})
	p, err := Find(filepath.Join(root, "main"), mainmod.Settings{GOWORK: "off"})
	if err != nil {
		t.Fatal(err)
	}
	to, ok := p.Replacement(module.Version{Path: "m.example/a", Version: "v1.0.0"})
	if !ok || to.Version != "" || to.Path != filepath.Join(root, "local") {
		t.Errorf("a is replaced by %v, %v", to, ok)
	}
	if to, _ := p.Replacement(module.Version{Path: "m.example/b", Version: "v1.0.0"}); Format(to) != "m.example/b@v1.1.0" {
		t.Errorf("b is replaced by %v", to)
	}
	if _, ok := p.Replacement(module.Version{Path: "m.example/b", Version: "v1.1.0"}); ok {
		t.Error("another version of b is replaced")
	}
}

func TestAMainModuleThatIsReplacedStaysWhatItIs(t *testing.T) {
	p, err := Find(modtest.Tree(t, map[string]string{"go.mod": "module m.example/main\nreplace m.example/main => ../other\n"}), mainmod.Settings{GOWORK: "off"})
	if err != nil {
		t.Fatal(err)
	}
	if to, ok := p.Replacement(module.Version{Path: "m.example/main"}); ok {
		t.Errorf("the main module is replaced by %v", to)
	}
}

func TestOnlyWhatGoSumKnowsIsTheGoModOfAVersion(t *testing.T) {
	m := module.Version{Path: "m.example/a", Version: "v1.0.0"}
	sum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("module m.example/a\n")), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Find(modtest.Tree(t, map[string]string{"go.mod": "module m.example/main\n", "go.sum": "m.example/a v1.0.0 h1:of-the-zip=\nnonsense\nm.example/a v1.0.0/go.mod " + sum + "\n"}), mainmod.Settings{GOWORK: "off"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckSum(m, []byte("module m.example/a\n"), "here"); err != nil {
		t.Error(err)
	}
	if err := p.CheckSum(m, []byte("module m.example/a\n\n"), "the proxy"); !errors.Is(err, artifact.ErrIntegrity) || !strings.Contains(err.Error(), "the proxy has h1:") {
		t.Errorf("got %v", err)
	}
	if err := p.CheckSum(module.Version{Path: "m.example/a", Version: "v1.1.0"}, []byte("anything"), "here"); err != nil {
		t.Errorf("of what go.sum does not know: %v", err)
	}
}
