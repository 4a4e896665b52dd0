package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/flaw"
)

// client is the Source of one upstream over HTTP.
type client struct {
	from    string   // the upstream, for people: its host
	base    *url.URL // without credentials
	secrets []string // what no text may show
	prefix  string   // of keys, to be taken off
	o       Options
	http    *http.Client
	slots   chan struct{} // one token per fetch under way
}

func newClient(base *url.URL, prefix string, o Options) *client {
	c := &client{from: base.Host, secrets: secretsOf(base, o), prefix: prefix, o: o, slots: make(chan struct{}, o.MaxConcurrent)}
	bare := *base
	bare.User, bare.Fragment, bare.RawFragment = nil, "", ""
	c.base = &bare
	c.http = &http.Client{Transport: newOrigin(base, o), CheckRedirect: c.checkRedirect}
	return c
}

// CloseIdleConnections implements Client.
func (c *client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Fetch implements source.Source. An answer with status 200 is a body, even if
// it can be seen at once to be a bad one: reading it fails then, so that a bad
// body is met in one way, however late it shows.
func (c *client) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, artifact.FromTransport(c.from, ctx.Err())
	}
	w := newWatch(ctx, c.from, c.o.Timeouts)
	resp, err := c.get(w.ctx, n)
	w.answered()
	if err != nil {
		defer c.done(w)
		return nil, w.explain(c.fitForLogs(err))
	}
	b := &body{in: resp.Body, name: n, watch: w, size: resp.ContentLength, done: func() { c.done(w) }}
	if resp.StatusCode != http.StatusOK {
		defer b.Close()
		return nil, c.refusal(resp, b)
	}
	if b.err = c.firstSight(n, resp); b.err == nil {
		b.resume = c.resumptionOf(n, resp)
	}
	return &blob.Blob{Info: blob.Info{Size: b.size}, Body: b, Check: check(c.from, n, c.o.hashed(n))}, nil
}

// done ends a fetch.
func (c *client) done(w *watch) {
	w.stop()
	<-c.slots
}

func (c *client) get(ctx context.Context, n artifact.Name) (*http.Response, error) {
	req, err := c.request(ctx, n)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

func (c *client) request(ctx context.Context, n artifact.Name) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = c.url(n), c.base.Host
	req.Header.Set("User-Agent", c.o.UserAgent)
	if n.Kind == artifact.Zip {
		req.Header.Set("Accept-Encoding", "identity") // otherwise net/http asks for gzip, and unpacks it
	}
	return req, nil
}

// url is where an artifact is. A query of the configured URL is kept, as the go
// command does.
func (c *client) url(n artifact.Name) *url.URL {
	key := url.URL{Path: strings.TrimPrefix(n.Key(), c.prefix)}
	u := *c.base
	u.RawPath = strings.TrimSuffix(c.base.EscapedPath(), "/") + "/" + key.EscapedPath()
	u.Path = strings.TrimSuffix(c.base.Path, "/") + "/" + key.Path
	return &u
}

// maxRedirects is how many redirects the go command follows.
const maxRedirects = 10

func (c *client) checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s redirected more than %d times", c.from, maxRedirects)}
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: c.from + " redirected from https to an insecure URL"}
	}
	return nil
}

// The bounds of the text of a refusal: how much of it is used, and how much is
// read so that the connection can be used again.
const (
	maxReason = 1 << 10
	maxUnread = 16 << 10
)

// refusal is the error for an answer other than 200.
func (c *client) refusal(resp *http.Response, b *body) error {
	text, _ := io.ReadAll(io.LimitReader(b, maxReason)) // as far as it comes
	io.CopyN(io.Discard, b, maxUnread)
	if mediaType(resp) != "text/plain" {
		text = nil
	}
	return artifact.FromStatus(c.from, resp.StatusCode, c.withoutSecrets(string(text)), retryAfter(resp.Header.Get("Retry-After")))
}

// withoutSecrets drops a text that repeats the credentials it was asked with.
func (c *client) withoutSecrets(text string) string {
	for _, secret := range c.secrets {
		if strings.Contains(text, secret) {
			return ""
		}
	}
	return text
}

// fitForLogs takes off an error of net/http the URL, which may be a signed one,
// and replaces an error that repeats credentials.
func (c *client) fitForLogs(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if c.withoutSecrets(err.Error()) == "" {
		return errors.New("the cause is not shown, since it repeats the credentials")
	}
	return err
}

// maxRetryAfter is the longest time that an upstream can ask for.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After header: seconds or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	date, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(time.Until(date), 0), maxRetryAfter)
}

func mediaType(resp *http.Response) string {
	t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // malformed: none of those looked for
	return t
}

// firstSight is what can be seen to be wrong with a body before it is read.
func (c *client) firstSight(n artifact.Name, resp *http.Response) error {
	switch coding := resp.Header.Get("Content-Encoding"); {
	case mediaType(resp) == "text/html":
		return badBody(c.from, n, errors.New("a web page came in its place, such as a login page"))
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return badBody(c.from, n, fmt.Errorf("it has the encoding %q that was not asked for", artifact.Clean(coding, 40)))
	case resp.ContentLength > n.Kind.MaxSize():
		return badBody(c.from, n, flaw.TooLarge(n.Kind))
	case endUnknown(resp) && !hasOwnEnd(n.Kind):
		return badBody(c.from, n, errors.New("it has neither a length nor chunks, so that nobody could tell if it broke off"))
	}
	return nil
}

// endUnknown reports whether the body ends where the connection ends.
func endUnknown(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && !resp.Uncompressed
}

// hasOwnEnd reports whether the beginning of an artifact of this kind cannot be
// taken for the whole: JSON, zips, and what a checksum database has signed.
func hasOwnEnd(k artifact.Kind) bool { return k != artifact.List && k != artifact.Mod }
