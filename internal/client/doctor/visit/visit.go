// Package visit makes one request as the go command would make it and says what it met
// on its way: the HTTP proxy, the addresses of the name, the connection, the certificate,
// redirects, the answer; or at which stage it failed, and of which kind the trouble is.
//
// Nothing is tried again, and no secret is in any text: not the user of a URL, not its
// query, not the URL of an HTTP proxy beyond its host. How long a visit lasts is up to
// its context; of an answer as much is read as was asked for.
//
// Source: cmd/go/internal/web/http.go.
package visit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A Visitor makes visits. It is safe for concurrent use. Close it at the end.
type Visitor struct {
	client    *http.Client
	userAgent string
}

// dialTimeout is how long a connection is waited for even after its visit has ended.
const dialTimeout = 30 * time.Second

// New returns a Visitor. HTTP proxies are those of the environment.
func New(userAgent string) *Visitor { return newVisitor(userAgent, false) }

// Trusting returns another Visitor, which takes any certificate, as with GOINSECURE.
func (v *Visitor) Trusting() *Visitor { return newVisitor(v.userAgent, true) }

func newVisitor(userAgent string, insecure bool) *Visitor {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure},
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 1 << 20,
		OnProxyConnectResponse: rememberTunnel,
	}
	return &Visitor{
		client:    &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		userAgent: userAgent,
	}
}

// Close closes the connections that are idle.
func (v *Visitor) Close() { v.client.CloseIdleConnections() }

// A redirectError is a redirect that the go command does not follow.
type redirectError struct{ kind, what string }

func (e redirectError) Error() string { return e.what }

// maxRedirects is how many redirects the go command follows.
const maxRedirects = 10

// checkRedirect follows what the go command follows: ten redirects, none from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return redirectError{InsecureRedirect, fmt.Sprintf("it redirects from https to http://%s", req.URL.Host)}
	case len(via) >= maxRedirects:
		return redirectError{RedirectLoop, fmt.Sprintf("it redirects more than %d times, at last to %s", maxRedirects, req.URL.Host)}
	}
	return nil
}

// How much of an answer is worth reading, in bytes: of a page, and of a text of the protocol,
// such as a list or a go.mod.
const (
	Page = 1 << 20
	Text = 16 << 20
)

// A Request is what to ask for.
type Request struct {
	URL    *url.URL
	Header http.Header // to send besides, such as credentials
	Head   int64       // ask for the first bytes only; 0: for all
	Max    int64       // bytes of the answer to read; of a longer one only the beginning is
}

// An Answer is what came of a visit.
type Answer struct {
	Trail
	Status    int // 0: no answer came, and there is Trouble
	Header    http.Header
	Body      []byte
	Cut       bool // there is more than was read
	Proto     string
	Redirects []string // hosts that it was redirected to
	Took      time.Duration
	Trouble   *Trouble
}

// OK reports whether the answer is one that the go command takes for a success. A
// part is one if a part was asked for.
func (a Answer) OK() bool {
	return a.Trouble == nil && (a.Status == http.StatusOK || a.Status == http.StatusPartialContent)
}

// Absent reports whether the answer says that there is nothing: the go command goes
// on to the next entry of GOPROXY.
func (a Answer) Absent() bool {
	return a.Trouble == nil && (a.Status == http.StatusNotFound || a.Status == http.StatusGone)
}

// Get makes a visit.
func (v *Visitor) Get(ctx context.Context, r Request) Answer {
	begun := time.Now()
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: r.URL})
	if err != nil { // whose text may cite a password
		return Answer{Trouble: &Trouble{Stage: Tunnel, Kind: ProxyMalformed, What: "the URL of the HTTP proxy in the environment is malformed"}}
	}
	t := &trace{proxy: proxy}
	req, err := http.NewRequestWithContext(t.in(ctx), http.MethodGet, r.URL.String(), nil)
	if err != nil {
		return Answer{Trouble: &Trouble{Stage: Asked, Kind: Malformed, What: "it is not a URL"}}
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", v.userAgent)
	if r.Head > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=0-%d", r.Head-1))
	}
	var a Answer
	resp, err := v.client.Do(req)
	if err == nil {
		a, err = read(resp, r)
	}
	a.Trail, a.Took = t.result(), time.Since(begun)
	if err != nil {
		a.Trouble = explain(ctx, r.URL, t, a, err)
		return a
	}
	a.Trouble = misunderstanding(r.URL, a)
	return a
}

// firstPart is how much is read of an answer that is too long to be read whole, in bytes.
const firstPart = 64 << 10

// read takes an answer in.
func read(resp *http.Response, r Request) (Answer, error) {
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Proto: resp.Proto, Redirects: redirects(resp)}
	limit := r.Max
	if r.Head > 0 {
		limit = min(limit, r.Head)
	}
	if resp.ContentLength > limit {
		limit = min(limit, firstPart)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if a.Cut = int64(len(body)) > limit; a.Cut {
		body = body[:limit]
	}
	a.Body = body
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return a, brokenOff{err}
	}
	return a, err
}

// redirects are the hosts that a request was redirected to.
func redirects(resp *http.Response) []string {
	var hosts []string
	for req := resp.Request; req != nil && req.Response != nil; req = req.Response.Request {
		hosts = append([]string{req.URL.Host}, hosts...)
	}
	return hosts
}

// Listens reports whether something takes connections where a URL leads to, without
// an HTTP proxy.
func Listens(ctx context.Context, u *url.URL) bool {
	port := u.Port()
	if port == "" {
		port = u.Scheme // the name of a service is good, too
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
