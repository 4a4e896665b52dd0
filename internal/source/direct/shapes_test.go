package direct

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
	"golang.org/x/mod/sumdb/dirhash"
)

// A shape is a repository of some kind, with what is asked about it.
type shape struct {
	name    string
	repo    string // host/path of the repository; empty: github.com/shape/<name>
	page    string // go-import tag, served at the module
	commits []modtest.Commit
	module  string   // empty: the repository's host/path
	ask     []string // versions and queries; of more than one, the list is asked for too
}

type files = map[string]string

func goMod(mod string, lines ...string) string {
	return "module " + mod + "\n\ngo 1.21\n" + strings.Join(append(lines, ""), "\n")
}

// one is the commit of a module in the root, with more files.
func one(mod string, more files, tags ...string) modtest.Commit {
	all := files{"go.mod": goMod(mod), "x.go": "package x\n"}
	maps.Copy(all, more)
	return modtest.Commit{Files: all, Tags: tags}
}

func just(more files, tags ...string) modtest.Commit {
	return modtest.Commit{Files: more, Tags: tags}
}

// shapes are repositories of every kind that the go command treats in its own
// way.
func shapes() []shape {
	const at = "github.com/shape/"
	return []shape{
		{name: "tag", commits: []modtest.Commit{one(at+"tag", nil, "v1.0.0")}, ask: []string{"v1.0.0", "latest", "v1.0.1"}},
		{name: "annotated", commits: []modtest.Commit{one(at+"annotated", nil, "v1.0.0^")}, ask: []string{"v1.0.0", "main"}},
		{name: "legacy", commits: []modtest.Commit{just(files{"x.go": "package x\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "prerelease", commits: []modtest.Commit{one(at+"prerelease", nil, "v1.0.0-rc.1"), just(files{"y": "1"}, "v1.0.0-rc.2")}, ask: []string{"latest", "v1.0.0-rc.1"}},
		{name: "release-wins", commits: []modtest.Commit{one(at+"release-wins", nil, "v1.0.0"), just(files{"y": "1"}, "v1.1.0-beta")}, ask: []string{"latest"}},
		{name: "untagged", commits: []modtest.Commit{one(at+"untagged", nil)}, ask: []string{"latest", "main", "v0.0.0-20240203040105-0123456789ab"}},
		{name: "after-tag", commits: []modtest.Commit{one(at+"after-tag", nil, "v1.2.3"), just(files{"y": "1"})}, ask: []string{"main", "latest"}},
		{name: "after-prerelease", commits: []modtest.Commit{one(at+"after-prerelease", nil, "v1.2.3-pre"), just(files{"y": "1"})}, ask: []string{"main"}},
		{name: "branch", commits: []modtest.Commit{one(at+"branch", nil, "v0.1.0"), {Branch: "Dev", From: "refs/heads/main", Files: files{"y": "1"}}}, ask: []string{"Dev", "none-such"}},
		{name: "metadata", commits: []modtest.Commit{one(at+"metadata", nil, "v1.0.0+meta")}, ask: []string{"v1.0.0+meta", "v1.0.0", "latest"}},
		{name: "odd-tag", commits: []modtest.Commit{one(at+"odd-tag", nil, "release-1", "v1.0")}, ask: []string{"release-1", "latest", "v1.0"}},
		{name: "two-tags", commits: []modtest.Commit{one(at+"two-tags", nil, "v1.0.0", "v1.1.0")}, ask: []string{"main", "v1.0.0", "v1"}},
		{name: "false-pseudo", commits: []modtest.Commit{one(at+"false-pseudo", nil, "v0.0.0-20200101000000-0123456789ab")}, ask: []string{"latest", "v0.0.0-20200101000000-0123456789ab"}},
		{name: "v2-branch", module: at + "v2-branch/v2", commits: []modtest.Commit{one(at+"v2-branch", nil, "v1.0.0"), {Branch: "v2", From: "refs/heads/main", Files: files{"go.mod": goMod(at + "v2-branch/v2")}, Tags: []string{"v2.0.0"}}}, ask: []string{"v2.0.0", "latest", "v1.0.0"}},
		{name: "v2-dir", module: at + "v2-dir/v2", commits: []modtest.Commit{one(at+"v2-dir", files{"v2/go.mod": goMod(at + "v2-dir/v2"), "v2/y.go": "package y\n"}, "v1.0.0", "v2.0.0")}, ask: []string{"v2.0.0", "latest"}},
		{name: "v2-twice", module: at + "v2-twice/v2", commits: []modtest.Commit{one(at+"v2-twice/v2", files{"v2/go.mod": goMod(at + "v2-twice/v2")}, "v2.0.0")}, ask: []string{"v2.0.0"}},
		{name: "v2-root", module: at + "v2-dir-root", repo: at + "v2-dir-root", commits: []modtest.Commit{one(at+"v2-dir-root", files{"v2/go.mod": goMod(at + "v2-dir-root/v2")}, "v1.0.0", "v2.0.0")}, ask: []string{"v1.0.0", "v2.0.0"}},
		{name: "incompatible", commits: []modtest.Commit{just(files{"x.go": "package x\n"}, "v1.0.0", "v2.0.0", "v3.1.0")}, ask: []string{"v2.0.0+incompatible", "latest", "v3.1.0"}},
		{name: "no-incompatible", commits: []modtest.Commit{just(files{"x.go": "package x\n"}, "v2.0.0"), one(at+"no-incompatible", nil, "v1.5.0")}, ask: []string{"latest", "v2.0.0+incompatible"}},
		{name: "wrong-major", commits: []modtest.Commit{one(at+"wrong-major", nil, "v2.0.0")}, ask: []string{"v2.0.0+incompatible", "latest"}},
		{name: "sub", module: at + "sub/a/b", commits: []modtest.Commit{one(at+"sub", files{"a/b/go.mod": goMod(at + "sub/a/b"), "a/b/b.go": "package b\n"}, "a/b/v1.2.0", "v9.9.9")}, ask: []string{"v1.2.0", "latest", "main"}},
		{name: "sub-license", module: at + "sub-license/a", commits: []modtest.Commit{just(files{"LICENSE": "root\n", "a/go.mod": goMod(at + "sub-license/a"), "a/a.go": "package a\n"}, "a/v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "sub-own-license", module: at + "sub-own-license/a", commits: []modtest.Commit{just(files{"LICENSE": "root\n", "a/LICENSE": "own\n", "a/go.mod": goMod(at + "sub-own-license/a")}, "a/v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "sub-v2", module: at + "sub-v2/a/v2", commits: []modtest.Commit{just(files{"a/v2/go.mod": goMod(at + "sub-v2/a/v2"), "a/v2/a.go": "package a\n"}, "a/v2.0.0")}, ask: []string{"v2.0.0", "latest"}},
		{name: "sub-none", module: at + "sub-none/a", commits: []modtest.Commit{one(at+"sub-none", files{"a/a.go": "package a\n"}, "v1.0.0")}, ask: []string{"latest", "v1.0.0"}},
		{name: "nested", commits: []modtest.Commit{one(at+"nested", files{"a/go.mod": goMod(at + "nested/a"), "a/a.go": "package a\n", "b/b.go": "package b\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "vendor-old", commits: []modtest.Commit{one(at+"vendor-old", files{"vendor/modules.txt": "# x\n", "vendor/a.com/x/x.go": "package x\n", "pkg/vendor/f.go": "package f\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "vendor-new", commits: []modtest.Commit{just(files{"go.mod": "module " + at + "vendor-new\n\ngo 1.24\n", "vendor/modules.txt": "# x\n", "vendor/a.com/x/x.go": "package x\n", "pkg/vendor/f.go": "package f\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "export", commits: []modtest.Commit{one(at+"export", files{".gitattributes": "*.txt export-subst\nhidden export-ignore\n", "v.txt": "$Format:%H$\n", "hidden/f": "1"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "crlf", commits: []modtest.Commit{one(at+"crlf", files{".gitattributes": "*.txt text eol=crlf\n*.u working-tree-encoding=UTF-16\n*.id ident\n", "a.txt": "1\n2\n", "b.u": "ü\n", "c.id": "$Id$\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "symlink", commits: []modtest.Commit{{Files: files{"go.mod": goMod(at + "symlink"), "l": "go.mod", "x.go": "package x\n"}, Modes: files{"l": "120000"}, Tags: []string{"v1.0.0"}}}, ask: []string{"v1.0.0"}},
		{name: "executable", commits: []modtest.Commit{{Files: files{"go.mod": goMod(at + "executable"), "run.sh": "#!/bin/sh\n"}, Modes: files{"run.sh": "100755"}, Tags: []string{"v1.0.0"}}}, ask: []string{"v1.0.0"}},
		{name: "submodule", commits: []modtest.Commit{{Files: files{"go.mod": goMod(at + "submodule"), ".gitmodules": "[submodule \"s\"]\n\tpath = s\n\turl = https://github.com/shape/tag\n", "s": strings.Repeat("1", 40)}, Modes: files{"s": "160000"}, Tags: []string{"v1.0.0"}}}, ask: []string{"v1.0.0"}},
		{name: "lfs", commits: []modtest.Commit{one(at+"lfs", files{".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "Upper", commits: []modtest.Commit{one(at+"Upper", nil, "v1.0.0-RC1")}, ask: []string{"v1.0.0-RC1", "latest"}},
		{name: "retracted", commits: []modtest.Commit{one(at+"retracted", nil, "v1.0.0"), just(files{"y": "1"}, "v1.1.0"), just(files{"go.mod": goMod(at+"retracted", "retract v1.1.0")}, "v1.2.0")}, ask: []string{"latest", "v1.1.0"}},
		{name: "self-retracted", commits: []modtest.Commit{one(at+"self-retracted", nil, "v1.0.0"), just(files{"go.mod": goMod(at+"self-retracted", "retract [v1.1.0, v1.2.0]")}, "v1.2.0")}, ask: []string{"latest", "v1.2.0", "main"}},
		{name: "all-retracted", commits: []modtest.Commit{just(files{"go.mod": goMod(at+"all-retracted", "retract [v0.0.0, v1.99.0]")}, "v1.0.0")}, ask: []string{"latest", "v1.0.0"}},
		{name: "empty", ask: []string{"latest", "main", "v1.0.0"}},
		{name: "fork", commits: []modtest.Commit{one("example.com/original", nil, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "case-clash", commits: []modtest.Commit{one(at+"case-clash", files{"A.txt": "1", "a.txt": "2"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "bad-name", commits: []modtest.Commit{one(at+"bad-name", files{"a:b.txt": "1"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "device-name", commits: []modtest.Commit{one(at+"device-name", files{"aux.go": "package x\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "unicode", commits: []modtest.Commit{one(at+"unicode", files{"größe.txt": "1"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "upper-gomod", commits: []modtest.Commit{just(files{"GO.MOD": goMod(at + "upper-gomod"), "x.go": "package x\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "bad-gomod", commits: []modtest.Commit{just(files{"go.mod": "this is no go.mod\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "replaced", commits: []modtest.Commit{just(files{"go.mod": goMod(at+"replaced", "replace example.com/a => ../a", "exclude example.com/b v1.0.0", "tool example.com/c")}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "too-new", commits: []modtest.Commit{just(files{"go.mod": "module " + at + "too-new\n\ngo 1.999\n"}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "empty-module", commits: []modtest.Commit{just(files{"go.mod": goMod(at + "empty-module")}, "v1.0.0")}, ask: []string{"v1.0.0"}},
		{name: "gopkg", repo: "gopkg.in/shape.v1", page: "gopkg.in/shape.v1 git https://gopkg.in/shape.v1", commits: []modtest.Commit{just(files{"x.go": "package x\n"}, "v1.0.0", "v1.1.0", "v2.0.0")}, ask: []string{"v1.1.0", "latest"}},
		{name: "gopkg-unstable", repo: "gopkg.in/shape.v2-unstable", page: "gopkg.in/shape.v2-unstable git https://gopkg.in/shape.v2-unstable", commits: []modtest.Commit{just(files{"x.go": "package x\n"}, "v2.0.0")}, ask: []string{"latest", "main"}},
		{name: "vanity", repo: "git.example.com/r/vanity", module: "www.example.com/vanity", page: "www.example.com/vanity git https://git.example.com/r/vanity", commits: []modtest.Commit{one("www.example.com/vanity", nil, "v1.0.0")}, ask: []string{"v1.0.0", "latest"}},
		{name: "vanity-below", repo: "git.example.com/r/below", module: "www.example.com/below/a/b", page: "www.example.com/below git https://git.example.com/r/below", commits: []modtest.Commit{one("www.example.com/below", files{"a/b/go.mod": goMod("www.example.com/below/a/b")}, "a/b/v1.0.0")}, ask: []string{"v1.0.0", "main"}},
		{name: "vanity-subdir", repo: "git.example.com/r/subdir", module: "www.example.com/subdir", page: "www.example.com/subdir git https://git.example.com/r/subdir go/lib", commits: []modtest.Commit{just(files{"go/lib/go.mod": goMod("www.example.com/subdir"), "go/lib/x.go": "package x\n", "LICENSE": "root\n"}, "go/lib/v1.0.0")}, ask: []string{"v1.0.0", "latest"}},
		{name: "vanity-major", repo: "git.example.com/r/major", module: "www.example.com/major/v3", page: "www.example.com/major/v3 git https://git.example.com/r/major", commits: []modtest.Commit{one("www.example.com/major/v3", nil, "v3.0.0")}, ask: []string{"v3.0.0", "latest"}},
		{name: "ending", repo: "git.example.com/group/sub/ending", module: "git.example.com/group/sub/ending.git", commits: []modtest.Commit{one("git.example.com/group/sub/ending.git", nil, "v1.0.0")}, ask: []string{"v1.0.0", "latest"}},
		{name: "ending-below", repo: "git.example.com/group/below", module: "git.example.com/group/below.git/a", commits: []modtest.Commit{just(files{"a/go.mod": goMod("git.example.com/group/below.git/a")}, "a/v1.0.0")}, ask: []string{"v1.0.0"}},
	}
}

func (s *shape) fill() {
	if s.repo == "" {
		s.repo = "github.com/shape/" + s.name
	}
	if s.module == "" {
		s.module = s.repo
	}
}

// build makes the repositories of all shapes.
func build(t *testing.T, f *modtest.Forge) []shape {
	all := shapes()
	for i := range all {
		s := &all[i]
		s.fill()
		repo(t, f, s.repo, s.commits...)
		if root, _, ok := strings.Cut(s.page, " "); ok {
			f.GoImport(root, s.page)
		}
	}
	return all
}

// A plain go command is what results are compared with: no cage, no proxy but
// one that leads to the Forge.
type plain struct{ env []string }

func newPlain(t *testing.T, f *modtest.Forge) plain {
	dir := t.TempDir()
	tunnel := f.Tunnel(t)
	return plain{env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "GOPATH=" + filepath.Join(dir, "go"), "GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw",
		"GOPROXY=direct", "GOSUMDB=off", "GOAUTH=off", "HTTPS_PROXY=" + tunnel, "SSL_CERT_FILE=" + f.CAFile, "GIT_SSL_CAINFO=" + f.CAFile,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	}}
}

// run returns what the go command prints, one value after the other.
func (p plain) run(t *testing.T, each func(json.RawMessage), args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env, cmd.Dir = p.env, t.TempDir()
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && len(out) == 0 {
		t.Fatalf("go %s: %v %s", args[0], err, exit.Stderr)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			return
		}
		each(value)
	}
}

// A download is what "go mod download -json" says of a module.
type download struct{ Path, Version, Query, Error, Info, GoMod, Zip, Sum string }

// downloads asks the plain go command for everything, by module@query.
func (p plain) downloads(t *testing.T, all []shape) map[string]download {
	args := []string{"mod", "download", "-json", "--"}
	for _, s := range all {
		for _, q := range s.ask {
			args = append(args, s.module+"@"+q)
		}
	}
	found := map[string]download{}
	p.run(t, func(value json.RawMessage) {
		var d download
		if err := json.Unmarshal(value, &d); err != nil {
			t.Fatal(err)
		}
		if d.Query == "" {
			d.Query = d.Version
		}
		found[d.Path+"@"+d.Query] = d
	}, args...)
	return found
}

// lists asks the plain go command for all version lists, by module.
func (p plain) lists(t *testing.T, all []shape) map[string]string {
	args := []string{"list", "-m", "-e", "-json", "-versions", "-retracted", "--"}
	for _, s := range all {
		args = append(args, s.module)
	}
	found := map[string]string{}
	p.run(t, func(value json.RawMessage) {
		var l struct {
			Path     string
			Versions []string
		}
		if err := json.Unmarshal(value, &l); err != nil {
			t.Fatal(err)
		}
		found[l.Path] = strings.Join(append(l.Versions, ""), "\n")
	}, args...)
	return found
}

func compareList(t *testing.T, s *Source, mod, want string) {
	n := artifact.Name{Kind: artifact.List, Module: mod}
	if got, err := fetch(t, s, n.Key()); err != nil || string(got) != want {
		t.Errorf("list = %q, %v; want %q", got, err, want)
	}
}

// compare asks for what the plain go command was asked for.
func compare(t *testing.T, s *Source, mod, query string, want download) {
	version := query
	if !artifact.IsCanonical(mod, query) {
		n := artifact.Name{Kind: artifact.Query, Module: mod, Version: query}
		if query == "latest" {
			n = artifact.Name{Kind: artifact.Latest, Module: mod}
		}
		info, err := fetch(t, s, n.Key())
		if want.Error != "" && want.Zip == "" && want.GoMod == "" {
			wantAbsent(t, n, want, info, err)
			return
		}
		if err != nil {
			t.Errorf("%v: %v; want %s", n, err, want.Version)
			return
		}
		compareInfo(t, n, string(info), want)
		version = want.Version
	}
	compareFiles(t, s, artifact.Name{Module: mod, Version: version}, want)
}

// compareFiles compares the files of a version. The zip comes first, and brings
// the others along, unless the name of the module has an odd length.
func compareFiles(t *testing.T, s *Source, n artifact.Name, want download) {
	kinds := []artifact.Kind{artifact.Zip, artifact.Info, artifact.Mod}
	if len(n.Module)%2 == 1 {
		kinds = []artifact.Kind{artifact.Mod, artifact.Info, artifact.Zip}
	}
	for _, kind := range kinds {
		n.Kind = kind
		got, err := fetch(t, s, n.Key())
		wantFile := map[artifact.Kind]string{artifact.Info: want.Info, artifact.Mod: want.GoMod, artifact.Zip: want.Zip}[kind]
		switch {
		case wantFile == "":
			wantAbsent(t, n, want, got, err)
		case err != nil:
			t.Errorf("%v: %v", n, err)
		case kind == artifact.Info:
			compareInfo(t, n, string(got), want)
		case kind == artifact.Mod:
			if text, err := os.ReadFile(wantFile); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%v is %q, %v; want %q", n, got, err, text)
			}
		default:
			if sum, err := hashZip(got); err != nil || sum != want.Sum {
				t.Errorf("%v has the hash %s, %v; want %s", n, sum, err, want.Sum)
			}
		}
	}
}

// wantAbsent checks that what the go command cannot fetch is not found here, or
// is too new for the go command.
func wantAbsent(t *testing.T, n artifact.Name, want download, got []byte, err error) {
	class := artifact.ErrNotFound
	if strings.Contains(want.Error, "requires go >=") {
		class = artifact.ErrBadUpstream
	}
	if artifact.Class(err) != class {
		t.Errorf("%v: got %.200q, %v; the go command says %q", n, got, err, want.Error)
	}
}

// compareInfo compares version, time and origin, but for the name that the
// version was asked for by: the plain go command is asked for several at once.
func compareInfo(t *testing.T, n artifact.Name, got string, want download) {
	text, err := os.ReadFile(want.Info)
	if err != nil {
		t.Errorf("%v: %v", n, err)
		return
	}
	type info struct {
		Version string
		Time    time.Time
		Origin  struct{ VCS, URL, Subdir, Hash string }
	}
	var g, w info
	if err := errors.Join(json.Unmarshal([]byte(got), &g), json.Unmarshal(text, &w)); err != nil || g != w {
		t.Errorf("%v is %s, %v; want %s", n, got, err, text)
	}
}

func hashZip(data []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", err
	}
	byName := map[string]*zip.File{}
	for _, f := range z.File {
		byName[f.Name] = f
	}
	return dirhash.Hash1(slices.Collect(maps.Keys(byName)), func(name string) (io.ReadCloser, error) {
		if f, ok := byName[name]; ok {
			return f.Open()
		}
		return nil, fmt.Errorf("no file %s", name)
	})
}
