package modsource

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source/upstream"
)

var hello = modtest.Module{Path: "example.com/hello", Version: "v1.0.0", Mod: "module example.com/hello\n", Files: map[string]string{"hello.go": "package hello\n"}}

func name(kind artifact.Kind) artifact.Name {
	n := artifact.Name{Kind: kind, Module: hello.Path}
	if kind != artifact.List && kind != artifact.Latest {
		n.Version = hello.Version
	}
	return n
}

// open opens the modules of a machine whose go command has these settings.
func open(t *testing.T, settings map[string]string) *Modules {
	t.Helper()
	m, err := Open(t.Context(), goenv.Load(func(name string) string {
		if name == "GOENV" {
			return "off"
		}
		return settings[name]
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// withSums starts a proxy of hello that mirrors a checksum database.
func withSums(t *testing.T) (p *modtest.Proxy, db *modtest.SumDB, settings map[string]string) {
	t.Helper()
	p = modtest.New(hello)
	db = modtest.NewSumDB("sum.example.com", p)
	return p, db, map[string]string{"GOPROXY": p.Start(t), "GOSUMDB": db.Key()}
}

func TestArtifactsComeWholeAndProven(t *testing.T) {
	_, _, settings := withSums(t)
	m := open(t, settings)
	mod, err := Read(t.Context(), m.Verified(), name(artifact.Mod))
	if err != nil || string(mod) != hello.Mod {
		t.Errorf("got %q, %v", mod, err)
	}
	list, err := Read(t.Context(), m.Verified(), name(artifact.List))
	if err != nil || string(list) != "v1.0.0\n" {
		t.Errorf("got %q, %v", list, err)
	}
	f := tempFile(t)
	f.WriteString("left over")
	size, err := Save(t.Context(), m.Verified(), name(artifact.Zip), f)
	stat, _ := f.Stat()
	if err != nil || size == 0 || stat.Size() != size {
		t.Errorf("a zip of %d bytes in a file of %d, %v", size, stat.Size(), err)
	}
}

func TestWhatDiffersFromTheChecksumDatabaseIsRefused(t *testing.T) {
	_, db, settings := withSums(t)
	db.Lie(hello.Path, hello.Version)
	m := open(t, settings)
	for _, kind := range []artifact.Kind{artifact.Mod, artifact.Zip} {
		if _, err := Save(t.Context(), m.Verified(), name(kind), tempFile(t)); !errors.Is(err, artifact.ErrIntegrity) {
			t.Errorf("%s: got %v", kind, err)
		}
		if _, err := Save(t.Context(), m.Source(), name(kind), tempFile(t)); err != nil {
			t.Errorf("%s, without the database: %v", kind, err)
		}
	}
}

func TestABadBodyIsTakenFromTheNextProxy(t *testing.T) {
	bad, good := modtest.New(hello), modtest.New(hello)
	bad.Break(".zip", modtest.Corrupt)
	m := open(t, map[string]string{"GOPROXY": bad.Start(t) + "," + good.Start(t), "GOSUMDB": "off"})
	if _, err := Save(t.Context(), m.Source(), name(artifact.Zip), tempFile(t)); err != nil {
		t.Error(err)
	}
	if good.Count("/example.com/hello/@v/v1.0.0.zip") != 1 {
		t.Errorf("the good one was asked for %v", good.Requests())
	}
}

func TestABodyThatBreaksOffIsAnError(t *testing.T) {
	p := modtest.New(hello)
	p.Break(".mod", modtest.TruncateChunked)
	m := open(t, map[string]string{"GOPROXY": p.Start(t), "GOSUMDB": "off"})
	if data, err := Read(t.Context(), m.Source(), name(artifact.Mod)); err == nil || errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("got %q, %v", data, err)
	}
}

// A private module comes from version control, and nobody else hears of it.
func TestPrivateModulesComeFromVersionControl(t *testing.T) {
	repo := filepath.Join(t.TempDir(), "hello.git")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q", repo)
	for name, text := range map[string]string{"go.mod": "module github.com/corp/hello\n", "hello.go": "package hello\n"} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("-C", repo, "add", ".")
	git("-C", repo, "commit", "-q", "-m", "first")
	git("-C", repo, "tag", "v1.0.0")

	// The go command runs with the environment of this process.
	for variable, value := range map[string]string{
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.file://" + repo + ".insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/corp/hello",
		"GIT_ALLOW_PROTOCOL": "file", "GOENV": "off", "GOPRIVATE": "github.com/corp", "GOMODCACHE": t.TempDir(), "GOPATH": "", "GOSUMDB": "",
	} {
		t.Setenv(variable, value)
	}
	t.Cleanup(func() { exec.Command("go", "clean", "-modcache").Run() })
	spy := modtest.New()
	m := open(t, map[string]string{"GOPROXY": spy.Start(t), "GOSUMDB": "off", "GOPRIVATE": "github.com/corp"})
	for kind, want := range map[artifact.Kind]string{
		artifact.Mod: "module github.com/corp/hello\n", artifact.List: "v1.0.0\n", artifact.Info: `"Version":"v1.0.0"`, artifact.Latest: `"Version":"v1.0.0"`, artifact.Zip: "PK",
	} {
		n := name(kind)
		n.Module = "github.com/corp/hello"
		data, err := Read(t.Context(), m.Source(), n)
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s: got %.200q, %v", kind, data, err)
		}
	}
	absent := name(artifact.Info)
	absent.Module, absent.Version = "github.com/corp/hello", "v1.9.0"
	if _, err := Read(t.Context(), m.Source(), absent); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a version that does not exist: %v", err)
	}
	if asked := spy.Requests(); len(asked) > 0 {
		t.Errorf("the proxy was asked for %v", asked)
	}
}

func TestCredentialsOfHelpersAreTakenOver(t *testing.T) {
	for what, c := range map[string]struct {
		header http.Header
		want   upstream.Options
	}{
		"none":   {nil, upstream.Options{}},
		"user":   {http.Header{"Authorization": {"Basic dXNlcjpwOnc="}}, upstream.Options{Username: "user", Password: "p:w"}},
		"token":  {http.Header{"Authorization": {"bearer token"}}, upstream.Options{Bearer: "token"}},
		"others": {http.Header{"X-Key": {"a"}}, upstream.Options{Header: http.Header{"X-Key": {"a"}}}},
	} {
		var got upstream.Options
		withHeader(&got, c.header)
		if got.Username != c.want.Username || got.Password != c.want.Password || got.Bearer != c.want.Bearer || !maps.EqualFunc(got.Header, c.want.Header, slices.Equal) {
			t.Errorf("%s: the options are %q %q %q %v", what, got.Username, got.Password, got.Bearer, got.Header)
		}
	}
}

func TestEntriesOfGOPROXYAreShownWithoutSecrets(t *testing.T) {
	m := open(t, map[string]string{"GOPROXY": "https://user:secret@proxy.example.com/go|direct", "GOSUMDB": "off"})
	for _, p := range m.Proxies() {
		if strings.Contains(p.Name, "secret") {
			t.Errorf("%s is shown", p.Name)
		}
	}
	if p := m.Proxies(); len(p) != 2 || p[0].Source == nil || !p[0].FallBackOnError || p[1].Name != "direct" || p[1].Source != nil {
		t.Errorf("the entries are %v", p)
	}
}

func TestBadSettingsAreErrorsWithoutSecrets(t *testing.T) {
	for variable, value := range map[string]string{"GOPROXY": "ftp://user:secret@proxy.example.com", "GOSUMDB": "secret nonsense x", "GOAUTH": "off;secret"} {
		settings := map[string]string{"GOPROXY": "https://proxy.example.com", "GOSUMDB": "off"}
		settings[variable] = value
		_, err := Open(t.Context(), goenv.Load(func(name string) string {
			if name == "GOENV" {
				return "off"
			}
			return settings[name]
		}), Options{})
		if err == nil || !strings.Contains(err.Error(), variable) && variable != "GOAUTH" || strings.Contains(err.Error(), "user:secret") {
			t.Errorf("%s=%s: %v", variable, value, err)
		}
	}
}
