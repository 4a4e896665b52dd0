package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// pebble is where the certificate authority is, whose program this test builds before
// it goes where no network is.
const pebble = "WEIR_TEST_PEBBLE"

// An authority is a real one for certificates by ACME, which believes nothing that it
// has not seen at the ports 80 and 443 of a host.
type authority struct {
	directory string // URL
	trust     string // the certificate of its web server
	client    *http.Client
}

func startAuthority(t *testing.T) *authority {
	t.Helper()
	dir := t.TempDir()
	a := &authority{directory: "https://127.0.0.1:14000/dir", trust: filepath.Join(dir, "cert.pem")}
	key, config := filepath.Join(dir, "key.pem"), filepath.Join(dir, "config.json")
	certify(t, a.trust, key)
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": a.trust, "privateKey": key,
		"httpPort": 80, "tlsPort": 443, "retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(buffer)
	cmd := exec.Command(os.Getenv(pebble), "-config", config, "-strict")
	cmd.Env = []string{"PEBBLE_VA_NOSLEEP=1", "HOME=" + dir}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the authority:\n%s", log)
		}
	})
	a.client = clientTrusting(t, a.trust)
	eventually(t, 20*time.Second, "the authority answers", func() bool {
		resp, err := a.client.Get(a.directory)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return a
}

func clientTrusting(t *testing.T, file string) *http.Client {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("no certificate in %s", file)
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// root writes the certificate that all of the authority's rest on to a file.
func (a *authority) root(t *testing.T) string {
	t.Helper()
	resp, err := a.client.Get("https://127.0.0.1:15000/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the root: %s: %v", resp.Status, err)
	}
	name := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The go command is content with the certificate that weir has got by ACME, by either
// way to prove a host.
func TestACertificateComesFromARealAuthority(t *testing.T) {
	const host = "weir.example.com"
	if os.Getenv(caged) == "" {
		program := filepath.Join(t.TempDir(), "pebble")
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/letsencrypt/pebble/v2/cmd/pebble").CombinedOutput()
		if err != nil {
			t.Fatalf("pebble: %v: %s", err, out)
		}
		t.Setenv(pebble, program)
	}
	if !inland(t, host) {
		return
	}
	a := startAuthority(t)
	upstream := modtest.New(simple("example.com/public", "v1.0.0")).Start(t)
	for what, c := range map[string]struct{ listen, plain string }{
		"TLS-ALPN-01": {"127.0.0.1:443", ""},
		"HTTP-01":     {"127.0.0.1:8443", "127.0.0.1:80"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			certify(t, cert, key) // for those who come by address
			variable, _ := configFile(t, fmt.Sprintf("upstream: %s\ntls: {cert_file: %s, key_file: %s, acme_hosts: [%s], acme_directory: %q, http_listen: %q}\n", upstream, cert, key, host, a.directory, c.plain))
			startWeir(t, variable, "WEIR_LISTEN="+c.listen, "SSL_CERT_FILE="+a.trust)
			url := "https://" + strings.Replace(c.listen, "127.0.0.1", host, 1)
			m := newMachine(t, url, "off", "module example.com/project\n\nrequire example.com/public v1.0.0\n")
			m.env = append(m.env, "SSL_CERT_FILE="+a.root(t))
			// The authority throws away some requests on purpose, as real ones may.
			eventually(t, 90*time.Second, "the go command downloads", func() bool {
				out, _, err := m.run(t, "mod", "download", "example.com/public@v1.0.0")
				t.Logf("go mod download: %v %s", err, out)
				return err == nil
			})
			if c.plain != "" {
				wantRedirect(t, "http://"+host+"/example.com/public/@v/list?a=b", "https://"+host+"/example.com/public/@v/list?a=b")
			}
		})
	}
}

func wantRedirect(t *testing.T, from, to string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(from)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusMovedPermanently || got != to {
		t.Errorf("%s answers %s to %q, want %q", from, resp.Status, got, to)
	}
	resp, err = client.Post(from, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(errors.Unwrap(err))
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a POST by http is answered %s", resp.Status)
	}
}
