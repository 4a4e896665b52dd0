// Package probe asks one mirror for one file at a time, and says what came of it and what
// each part of it took.
//
// It promises that no request goes on for longer, or brings more, than its bounds and the
// caller allow; that credentials are sent to the scheme, host and port they are for and
// nowhere else, and stand in no error; and that a request can be made over a connection
// that nobody has used before. Whether a body is the right one, it does not judge.
//
// Sources: the Go Modules Reference, "GOPROXY protocol"; cmd/go/internal/modfetch/proxy.go.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// Bounds of one request.
const (
	maxSilence   = 10 * time.Second // without a byte
	maxRequest   = 20 * time.Second // until the last byte
	maxSmall     = 4 << 20          // bytes of anything but a zip; the longest lists there are have a tenth of it
	maxRefusal   = 16 << 10         // bytes of an answer other than 200
	maxRedirects = 10               // as the go command follows
)

// What a request may end with, beside an answer.
var (
	ErrHangs  = fmt.Errorf("sent nothing for %s", maxSilence)
	ErrSlow   = fmt.Errorf("was not done after %s", maxRequest)
	ErrBudget = errors.New("there are no bytes left to measure with")
)

// An Answer is what came of one request.
type Answer struct {
	Status   int    // zero: there was none
	Proto    string // HTTP/1.1 or HTTP/2.0
	HTML     bool   // it says that it is a web page
	Body     []byte // as far as it came
	Err      error  // why it is not the whole, or the cause of the end of the context; fit to be shown
	Phases   Phases
	Duration time.Duration // from the beginning to the end of the body
}

// A Prober sends requests to one mirror. It is used by one goroutine at a time.
type Prober struct {
	base      *url.URL // without credentials
	secrets   []string
	userAgent string
	template  *http.Transport // nil: the usual one
	origin    *origin
	client    *http.Client
}

// New returns a prober of the mirror at a URL that source.ParseList lets pass. header are
// credentials, beside those in the URL. template carries the requests, as a copy; nil: the
// usual transport, with the HTTP proxy of the environment.
func New(mirror string, header http.Header, userAgent string, template *http.Transport) *Prober {
	base, err := url.Parse(mirror)
	if err != nil { // which source.ParseList would not have let pass
		base = &url.URL{}
	}
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if password, _ := base.User.Password(); base.User != nil {
		req := http.Request{Header: header}
		req.SetBasicAuth(base.User.Username(), password)
	}
	bare := *base
	bare.User, bare.Fragment, bare.RawFragment = nil, "", ""
	p := &Prober{base: &bare, secrets: secretsOf(base, header), userAgent: userAgent, template: template}
	p.origin = &origin{next: newTransport(p.template), scheme: base.Scheme, host: hostPort(base), header: header}
	p.client = &http.Client{Transport: p.origin, CheckRedirect: checkRedirect}
	return p
}

// Renew lets the next request make a new connection. What is left of the old one ends by
// itself: HTTP/2 may still be busy with it.
func (p *Prober) Renew() {
	p.Close()
	p.origin.next = newTransport(p.template)
}

// Close ends the connections that are kept.
func (p *Prober) Close() { p.origin.next.CloseIdleConnections() }

func newTransport(template *http.Transport) *http.Transport {
	if template == nil {
		template = &http.Transport{
			Proxy:             proxyOfEnvironment,
			DialContext:       new(net.Dialer).DialContext, // which the bounds of the request bound
			ForceAttemptHTTP2: true,
		}
	}
	t := template.Clone()
	t.MaxConnsPerHost = 2 // one is used; the other lets HTTP/2 replace one that is about to end
	t.IdleConnTimeout = maxSilence
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableCompression = true // so that bytes are bytes
	return t
}

// proxyOfEnvironment is http.ProxyFromEnvironment with errors that cite no password.
func proxyOfEnvironment(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, errors.New("the URL of the proxy in the environment (HTTP_PROXY, HTTPS_PROXY) is malformed")
	}
	return u, nil
}

// origin adds credentials to requests for one scheme, host and port. Since that is done
// below the redirects of http.Client, no redirect can take them elsewhere.
type origin struct {
	next         *http.Transport
	scheme, host string
	header       http.Header
}

// RoundTrip implements http.RoundTripper.
func (o *origin) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Referer") // which repeats the query of the URL before
	if req.URL.Scheme == o.scheme && hostPort(req.URL) == o.host {
		maps.Copy(req.Header, o.header)
	}
	return o.next.RoundTrip(req)
}

// hostPort is the host and port that a URL leads to.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	case u.Scheme == "http":
		port = "80"
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("redirected more than %d times", maxRedirects)
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return errors.New("redirected from https to an insecure URL")
	}
	return nil
}

// url is where an artifact is. A query of the configured URL is kept, as the go command
// does.
func (p *Prober) url(n artifact.Name) *url.URL {
	key := url.URL{Path: n.Key()}
	u := *p.base
	u.RawPath = strings.TrimSuffix(p.base.EscapedPath(), "/") + "/" + key.EscapedPath()
	u.Path = strings.TrimSuffix(p.base.Path, "/") + "/" + key.Path
	return &u
}

// Ask fetches one artifact, of which it reads at most room bytes.
func (p *Prober) Ask(ctx context.Context, n artifact.Name, room int64) (a Answer) {
	began := time.Now()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	silence := time.AfterFunc(maxSilence, func() { end(ErrHangs) })
	defer silence.Stop()
	total := time.AfterFunc(maxRequest, func() { end(ErrSlow) })
	defer total.Stop()

	var t trace
	resp, err := p.send(t.into(ctx), n)
	if err == nil {
		a.Status, a.Proto, a.HTML = resp.StatusCode, resp.Proto, isHTML(resp)
		a.Body, err = receive(resp, n, room, func() { silence.Reset(maxSilence) })
	}
	a.Duration, a.Phases = time.Since(began), t.phases()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	end(nil) // first, since a body that is closed is read a little further otherwise
	if resp != nil {
		resp.Body.Close()
	}
	a.Err = p.fitToShow(err)
	return a
}

func (p *Prober) send(ctx context.Context, n artifact.Name) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = p.url(n), p.base.Host
	req.Header.Set("User-Agent", p.userAgent)
	return p.client.Do(req)
}

// fitToShow takes off an error of net/http the URL, which may be a signed one, and
// replaces an error that repeats credentials.
func (p *Prober) fitToShow(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	for _, secret := range p.secrets {
		if err != nil && strings.Contains(err.Error(), secret) {
			return errors.New("the cause is not shown, since it repeats the credentials")
		}
	}
	return err
}

// secretsOf are the texts that nobody may see.
func secretsOf(base *url.URL, header http.Header) []string {
	var all []string
	for _, values := range header {
		all = append(all, values...)
	}
	if base.User != nil {
		password, _ := base.User.Password()
		all = append(all, base.User.Username(), password)
	}
	all = append(all, base.RawQuery)
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func isHTML(resp *http.Response) bool {
	t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // malformed: none of those looked for
	return t == "text/html"
}

// receive reads a body, and tells of each piece that came.
func receive(resp *http.Response, n artifact.Name, room int64, came func()) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, min(room, maxRefusal))) // the status says enough
		return text, nil
	}
	limit := int64(maxSmall)
	if n.Kind == artifact.Zip {
		limit = n.Kind.MaxSize()
	}
	if resp.ContentLength > min(room, limit) {
		return nil, tooLarge(resp.ContentLength, limit)
	}
	var body bytes.Buffer
	in := &observed{in: io.LimitReader(resp.Body, min(room, limit)+1), came: came}
	size, err := body.ReadFrom(in)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return body.Bytes(), errors.New("the answer broke off")
	case err != nil:
		return body.Bytes(), err
	case size > min(room, limit):
		return body.Bytes()[:size-1], tooLarge(size, limit)
	}
	return body.Bytes(), nil
}

// tooLarge is the error for a body that exceeds what it may be, or else what is left.
func tooLarge(size, limit int64) error {
	if size <= limit {
		return ErrBudget
	}
	return fmt.Errorf("the answer is larger than %d bytes", limit)
}

// observed is a reader that tells of each piece that came.
type observed struct {
	in   io.Reader
	came func()
}

func (o *observed) Read(p []byte) (int, error) {
	n, err := o.in.Read(p)
	if n > 0 {
		o.came()
	}
	return n, err
}
