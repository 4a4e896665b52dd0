package certificate_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/certificate"
)

// get makes a request on a new connection and returns the state of that.
func get(addr net.Addr, client *tls.Config) (*tls.ConnectionState, string, error) {
	transport := &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get("https://" + addr.String())
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.TLS, string(body), err
}

func TestAClientGetsTheFirstCertificateThatSuitsIt(t *testing.T) {
	a := newAuthority(t, "authority")
	dir := newFolder(t)
	var pairs []certificate.Pair
	for i, name := range []string{"first.example.com", "*.wild.example.com", "second.example.com"} {
		file := fmt.Sprint(i)
		dir.issue(a, file, name, -time.Hour, day)
		pairs = append(pairs, dir.pair(file))
	}
	addr := serve(t, certificate.Options{Files: load(t, certificate.Paths{Pairs: pairs})})
	for name, want := range map[string]string{
		"first.example.com": "first.example.com", "second.example.com": "second.example.com", "x.wild.example.com": "*.wild.example.com",
	} {
		state, _, err := get(addr, &tls.Config{RootCAs: a.pool(), ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%s gets the certificate of %s", name, got)
		}
	}
	if _, _, err := get(addr, &tls.Config{RootCAs: a.pool(), ServerName: "other.example.com"}); err == nil || !strings.Contains(err.Error(), "first.example.com") {
		t.Errorf("a client of another host is not told whose certificate this is: %v", err)
	}
}

func TestOnlyModernTLSIsSpoken(t *testing.T) {
	a := newAuthority(t, "authority")
	_, f := one(t, a)
	addr := serve(t, certificate.Options{Files: f})
	for _, c := range []struct {
		name   string
		min    uint16
		max    uint16
		suites []uint16
		want   uint16 // version; 0: refused
	}{
		{"what the client likes", 0, 0, nil, tls.VersionTLS13},
		{"TLS 1.2", 0, tls.VersionTLS12, nil, tls.VersionTLS12},
		{"TLS 1.1", tls.VersionTLS10, tls.VersionTLS11, nil, 0},
		{"TLS 1.2 with CBC", 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}, 0},
		{"TLS 1.2 without forward secrecy", 0, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, 0},
	} {
		client := &tls.Config{RootCAs: a.pool(), ServerName: host, MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites}
		conn, err := (&tls.Dialer{Config: client}).DialContext(t.Context(), "tcp", addr.String())
		if err != nil {
			if c.want != 0 {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if state := conn.(*tls.Conn).ConnectionState(); state.Version != c.want {
			t.Errorf("%s: %s with %s is spoken", c.name, tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
		}
		conn.Close()
	}
}

func TestHTTP2IsSpoken(t *testing.T) {
	a := newAuthority(t, "authority")
	_, f := one(t, a)
	addr := serve(t, certificate.Options{Files: f})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if _, proto, err := get(addr, &tls.Config{RootCAs: a.pool(), ServerName: host, MaxVersion: version}); proto != "HTTP/2.0" {
			t.Errorf("%s: %s, %v", tls.VersionName(version), proto, err)
		}
	}
}

func TestClientsShowTheCertificatesTheyMust(t *testing.T) {
	a, stranger := newAuthority(t, "authority"), newAuthority(t, "stranger")
	dir, _ := one(t, a)
	dir.write("clients.pem", encode(a.cert))
	f := load(t, certificate.Paths{Pairs: []certificate.Pair{dir.pair("a")}, ClientCAs: dir.path("clients.pem")})
	for _, mode := range []certificate.ClientAuth{certificate.NoClientAuth, certificate.Request, certificate.Require} {
		addr := serve(t, certificate.Options{Files: f, ClientAuth: mode})
		for who, c := range map[string]struct {
			cert tls.Certificate
			let  bool
		}{
			"nobody":   {tls.Certificate{}, mode != certificate.Require},
			"a client": {a.client("client"), true},
			"stranger": {stranger.client("client"), mode == certificate.NoClientAuth},
		} {
			client := &tls.Config{RootCAs: a.pool(), ServerName: host}
			// Whatever the server says whom it trusts.
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.cert, nil }
			_, _, err := get(addr, client)
			if (err == nil) != c.let {
				t.Errorf("%q: %s: %v", mode, who, err)
			}
		}
	}
}

func TestAnAuthorityThatIsTakenOutIsTrustedNoMoreAlsoForResumedSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			a, next := newAuthority(t, "authority"), newAuthority(t, "next")
			dir, _ := one(t, a)
			dir.write("clients.pem", encode(a.cert))
			f := load(t, certificate.Paths{Pairs: []certificate.Pair{dir.pair("a")}, ClientCAs: dir.path("clients.pem")})
			addr := serve(t, certificate.Options{Files: f, ClientAuth: certificate.Require})
			client := &tls.Config{
				RootCAs: a.pool(), ServerName: host, MaxVersion: version,
				Certificates: []tls.Certificate{a.client("client")}, ClientSessionCache: tls.NewLRUClientSessionCache(10),
			}
			if _, _, err := get(addr, client); err != nil {
				t.Fatal(err)
			}
			if state, _, err := get(addr, client); err != nil || !state.DidResume {
				t.Fatalf("the session is not resumed: %v", err)
			}
			dir.write("clients.pem", append(encode(a.cert), encode(next.cert)...))
			if err := f.Reload(); err != nil {
				t.Fatal(err)
			}
			newcomer := &tls.Config{RootCAs: a.pool(), ServerName: host, MaxVersion: version, Certificates: []tls.Certificate{next.client("client")}}
			for _, c := range []*tls.Config{client, newcomer} {
				if _, _, err := get(addr, c); err != nil {
					t.Errorf("with both authorities: %v", err)
				}
			}
			dir.write("clients.pem", encode(next.cert))
			if err := f.Reload(); err != nil {
				t.Fatal(err)
			}
			if state, _, err := get(addr, client); err == nil {
				t.Errorf("a client of an authority that is gone gets in, resumed: %v", state.DidResume)
			}
			if _, _, err := get(addr, newcomer); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatCannotBeServedIsRefused(t *testing.T) {
	a := newAuthority(t, "authority")
	dir, f := one(t, a)
	dir.write("clients.pem", encode(a.cert))
	onlyClients := load(t, certificate.Paths{ClientCAs: dir.path("clients.pem")})
	acme := newACME(t, newFake(t, "tls-alpn-01"), openDisk(t), nil)
	for want, o := range map[string]certificate.Options{
		"TLS needs a certificate":         {},
		"needs a certificate":             {Files: onlyClients},
		"need the authorities to trust":   {Files: f, ClientAuth: certificate.Require},
		`"maybe" is no way to ask`:        {Files: f, ClientAuth: "maybe"},
		"on port 80 only":                 {Files: onlyClients, ACME: acme, ClientAuth: certificate.Require},
		"client certificates need the au": {Files: f, ClientAuth: certificate.Request},
	} {
		if _, err := certificate.Config(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Config(%s) = %v", fmt.Sprint(o.ClientAuth), err)
		}
	}
}
