package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	bigint "math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// guarded is a weir over TLS that wants to know who asks.
type guarded struct {
	*weir
	url    string // https
	caFile string
}

func startGuarded(t *testing.T, upstream, more string, env ...string) *guarded {
	t.Helper()
	dir := t.TempDir()
	g := &guarded{caFile: filepath.Join(dir, "cert.pem")}
	key := filepath.Join(dir, "key.pem")
	certify(t, g.caFile, key, "weir.example.com")
	config := filepath.Join(dir, "weir.yaml")
	text := "upstream: " + upstream + "\nauth: {anonymous: false}\ntls: {cert_file: " + g.caFile + ", key_file: " + key + "}\n" + more
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.weir = startWeir(t, append(env, "WEIR_CONFIG="+config)...)
	g.url = "https://" + g.addr
	return g
}

// certify writes a certificate for 127.0.0.1 and for names, and its key.
func certify(t *testing.T, cert, key string, names ...string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: bigint.NewInt(1), Subject: pkix.Name{CommonName: "weir"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// token makes a token with the command that operators use.
func (g *guarded) token(t *testing.T, args ...string) string {
	t.Helper()
	out, err := g.command(t, append([]string{"token", "create"}, args...)...)
	if err != nil {
		t.Fatalf("token create: %v: %s", err, out)
	}
	return strings.TrimSpace(out)
}

// command runs weir as the operator of the server.
func (g *guarded) command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "weir", args...)
	cmd.Env = g.cmd.Env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// developer is a machine whose go command is told nothing of proxies, and trusts the
// certificate of the server.
func (g *guarded) developer(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, "", "off", "module example.com/project\n")
	for i, v := range m.env {
		if strings.HasPrefix(v, "GOENV=") || strings.HasPrefix(v, "GOPROXY=") {
			m.env[i] = "WEIR_TEST_NOTHING="
		}
	}
	m.env = append(m.env, "SSL_CERT_FILE="+g.caFile)
	return m
}

// weir runs weir on the machine of a developer, with some input.
func (m *machine) weir(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	return m.program(t, "weir", stdin, args...)
}

// program runs a program on the machine of a developer, with some input.
func (m *machine) program(t *testing.T, name, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = m.env, m.project, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// home is the home folder of the developer.
func (m *machine) home() string { return filepath.Dir(m.project) }

// A developer logs in with one command, and go just works; when the token is revoked,
// go says what to do.
func TestOneLoginIsEnoughForTheGoCommand(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/a", "v1.0.0"), simple("example.com/b", "v1.0.0"))
	g := startGuarded(t, p.Start(t), "")
	token := g.token(t, "--user", "alice")
	m := g.developer(t)
	if out, err := m.weir(t, token[:len(token)-1]+"\n", "login", g.url); err == nil || !strings.Contains(out, "401") {
		t.Errorf("a wrong token: %v %s", err, out)
	}
	eventually(t, 20*time.Second, "the token is in use", func() bool {
		out, err := m.weir(t, token+"\n", "login", g.url)
		return err == nil && strings.Contains(out, "as alice")
	})
	if out, _, err := m.run(t, "mod", "download", "example.com/a@v1.0.0"); err != nil {
		t.Fatalf("go mod download: %v %s", err, out)
	}
	id := strings.Split(token, "_")[1]
	if out, err := g.command(t, "token", "revoke", id); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := g.command(t, "token", "list"); err != nil || !strings.Contains(out, "revoked") || strings.Contains(out, token[len(token)-20:]) {
		t.Errorf("token list: %v %s", err, out)
	}
	eventually(t, 20*time.Second, "the token is refused", func() bool {
		_, err := m.weir(t, token+"\n", "login", g.url)
		return err != nil
	})
	out, _, err := m.run(t, "mod", "download", "example.com/b@v1.0.0")
	if err == nil || !strings.Contains(out, "revoked") || !strings.Contains(out, "weir login") {
		t.Errorf("go says: %s", out)
	}
	if log := g.log.String(); strings.Contains(log, token[len(token)-20:]) {
		t.Errorf("the log shows a token: %s", log)
	}
}

func TestNetrcIsEnoughForTheGoCommand(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/a", "v1.0.0"))
	g := startGuarded(t, p.Start(t), "")
	token := g.token(t, "--user", "ci", "--expires", "1h")
	g.awaitLog(t, 20*time.Second, "has been reloaded", 1)
	m := g.developer(t)
	m.env = append(m.env, "GOPROXY="+g.url)
	if out, _, err := m.run(t, "mod", "download", "example.com/a@v1.0.0"); err == nil || !strings.Contains(out, "weir login") {
		t.Errorf("without credentials: %v %s", err, out)
	}
	netrc := "machine " + g.addr + " login whoever password " + token + "\n"
	if err := os.WriteFile(filepath.Join(m.home(), ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, err := m.run(t, "mod", "download", "example.com/a@v1.0.0"); err != nil {
		t.Errorf("go mod download: %v %s", err, out)
	}
}

// provider is a provider of OpenID Connect, such as that of a CI service.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(map[string]any{
				"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token",
				"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			})
		case "/keys":
			json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
				"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
				"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(bigint.NewInt(int64(key.E)).Bytes()),
			}}})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// token is an identity token with claims.
func (p *provider) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	var parts []string
	for _, part := range []any{map[string]string{"alg": "RS256", "kid": "1", "typ": "JWT"}, claims} {
		data, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(data))
	}
	signed := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// A job of a CI service shows the token that its service gives it, and gets what its
// repository may read and nothing else.
func TestAJobLogsInWithTheTokenOfItsService(t *testing.T) {
	t.Parallel()
	service := newProvider(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	p := modtest.New(simple("example.com/ours", "v1.0.0"), simple("example.com/theirs", "v1.0.0"))
	g := startGuarded(t, p.Start(t), fmt.Sprintf(`
issuers:
  ci: {url: %q, audience: [weir], ca_file: %s}
access:
- {name: ours, match: [example.com/ours], subjects: ["claim:repository=acme/*"]}
- {name: theirs, match: [example.com/theirs], subjects: ["claim:repository=other/*"]}
`, service.URL, ca))
	now := time.Now().Unix()
	claims := func(change map[string]any) map[string]any {
		all := map[string]any{"iss": service.URL, "aud": "weir", "sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app", "iat": now, "exp": now + 600}
		for name, value := range change {
			all[name] = value
		}
		return all
	}
	for name, test := range map[string]struct {
		change       map[string]any
		module, text string
	}{
		"ours":             {nil, "example.com/ours@v1.0.0", ""},
		"theirs":           {nil, "example.com/theirs@v1.0.0", "not found"},
		"expired":          {map[string]any{"exp": now - 600}, "example.com/ours@v1.0.0", "expired"},
		"another audience": {map[string]any{"aud": "other"}, "example.com/ours@v1.0.0", "401 Unauthorized"},
		"another issuer":   {map[string]any{"iss": "https://evil.example.com"}, "example.com/ours@v1.0.0", "not accepted"},
	} {
		m := g.developer(t)
		m.env = append(m.env, "GOPROXY="+g.url)
		netrc := "machine " + g.addr + " login oidc password " + service.token(t, claims(test.change)) + "\n"
		if err := os.WriteFile(filepath.Join(m.home(), ".netrc"), []byte(netrc), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _, err := m.run(t, "mod", "download", test.module)
		if (err == nil) != (test.text == "") || !strings.Contains(out, test.text) {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// F25: certificates are renewed while clients go on asking.
func TestF25ARenewedCertificateCostsNoRequest(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/a", "v1.0.0"))
	g := startGuarded(t, p.Start(t), "")
	pool := x509.NewCertPool()
	add := func() {
		data, err := os.ReadFile(g.caFile)
		if err != nil {
			t.Fatal(err)
		}
		pool.AppendCertsFromPEM(data)
	}
	add()
	serial := func() string {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool.Clone()}}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(g.url + "/livez")
		if err != nil {
			t.Errorf("while the certificate changes: %v", err)
			return ""
		}
		resp.Body.Close()
		return string(resp.TLS.PeerCertificates[0].Signature)
	}
	first := serial()
	certify(t, g.caFile, filepath.Join(filepath.Dir(g.caFile), "key.pem"))
	add()
	eventually(t, 20*time.Second, "the new certificate is shown", func() bool { return serial() != first })
	g.awaitLog(t, 10*time.Second, "certificate has been renewed", 1)
}
