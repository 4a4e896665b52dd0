package credential

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func find(t *testing.T, s *Store, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	c, ok, err := s.Find(t.Context(), u)
	if err != nil {
		t.Fatalf("%s: %v", rawURL, err)
	}
	if !ok {
		return ""
	}
	return c.Username + ":" + c.Password + c.SSHKeyFile
}

func TestACredentialIsForWhatItsURLBegins(t *testing.T) {
	key := write(t, "key")
	s, err := New(Options{
		Entries: []Entry{
			{Name: "host", URL: "https://git.example.com", Username: "u", Password: "host"},
			{Name: "team", URL: "https://git.example.com/team/", Username: "u", Password: "team"},
			{Name: "port", URL: "https://git.example.com:8443", Username: "u", Password: "port"},
			{Name: "repository", URL: "https://git.example.com/team/repo", Username: "u", Password: "repo"},
			{Name: "ssh", URL: "ssh://git@git.example.com", SSHKeyFile: key, KnownHostsFile: key},
			{Name: "netrc", URL: "https://other.example.com", Netrc: write(t, "machine other.example.com login o password p")},
		},
		Netrc: write(t, "machine netrc.example.com login n password p\nmachine git.example.com login n password wrong"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for rawURL, want := range map[string]string{
		"https://git.example.com/x":              "u:host",
		"https://GIT.example.com/x":              "u:host",
		"https://git.example.com:443/x":          "u:host",
		"https://git.example.com/team":           "u:team",
		"https://git.example.com/team/a/b":       "u:team",
		"https://git.example.com/teams/a":        "u:host", // another one
		"https://git.example.com/team/repo.git":  "u:repo",
		"https://git.example.com/team/repo/x":    "u:repo",
		"https://git.example.com/team/repo2":     "u:team",
		"https://git.example.com:8443/team":      "u:port",
		"https://git.example.com:9443/team":      "",
		"http://git.example.com/team":            "",
		"https://git.example.com.evil.test/team": "",
		"https://evil.test/git.example.com":      "",
		"ssh://git.example.com/team":             ":" + key,
		"ssh://git.example.com:2222/team":        "",
		"https://other.example.com/x":            "o:p",
		"https://netrc.example.com/x":            "n:p",
		"http://netrc.example.com/x":             "",
		"https://unknown.example.com/x":          "",
	} {
		if got := find(t, s, rawURL); got != want {
			t.Errorf("%s: %q, want %q", rawURL, got, want)
		}
	}
}

func TestEntriesOfNoUseAreToldOf(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, e := range []Entry{
		{Name: "first", URL: "https://a.example.com", Netrc: missing},
		{Name: "first", URL: "https://a.example.com", SSHKeyFile: missing, KnownHostsFile: missing},
		{Name: "first", URL: "https://a.example.com", GitHub: &GitHubApp{Key: "no key"}},
		{Name: "first", URL: "nonsense", Password: "x"},
		{Name: "first", URL: "http://a.example.com", Password: "x"},
	} {
		if _, err := New(Options{Entries: []Entry{e}}); err == nil || !strings.Contains(err.Error(), "first") {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if _, err := New(Options{Netrc: missing}); err == nil {
		t.Error("no error")
	}
}

// github is the part of GitHub that makes installation tokens.
type github struct {
	key      *rsa.PrivateKey
	asked    atomic.Int32
	lifetime time.Duration
	status   int
	t        *testing.T
}

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := g.asked.Add(1)
	if r.Method != http.MethodPost || r.URL.Path != "/app/installations/7/access_tokens" {
		g.t.Errorf("%s %s", r.Method, r.URL)
	}
	if err := g.check(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err != nil {
		g.t.Error(err)
	}
	w.WriteHeader(g.status)
	json.NewEncoder(w).Encode(map[string]any{"token": fmt.Sprint("ghs_", n), "expires_at": time.Now().Add(g.lifetime), "message": "nope"})
}

// check verifies an assertion as GitHub does.
func (g *github) check(assertion string) error {
	signed, signature, _ := cutLast(assertion, ".")
	sum := sha256.Sum256([]byte(signed))
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	if err := rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, sum[:], raw); err != nil {
		return err
	}
	_, payload, _ := strings.Cut(signed, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return err
	}
	var claims struct {
		Iat, Exp int64
		Iss      string
	}
	if err := json.Unmarshal(data, &claims); err != nil {
		return err
	}
	now := time.Now().Unix()
	if claims.Iss != "5" || claims.Iat > now || claims.Exp < now || claims.Exp > now+600 {
		return fmt.Errorf("claims %+v", claims)
	}
	return nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	return s[:i], s[i+len(sep):], true
}

func newGitHub(t *testing.T, lifetime time.Duration) (*github, *Store) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g := &github{key: key, lifetime: lifetime, status: http.StatusCreated, t: t}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	s, err := New(Options{Entries: []Entry{{Name: "github", URL: "https://github.com/our", GitHub: &GitHubApp{App: 5, Installation: 7, Key: text, API: srv.URL}}}})
	if err != nil {
		t.Fatal(err)
	}
	return g, s
}

func TestATokenOfAGitHubAppIsMadeOnceForAllWhoNeedIt(t *testing.T) {
	g, s := newGitHub(t, time.Hour)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := find(t, s, "https://github.com/our/repo"); got != "x-access-token:ghs_1" {
				t.Error(got)
			}
		})
	}
	all.Wait()
	if n := g.asked.Load(); n != 1 {
		t.Errorf("GitHub was asked %d times", n)
	}
}

func TestATokenThatEndsSoonIsMadeAnew(t *testing.T) {
	_, s := newGitHub(t, renewBefore-time.Second)
	for i := 1; i <= 3; i++ {
		if got, want := find(t, s, "https://github.com/our/repo"), fmt.Sprint("x-access-token:ghs_", i); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestARefusalOfGitHubIsNoAbsence(t *testing.T) {
	g, s := newGitHub(t, time.Hour)
	g.status = http.StatusUnauthorized
	u, _ := url.Parse("https://github.com/our/repo")
	_, _, err := s.Find(t.Context(), u)
	if !errors.Is(err, artifact.ErrBadUpstream) || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
}

func TestAHelperIsAskedAsGitDoes(t *testing.T) {
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	program := filepath.Join(dir, "helper")
	script := "#!/bin/sh\ncat > " + asked + "\necho username=robot\necho password=secret\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Entries: []Entry{{Name: "helped", URL: "https://git.example.com", Helper: program}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, "https://git.example.com/team/repo"); got != "robot:secret" {
		t.Error(got)
	}
	data, err := os.ReadFile(asked)
	if err != nil || !strings.Contains(string(data), "host=git.example.com\n") || !strings.Contains(string(data), "protocol=https\n") {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAHelperThatFailsIsNoAbsence(t *testing.T) {
	s, err := New(Options{Entries: []Entry{{Name: "helped", URL: "https://git.example.com", Helper: "!false"}}})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("https://git.example.com/x")
	if _, _, err := s.Find(t.Context(), u); !errors.Is(err, artifact.ErrBadUpstream) {
		t.Error(err)
	}
}
