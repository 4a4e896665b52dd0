package modfiles

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/modtest"
)

// brief are findings as lines of "rule file:line".
func brief(findings []finding.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s %s:%d", f.Rule, f.File, f.Line))
	}
	return all
}

const (
	someHash  = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	otherHash = "h1:57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	zipLine   = "m.example/a v1.0.0 " + someHash + "\n"
	modLine   = "m.example/a v1.0.0/go.mod " + someHash + "\n"
)

func TestFilesAreReadHoweverBrokenTheyAre(t *testing.T) {
	for what, c := range map[string]struct {
		files    map[string]string
		names    []string
		findings []string
		members  int
	}{
		"a module":           {map[string]string{"go.mod": "module m\n", "go.sum": zipLine}, []string{"go.mod", "go.sum"}, nil, 1},
		"without go.sum":     {map[string]string{"go.mod": "module m\n"}, []string{"go.mod"}, nil, 1},
		"a branch":           {map[string]string{"go.mod": "module m\nrequire m.example/a master\n"}, []string{"go.mod"}, []string{"gomod-malformed go.mod:2"}, 1},
		"a broken go.mod":    {map[string]string{"go.mod": "module m\nnonsense\nmore\n"}, []string{"go.mod"}, []string{"gomod-malformed go.mod:2", "gomod-malformed go.mod:3"}, 1},
		"an unfinished one":  {map[string]string{"go.mod": "module m\n<<<<<<< HEAD\n=======\n>>>>>>> x\n"}, []string{"go.mod"}, []string{"merge-conflict go.mod:2", "merge-conflict go.mod:3", "merge-conflict go.mod:4"}, 1},
		"a workspace":        {map[string]string{"go.work": "go 1.21\nuse ./a\nuse ./b\n", "go.work.sum": modLine, "a/go.mod": "module a\n", "a/go.sum": zipLine, "b/go.mod": "module b\n"}, []string{"go.work", "a/go.mod", "b/go.mod", "go.work.sum", "a/go.sum"}, nil, 2},
		"a member missing":   {map[string]string{"go.work": "go 1.21\n\nuse ./a\nuse ./gone\n", "a/go.mod": "module a\n"}, []string{"go.work", "a/go.mod"}, []string{"workspace-missing go.work:4"}, 1},
		"a broken workspace": {map[string]string{"go.work": "use\n", "a/go.mod": "module a\n"}, []string{"go.work"}, []string{"gomod-malformed go.work:1"}, 0},
		"a broken member":    {map[string]string{"go.work": "go 1.21\nuse ./a\n", "a/go.mod": "modul a\n"}, []string{"go.work", "a/go.mod"}, []string{"gomod-malformed a/go.mod:1"}, 1},
	} {
		p, err := Open(modtest.Tree(t, c.files), mainmod.Settings{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := brief(p.Findings); !slices.Equal(p.Names(), c.names) || !slices.Equal(got, c.findings) || len(p.Members) != c.members || p.Main() != c.names[0] {
			t.Errorf("%s: got the files %q, the findings %q and %d members", what, p.Names(), got, len(p.Members))
		}
	}
}

func TestAFolderWithoutProjectIsRefused(t *testing.T) {
	dir := modtest.Tree(t, map[string]string{"x.go": "package x\n"})
	if _, err := Open(dir, mainmod.Settings{GOWORK: "off"}); !errors.Is(err, mainmod.ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(filepath.Join(dir, "gone"), mainmod.Settings{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := Open(dir, mainmod.Settings{GOWORK: filepath.Join(dir, "gone.work")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a go.work that is not there: %v", err)
	}
}

func TestLinesAreJudgedByTheirForm(t *testing.T) {
	for what, c := range map[string]struct {
		text     string
		lines    int
		findings []string
	}{
		"both of a version":      {zipLine + modLine, 2, nil},
		"blanks and line ends":   {"\n  \n" + "m.example/a  v1.0.0\t" + someHash + "\r\n", 1, nil},
		"twice":                  {zipLine + "\n" + zipLine, 1, []string{"gosum-duplicate go.sum:3"}},
		"two hashes":             {zipLine + modLine + "m.example/a v1.0.0 " + otherHash + "\n", 3, []string{"gosum-conflict go.sum:3"}},
		"the mistake of old":     {"m.example/a v1.0.0/go.mod " + h1.GoMod(nil) + "\n" + h1.GoMod(nil) + "\n", 0, []string{"gosum-malformed go.sum:2"}},
		"two fields":             {"m.example/a v1.0.0\n" + zipLine, 1, []string{"gosum-malformed go.sum:1"}},
		"four fields":            {zipLine[:len(zipLine)-1] + " x\n", 0, []string{"gosum-malformed go.sum:1"}},
		"no path":                {"../a v1.0.0 " + someHash + "\n", 0, []string{"gosum-malformed go.sum:1"}},
		"no version":             {"m.example/a latest " + someHash + "\n", 0, []string{"gosum-malformed go.sum:1"}},
		"a version of another":   {"m.example/a v2.0.0 " + someHash + "\n", 0, []string{"gosum-malformed go.sum:1"}},
		"another kind of hash":   {"m.example/a v1.0.0 h9:abc\n", 0, []string{"gosum-malformed go.sum:1"}},
		"half a hash":            {"m.example/a v1.0.0 " + someHash[:20] + "\n", 0, []string{"gosum-malformed go.sum:1"}},
		"marks of a merge":       {"<<<<<<< HEAD\n" + zipLine + "||||||| base\n=======\n" + modLine + ">>>>>>> x\n", 2, []string{"merge-conflict go.sum:1", "merge-conflict go.sum:3", "merge-conflict go.sum:4", "merge-conflict go.sum:6"}},
		"no line end at the end": {zipLine + modLine[:len(modLine)-1], 2, nil},
	} {
		p, err := Open(modtest.Tree(t, map[string]string{"go.mod": "module m\n", "go.sum": c.text}), mainmod.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		lines, findings := p.Lines()
		if len(lines) != c.lines || !slices.Equal(brief(findings), c.findings) {
			t.Errorf("%s: got %+v and %q", what, lines, brief(findings))
		}
	}
}

func TestFilesOfAWorkspaceMayNotContradictEachOther(t *testing.T) {
	p, err := Open(modtest.Tree(t, map[string]string{
		"go.work": "go 1.21\nuse ./a\n", "go.work.sum": modLine + zipLine, "a/go.mod": "module a\n", "a/go.sum": zipLine + "m.example/a v1.0.0/go.mod " + otherHash + "\n",
	}), mainmod.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	lines, findings := p.Lines()
	if want := []string{"gosum-conflict a/go.sum:2"}; len(lines) != 4 || !slices.Equal(brief(findings), want) {
		t.Errorf("got %+v and %q", lines, brief(findings))
	}
	if f := findings[0]; f.Module != "m.example/a" || f.Version != "v1.0.0" {
		t.Errorf("got %+v", f)
	}
}

func TestNamesAreRelativeToTheRoot(t *testing.T) {
	p := &Project{Root: filepath.Join(t.TempDir(), "root")}
	for _, name := range []string{"go.mod", "a/go.mod", "../b/go.mod"} {
		if got := p.Rel(p.Abs(name)); got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
	for dir, want := range map[string]bool{".": true, "a/b": true, "..": false, "../rooted": false, "..a": true} {
		if got := IsIn(p.Abs(dir), p.Root); got != want {
			t.Errorf("%s is in it: %v", dir, got)
		}
	}
}
