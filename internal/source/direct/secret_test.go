//go:build unix

package direct

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
)

const canary = "c4n4ry/s3cret +@:%"

// keys are credentials by host:port.
type keys map[string]credential.Credential

func (k keys) Find(_ context.Context, u *url.URL) (credential.Credential, bool, error) {
	c, ok := k[egress.HostPort(u)]
	return c, ok, nil
}

// with gives a Source credentials.
func with(k keys) func(*Options) { return func(o *Options) { o.Credentials = k } }

var robot = credential.Credential{Name: "robot", Username: "robot", Password: canary}

func TestPrivateModulesAreFetchedWithTheirCredential(t *testing.T) {
	f := newForge(t)
	repo(t, f, "git.example.com/x", simple("git.example.com/group/sub/x", "v1.0.0"))
	f.GoImport("git.example.com/group/sub/x", "git.example.com/group/sub/x git https://git.example.com/x")
	f.Require("git.example.com", "robot", canary)
	s := open(t, f, with(keys{"git.example.com:443": robot}))
	for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/main.info"} {
		mustFetch(t, s, "git.example.com/group/sub/x/"+file)
	}
}

func TestATokenNeedsNoUser(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	f.Require("github.com", "token", canary)
	s := open(t, f, with(keys{"github.com:443": {Password: canary}}))
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
}

func TestA17CredentialsGetToTheirHostOnly(t *testing.T) {
	f := newForge(t)
	repo(t, f, "git.example.com/x", simple("www.example.com/x", "v1.0.0"))
	repo(t, f, "other.example.org/y", simple("www.example.com/y", "v1.0.0"))
	f.GoImport("www.example.com/x", "www.example.com/x git https://git.example.com/x")
	f.GoImport("www.example.com/y", "www.example.com/y git https://other.example.org/y")
	f.Handle("git.example.com/moved", http.RedirectHandler("https://sub.git.example.com/moved?go-get=1", http.StatusFound))
	f.Handle("git.example.com/elsewhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.example.org"+r.URL.RequestURI(), http.StatusFound)
	}))
	f.GoImport("git.example.com/mod", "git.example.com/mod mod https://other.example.org/mod")
	f.Require("other.example.org", "nobody", "knows")
	s := open(t, f, with(keys{"git.example.com:443": robot}))
	for _, mod := range []string{"www.example.com/x", "www.example.com/y", "git.example.com/moved", "git.example.com/elsewhere", "git.example.com/elsewhere.git", "git.example.com/mod"} {
		fetch(t, s, mod+"/@v/list")
		fetch(t, s, mod+"/@v/v1.0.0.zip")
	}
	for _, r := range f.Requests() {
		if r.Authorization != "" && r.Host != "git.example.com" {
			t.Errorf("a credential was shown: %+v", r)
		}
	}
	if f.Count("other.example.org") == 0 {
		t.Error("the other host was never asked")
	}
}

func TestA17SecretsAreInNoCommandLineEnvironmentOrError(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	f.Require("github.com", "robot", "something else")
	f.Handle("tell.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if password == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="`+canary+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		} else {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintf(w, "https://%s:%s@tell.example.com said %s %s", user, url.QueryEscape(password), password, r.Header.Get("Authorization"))
	}))
	f.GoImport("www.example.com/tell", "www.example.com/tell mod https://tell.example.com/proxy")
	w := wrap(t, "")
	s := open(t, f, w.use, with(keys{"github.com:443": robot, "tell.example.com:443": robot}))
	var texts strings.Builder
	for _, mod := range []string{caged, "tell.example.com/x", "tell.example.com/x.git", "www.example.com/tell"} {
		for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/main.info"} {
			_, err := fetch(t, s, mod+"/"+file)
			reason, hint := artifact.Explain(err)
			fmt.Fprintf(&texts, "%v %+v %q %s %s\n", err, err, err, reason, hint)
		}
	}
	texts.WriteString(w.text(t))
	fmt.Fprintf(&texts, "%v %+v %#v %s", robot, robot, robot, robot)
	for _, form := range []string{canary, url.QueryEscape(canary), url.PathEscape(canary), url.UserPassword("", canary).String(), "c4n4ry"} {
		if at := strings.Index(texts.String(), form); at >= 0 {
			t.Errorf("the secret shows: %.300q", texts.String()[max(0, at-100):])
		}
	}
}

func TestErrorsShowNothingOfThisMachine(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	f.Handle("github.com/weir/trouble", always(500, "no"))
	s := open(t, f)
	for _, path := range []string{caged + "/@v/v1.9.9.zip", caged + "/@v/nobranch.info", "github.com/weir/trouble/@v/list", "github.com/weir/trouble/@v/v1.0.0.zip", "git.example.com/x.git/@latest", "github.com/none/none/@v/list"} {
		_, err := fetch(t, s, path)
		reason, hint := artifact.Explain(err)
		for _, word := range []string{s.o.Dir, "clones", "/run-", "127.0.0.1", "ls-remote", "exit status"} {
			if strings.Contains(reason+hint, word) {
				t.Errorf("%s: %q shows %q", path, reason, word)
			}
		}
		if reason == "" || strings.Contains(reason, "\n") {
			t.Errorf("%s: reason %q", path, reason)
		}
	}
}
