package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// credentials are options of every way to say secrets, each with the canary.
func credentials() map[string]Options {
	return map[string]Options{
		"bearer": {Bearer: canary},
		"user":   {Username: "robot", Password: canary},
		"token":  {Username: canary},
		"header": {Header: http.Header{"X-Token": {canary}}},
	}
}

// carries reports whether a request has the canary in one of its headers.
func carries(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	all := []string{user, password}
	for _, values := range r.Header {
		all = append(all, values...)
	}
	return strings.Contains(strings.Join(all, "\n"), canary)
}

func TestSettingsAreSentToTheirOriginAlone(t *testing.T) {
	var seen spy
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		io.WriteString(w, goodMod)
	})
	for what, o := range credentials() {
		own := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !carries(r):
				w.WriteHeader(http.StatusUnauthorized)
			case strings.HasPrefix(r.URL.Path, "/moved"):
				http.Redirect(w, r, other, http.StatusFound)
			default:
				http.Redirect(w, r, "/moved", http.StatusFound)
			}
		})
		if got, err := get(t, open(t, own, o), modName); err != nil || got != goodMod {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	if seen := seen.String(); seen == "" || strings.Contains(seen, canary) || strings.Contains(seen, "Authorization") || strings.Contains(seen, "X-Token") {
		t.Errorf("the other host has seen %q", seen)
	}
}

func TestA17NoErrorShowsSettings(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, "refused:", user, password, r.Header)
	}
	ways := credentials()
	ways["proxy"] = Options{Proxy: &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("robot", canary)}}
	ways["proxy that repeats"] = Options{Proxy: mustParse(t, strings.Replace(serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, canary, r.Header)
	}), "//", "//robot:"+canary+"@", 1))}
	for what, o := range ways {
		_, err := get(t, open(t, serve(t, echo), o), modName)
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		reason, hint := artifact.Explain(err)
		for _, shown := range []string{reason, hint, err.Error(), fmt.Sprintf("%+v", err)} {
			if strings.Contains(shown, canary) || strings.Contains(shown, "Basic ") || strings.Contains(shown, "Bearer ") {
				t.Errorf("%s: shows the secret: %s", what, shown)
			}
		}
	}
}

func mustParse(t *testing.T, rawURL string) *url.URL {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNewRefusesSettingsThatExcludeEachOther(t *testing.T) {
	const plain, own = "https://proxy.example.com", "https://robot:" + canary + "@proxy.example.com"
	for what, test := range map[string]struct {
		url string
		o   Options
	}{
		"URL and user":             {own, Options{Username: "robot", Password: canary}},
		"URL and bearer":           {own, Options{Bearer: canary}},
		"user and bearer":          {plain, Options{Username: "robot", Bearer: canary}},
		"certificate by TLS proxy": {plain, Options{Proxy: mustParse(t, "https://proxy.example.org"), Certificate: newAuthority(t).issue(t).show}},
		"authorization by hand":    {plain, Options{Header: http.Header{"authorization": {canary}}}},
		"a range":                  {plain, Options{Header: http.Header{"Range": {canary}}}},
	} {
		if s, err := New(test.url, test.o); err == nil || s != nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, %v", what, s, err)
		}
	}
}

func TestAProxyIsUsedAsSaid(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "module %s\n// %s\n", r.URL.Host, r.Header.Get("Proxy-Authorization"))
	})
	s := open(t, "http://proxy.example.com", Options{Proxy: mustParse(t, strings.Replace(proxy, "//", "//u:p@", 1))})
	if got, err := get(t, s, modName); err != nil || got != "module proxy.example.com\n// Basic dTpw\n" {
		t.Errorf("got %q, %v", got, err)
	}
	req := httptest.NewRequest(http.MethodGet, "https://proxy.example.com", nil)
	if got, err := proxyOf(Options{NoProxy: true})(req); got != nil || err != nil {
		t.Errorf("without a proxy: %v, %v", got, err)
	}
}

func TestHTTP2CanBeTurnedOff(t *testing.T) {
	for off, want := range map[bool]string{true: "HTTP/1.1", false: "HTTP/2.0"} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "module %s\n", r.Proto)
		}))
		server.EnableHTTP2 = true
		got, err := get(t, openTLS(t, server, "", Options{NoHTTP2: off}), modName)
		if err != nil || got != "module "+want+"\n" {
			t.Errorf("off %v: %q, %v", off, got, err)
		}
	}
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A pair is a certificate with its key.
type pair struct{ tls.Certificate }

func (p pair) show(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &p.Certificate, nil }

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "Weir Test"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	c := template()
	c.IsCA, c.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, c, c, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate that has been changed from the ordinary one.
func (a *authority) issue(t *testing.T, change ...func(*x509.Certificate)) pair {
	t.Helper()
	c := template()
	for _, f := range change {
		f(c)
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// write writes PEM files and returns their paths.
func (p pair) write(t *testing.T) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", p.Certificate.Certificate[0]), writePEM(t, "PRIVATE KEY", der)
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveTLS starts a server with this certificate, and returns its URL.
func serveTLS(t *testing.T, p pair, change func(*tls.Config), h http.HandlerFunc) string {
	t.Helper()
	quiet(t)
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{p.Certificate}}
	server.EnableHTTP2 = true
	if change != nil {
		change(server.TLS)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func sendMod(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, goodMod) }

func TestFilesOfSettingsAreLoaded(t *testing.T) {
	a := newAuthority(t)
	var f Files
	f.CA = writePEM(t, "CERTIFICATE", a.cert.Raw)
	f.Cert, f.Key = a.issue(t, forClients).write(t)
	url := serveTLS(t, a.issue(t), wants(a), func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "robot" || password != canary {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		sendMod(w, r)
	})
	host := strings.TrimPrefix(url, "https://")
	f.Netrc = writeFile(t, "machine "+host+"\nlogin robot\npassword "+canary+"\n")
	o := Options{UserAgent: "kept"}
	if err := LoadFiles(&o, f, host); err != nil {
		t.Fatal(err)
	}
	if got, err := get(t, open(t, url, o), modName); err != nil || got != goodMod || o.UserAgent != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
	empty := Options{Username: "kept"}
	if err := LoadFiles(&empty, Files{}, host); err != nil || empty.RootCAs != nil || empty.Certificate != nil || empty.Username != "kept" {
		t.Errorf("no files: %+v, %v", empty, err)
	}
}

func forClients(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }

// wants makes a server ask for certificates of an authority.
func wants(a *authority) func(*tls.Config) {
	return func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.pool() }
}

func TestFilesThatDoNotServeAreNamed(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue(t).write(t)
	_, otherKey := a.issue(t).write(t)
	missing := filepath.Join(t.TempDir(), "missing")
	broken := writeFile(t, "-----BEGIN CERTIFICATE-----\n"+"c2VjcmV0\n"+"-----END CERTIFICATE-----\n")
	text := writeFile(t, "machine other login robot password "+canary+"\n")
	for _, test := range []struct {
		f    Files
		want []string
	}{
		{Files{CA: missing}, []string{"ca_file", missing}},
		{Files{CA: text}, []string{"ca_file", text, "no certificate"}},
		{Files{CA: key}, []string{"ca_file", key, "no certificate"}},
		{Files{CA: broken}, []string{"ca_file", broken, "malformed"}},
		{Files{Cert: cert}, []string{"key_file"}},
		{Files{Key: key}, []string{"cert_file"}},
		{Files{Cert: cert, Key: missing}, []string{"key_file", missing}},
		{Files{Cert: cert, Key: otherKey}, []string{"key_file", otherKey, "match"}},
		{Files{Cert: text, Key: key}, []string{"cert_file", text}},
		{Files{Netrc: missing}, []string{"netrc", missing}},
		{Files{Netrc: text}, []string{"netrc", text, "machine go.example.com:8443"}},
	} {
		var o Options
		err := LoadFiles(&o, test.f, "go.example.com:8443")
		if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", test.f, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v lacks %q", err, want)
			}
		}
	}
}

func TestTheClientCertificateIsShownToTheUpstreamAlone(t *testing.T) {
	a := newAuthority(t)
	shown := make(chan int, 1)
	other := serveTLS(t, a.issue(t), func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		sendMod(w, r)
	})
	own := serveTLS(t, a.issue(t), wants(a), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other, http.StatusFound)
	})
	s := open(t, own, Options{RootCAs: a.pool(), Certificate: a.issue(t, forClients).show})
	if got, err := get(t, s, modName); err != nil || got != goodMod {
		t.Fatalf("got %q, %v", got, err)
	}
	if n := <-shown; n != 0 {
		t.Errorf("the other host was shown %d certificates", n)
	}
}

func TestAProxyThatSpeaksTLSIsAskedAndShownNoClientCertificate(t *testing.T) {
	a := newAuthority(t)
	shown := make(chan int, 1)
	proxy := serveTLS(t, a.issue(t), func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		w.WriteHeader(http.StatusForbidden)
	})
	base := mustParse(t, "https://proxy.example.com")
	o := newOrigin(base, Options{Proxy: mustParse(t, proxy), RootCAs: a.pool(), Certificate: a.issue(t, forClients).show}.withDefaults())
	req, err := http.NewRequestWithContext(bounded(t), http.MethodGet, base.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := o.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
		t.Error("the proxy refuses, but an answer came")
	}
	select {
	case n := <-shown:
		if n != 0 {
			t.Errorf("the proxy was shown %d certificates", n)
		}
	default:
		t.Errorf("the proxy was not asked: %v", err)
	}
}

func TestTroubleWithCertificatesNamesTheSettingThatHelps(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	trusting := Options{RootCAs: a.pool()}
	tls12 := func(c *tls.Config) {
		wants(a)(c)
		c.MaxVersion = tls.VersionTLS12
	}
	for what, test := range map[string]struct {
		server pair
		change func(*tls.Config)
		o      Options
		want   []string
	}{
		"unknown authority": {a.issue(t), nil, Options{RootCAs: stranger.pool()}, []string{"not trusted", "ca_file"}},
		"expired": {a.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil, trusting,
			[]string{"is valid from", "renewed", "clock"}},
		"another name": {a.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"example.com"} }), nil, trusting,
			[]string{"another name", "URL"}},
		"another use":                    {a.issue(t, forClients), nil, trusting, []string{"cannot be verified", "ca_file"}},
		"no client certificate":          {a.issue(t), wants(a), trusting, []string{"certificate", "cert_file"}},
		"no client certificate, TLS 1.2": {a.issue(t), tls12, trusting, []string{"it refused the TLS connection", "cert_file"}},
		"a stranger's certificate": {a.issue(t), wants(a), Options{RootCAs: a.pool(), Certificate: stranger.issue(t, forClients).show},
			[]string{"certificate", "cert_file"}},
	} {
		for _, noHTTP2 := range []bool{false, true} {
			test.o.NoHTTP2 = noHTTP2
			_, err := open(t, serveTLS(t, test.server, test.change, sendMod), test.o).Fetch(bounded(t), modName)
			wantClass(t, what, err, artifact.ErrBadUpstream)
			reason, hint := artifact.Explain(err)
			for _, want := range test.want {
				if !strings.Contains(reason+" "+hint, want) {
					t.Errorf("%s: %q, %q lack %q (%v)", what, reason, hint, want, err)
				}
			}
		}
	}
	if e := tlsTrouble("upstream", errors.New("remote error: tls: internal error")); e != nil {
		t.Errorf("an alert of another kind: %v", e)
	}
}
