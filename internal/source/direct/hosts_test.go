package direct

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
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

func TestAHostThatIsDownIsNoProof(t *testing.T) {
	f := newForge(t)
	nobody := modtest.Nobody(t)
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
