package daemon_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/daemon"
	"github.com/goweir/weir/internal/modtest"
)

// probed are findings by what they are of.
type probed map[string]daemon.Finding

// probe shows the credentials of a configuration to a forge, which is where all hosts are
// behind an HTTP proxy. FOLDER in the configuration is a folder with the files given.
func probe(t *testing.T, f *modtest.Forge, yaml string, files map[string]string) probed {
	t.Helper()
	dir := t.TempDir()
	head := "upstream: off\ndirect: {proxy: '" + f.Tunnel(t) + "', ca_file: " + f.CAFile + ", allow_hosts: ['*.example.com'], netrc: FOLDER/netrc}\n"
	all := map[string]string{"netrc": "", "weir.yaml": strings.ReplaceAll(head+yaml, "FOLDER", dir)}
	maps.Copy(all, files)
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cfg, _, err := config.Load(t.Context(), config.Flags{Config: filepath.Join(dir, "weir.yaml"), Data: &dir}, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	findings, err := daemon.Probe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := probed{}
	for _, finding := range findings {
		got[strings.TrimPrefix(finding.Key, "credentials.")+" "+finding.URL] = finding
	}
	return got
}

// want checks one finding: accepted, not refused, or an error with a text.
func (p probed) want(t *testing.T, of, want string) {
	t.Helper()
	got, ok := p[of]
	text := "not refused"
	switch {
	case !ok:
		text = "nothing"
	case got.Err != nil:
		text = got.Err.Error()
	case got.Accepted:
		text = "accepted"
	}
	if text != want && (got.Err == nil || !strings.Contains(text, want)) {
		t.Errorf("%s: %s; want %s", of, text, want)
	}
}

func newForge(t *testing.T) *modtest.Forge {
	t.Helper()
	f, err := modtest.NewForge(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// status is a host that answers everybody alike.
func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

func TestAProbeSaysWhatIsProvenOfEachCredential(t *testing.T) {
	f := newForge(t)
	if _, err := f.Repo("git.example.com/group/secret.git", modtest.Commit{Files: map[string]string{"a": "b"}, Tags: []string{"v1.0.0"}}); err != nil {
		t.Fatal(err)
	}
	for host, user := range map[string]string{"git.example.com": "robot", "token.example.com": "token", "netrc.example.com": "robot"} {
		f.Require(host, user, "canary")
	}
	f.Handle("page.example.com", status(http.StatusOK))
	f.Handle("hidden.example.com", status(http.StatusNotFound))
	f.Handle("login.example.com", http.RedirectHandler("https://git.example.com/login", http.StatusFound))
	f.Handle("down.example.com", status(http.StatusServiceUnavailable))
	f.Handle("forbidden.example.com", status(http.StatusForbidden))
	got := probe(t, f, `
credentials:
  good: {url: "https://git.example.com", username: robot, password: canary}
  group: {url: "https://git.example.com/group", username: robot, password: canary}
  repository: {url: "https://git.example.com/group/secret", username: robot, password: canary}
  wrong: {url: "https://git.example.com/other", username: robot, password: canary2}
  token: {url: "https://token.example.com", password: canary}
  page: {url: "https://page.example.com", password: canary}
  hidden: {url: "https://hidden.example.com/group", password: canary}
  login: {url: "https://login.example.com", password: canary}
  down: {url: "https://down.example.com", password: canary}
  forbidden: {url: "https://forbidden.example.com", password: canary}
  netrc: {url: "https://netrc.example.com/group", netrc: FOLDER/netrc}
  nobody: {url: "https://nobody.example.com", netrc: FOLDER/netrc}
  inside: {url: "https://127.0.0.1:1", password: canary}
  helped: {url: "https://git.example.com/helped", helper: FOLDER/helper}
`, map[string]string{
		"netrc":  "machine netrc.example.com login robot password canary account x\nmachine token.example.com login robot password canary\nmachine page.example.com:443 login a password b",
		"helper": "#!/bin/sh\necho username=robot\necho password=canary\n",
	})
	for of, want := range map[string]string{
		"good https://git.example.com":                    "accepted",
		"group https://git.example.com/group":             "accepted",
		"repository https://git.example.com/group/secret": "accepted",
		"wrong https://git.example.com/other":             "refused: the host answers 401",
		"token https://token.example.com":                 "accepted", // with the name that the server uses
		"page https://page.example.com":                   "not refused",
		"hidden https://hidden.example.com/group":         "not refused",
		"login https://login.example.com":                 "not refused",
		"down https://down.example.com":                   "503",
		"forbidden https://forbidden.example.com":         "refused: the host answers 403",
		"netrc https://netrc.example.com/group":           "accepted",
		"nobody https://nobody.example.com":               "nothing is found",
		"inside https://127.0.0.1:1":                      "direct.allow_hosts",
		"helped https://git.example.com/helped":           "accepted",
		"direct.netrc https://netrc.example.com":          "accepted",
		"direct.netrc https://token.example.com":          "nothing", // an entry is for it
	} {
		got.want(t, of, want)
	}
	for _, r := range f.Requests() {
		if r.Authorization != "" && strings.Contains(r.Path+r.Host, "login") && r.Host != "login.example.com" {
			t.Errorf("a redirect was followed: %+v", r)
		}
	}
}

// A deploy token may read one repository, and is refused for others that are there or not.
func TestATokenForOneRepositoryIsTriedThere(t *testing.T) {
	f := newForge(t)
	f.Handle("git.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, password, _ := r.BasicAuth(); {
		case password != "canary":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/group/secret.git/info/refs" || r.URL.RawQuery != "service=git-upload-pack":
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	got := probe(t, f, "credentials: {one: {url: 'https://git.example.com/group/secret.git', password: canary}}\n", map[string]string{})
	got.want(t, "one https://git.example.com/group/secret.git", "accepted")
}
