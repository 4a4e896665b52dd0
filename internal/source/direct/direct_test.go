package direct

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/modtest"
)

// patience bounds what would otherwise hang.
const patience = time.Minute

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newForge starts all hosts there are.
func newForge(t *testing.T) *modtest.Forge {
	t.Helper()
	f, err := modtest.NewForge(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// repo makes a repository.
func repo(t *testing.T, f *modtest.Forge, hostPath string, commits ...modtest.Commit) *modtest.Repo {
	t.Helper()
	r, err := f.Repo(hostPath, commits...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func commit(t *testing.T, r *modtest.Repo, commits ...modtest.Commit) {
	t.Helper()
	if err := r.Commit(commits...); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, r *modtest.Repo, args ...string) string {
	t.Helper()
	out, err := r.Git(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// guard is one that also allows what the entries name.
func guard(t *testing.T, allow ...string) *egress.Guard {
	t.Helper()
	g, err := egress.NewGuard(allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// open returns a Source for which all hosts are the Forge.
func open(t *testing.T, f *modtest.Forge, change ...func(*Options)) *Source {
	t.Helper()
	o := Options{Dir: t.TempDir(), Guard: guard(t, "127.0.0.0/8"), CAFile: f.CAFile, resolve: func(string) string { return f.Addr }}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// name parses the path of an artifact.
func name(t *testing.T, path string) artifact.Name {
	t.Helper()
	n, err := artifact.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fetch returns the bytes of an artifact.
func fetch(t *testing.T, s *Source, path string) ([]byte, error) {
	t.Helper()
	b, err := s.Fetch(patient(t), name(t, path))
	if err != nil {
		return nil, err
	}
	defer b.Close()
	data, err := io.ReadAll(b.Reader())
	if err == nil && int64(len(data)) != b.Size {
		t.Errorf("%s has %d bytes instead of %d", path, len(data), b.Size)
	}
	return data, err
}

func mustFetch(t *testing.T, s *Source, path string) string {
	t.Helper()
	data, err := fetch(t, s, path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(data)
}

// wantClass fetches what must fail in a certain way.
func wantClass(t *testing.T, s *Source, path string, class error) error {
	t.Helper()
	data, err := fetch(t, s, path)
	if artifact.Class(err) != class {
		t.Errorf("%s: got %.100q, %v; want %v", path, data, err, class)
	}
	return err
}

// versionOf returns the version that an .info names.
func versionOf(t *testing.T, info string) string {
	t.Helper()
	var v struct{ Version string }
	if err := json.Unmarshal([]byte(info), &v); err != nil {
		t.Fatalf("%q: %v", info, err)
	}
	return v.Version
}

// simple is the commit of a module.
func simple(mod string, tags ...string) modtest.Commit {
	return modtest.Commit{Files: map[string]string{"go.mod": "module " + mod + "\n\ngo 1.21\n", "x.go": "package x\n"}, Tags: tags}
}

func TestEveryKindIsFetched(t *testing.T) {
	f := newForge(t)
	const mod = "github.com/weir/simple"
	repo(t, f, mod, simple(mod, "v1.0.0", "v1.1.0"), modtest.Commit{Files: map[string]string{"y.go": "package x\n"}})
	s := open(t, f)
	for path, want := range map[string]string{
		mod + "/@v/list":        "v1.0.0\nv1.1.0\n",
		mod + "/@latest":        `"Version":"v1.1.0"`,
		mod + "/@v/v1.0.0.info": `"Version":"v1.0.0","Time":"2024-02-03T04:01:05Z","Origin":{"VCS":"git","URL":"https://github.com/weir/simple"`,
		mod + "/@v/v1.0.0.mod":  "module github.com/weir/simple\n",
		mod + "/@v/v1.0.0.zip":  "PK",
		mod + "/@v/main.info":   `"Version":"v1.1.1-0.20240203040205-`,
	} {
		if got := mustFetch(t, s, path); !strings.Contains(got, want) {
			t.Errorf("%s is %.200q, want %q", path, got, want)
		}
	}
}

func TestAZipIsAnOpenFileAndItsWorkspaceGone(t *testing.T) {
	f := newForge(t)
	const mod = "github.com/weir/simple"
	repo(t, f, mod, simple(mod, "v1.0.0"))
	s := open(t, f)
	b, err := s.Fetch(patient(t), name(t, mod+"/@v/v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, ok := b.Body.(*os.File); !ok {
		t.Errorf("the body is a %T", b.Body)
	}
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left in the workspaces' folder: %v", left)
	}
	if data, err := io.ReadAll(b.Reader()); err != nil || int64(len(data)) != b.Size {
		t.Errorf("read %d of %d bytes, %v", len(data), b.Size, err)
	}
}

// runsDir returns the folder of the workspaces of a Source.
func runsDir(s *Source) string { return filepath.Join(s.o.Dir, "run") }

func leftovers(t *testing.T, s *Source) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(runsDir(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNothingIsFoundOfChecksumDatabases(t *testing.T) {
	s := open(t, newForge(t))
	wantClass(t, s, "sumdb/sum.golang.org/latest", artifact.ErrNotFound)
	wantClass(t, s, "sumdb/sum.golang.org/lookup/example.com/x@v1.0.0", artifact.ErrNotFound)
}

func TestTheListOfAModuleWithoutTagsIsEmptyAndOfNoneNotFound(t *testing.T) {
	f := newForge(t)
	repo(t, f, "github.com/weir/untagged", simple("github.com/weir/untagged"))
	s := open(t, f)
	if got := mustFetch(t, s, "github.com/weir/untagged/@v/list"); got != "" {
		t.Errorf("list = %q", got)
	}
	for _, path := range []string{
		"github.com/weir/none/@v/list", "github.com/weir/none/@latest", "github.com/weir/none/@v/v1.0.0.zip", "github.com/weir/@v/list", "github.com/weir/untagged/@v/v1.0.0.info",
		"github.com/weir/untagged/@v/v1.0.0.mod", "github.com/weir/untagged/@v/v1.0.0.zip", "github.com/weir/untagged/@v/nobranch.info",
		"github.com/weir/untagged/@v/0123456789ab.info", "github.com/weir/untagged/sub/@latest", "github.com/weir/untagged/v2/@latest", "github.com/weir/x.git/@v/list",
		"git.example.com/none.git/@v/list", "www.example.com/none/@v/list",
	} {
		wantClass(t, s, path, artifact.ErrNotFound)
	}
}

func TestVersionControlIsReachedThroughTheProxyOfTheNetwork(t *testing.T) {
	f := newForge(t)
	repo(t, f, "github.com/a/hello", modtest.Commit{Files: map[string]string{"go.mod": "module go.example.org/hello\n", "hello.go": "package hello\n"}, Tags: []string{"v1.0.0"}})
	f.GoImport("go.example.org/hello", "go.example.org/hello git https://github.com/a/hello")
	way, err := url.Parse(f.Tunnel(t))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, f, func(o *Options) {
		o.Guard, o.Proxy = nil, func(*url.URL) (*url.URL, error) { return way, nil }
		o.resolve = func(hostport string) string { t.Errorf("%s was connected to", hostport); return f.Addr }
		o.lookup = func(context.Context, string) ([]netip.Addr, error) {
			return nil, errors.New("only the proxy knows names")
		}
	})
	if got := mustFetch(t, s, "go.example.org/hello/@v/v1.0.0.mod"); got != "module go.example.org/hello\n" {
		t.Errorf("got %q", got)
	}
}
