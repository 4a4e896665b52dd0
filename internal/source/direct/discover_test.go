package direct

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

// hanging returns a handler that says when a request has come, and answers it
// when it is told to.
func hanging(arrived chan<- bool, healed <-chan bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- true
		select {
		case <-healed:
		case <-r.Context().Done():
		}
		http.Error(w, "late", http.StatusServiceUnavailable)
	})
}

// answer returns a handler that always says the same.
func always(status int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})
}

// only lets a Source reach nothing but some hosts.
func only(t *testing.T, hosts ...string) func(*Options) {
	g := guard(t, hosts...)
	return func(o *Options) { o.Guard = g }
}

func TestA4ModulesOnThisMachineOrAtAnAddressAreRefusedWithoutAPacket(t *testing.T) {
	f := newForge(t)
	s := open(t, f)
	for _, host := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "1.2.3.4", "localhost.localdomain", "localhost.example.com", "x.localhost"} {
		for _, below := range []string{"/x", "/x.git", "/x.git/y", ""} {
			wantClass(t, s, host+below+"/@v/list", artifact.ErrForbidden)
		}
	}
	if r := f.Requests(); len(r) > 0 {
		t.Errorf("%+v was asked", r)
	}
}

func TestA4NamesThatLeadInsideAreRefusedWithoutAPacket(t *testing.T) {
	f := newForge(t)
	s := open(t, f, only(t, "other.example.com"))
	for _, mod := range []string{"www.example.com/x", "git.example.com/x.git", "github.com/a/b", "gopkg.in/x.v1"} {
		for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.zip"} {
			err := wantClass(t, s, mod+"/"+file, artifact.ErrForbidden)
			if _, hint := artifact.Explain(err); !strings.Contains(hint, "direct.allow_hosts") {
				t.Errorf("%s: hint %q", mod, hint)
			}
		}
	}
	if r := f.Requests(); len(r) > 0 {
		t.Errorf("%+v was asked", r)
	}
}

func TestA5WhatAPageLeadsToIsGuardedToo(t *testing.T) {
	f := newForge(t)
	repo(t, f, "inner.example.org/x", simple("www.example.com/git", "v1.0.0"))
	f.GoImport("www.example.com/git", "www.example.com/git git https://inner.example.org/x")
	f.GoImport("www.example.com/port", "www.example.com/port git https://inner.example.org:82/x")
	f.GoImport("www.example.com/mod", "www.example.com/mod mod https://inner.example.org/x")
	f.Handle("www.example.com/moved", http.RedirectHandler("https://inner.example.org/moved?go-get=1", http.StatusFound))
	f.GoImport("www.example.com/root/below", "www.example.com/root git https://inner.example.org/x")
	f.Handle("www.example.com/root", http.RedirectHandler("https://inner.example.org/root?go-get=1", http.StatusFound))
	s := open(t, f, only(t, "www.example.com"))
	for _, mod := range []string{"git", "port", "mod", "moved", "root/below"} {
		wantClass(t, s, "www.example.com/"+mod+"/@v/v1.0.0.zip", artifact.ErrForbidden)
	}
	if n := f.Count("inner.example.org"); n > 0 {
		t.Errorf("the inner host was asked %d times", n)
	}
}

func TestA5RedirectsAreFollowedByHTTPSOnlyAndNotForEver(t *testing.T) {
	f := newForge(t)
	f.Handle("www.example.com/plain", http.RedirectHandler("http://www.example.com/x?go-get=1", http.StatusFound))
	f.Handle("www.example.com/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	f.Handle("www.example.com/loop", http.RedirectHandler("https://www.example.com/loop?go-get=1", http.StatusFound))
	f.Handle("www.example.com/moved", http.RedirectHandler("https://other.example.com/x?go-get=1", http.StatusMovedPermanently))
	f.GoImport("other.example.com/x", "www.example.com/moved git https://git.example.com/x")
	repo(t, f, "git.example.com/x", simple("www.example.com/moved", "v1.0.0"))
	s := open(t, f)
	wantClass(t, s, "www.example.com/plain/@v/list", artifact.ErrForbidden)
	wantClass(t, s, "www.example.com/file/@v/list", artifact.ErrForbidden)
	wantClass(t, s, "www.example.com/loop/@v/list", artifact.ErrBadUpstream)
	if got := f.Count("www.example.com/loop"); got != 1+maxRedirects {
		t.Errorf("the loop was asked %d times", got)
	}
	if got := mustFetch(t, s, "www.example.com/moved/@v/list"); got != "v1.0.0\n" {
		t.Errorf("list = %q", got)
	}
}

func TestA5GitIsNotLedToAnotherHost(t *testing.T) {
	f := newForge(t)
	repo(t, f, "other.example.org/x", simple("www.example.com/x", "v1.0.0"))
	f.GoImport("www.example.com/x", "www.example.com/x git https://git.example.com/x")
	f.Handle("git.example.com/x", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.example.org"+r.URL.RequestURI(), http.StatusFound)
	}))
	s := open(t, f)
	err := wantClass(t, s, "www.example.com/x/@v/list", artifact.ErrForbidden)
	if !strings.Contains(err.Error(), "other.example.org") {
		t.Errorf("the reason does not name the host: %v", err)
	}
	if n := f.Count("other.example.org"); n > 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}

func TestARepositoryThatMovedOnItsHostIsFollowed(t *testing.T) {
	f := newForge(t)
	repo(t, f, "github.com/weir/now", simple("github.com/weir/before", "v1.0.0"))
	f.Handle("github.com/weir/before", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://github.com"+strings.Replace(r.URL.RequestURI(), "before", "now", 1), http.StatusMovedPermanently)
	}))
	s := open(t, f)
	if got := mustFetch(t, s, "github.com/weir/before/@v/v1.0.0.mod"); got != "module github.com/weir/before\n\ngo 1.21\n" {
		t.Errorf("mod = %q", got)
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
	s := open(t, f)
	for path, class := range map[string]error{
		"404": artifact.ErrNotFound, "410": artifact.ErrNotFound, "page": artifact.ErrNotFound, "broken": artifact.ErrNotFound, "other": artifact.ErrNotFound, "deep/er": artifact.ErrNotFound,
		"500": artifact.ErrBadUpstream, "503": artifact.ErrUnavailable, "401": artifact.ErrBadUpstream, "403": artifact.ErrBadUpstream, "429": artifact.ErrUnavailable,
	} {
		wantClass(t, s, "www.example.com/"+path+"/@v/list", class)
	}
	wantClass(t, s, "unknown.test/x/@v/list", artifact.ErrBadUpstream) // no certificate has this name
	if _, hint := artifact.Explain(wantClass(t, s, "www.example.com/401/@latest", artifact.ErrBadUpstream)); !strings.Contains(hint, "credentials for www.example.com") {
		t.Errorf("hint %q", hint)
	}
}

func TestAHostThatIsDownIsNoProof(t *testing.T) {
	f := newForge(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	s := open(t, f, func(o *Options) { o.resolve = func(string) string { return nobody } })
	for _, mod := range []string{"www.example.com/x", "git.example.com/x.git", "github.com/a/b"} {
		for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/main.info"} {
			wantClass(t, s, mod+"/"+file, artifact.ErrBadUpstream)
		}
	}
}

func TestGitTroubleIsNoProof(t *testing.T) {
	f := newForge(t)
	for mod, status := range map[string]int{"github.com/a/unauthorized": 401, "github.com/a/forbidden": 403, "github.com/a/trouble": 500, "github.com/a/busy": 503} {
		f.Handle(mod, always(status, "no"))
		s := open(t, f)
		for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/main.info"} {
			err := wantClass(t, s, mod+"/"+file, artifact.ErrBadUpstream)
			if _, hint := artifact.Explain(err); (status < 500) != strings.Contains(hint, "credentials for github.com") {
				t.Errorf("%s: hint %q", mod, hint)
			}
		}
	}
}

func TestAHostIsAskedOnceForTheModulesOfABuild(t *testing.T) {
	f := newForge(t)
	f.GoImport("www.example.com/x", "www.example.com/x git https://git.example.com/x")
	repo(t, f, "git.example.com/x", simple("www.example.com/x", "v1.0.0"))
	s := open(t, f)
	for _, file := range []string{"list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"} {
		mustFetch(t, s, "www.example.com/x/@v/"+file)
	}
	if n := f.Count("www.example.com"); n != 1 {
		t.Errorf("the host was asked %d times", n)
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
			got = r.vcs + " " + r.location.String() + " at " + r.prefix
		}
		if err != nil || got != want || ok && r.url != r.location.String() {
			t.Errorf("%s: %q, %v; want %q", mod, got, err, want)
		}
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	f := newForge(t)
	repo(t, f, "github.com/weir/x", simple("github.com/weir/x", "v1.0.0"))
	repo(t, f, "git.example.com/y", simple("www.example.com/y", "v1.0.0"))
	f.GoImport("www.example.com/y", "www.example.com/y git https://git.example.com/y")
	s := open(t, f, func(o *Options) { o.CAFile = "" })
	wantClass(t, s, "www.example.com/y/@v/list", artifact.ErrBadUpstream)
	wantClass(t, s, "github.com/weir/x/@v/list", artifact.ErrBadUpstream)
	if n := f.Count("go-get"); n > 0 {
		t.Errorf("%d pages were taken from a host that could not prove who it is", n)
	}
}

func TestPlainHTTPIsSpokenWhereTheOperatorAllowsIt(t *testing.T) {
	f := newForge(t)
	old := httptest.NewServer(f)
	defer old.Close()
	repo(t, f, "git.example.com/x", simple("www.example.com/x", "v1.0.0"))
	f.GoImport("www.example.com/x", "www.example.com/x git http://git.example.com/x")
	resolve := func(o *Options) {
		o.resolve = func(hostport string) string {
			if strings.HasSuffix(hostport, ":80") {
				return old.Listener.Addr().String()
			}
			return "127.0.0.1:1"
		}
	}
	s := open(t, f, resolve, only(t, "http://www.example.com", "http://git.example.com"))
	mustFetch(t, s, "www.example.com/x/@v/list")
	mustFetch(t, s, "www.example.com/x/@v/v1.0.0.zip")
	wantClass(t, open(t, f, resolve, only(t, "http://www.example.com", "git.example.com")), "www.example.com/x/@v/list", artifact.ErrForbidden)
	wantClass(t, open(t, f, resolve, only(t, "www.example.com", "http://git.example.com")), "www.example.com/x/@v/list", artifact.ErrBadUpstream)
}
