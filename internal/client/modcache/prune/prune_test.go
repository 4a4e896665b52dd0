package prune_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modcache/prune"
	"github.com/goweir/weir/internal/modtest"
)

func needs(t *testing.T, dirs ...string) *prune.Needs {
	t.Helper()
	n, err := prune.ReadNeeds(t.Context(), mainmod.Settings{}, dirs...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func names(plan []prune.Removal) []string {
	all := []string{}
	for _, r := range plan {
		name := r.Entry.String()
		if r.KeepMod {
			name += " but go.mod"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// versions are entries of modules and toolchains, last used at the same time.
func versions(used time.Time, all ...string) (entries []modcache.Entry) {
	for _, name := range all {
		path, version, _ := strings.Cut(name, "@")
		kind := modcache.Module
		if path == "golang.org/toolchain" {
			kind = modcache.Toolchain
		}
		entries = append(entries, modcache.Entry{Kind: kind, Name: path, Version: version, Zip: 1, Tree: 2, Rest: 3, Used: used})
	}
	return entries
}

func TestPlanFollowsTheRules(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const (
		greet0, greet1 = "example.com/greet@v1.0.0", "example.com/greet@v1.1.0"
		capital        = "example.com/Capital@v0.1.0-Beta"
		old            = "example.com/old@v3.0.0+incompatible"
		two            = "example.com/two/v2@v2.0.1-0.20240102030405-0123456789ab"
		repo           = "git3:https://example.com/repo"
		go98, go99     = "golang.org/toolchain@v0.0.1-go1.98.0.linux-amd64", "golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64"
	)
	entries := append(versions(now.Add(-10*24*time.Hour), capital, greet0, greet1, old, two, go98, go99),
		modcache.Entry{Kind: modcache.VCS, Name: repo, Rest: 1, Used: now.Add(-10 * 24 * time.Hour)},
		modcache.Entry{Kind: modcache.SumDB, Name: "sum.example.org", Rest: 1},
		modcache.Entry{Kind: modcache.Unknown, Name: "mine.txt", Rest: 1},
	)
	someProject := needs(t, modtest.Tree(t, map[string]string{
		"a/go.mod":     "module a\n\ngo 1.21\n\ntoolchain go1.98.0\n\nrequire example.com/old v3.0.0+incompatible\n",
		"b/go.mod":     "module b\n",
		"b/sub/go.sum": "example.com/greet v1.1.0 h1:x\n<<<<<<< HEAD\nexample.com/greet v1.0.0/go.mod h1:x\n",
	}))
	day := 24 * time.Hour
	for name, test := range map[string]struct {
		rules prune.Rules
		want  []string
	}{
		"no rule":                  {prune.Rules{}, []string{}},
		"old enough":               {prune.Rules{OlderThan: 9 * day}, []string{capital, greet0, greet1, old, two}},
		"too young":                {prune.Rules{OlderThan: 11 * day, VCS: true, Toolchains: true}, []string{}},
		"the newest stay":          {prune.Rules{KeepLatest: 1}, []string{greet0}},
		"two newest stay":          {prune.Rules{KeepLatest: 2}, []string{}},
		"what a project needs":     {prune.Rules{Needed: someProject}, []string{capital, greet0 + " but go.mod", two}},
		"both must agree":          {prune.Rules{Needed: someProject, KeepLatest: 1}, []string{greet0 + " but go.mod"}},
		"all three must agree":     {prune.Rules{Needed: someProject, KeepLatest: 1, OlderThan: 11 * day}, []string{}},
		"clones":                   {prune.Rules{VCS: true}, []string{repo}},
		"toolchains, but not this": {prune.Rules{Toolchains: true, InUse: []string{"go1.99.0"}}, []string{go98}},
		"toolchains not needed":    {prune.Rules{Toolchains: true, Needed: someProject, VCS: true, OlderThan: day}, []string{capital, repo, greet0 + " but go.mod", two, go99}},
	} {
		test.rules.Now = now
		slices.Sort(test.want)
		if got := names(test.rules.Plan(entries)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := (prune.Rules{KeepLatest: 1, Now: now.Add(-10*day + prune.Young/2)}).Plan(entries); len(got) != 0 {
		t.Errorf("what has just been used may go: %q", names(got))
	}
}

func TestNeedsAreThoseOfAllProjects(t *testing.T) {
	t.Parallel()
	now := time.Now()
	entries := versions(now.Add(-time.Hour), "example.com/greet@v1.0.0", "example.com/greet@v1.1.0", "example.com/Capital@v0.1.0-Beta", "example.com/old@v3.0.0+incompatible", "example.com/two/v2@v2.0.1-0.20240102030405-0123456789ab")
	mayGo := func(n *prune.Needs) []string {
		return names(prune.Rules{Needed: n, Now: now}.Plan(entries))
	}
	outside := modtest.Tree(t, map[string]string{"go.mod": "module outside\n", "go.sum": "example.com/two/v2 v2.0.1-0.20240102030405-0123456789ab h1:x\n"})
	dir := modtest.Tree(t, map[string]string{
		"go.work":                 "go 1.21\n\nuse ./a\n\nuse " + outside + "\n\nreplace example.com/x => example.com/Capital v0.1.0-Beta\n",
		"go.work.sum":             "example.com/greet v1.0.0 h1:x\n",
		"a/go.mod":                "module a\n",
		"a/deep/none.txt":         "",
		"a/testdata/x/go.mod":     "this is broken, and the go command does not mind\n",
		"node_modules/x/y/go.mod": "so is this\n",
	})
	want := []string{"example.com/greet@v1.1.0", "example.com/old@v3.0.0+incompatible"}
	for _, at := range []string{dir, filepath.Join(dir, "a", "deep")} {
		if got := mayGo(needs(t, at)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	alone := modtest.Tree(t, map[string]string{"go.mod": "module alone\n", "other.mod": "module alone\n", "other.sum": "example.com/old v3.0.0+incompatible h1:x\n"})
	for _, s := range []mainmod.Settings{{GOWORK: filepath.Join(dir, "go.work")}, {GOWORK: "off", ModFile: "other.mod"}} {
		n, err := prune.ReadNeeds(t.Context(), s, alone)
		if err != nil {
			t.Fatal(err)
		}
		if got := mayGo(n); slices.Contains(got, "example.com/old@v3.0.0+incompatible") == (s.ModFile != "") || slices.Contains(got, "example.com/greet@v1.0.0") == (s.ModFile == "") {
			t.Errorf("with %+v may go %q", s, got)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Logf("without links: %v", err)
	} else if got := mayGo(needs(t, link)); !slices.Equal(got, want) {
		t.Errorf("a link to it: %q, want %q", got, want)
	}
	several := filepath.Join(t.TempDir(), "link")
	if os.Symlink(modtest.Tree(t, map[string]string{"a/go.mod": "module a\n\nrequire example.com/greet v1.1.0\n"}), several) == nil {
		if got := mayGo(needs(t, several)); slices.Contains(got, "example.com/greet@v1.1.0") {
			t.Errorf("a link to a folder of several: may go %q", got)
		}
	}
	plain := modtest.Tree(t, map[string]string{"go.mod": "module plain\n\nrequire example.com/greet v1.0.0\n"})
	if n, err := prune.ReadNeeds(t.Context(), mainmod.Settings{ModFile: "other.mod"}, alone, plain); err != nil {
		t.Errorf("one of two folders has the file of -modfile: %v", err)
	} else if got := mayGo(n); slices.Contains(got, "example.com/old@v3.0.0+incompatible") || slices.Contains(got, "example.com/greet@v1.0.0") {
		t.Errorf("one of two folders has the file of -modfile: may go %q", got)
	}
	for _, goWork := range []string{"", "off", filepath.Join(dir, "go.work")} {
		_, err := prune.ReadNeeds(t.Context(), mainmod.Settings{GOWORK: goWork}, dir, t.TempDir())
		if !errors.Is(err, mainmod.ErrNone) || strings.Contains(err.Error(), "go mod init") {
			t.Errorf("a folder without project, with GOWORK=%s: %v", goWork, err)
		}
	}
	broken := modtest.Tree(t, map[string]string{"go.mod": "module a\n", "b/go.mod": "<<<<<<< HEAD\nmodule b\n"})
	if _, err := prune.ReadNeeds(t.Context(), mainmod.Settings{}, broken); err == nil || !strings.Contains(err.Error(), filepath.Join("b", "go.mod")) {
		t.Errorf("a go.mod that cannot be read: %v", err)
	}
	if _, err := prune.ReadNeeds(t.Context(), mainmod.Settings{}, filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
