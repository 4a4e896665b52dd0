//go:build programs

// These tests need Debian's nginx: go test -tags programs.

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// startNginx starts nginx with a server, until the test ends.
func startNginx(t *testing.T, server, url string) {
	t.Helper()
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
	cmd := exec.CommandContext(t.Context(), "nginx", "-p", dir, "-c", config)
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
	addr, err := modtest.Address()
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
	addr, err := modtest.Address()
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
