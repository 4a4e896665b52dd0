package origin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/modtest"
)

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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

// newClient returns a Client for which all hosts are the Forge.
func newClient(t *testing.T, f *modtest.Forge) *Client {
	t.Helper()
	guard, err := egress.NewGuard([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(f.CAFile)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(authority) {
		t.Fatal("no authority:", err)
	}
	d := egress.Dialer{Guard: guard, Resolve: func(string) string { return f.Addr }}
	transport := &http.Transport{DialContext: d.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return New(Options{Transport: transport, Guard: guard, VCS: []string{"git"}, UserAgent: "weir", Timeout: time.Minute})
}

// wantClass looks for a module that must fail to be found in a certain way.
func wantClass(t *testing.T, c *Client, mod string, class error) error {
	t.Helper()
	r, err := c.Find(patient(t), mod)
	if artifact.Class(err) != class {
		t.Errorf("%s: got %v, %v; want %v", mod, r, err, class)
	}
	return err
}

// always returns a handler that always says the same.
func always(status int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})
}

func TestA4ModulesOnThisMachineOrAtAnAddressAreRefusedWithoutAPacket(t *testing.T) {
	f := newForge(t)
	c := newClient(t, f)
	for _, host := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "1.2.3.4", "localhost.localdomain", "localhost.example.com", "x.localhost"} {
		for _, below := range []string{"/x", "/x.git", "/x.git/y", ""} {
			wantClass(t, c, host+below, artifact.ErrForbidden)
		}
	}
	if r := f.Requests(); len(r) > 0 {
		t.Errorf("%+v was asked", r)
	}
}

func TestA5RedirectsAreFollowedByHTTPSOnlyAndNotForEver(t *testing.T) {
	f := newForge(t)
	f.Handle("www.example.com/plain", http.RedirectHandler("http://www.example.com/x?go-get=1", http.StatusFound))
	f.Handle("www.example.com/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	f.Handle("www.example.com/loop", http.RedirectHandler("https://www.example.com/loop?go-get=1", http.StatusFound))
	f.Handle("www.example.com/moved", http.RedirectHandler("https://other.example.com/x?go-get=1", http.StatusMovedPermanently))
	f.GoImport("other.example.com/x", "www.example.com/moved git https://git.example.com/x")
	c := newClient(t, f)
	wantClass(t, c, "www.example.com/plain", artifact.ErrForbidden)
	wantClass(t, c, "www.example.com/file", artifact.ErrForbidden)
	wantClass(t, c, "www.example.com/loop", artifact.ErrBadUpstream)
	if got := f.Count("www.example.com/loop"); got != 1+maxRedirects {
		t.Errorf("the loop was asked %d times", got)
	}
	if r, err := c.Find(patient(t), "www.example.com/moved"); err != nil || r.Key() != "git https://git.example.com/x" {
		t.Errorf("found %q, %v", r.Key(), err)
	}
}

func TestOnlyAnHonestPageProvesThatThereIsNoModule(t *testing.T) {
	f := newForge(t)
	f.Handle("www.example.com/404", always(404, "none"))
	f.Handle("www.example.com/410", always(410, "none"))
	f.Handle("www.example.com/page", always(200, "<html><head></head></html>"))
	f.Handle("www.example.com/broken", always(200, "<a <"))
	f.Handle("www.example.com/500", always(500, "trouble"))
	f.Handle("www.example.com/503", always(503, "trouble"))
	f.Handle("www.example.com/401", always(401, "who?"))
	f.Handle("www.example.com/403", always(403, "no"))
	f.Handle("www.example.com/429", always(429, "no"))
	f.GoImport("www.example.com/other", "www.example.com/else git https://git.example.com/x")
	f.GoImport("www.example.com/deep/er", "www.example.com/deep git https://git.example.com/x")
	f.GoImport("www.example.com/deep", "www.example.com/deep git https://git.example.com/y")
	c := newClient(t, f)
	for path, class := range map[string]error{
		"404": artifact.ErrNotFound, "410": artifact.ErrNotFound, "page": artifact.ErrNotFound, "broken": artifact.ErrNotFound, "other": artifact.ErrNotFound, "deep/er": artifact.ErrNotFound,
		"500": artifact.ErrBadUpstream, "503": artifact.ErrUnavailable, "401": artifact.ErrBadUpstream, "403": artifact.ErrBadUpstream, "429": artifact.ErrUnavailable,
	} {
		wantClass(t, c, "www.example.com/"+path, class)
	}
	wantClass(t, c, "unknown.test/x", artifact.ErrBadUpstream) // no certificate has this name
	if _, hint := artifact.Explain(wantClass(t, c, "www.example.com/401", artifact.ErrBadUpstream)); !strings.Contains(hint, "credentials for www.example.com") {
		t.Errorf("hint %q", hint)
	}
}

func TestThePathAloneTellsSomeRepositories(t *testing.T) {
	for mod, want := range map[string]string{
		"github.com/a/b": "git https://github.com/a/b at github.com/a/b", "github.com/a/b/c/d/v2": "git https://github.com/a/b at github.com/a/b",
		"bitbucket.org/a/b/c": "git https://bitbucket.org/a/b at bitbucket.org/a/b", "git.apache.org/x.git/y": "git https://git.apache.org/x.git at git.apache.org/x.git",
		"chiselapp.com/user/a/repository/b": "fossil https://chiselapp.com/user/a/repository/b at chiselapp.com/user/a/repository/b",
		"git.example.com/a/b.git":           "git https://git.example.com/a/b at git.example.com/a/b.git", "hg.example.com/a.hg/b": "hg https://hg.example.com/a at hg.example.com/a.hg",
		"www.example.com/a/b": "", "git.example.com/a/git": "", "example.git/a": "", "gopkg.in/x.v1": "", "github.company.example/a/b": "",
	} {
		r, ok, err := fromPath(mod)
		got := ""
		if ok {
			got = r.VCS + " " + r.Location.String() + " at " + r.Prefix
		}
		if err != nil || got != want || ok && r.tag.url != r.Location.String() {
			t.Errorf("%s: %q, %v; want %q", mod, got, err, want)
		}
	}
}
