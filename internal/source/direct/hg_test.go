//go:build unix && hg

// These tests need Mercurial: go test -tags hg.

package direct

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
)

func hg(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("hg", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HGRCPATH=", "HGPLAIN=1", "HGUSER=gopher")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("hg %q: %v: %s", args, err, out)
	}
}

// serveHg makes a repository of a module and serves it as hg.example.com.
func serveHg(t *testing.T, f *modtest.Forge, mod string) {
	dir := t.TempDir()
	hg(t, dir, "init")
	for name, text := range (files{"go.mod": goMod(mod), "x.go": "package x\n"}) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hg(t, dir, "commit", "-A", "-m", "first")
	hg(t, dir, "tag", "v1.0.0")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "hg", "serve", "--address", "127.0.0.1", "--port", "0")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n') // listening at http://NAME:PORT/ (bound to 127.0.0.1:PORT)
	if err != nil {
		t.Fatal(err)
	}
	_, bound, _ := strings.Cut(line, "bound to ")
	f.Handle("hg.example.com", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: strings.Trim(bound, ")\n ")}))
}

func allowHg(o *Options) { o.VCS = []string{"git", "hg"} }

func TestMercurialIsFetchedWhereItIsAllowed(t *testing.T) {
	f := newForge(t)
	serveHg(t, f, "www.example.com/h")
	f.GoImport("www.example.com/h", "www.example.com/h hg https://hg.example.com/")
	s := open(t, f, allowHg)
	if got := mustFetch(t, s, "www.example.com/h/@v/list"); got != "v1.0.0\n" {
		t.Errorf("list = %q", got)
	}
	for _, file := range []string{"@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/default.info"} {
		mustFetch(t, s, "www.example.com/h/"+file)
	}
	wantClass(t, open(t, f), "www.example.com/h/@v/list", artifact.ErrForbidden)
	wantClass(t, s, "www.example.com/h/@v/v1.0.1.info", artifact.ErrNotFound)
}

func TestMercurialTroubleIsNoProof(t *testing.T) {
	f := newForge(t)
	for path, class := range map[string]error{"trouble": artifact.ErrBadUpstream, "who": artifact.ErrBadUpstream, "none": artifact.ErrNotFound} {
		f.GoImport("www.example.com/"+path, "www.example.com/"+path+" hg https://hg.example.com/"+path)
		f.Handle("hg.example.com/"+path, always(map[string]int{"trouble": 500, "who": 401, "none": 404}[path], "no"))
		s := open(t, f, allowHg)
		wantClass(t, s, "www.example.com/"+path+"/@v/list", class)
		wantClass(t, s, "www.example.com/"+path+"/@v/v1.0.0.info", class)
	}
}

func TestA5MercurialReachesItsRepositoryOnly(t *testing.T) {
	f := newForge(t)
	var reached atomic.Int64
	inner := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inner.Close()
	// moved answers the first question, which is ours, and sends all others on.
	moved := func(to string) http.Handler {
		var asked atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 1 {
				http.Redirect(w, r, to, http.StatusFound)
			}
		})
	}
	for mod, address := range map[string]string{"a": "https://hg.example.com/a", "b": "https://hg.example.com/b", "c": "https://inner.example.org/c", "d": inner.URL + "/d"} {
		f.GoImport("www.example.com/"+mod, "www.example.com/"+mod+" hg "+address)
	}
	f.Handle("hg.example.com/a", moved("https://inner.example.org/a"))
	f.Handle("hg.example.com/b", moved(inner.URL+"/b"))
	s := open(t, f, allowHg, only(t, "www.example.com", "hg.example.com"), func(o *Options) {
		o.resolve = func(hostport string) string {
			if strings.Contains(hostport, ".example.com:") {
				return f.Addr
			}
			return inner.Listener.Addr().String()
		}
	})
	for _, mod := range []string{"a", "b", "c", "d"} {
		if got, err := fetch(t, s, "www.example.com/"+mod+"/@v/list"); len(got) > 0 {
			t.Errorf("%s: %q, %v", mod, got, err)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("another place was reached %d times", n)
	}
}
