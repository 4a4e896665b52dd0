package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// documentedServer is the server of nginx that a page of the documentation shows.
func documentedServer(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "```nginx\n")
	server, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("docs/%s shows no server of nginx", page)
	}
	return server
}

// startNginx starts nginx with a server, until the test ends. It is skipped where there is
// no nginx.
func startNginx(t *testing.T, server, url string) {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("there is no nginx here")
	}
	dir := t.TempDir()
	text := "daemon off; master_process off; pid pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, use := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += use + "_temp_path " + use + ";\n" // else a folder of the system, which takes rights
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(text+server+"}\n"), 0o600); err != nil {
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
	if err := awaitReady(url, ended); err != nil {
		t.Fatalf("nginx: %v\n%s", err, log)
	}
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
	server := documentedServer(t, "operations.md")
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
	p := modtest.New(simple("example.com/a", "v1.0.0"))
	variable, _ := configFile(t, "upstream: "+p.Start(t)+"\nauth: {anonymous: false}\n")
	g := &guarded{weir: startWeir(t, variable)}
	token := g.token(t, "--user", "alice")
	g.awaitLog(t, 20*time.Second, "has been reloaded", 1)
	g.behind(t)
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
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// behind puts the documented server in front of the weir.
func (g *guarded) behind(t *testing.T) {
	t.Helper()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	g.caFile, g.url = filepath.Join(t.TempDir(), "cert.pem"), "https://"+addr
	key := filepath.Join(filepath.Dir(g.caFile), "key.pem")
	certify(t, g.caFile, key)
	startNginx(t, strings.NewReplacer(
		"listen 443", "listen "+addr, "/etc/ssl/weir.pem", g.caFile, "/etc/ssl/weir.key", key, "http://127.0.0.1:3000", g.weir.url,
	).Replace(documentedServer(t, "operations.md")), g.url)
}

// The go command has no client certificate to show; the documented server on its machine
// shows one for it.
func TestTheGoCommandComesWithAClientCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "me.pem"), filepath.Join(dir, "me.key")
	certify(t, cert, key)
	p := modtest.New(simple("example.com/a", "v1.0.0"))
	db := modtest.NewSumDB("sum.example.org", p)
	g := startGuarded(t, p.Start(t), "access: [{match: [example.com], subjects: [\"user:weir\"]}]\n",
		"WEIR_SUMDB="+db.Key(), "WEIR_TLS_CLIENT_CERTS=request", "WEIR_TLS_CLIENT_CA_FILE="+cert)
	m := g.developer(t)
	m.setenv("GOSUMDB", db.Key())
	m.setenv("GOPROXY", g.url)
	if out, _, err := m.run(t, "mod", "download", "example.com/a@v1.0.0"); err == nil || !strings.Contains(out, "401 Unauthorized") {
		t.Errorf("without a certificate: %v %s", err, out)
	}
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	startNginx(t, strings.NewReplacer(
		"listen 127.0.0.1:3001", "listen "+addr, "/etc/ssl/me.pem", cert, "/etc/ssl/me.key", key, "/etc/ssl/certs/ca-certificates.crt", g.caFile,
		"proxy_pass https://weir.example.com", "proxy_ssl_name weir.example.com; proxy_pass "+g.url,
	).Replace(documentedServer(t, "authentication.md")), "http://"+addr)
	m.setenv("GOPROXY", "http://"+addr)
	if out, _, err := m.run(t, "mod", "download", "example.com/a@v1.0.0"); err != nil {
		t.Errorf("go mod download: %v %s", err, out)
	}
}
