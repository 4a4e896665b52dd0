package mirrors

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
	errTimeIsOver = errors.New("the time for the measurement is over")
	errHangs      = fmt.Errorf("sent nothing for %s", maxSilence)
	errSlow       = fmt.Errorf("was not done after %s", maxRequest)
	errBudget     = errors.New("there are no bytes left to measure with")
)

// An answer is what came of one request.
type answer struct {
	status   int    // zero: there was none
	proto    string // HTTP/1.1 or HTTP/2.0
	html     bool   // it says that it is a web page
	body     []byte // as far as it came
	err      error  // why it is not the whole; fit to be shown
	phases   phases
	duration time.Duration // from the beginning to the end of the body
}

// A prober sends requests to one mirror.
type prober struct {
	base      *url.URL // without credentials
	secrets   []string
	userAgent string
	template  *http.Transport // nil: the usual one
	origin    *origin
	client    *http.Client
}

func newProber(m Mirror, o Options) *prober {
	base, err := url.Parse(m.Entry.URL)
	if err != nil { // which source.ParseList would not have let pass
		base = &url.URL{}
	}
	header := m.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if password, _ := base.User.Password(); base.User != nil {
		req := http.Request{Header: header}
		req.SetBasicAuth(base.User.Username(), password)
	}
	bare := *base
	bare.User, bare.Fragment, bare.RawFragment = nil, "", ""
	p := &prober{base: &bare, secrets: secretsOf(base, header), userAgent: o.UserAgent, template: o.Transport}
	p.origin = &origin{next: newTransport(p.template), scheme: base.Scheme, host: hostPort(base), header: header}
	p.client = &http.Client{Transport: p.origin, CheckRedirect: checkRedirect}
	return p
}

// renew lets the next request make a new connection. What is left of the old one ends by
// itself: HTTP/2 may still be busy with it.
func (p *prober) renew() {
	p.close()
	p.origin.next = newTransport(p.template)
}

func (p *prober) close() { p.origin.next.CloseIdleConnections() }

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
func (p *prober) url(n artifact.Name) *url.URL {
	key := url.URL{Path: n.Key()}
	u := *p.base
	u.RawPath = strings.TrimSuffix(p.base.EscapedPath(), "/") + "/" + key.EscapedPath()
	u.Path = strings.TrimSuffix(p.base.Path, "/") + "/" + key.Path
	return &u
}

// ask fetches one artifact, of which it reads at most room bytes.
func (p *prober) ask(ctx context.Context, n artifact.Name, room int64) (a answer) {
	began := time.Now()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	silence := time.AfterFunc(maxSilence, func() { end(errHangs) })
	defer silence.Stop()
	total := time.AfterFunc(maxRequest, func() { end(errSlow) })
	defer total.Stop()

	var t trace
	resp, err := p.send(t.into(ctx), n)
	if err == nil {
		a.status, a.proto, a.html = resp.StatusCode, resp.Proto, isHTML(resp)
		a.body, err = receive(resp, n, room, func() { silence.Reset(maxSilence) })
	}
	a.duration, a.phases = time.Since(began), t.phases()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	end(nil) // first, since a body that is closed is read a little further otherwise
	if resp != nil {
		resp.Body.Close()
	}
	a.err = p.fitToShow(err)
	return a
}

func (p *prober) send(ctx context.Context, n artifact.Name) (*http.Response, error) {
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
func (p *prober) fitToShow(err error) error {
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
		return errBudget
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
