package direct

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
)

// The bounds of one request.
const (
	maxRedirects     = 10
	firstByteTimeout = 30 * time.Second
	maxHeader        = 256 << 10
	idleTimeout      = 90 * time.Second
	idlePerHost      = 4
)

// newTransport returns a transport whose connections the Guard allows.
func newTransport(d egress.Dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout:    egress.ConnectTimeout,
		ResponseHeaderTimeout:  firstByteTimeout,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    idlePerHost,
		ForceAttemptHTTP2:      true,
	}
}

// newClient returns the client for pages and module proxies.
func (s *Source) newClient(t *http.Transport) *http.Client {
	return &http.Client{Transport: signer{s: s, inner: t}, CheckRedirect: s.checkRedirect}
}

// checkRedirect follows redirects within bounds, and never to plain http that
// the operator does not allow.
func (s *Source) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: via[0].URL.Hostname() + " redirects more than 10 times"}
	}
	if r.URL.Scheme != "https" && !(r.URL.Scheme == "http" && s.allowsPlain(r.URL)) {
		return refusal("%s redirects to %q, which is not https", via[0].URL.Hostname(), r.URL.Scheme)
	}
	return nil
}

// A signer adds the credential for the place that each single request goes to,
// redirected ones included, and takes away what would name the place before.
type signer struct {
	s     *Source
	inner http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t signer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Referer")
	r.Header.Set("User-Agent", t.s.o.UserAgent)
	c, ok, err := credential.For(r.Context(), r.URL, t.s.o.Credentials)
	if err != nil {
		return nil, err
	}
	if ok && !c.SSH() && r.URL.Scheme == "https" {
		r.SetBasicAuth(c.User(), c.Password)
	}
	return t.inner.RoundTrip(r)
}

// get asks for a URL, by http where https cannot be had and the operator allows
// that. The answer may have any status.
func (s *Source) get(ctx context.Context, u *url.URL) (*http.Response, error) {
	resp, err := s.getOnce(ctx, u)
	if err == nil || u.Scheme != "https" {
		return resp, err
	}
	plain := *u
	plain.Scheme = "http"
	if !s.allowsPlain(&plain) || artifact.Class(err) == artifact.ErrForbidden || ctx.Err() != nil {
		return nil, err
	}
	return s.getOnce(ctx, &plain)
}

func (s *Source) getOnce(ctx context.Context, u *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, artifact.NotFound("%s has no valid address", u.Hostname())
	}
	resp, err := s.client.Do(r)
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
