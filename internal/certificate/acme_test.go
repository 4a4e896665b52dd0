package certificate_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"github.com/goweir/weir/internal/certificate"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/disk"
	"github.com/goweir/weir/internal/store/mem"
)

func openDisk(t *testing.T) store.Store {
	t.Helper()
	s, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newACME(t *testing.T, f *fake, s store.Store, change func(string, error)) *certificate.ACME {
	t.Helper()
	a, err := certificate.NewACME(certificate.ACMEOptions{
		Hosts: []string{host, "Second.Example.com."}, Email: "admin@example.com", Directory: f.url + "/directory", Store: s, OnChange: change,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestACMEGetsCertificatesAndKeepsThemInTheStore(t *testing.T) {
	for _, kind := range []string{"tls-alpn-01", "http-01"} {
		t.Run(kind, func(t *testing.T) {
			f, s := newFake(t, kind), openDisk(t)
			a := newACME(t, f, s, func(host string, err error) { t.Errorf("%s: %v", host, err) })
			addr := serve(t, certificate.Options{ACME: a})
			f.finds(addr)
			if kind == "http-01" {
				web := httptest.NewServer(a.HTTPHandler(nil))
				defer web.Close()
				f.finds(web.Listener.Addr())
			}
			if !a.NotAfter().IsZero() {
				t.Errorf("NotAfter is %v before there is a certificate", a.NotAfter())
			}
			for _, name := range []string{host, host, "second.example.com"} {
				state, _, err := get(addr, &tls.Config{RootCAs: f.pool(), ServerName: name})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if state.NegotiatedProtocol != "h2" {
					t.Errorf("the protocol is %q", state.NegotiatedProtocol)
				}
			}
			if got := time.Until(a.NotAfter()).Round(day); got != 90*day {
				t.Errorf("NotAfter is in %v", got)
			}
			if f.ordered() != 2 {
				t.Errorf("%d orders for two hosts", f.ordered())
			}

			// Another server with the same store, or the same one later.
			again := serve(t, certificate.Options{ACME: newACME(t, f, s, nil)})
			if _, _, err := get(again, &tls.Config{RootCAs: f.pool(), ServerName: host}); err != nil {
				t.Error(err)
			}
			if f.ordered() != 2 {
				t.Error("a certificate that is in the store was ordered again")
			}
		})
	}
}

func TestACMEAsksForNoHostThatIsNotListed(t *testing.T) {
	f := newFake(t, "tls-alpn-01")
	addr := serve(t, certificate.Options{ACME: newACME(t, f, openDisk(t), func(host string, err error) { t.Errorf("%s: %v", host, err) })})
	f.finds(addr)
	for _, name := range []string{"other.example.com", "x." + host, ""} {
		if _, _, err := get(addr, &tls.Config{RootCAs: f.pool(), ServerName: name, InsecureSkipVerify: name == ""}); err == nil {
			t.Errorf("%q gets a certificate", name)
		}
	}
	if f.ordered() != 0 {
		t.Errorf("%d orders", f.ordered())
	}
}

func TestACMETellsOnceWhyThereIsNoCertificate(t *testing.T) {
	f := newFake(t, "tls-alpn-01")
	told := make(chan string, 100)
	a := newACME(t, f, openDisk(t), func(host string, err error) { told <- fmt.Sprint(host, ": ", err) })
	addr := serve(t, certificate.Options{ACME: a})
	f.finds(addr)
	f.refuse(true)
	client := &tls.Config{RootCAs: f.pool(), ServerName: host}
	for range 3 {
		if _, _, err := get(addr, client); err == nil {
			t.Error("there is a certificate")
		}
	}
	if text := <-told; !strings.HasPrefix(text, host+": ") || !strings.Contains(text, "not for you") {
		t.Errorf("told %q", text)
	}
	if len(told) > 0 {
		t.Errorf("told again: %q", <-told)
	}
}

func TestA22FewWaitForAnAuthorityThatHangs(t *testing.T) {
	const clients, most = 150, 100
	f := newFake(t, "http-01")
	a := newACME(t, f, openDisk(t), nil)
	web := httptest.NewServer(a.HTTPHandler(nil))
	defer web.Close()
	f.finds(web.Listener.Addr())
	f.mu.Lock() // it hangs
	results := make(chan error, clients)
	for range clients {
		go func() {
			_, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
			results <- err
		}()
	}
	for range clients - most {
		if err := <-results; err == nil || !strings.Contains(err.Error(), "too many wait") {
			t.Errorf("a client over the bound: %v", err)
		}
	}
	f.mu.Unlock()
	for range most {
		if err := <-results; err != nil {
			t.Errorf("a client that has waited: %v", err)
		}
	}
	if _, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: "second.example.com"}); err != nil {
		t.Errorf("afterwards, for another host: %v", err)
	}
}

func TestFilesComeBeforeACME(t *testing.T) {
	f := newFake(t, "tls-alpn-01")
	own := newAuthority(t, "own")
	dir := newFolder(t)
	dir.issue(own, "a", "files.example.com", -time.Hour, day)
	files := load(t, certificate.Paths{Pairs: []certificate.Pair{dir.pair("a")}})
	addr := serve(t, certificate.Options{Files: files, ACME: newACME(t, f, openDisk(t), nil)})
	f.finds(addr)
	if _, _, err := get(addr, &tls.Config{RootCAs: own.pool(), ServerName: "files.example.com"}); err != nil || f.ordered() != 0 {
		t.Errorf("a host of the files: %v, %d orders", err, f.ordered())
	}
	if _, _, err := get(addr, &tls.Config{RootCAs: f.pool(), ServerName: host}); err != nil || f.ordered() != 1 {
		t.Errorf("a host of ACME: %v, %d orders", err, f.ordered())
	}
	if _, _, err := get(addr, &tls.Config{RootCAs: own.pool(), ServerName: "other.example.com"}); err == nil || !strings.Contains(err.Error(), "files.example.com") {
		t.Errorf("another host: %v", err)
	}
}

// A client that must show a certificate cannot pass for the authority instead,
// also while a challenge is under way.
func TestA25NobodyGetsAroundClientCertificatesByAChallenge(t *testing.T) {
	f, s := newFake(t, "http-01"), openDisk(t)
	own := newAuthority(t, "own")
	dir := newFolder(t)
	dir.write("clients.pem", encode(own.cert))
	files := load(t, certificate.Paths{ClientCAs: dir.path("clients.pem")})
	a := newACME(t, f, s, nil)
	web := httptest.NewServer(a.HTTPHandler(nil))
	defer web.Close()
	f.finds(web.Listener.Addr())
	addr := serve(t, certificate.Options{Files: files, ACME: a, ClientAuth: certificate.Require})
	if _, _, err := get(addr, &tls.Config{RootCAs: f.pool(), ServerName: host, Certificates: []tls.Certificate{own.client("client")}}); err != nil {
		t.Errorf("a client with a certificate: %v", err)
	}
	c, key := own.pair(host, -time.Hour, day)
	if err := certificate.Cache(s).Put(t.Context(), host+"+token", append(key, c...)); err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]struct {
		cert tls.Certificate
		let  bool
	}{"a client": {own.client("client"), true}, "nobody": {tls.Certificate{}, false}} {
		conn, err := tls.Dial("tcp", addr.String(), &tls.Config{
			ServerName: host, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true,
			MaxVersion:           tls.VersionTLS12, // where the handshake ends only after the certificates have been checked
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.cert, nil },
		})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.let {
			t.Errorf("%s, in the guise of the authority: %v", who, err)
		}
	}
}

func TestHostsThatACMECannotProveAreRefused(t *testing.T) {
	for _, hosts := range [][]string{nil, {""}, {"*.example.com"}, {"192.0.2.1"}, {"2001:db8::1"}, {"localhost"}, {"example.com:443"}, {host, "a b.com"}} {
		if _, err := certificate.NewACME(certificate.ACMEOptions{Hosts: hosts}); err == nil {
			t.Errorf("%q are accepted", hosts)
		}
	}
}

func TestHTTPHandlerLeavesTheRestToOthers(t *testing.T) {
	a := newACME(t, newFake(t, "http-01"), openDisk(t), nil)
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, c := range []struct {
		fallback http.Handler
		host     string
		path     string
		want     int
	}{
		{nil, host, "/m/@v/list", http.StatusFound},
		{teapot, host, "/m/@v/list", http.StatusTeapot},
		{teapot, host, "/.well-known/acme-challenge/unknown", http.StatusNotFound},
		{teapot, "other.example.com", "/.well-known/acme-challenge/unknown", http.StatusForbidden},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+c.host+c.path, nil)
		w := httptest.NewRecorder()
		a.HTTPHandler(c.fallback).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s%s: %d, want %d", c.host, c.path, w.Code, c.want)
		}
	}
}

func TestTheCacheOfACMEIsAStore(t *testing.T) {
	for kind, s := range map[string]store.Store{"disk": openDisk(t), "mem": mem.New(1 << 20)} {
		t.Run(kind, func(t *testing.T) {
			c := certificate.Cache(s)
			names := []string{
				host, host + "+rsa", host + "+token", "acme_account+key", token + "+http-01", strings.ToLower(token) + "+http-01",
				"../../escape", ".", "..", "a/b", `a\b`, "a:b", "tmp", "a b", "a!b", "a!21b", "ä", "x\x00y", ".hidden",
			}
			ctx := t.Context()
			for _, name := range names {
				if _, err := c.Get(ctx, name); !errors.Is(err, autocert.ErrCacheMiss) {
					t.Errorf("Get(%q) of nothing = %v", name, err)
				}
				if err := c.Delete(ctx, name); err != nil {
					t.Errorf("Delete(%q) of nothing = %v", name, err)
				}
				for _, data := range []string{"old", name} {
					if err := c.Put(ctx, name, []byte(data)); err != nil {
						t.Errorf("Put(%q) = %v", name, err)
					}
				}
			}
			for _, name := range names {
				for range 2 {
					data, err := c.Get(ctx, name)
					if err != nil || string(data) != name {
						t.Errorf("Get(%q) = %q, %v", name, data, err)
					}
					clear(data) // it is the caller's
				}
			}
			if n := len(keys(t, s, "")); n != 0 {
				t.Errorf("%d keys are listed beside artifacts", n)
			}
			within := keys(t, s, ".weir/acme/")
			if len(within) != len(names) || !slices.Contains(within, ".weir/acme/"+host) {
				t.Errorf("%d names make the keys %q", len(names), within)
			}
			for _, name := range names {
				if err := c.Delete(ctx, name); err != nil {
					t.Errorf("Delete(%q) = %v", name, err)
				}
			}
			if left := keys(t, s, ".weir/acme/"); len(left) != 0 {
				t.Errorf("%q are left", left)
			}
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := c.Get(gone, host); !errors.Is(err, context.Canceled) {
				t.Errorf("Get with a context that has ended = %v", err)
			}
		})
	}
}

func keys(t *testing.T, s store.Store, prefix string) (keys []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if prefix != "" || !strings.HasPrefix(info.Key, ".weir/") {
			keys = append(keys, info.Key)
		}
	}
	return keys
}
