package cage

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/egress"
)

// A proxy is the only way out for commands in a cage: a forward proxy on a
// loopback address that lets the bearer of a pass to one place, through the
// Guard, or answers by itself.
type proxy struct {
	address string // host:port where it listens
	dialer  egress.Dialer
	forward *httputil.ReverseProxy
	server  *http.Server
	serving sync.WaitGroup // of the server and of all requests

	mu     sync.Mutex
	passes map[string]*pass // by the word that shows it
	closed bool
}

// A pass says what its bearer may do. It is good until it is handed back.
type pass struct {
	page   []byte // answers every GET; nil: none does
	tunnel string // host:port that CONNECT leads to
	plain  string // host:port that is asked by plain http

	word   string // what shows it
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	refused error // why the first connection could not be made
}

// newPass returns a pass that says nothing yet and is not valid yet.
func newPass() *pass { return &pass{word: rand.Text()} }

// The bounds of what a command may say to the proxy, and of what is shown of that.
const (
	maxHeader = 256 << 10
	maxReason = 300
)

// startProxy starts a proxy whose connections are made by d and, for plain
// http, by t.
func startProxy(d egress.Dialer, t http.RoundTripper) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{address: l.Addr().String(), dialer: d, passes: map[string]*pass{}}
	p.forward = &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: t, ErrorLog: quiet}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: egress.ConnectTimeout, MaxHeaderBytes: maxHeader, ErrorLog: quiet}
	p.serving.Go(func() { p.server.Serve(l) }) // ends with Close
	return p, nil
}

// quiet is where package net/http complains about commands that were killed.
var quiet = log.New(io.Discard, "", 0)

// Close ends all connections and waits for them.
func (p *proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, pass := range p.passes {
		pass.cancel()
	}
	p.mu.Unlock()
	err := p.server.Close()
	p.serving.Wait()
	return err
}

// show returns what a command needs to show a pass: the proxy's URL.
func (p *proxy) show(given *pass) string {
	u := url.URL{Scheme: "http", User: url.UserPassword("weir", given.word), Host: p.address}
	return u.String()
}

// issue makes a pass valid. It does not change any more.
func (p *proxy) issue(ctx context.Context, given *pass) {
	given.ctx, given.cancel = context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passes[given.word] = given
}

// revoke ends a pass and all connections made with it.
func (p *proxy) revoke(given *pass) {
	p.mu.Lock()
	delete(p.passes, given.word)
	p.mu.Unlock()
	given.cancel()
}

// shown returns the pass that a request shows, or nil.
func (p *proxy) shown(r *http.Request) *pass {
	asUser := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	_, word, _ := asUser.BasicAuth()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passes[word]
}

// enter counts a request in, unless the proxy is closed.
func (p *proxy) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.serving.Add(1)
	}
	return !p.closed
}

// ServeHTTP does what the pass of the request allows.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		return
	}
	defer p.serving.Done()
	given := p.shown(r)
	switch {
	case given == nil:
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "who asks?", http.StatusProxyAuthRequired)
	case r.Method == http.MethodConnect && r.Host == given.tunnel:
		p.connect(w, r, given)
	case r.Method == http.MethodGet && given.page != nil:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(given.page)
	case r.URL.Scheme == "http" && egress.HostPort(r.URL) == given.plain:
		p.forward.ServeHTTP(w, r.WithContext(given.ctx))
	default:
		given.note(&artifact.Error{Class: artifact.ErrForbidden, Reason: artifact.Clean("the repository sends its visitors to "+r.Host+" instead, which is not followed", maxReason)})
		http.Error(w, "not the way to the repository", http.StatusForbidden)
	}
}

// connect opens a tunnel, which lasts until one end has had enough or the pass
// ends.
func (p *proxy) connect(w http.ResponseWriter, r *http.Request, given *pass) {
	far, err := p.dialer.DialContext(given.ctx, "tcp", r.Host)
	if err != nil {
		given.note(err)
		http.Error(w, "the repository cannot be reached", http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	defer context.AfterFunc(given.ctx, func() { near.Close(); far.Close() })()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var upward sync.WaitGroup
	upward.Go(func() {
		io.Copy(far, buffered.Reader)
		closeWrite(far)
	})
	io.Copy(near, far) // either copy ends with either connection
	near.Close()
	upward.Wait()
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// note remembers why a connection was not made. What the command says about
// that is less than what is known here.
func (g *pass) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused == nil {
		g.refused = err
	}
}

// trouble returns the error for a connection that could not be made, or nil.
func (g *pass) trouble() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if refused, ok := errors.AsType[*artifact.Error](g.refused); ok {
		return refused
	}
	if g.refused == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(g.tunnel)
	return artifact.FromTransport(host, g.refused)
}
