package modtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Forge is all hosts of the internet that have repositories and go-import
// pages, at one loopback address: https with a certificate for every name below
// the usual domains, git by its smart protocol. It is safe for concurrent use.
type Forge struct {
	Addr   string // host:port on loopback, whatever host it stands for
	CAFile string // the certificate of the authority to trust, in PEM
	Dir    string // the repositories, each in HOST/PATH

	pool    *x509.CertPool
	backend string // the program that serves repositories

	mu       sync.Mutex
	pages    map[string]http.Handler // by host/path: for those who ask with go-get=1
	handlers map[string]http.Handler // by host/path: for everybody
	users    map[string]string       // by host: what Authorization must be
	requests []ForgeRequest
}

// A ForgeRequest is what one request looked like.
type ForgeRequest struct {
	Method, Host, Path, Query string
	Authorization             string
}

// forgeNames are the names in the certificate.
var forgeNames = []string{"example.com", "*.example.com", "example.org", "*.example.org", "github.com", "gopkg.in", "sum.golang.org"}

// NewForge starts a Forge that serves the repositories in a folder until the
// test ends.
func NewForge(t Cleaner, dir string) (*Forge, error) {
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git: %w", err)
	}
	f := &Forge{
		Dir:      filepath.Join(dir, "repositories"),
		CAFile:   filepath.Join(dir, "ca.pem"),
		backend:  filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"),
		pages:    map[string]http.Handler{},
		handlers: map[string]http.Handler{},
		users:    map[string]string{},
	}
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		return nil, err
	}
	cert, err := f.certify()
	if err != nil {
		return nil, err
	}
	server := httptest.NewUnstartedServer(f)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	f.Addr = server.Listener.Addr().String()
	return f, nil
}

// certify makes an authority and its certificate for all hosts.
func (f *Forge) certify() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "Forge"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    forgeNames,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	f.pool = x509.NewCertPool()
	f.pool.AppendCertsFromPEM(text)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(f.CAFile, text, 0o644)
}

// Handle answers requests for host/path, and all below it, with a handler.
func (f *Forge) Handle(hostPath string, h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[hostPath] = h
}

// GoImport serves a page at host/path, and at all below it, that has one
// go-import tag: "prefix vcs url", maybe with a subdirectory.
func (f *Forge) GoImport(hostPath, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages[hostPath] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<html><head><meta name=\"go-import\" content=\"%s\"></head></html>\n", content)
	})
}

// Require makes a host answer only those who show a user and password.
func (f *Forge) Require(host, user, password string) {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[host] = r.Header.Get("Authorization")
}

// Requests returns all requests so far.
func (f *Forge) Requests() []ForgeRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]ForgeRequest(nil), f.requests...)
}

// Count returns how many requests there were whose host, path and query, as in
// github.com/a/b/info/refs?service=git-upload-pack, contain a text.
func (f *Forge) Count(text string) (n int) {
	for _, r := range f.Requests() {
		if strings.Contains(r.Host+r.Path+"?"+r.Query, text) {
			n++
		}
	}
	return n
}

// Reset forgets all requests so far.
func (f *Forge) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// ServeHTTP answers one request as the host that it names.
func (f *Forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	h, user := f.arrive(host, r)
	if user != "" && r.Header.Get("Authorization") != user {
		w.Header().Set("WWW-Authenticate", `Basic realm="forge"`)
		http.Error(w, "who asks?", http.StatusUnauthorized)
		return
	}
	if h != nil {
		h.ServeHTTP(w, r)
		return
	}
	f.serveGit(w, r, host)
}

// arrive notes a request and finds who answers it.
func (f *Forge) arrive(host string, r *http.Request) (h http.Handler, user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, ForgeRequest{Method: r.Method, Host: host, Path: r.URL.Path, Query: r.URL.RawQuery, Authorization: r.Header.Get("Authorization")})
	h = longest(f.handlers, host+r.URL.Path)
	if h == nil && r.URL.Query().Get("go-get") == "1" {
		h = longest(f.pages, host+r.URL.Path)
	}
	return h, f.users[host]
}

// longest returns the handler of the longest path that a path is below.
func longest(handlers map[string]http.Handler, of string) (h http.Handler) {
	found := ""
	for hostPath, handler := range handlers {
		if strings.HasPrefix(of+"/", strings.TrimSuffix(hostPath, "/")+"/") && len(hostPath) >= len(found) {
			found, h = hostPath, handler
		}
	}
	return h
}

// serveGit lets git serve a repository.
func (f *Forge) serveGit(w http.ResponseWriter, r *http.Request, host string) {
	var complaints bytes.Buffer
	within := r.Clone(r.Context())
	within.URL.Path = "/" + host + r.URL.Path
	(&cgi.Handler{
		Path:   f.backend,
		Env:    []string{"GIT_PROJECT_ROOT=" + f.Dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "HOME=" + f.Dir},
		Stderr: &complaints,
		Logger: log.New(io.Discard, "", 0),
	}).ServeHTTP(w, within)
}

// Tunnel is a forward proxy for https that leads to the Forge wherever it is
// asked to go. It returns its URL.
func (f *Forge) Tunnel(t Cleaner) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "https only", http.StatusForbidden)
			return
		}
		far, err := net.Dial("tcp", f.Addr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		var upward sync.WaitGroup
		upward.Go(func() { io.Copy(far, buffered.Reader); far.Close() })
		io.Copy(near, far)
		near.Close()
		upward.Wait()
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}
