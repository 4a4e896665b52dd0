package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// documentedServer is the server of nginx that docs/operations.md shows.
func documentedServer(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "```nginx\n")
	server, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("docs/operations.md shows no server of nginx")
	}
	return server
}

// location is a location of nginx: its modifier, its path, what is done there.
var location = regexp.MustCompile(`(?s)location (= )?(\S+) \{([^}]*)\}`)

// denied reports whether nginx keeps a path back: an exact location counts before any other,
// and then the longest beginning.
//
// Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#location
func denied(server, path string) bool {
	longest, what := -1, ""
	for _, l := range location.FindAllStringSubmatch(server, -1) {
		switch {
		case l[1] != "" && l[2] == path:
			return strings.Contains(l[3], "deny all")
		case l[1] == "" && strings.HasPrefix(path, l[2]) && len(l[2]) > longest:
			longest, what = len(l[2]), l[3]
		}
	}
	return strings.Contains(what, "deny all")
}

func TestTheDocumentedTLSProxyKeepsBackTheOperationOnly(t *testing.T) {
	server := documentedServer(t)
	for path, want := range map[string]bool{
		"/": false, "/example.com/a/@v/list": false, "/sumdb/sum.example.org/latest": false, "/readyz": false, "/-/whoami": false,
		"/metrics": true, "/-/api/v1/upstreams": true, "/-/debug/pprof/heap": true,
	} {
		if denied(server, path) != want {
			t.Errorf("%s: kept back: %v, want %v", path, !want, want)
		}
	}
}

// A developer logs in through the documented server, and gets modules.
func TestALoginPassesTheDocumentedTLSProxy(t *testing.T) {
	t.Parallel()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("there is no nginx here")
	}
	p := modtest.New(simple("example.com/a", "v1.0.0"))
	variable, _ := configFile(t, "upstream: "+p.Start(t)+"\nauth: {anonymous: false}\n")
	g := &guarded{weir: startWeir(t, variable)}
	token := g.token(t, "--user", "alice")
	g.awaitLog(t, 20*time.Second, "has been reloaded", 1)
	g.behind(t, nginx)
	m := g.developer(t)
	if out, err := m.weir(t, token+"\n", "login", g.url); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, _, err := m.run(t, "mod", "download", "example.com/a@v1.0.0"); err != nil {
		t.Errorf("go mod download: %v %s", err, out)
	}
	for _, path := range []string{"/metrics", "/-/api/v1/upstreams"} {
		resp, err := trusting.Get(g.url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// behind starts the documented server in front of the weir, until the test ends.
func (g *guarded) behind(t *testing.T, nginx string) {
	t.Helper()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g.caFile, g.url = filepath.Join(dir, "cert.pem"), "https://"+addr
	certify(t, g.caFile, filepath.Join(dir, "key.pem"))
	server := strings.NewReplacer(
		"listen 443", "listen "+addr, "/etc/ssl/weir.pem", g.caFile, "/etc/ssl/weir.key", filepath.Join(dir, "key.pem"),
		"http://127.0.0.1:3000", g.weir.url,
	).Replace(documentedServer(t))
	config := filepath.Join(dir, "nginx.conf")
	text := "daemon off; master_process off; pid pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, use := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += use + "_temp_path " + use + ";\n" // else a folder of the system, which takes rights
	}
	text += server + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(buffer)
	cmd := exec.CommandContext(t.Context(), nginx, "-p", dir, "-c", config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // it is killed when the test ends
		close(ended)
	}()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	if err := awaitReady(g.url, ended); err != nil {
		t.Fatalf("nginx: %v\n%s", err, log)
	}
}
