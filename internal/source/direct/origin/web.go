package origin

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
)

// maxRedirects is how many redirects are followed, one after the other.
const maxRedirects = 10

// checkRedirect follows redirects within bounds, and never to plain http that
// the operator does not allow.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: via[0].URL.Hostname() + " redirects more than 10 times"}
	}
	if r.URL.Scheme != "https" && !(r.URL.Scheme == "http" && c.allowsPlain(r.URL)) {
		return refusal("%s redirects to %q, which is not https", via[0].URL.Hostname(), r.URL.Scheme)
	}
	return nil
}

// A signer adds the credential for the place that each single request goes to,
// redirected ones included, and takes away what would name the place before.
type signer struct {
	o *Options
}

// RoundTrip implements http.RoundTripper.
func (t signer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Referer")
	r.Header.Set("User-Agent", t.o.UserAgent)
	shown, ok, err := credential.For(r.Context(), r.URL, t.o.Credentials)
	if err != nil {
		return nil, err
	}
	if ok && !shown.SSH() && r.URL.Scheme == "https" {
		r.SetBasicAuth(shown.User(), shown.Password)
	}
	return t.o.Transport.RoundTrip(r)
}

// get asks for a URL, by http where https cannot be had and the operator allows
// that. The answer may have any status.
func (c *Client) get(ctx context.Context, u *url.URL) (*http.Response, error) {
	resp, err := c.getOnce(ctx, u)
	if err == nil || u.Scheme != "https" {
		return resp, err
	}
	plain := *u
	plain.Scheme = "http"
	if !c.allowsPlain(&plain) || artifact.Class(err) == artifact.ErrForbidden || ctx.Err() != nil {
		return nil, err
	}
	return c.getOnce(ctx, &plain)
}

func (c *Client) getOnce(ctx context.Context, u *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, artifact.NotFound("%s has no valid address", u.Hostname())
	}
	resp, err := c.http.Do(r)
	if refused, ok := errors.AsType[*artifact.Error](err); ok {
		return nil, refused
	}
	if err != nil {
		return nil, artifact.FromTransport(u.Hostname(), cause(ctx, err))
	}
	return resp, nil
}

// cause is why a context has ended, or else err.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// isTransport reports whether reading a page failed for another reason than
// what the page says.
func isTransport(err error) bool {
	_, malformed := errors.AsType[*xml.SyntaxError](err)
	return err != nil && !malformed && !errors.Is(err, errCharset) && !errors.Is(err, io.EOF)
}
