package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// A secret is something that weir is told, and who may see it: one of those it talks to,
// or nobody.
type secret struct{ user, text, seenBy string }

// isIn reports whether a text shows the secret, in any form that it may have in there.
func (s secret) isIn(text string) bool {
	for _, form := range []string{s.text, url.QueryEscape(s.text), url.PathEscape(s.text), base64.StdEncoding.EncodeToString([]byte(s.user + ":" + s.text))} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// notes are texts by where they were seen.
type notes struct {
	mu    sync.Mutex
	texts map[string]*strings.Builder
}

func (n *notes) add(where string, what ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.texts == nil {
		n.texts = map[string]*strings.Builder{}
	}
	if n.texts[where] == nil {
		n.texts[where] = new(strings.Builder)
	}
	fmt.Fprintln(n.texts[where], what...)
}

// check looks for secrets where they must not be, and for each where it has to be.
func (n *notes) check(t *testing.T, secrets map[string]secret) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for what, s := range secrets {
		seen := s.seenBy == ""
		for where, text := range n.texts {
			switch isIn := s.isIn(text.String()); {
			case isIn && where == s.seenBy:
				seen = true
			case isIn:
				t.Errorf("%s shows %s: %s", where, what, text)
			}
		}
		if !seen {
			t.Errorf("%s was never shown to %s", what, s.seenBy)
		}
	}
}

// spy notes what a handler is asked.
func (n *notes) spy(who string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.add(who, r.Method, r.URL, r.Header)
		h.ServeHTTP(w, r)
	})
}

// children notes the command lines and the environments of all processes below another
// one, and returns the names of the programs.
func (n *notes) children(of int) (programs string) {
	parents, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, file := range parents {
		pids, _ := os.ReadFile(file)
		for pid := range strings.FieldsSeq(string(pids)) {
			line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			environment, _ := os.ReadFile("/proc/" + pid + "/environ")
			n.add("a command line", strings.ReplaceAll(string(line), "\x00", " "))
			n.add("an environment", strings.ReplaceAll(string(environment), "\x00", " "))
			programs += string(line) + "\n"
			if child, err := strconv.Atoi(pid); err == nil {
				programs += n.children(child)
			}
		}
	}
	return programs
}

// confidants are all that a weir talks to, and what it is told for that.
type confidants struct {
	dir      string // of its files
	secrets  map[string]secret
	seen     notes
	forge    *modtest.Forge
	upstream *httptest.Server
	proxy    *httptest.Server
	provider *provider
	watched  atomic.Bool // git was looked at while it showed a password
}

func newConfidants(t *testing.T) *confidants {
	t.Helper()
	c := &confidants{dir: t.TempDir(), provider: newProvider(t), secrets: map[string]secret{
		"the password of an entry":       {"robot", "canary-1/s3cret+@:%", "password.example.com"},
		"the answer of a helper":         {"robot", "canary-2/s3cret+@:%", "helper.example.com"},
		"the password of netrc":          {"robot", "canary-3/s3cret+@:%", "netrc.example.com"},
		"the token of an app":            {"x-access-token", "ghs_canary-4", "app.example.com"},
		"the password that is repeated":  {"robot", "canary-5/s3cret+@:%", "tell.example.com"},
		"the password of the HTTP proxy": {"weir", "canary-6", "the HTTP proxy"},
		"the token of the upstream":      {"", "canary-7", "the upstream"},
		"a token that is wrong":          {"alice", "weir_canary8_" + strings.Repeat("8", 32), ""},
		"a query":                        {"", "canary-9", ""},
	}}
	c.upstream = httptest.NewServer(c.seen.spy("the upstream", modtest.New(simple("example.com/public", "v1.0.0"))))
	t.Cleanup(c.upstream.Close)
	c.openForge(t)
	c.proxy = httptest.NewServer(c.seen.spy("the HTTP proxy", http.HandlerFunc(c.tunnel)))
	t.Cleanup(c.proxy.Close)
	return c
}

// openForge has a private module for each of the hosts that have a secret, below
// corp.example.com, and the API of GitHub.
func (c *confidants) openForge(t *testing.T) {
	t.Helper()
	var err error
	if c.forge, err = modtest.NewForge(t, c.dir); err != nil {
		t.Fatal(err)
	}
	c.forge.GoImport("corp.example.com/blocked", "corp.example.com/blocked git https://blocked.example.com/x.git")
	for _, s := range c.secrets {
		label, ok := strings.CutSuffix(s.seenBy, ".example.com")
		if !ok {
			continue
		}
		mod := "corp.example.com/" + label
		c.forge.Require(s.seenBy, s.user, s.text)
		c.forge.GoImport(mod, mod+" git https://"+s.seenBy+"/x.git")
		if _, err := c.forge.Repo(s.seenBy+"/x.git", modtest.Commit{Files: map[string]string{"go.mod": "module " + mod + "\n"}, Tags: []string{"v1.0.0"}}); err != nil {
			t.Fatal(err)
		}
	}
	c.forge.Handle("api.example.com", gitHubAPI(c.secrets["the token of an app"].text))
}

// gitHubAPI gives every App a token.
func gitHubAPI(token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token": %q, "expires_at": %q}`, token, time.Now().Add(time.Hour).Format(time.RFC3339))
	})
}

// newAppKey is the private key of an App, in PEM.
func newAppKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// tunnel leads to the forge, wherever one wants to go, but for one host.
func (c *confidants) tunnel(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Host, "blocked.") {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	near, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
	forward(near, c.forge.Addr)
}

// tell repeats what it is shown, and looks at the children of weir that show it.
func (c *confidants) tell(w *weir) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(c.seen.children(w.cmd.Process.Pid), "git-remote-https") {
			c.watched.Store(true)
		}
		user, password, _ := r.BasicAuth()
		rw.Header().Set("Content-Type", "text/plain")
		rw.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(rw, "https://%s:%s@tell.example.com said %s %s\n", user, url.QueryEscape(password), password, r.Header.Get("Authorization"))
	})
}

// file writes a file, and returns its name.
func (c *confidants) file(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(c.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// configuration is that of a weir, with all the secrets.
func (c *confidants) configuration(t *testing.T) string {
	t.Helper()
	text := func(of string) string { return c.secrets[of].text }
	key := newAppKey(t)
	c.secrets["the key of an app"] = secret{"", strings.Split(key, "\n")[1], ""}
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.provider.Certificate().Raw}))
	return fmt.Sprintf(`
upstream: up
private: [corp.example.com]
upstreams:
  up: {url: %q, bearer_file: %s}
direct: {allow_hosts: ["*.example.com"], ca_file: %s, proxy_file: %s, netrc: %s}
credentials:
  password: {url: "https://password.example.com", username: robot, password_file: %s}
  tell: {url: "https://tell.example.com", username: robot, password: %q}
  helper: {url: "https://helper.example.com", helper: %s}
  app: {url: "https://app.example.com", github_app: 1, github_installation: 2, github_key_file: %s, github_api: "https://api.example.com"}
issuers:
  ci: {url: %q, audience: [weir], ca_file: %s}
auth: {anonymous: false}
audit: {file: %s/audit.log}
log: {access: all, level: debug}
`,
		c.upstream.URL, c.file(t, "bearer", text("the token of the upstream")),
		c.forge.CAFile, c.file(t, "proxy", strings.Replace(c.proxy.URL, "://", "://weir:"+text("the password of the HTTP proxy")+"@", 1)),
		c.file(t, "netrc", "machine netrc.example.com login robot password "+text("the password of netrc")+"\n"),
		c.file(t, "password", text("the password of an entry")), text("the password that is repeated"),
		c.file(t, "helper", "#!/bin/sh\necho username=robot\necho 'password="+text("the answer of a helper")+"'\n"), c.file(t, "key", key),
		c.provider.URL, c.file(t, "provider.pem", authority), c.dir)
}

// ask has clients with secrets of their own ask a weir for everything.
func (c *confidants) ask(t *testing.T, w *weir) {
	t.Helper()
	token := strings.TrimSpace(w.command(t, "token", "create", "--user", "alice"))
	now := time.Now().Unix()
	identity := c.provider.token(t, map[string]any{"iss": c.provider.URL, "aud": "weir", "sub": "job", "iat": now, "exp": now + 600})
	c.secrets["the token of a client"] = secret{"alice", token, ""}
	c.secrets["the end of it"] = secret{"", token[len(token)-20:], ""}
	c.secrets["the identity token of a client"] = secret{"oidc", identity, ""}
	get := func(path, user, password string) response {
		r := w.request(t, path)
		r.SetBasicAuth(user, password)
		answer := do(r)
		c.seen.add("the answer for "+path, answer.status, answer.header, string(answer.body))
		return answer
	}
	const public = "/example.com/public/@v/v1.0.0.zip"
	eventually(t, 20*time.Second, "the token is in use", func() bool { return get(public, "alice", token).whole() })
	if r := get(public, "oidc", identity); !r.whole() {
		t.Errorf("with an identity token: %v", r)
	}
	if r := get(public, "alice", c.secrets["a token that is wrong"].text); r.status != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %v", r)
	}
	for label, good := range map[string]bool{"password": true, "helper": true, "netrc": true, "app": true, "tell": false, "blocked": false} {
		for _, path := range files("corp.example.com/"+label, "v1.0.0") {
			if r := get(path, "alice", token); r.whole() != good {
				t.Errorf("%s: %v", path, r)
			}
		}
	}
	for _, path := range []string{
		"/example.com/none/@v/list?token=" + c.secrets["a query"].text, "/corp.example.com/none/@v/list",
		"/-/whoami", "/metrics", "/-/api/v1/upstreams", "/-/debug/pprof/cmdline",
	} {
		get(path, "alice", token)
	}
}

// command runs weir as the operator of the server, and returns all that it prints.
func (w *weir) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "weir", args...)
	cmd.Env = w.cmd.Env
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// read notes all that has been written and asked.
func (c *confidants) read(t *testing.T, w *weir) {
	t.Helper()
	c.seen.add("the log", w.log.String())
	records, err := os.ReadFile(filepath.Join(c.dir, "audit.log"))
	if err != nil || len(records) == 0 {
		t.Errorf("the audit log: %d bytes, %v", len(records), err)
	}
	c.seen.add("the audit log", string(records))
	for _, r := range c.forge.Requests() {
		c.seen.add(r.Host, r.Path, r.Query, r.Authorization)
		if assertion, ok := strings.CutPrefix(r.Authorization, "Bearer "); ok {
			c.secrets["an assertion of an app"] = secret{"", assertion, "api.example.com"}
		}
	}
}

// Whatever weir is told in confidence is shown to the one it is meant for, and is nowhere
// else: not in its log, answers, metrics and records, not in what its commands print, not
// on command lines and in environments, and not with others it talks to.
func TestA17EachSecretIsShownToWhomItIsForAndToNobodyElse(t *testing.T) {
	t.Parallel()
	c := newConfidants(t)
	variable, _ := configFile(t, c.configuration(t))
	w := startWeir(t, variable)
	c.forge.Handle("tell.example.com", c.tell(w))
	c.ask(t, w)
	for _, args := range [][]string{{"config", "print"}, {"config", "check"}, {"config", "explain", "corp.example.com/password", "--as", "alice"}, {"token", "list"}} {
		c.seen.add("weir "+strings.Join(args, " "), w.command(t, args...))
	}
	probe := w.command(t, "config", "check", "--probe")
	c.seen.add("weir config check --probe", probe)
	for _, accepted := range []string{"credentials.password: https://password", "credentials.helper: https://helper", "credentials.app: https://app", "direct.netrc: https://netrc"} {
		if !strings.Contains(probe, accepted+".example.com: accepted\n") {
			t.Errorf("%s… is not accepted: %s", accepted, probe)
		}
	}
	w.stop(t)
	c.read(t, w)
	c.seen.check(t, c.secrets)
	if !c.watched.Load() {
		t.Error("git was never looked at while it showed a password")
	}
}
