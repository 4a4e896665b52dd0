package upstream

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/egress"
)

func newTransport(o Options, dial *addresses) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	// net/http would offer HTTP/2 to a proxy that speaks TLS, too, but
	// cannot use it there.
	tlsProxy := o.Proxy != nil && o.Proxy.Scheme == "https"
	protocols.SetHTTP2(!o.NoHTTP2 && !tlsProxy)
	// Each request under way can have a connection of its own: with fewer of them, the
	// time until the first byte would pass while it waits for those before it, and a
	// busy HTTP/1.1 upstream would look like one that is silent.
	conns := o.MaxConcurrent
	return &http.Transport{
		Proxy:                  proxyOf(o),
		DialContext:            dial.dialContext,
		TLSHandshakeTimeout:    o.Timeouts.Connect,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, GetClientCertificate: certificateOf(o)},
		Protocols:              protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		MaxConnsPerHost:        conns,
		MaxIdleConnsPerHost:    conns,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         64 << 10,
	}
}

// origin is an http.RoundTripper that adds credentials to requests for one
// scheme, host and port. Since they are added here, below the redirects of
// http.Client, no redirect can take them elsewhere.
type origin struct {
	next         http.RoundTripper
	closeIdle    func()                                // connections of next
	proxy        func(*http.Request) (*url.URL, error) // that next uses
	scheme, host string                                // the host with port, in lower case
	header       http.Header                           // for the upstream
	addresses    *addresses                            // that next dials through
}

func newOrigin(base *url.URL, o Options) *origin {
	header := http.Header{}
	for name, values := range o.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	if credentials := authorization(base, o); credentials != "" {
		header.Set("Authorization", credentials)
	}
	dial := newAddresses(&net.Dialer{Timeout: o.Timeouts.Connect, ControlContext: new(guard).control})
	transport := newTransport(o, dial)
	return &origin{next: transport, closeIdle: transport.CloseIdleConnections, proxy: transport.Proxy, scheme: base.Scheme, host: egress.HostPort(base), header: header, addresses: dial}
}

// certificateOf shows the client certificate to the upstream alone, and nothing to
// whom it has redirected to.
func certificateOf(o Options) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		h := hopOf(info.Context())
		h.asked.Store(true)
		if o.Certificate != nil && h.own && h.tunnel {
			return o.Certificate(info)
		}
		return new(tls.Certificate), nil
	}
}

// RoundTrip implements http.RoundTripper.
func (o *origin) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := o.proxy(req)
	if err != nil { // which may cite its password
		return nil, &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "the URL of the proxy in the environment (HTTP_PROXY, HTTPS_PROXY) is malformed"}
	}
	host := egress.HostPort(req.URL)
	h := &hop{
		own:    req.URL.Scheme == o.scheme && host == o.host,
		direct: proxy == nil,
		tunnel: proxy == nil || proxy.Scheme != "https",
	}
	req = req.Clone(context.WithValue(req.Context(), hopKey{}, h))
	req.Header.Del("Referer") // which repeats the query of the configured URL
	if h.own {
		maps.Copy(req.Header, o.header)
	}
	resp, err := o.next.RoundTrip(req)
	if err != nil {
		return nil, h.explain(err)
	}
	if h.direct {
		o.addresses.answered(host)
	}
	return resp, nil
}

// CloseIdleConnections is what http.Client looks for.
func (o *origin) CloseIdleConnections() { o.closeIdle() }

// A hop says whom a connection is made for. It travels in the context from the
// RoundTripper to the dialer and to TLS.
type hop struct {
	own    bool // to the upstream, not to where it has redirected to
	direct bool // without a proxy, which would look up names itself
	tunnel bool // without a proxy that speaks TLS

	asked atomic.Bool // for a client certificate
}

func hopOf(ctx context.Context) *hop {
	if h, ok := ctx.Value(hopKey{}).(*hop); ok {
		return h
	}
	return new(hop)
}

type hopKey struct{}

// A guard keeps redirects of an upstream on the internet from reaching into the
// network this machine is in. It looks at the address that is connected to, so
// that names and their changes do not matter. An upstream that is inside itself
// may redirect to others there.
type guard struct {
	inside atomic.Bool // the upstream has been met at an inner address
}

// control is for net.Dialer.ControlContext.
func (g *guard) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err == nil && egress.IsPublic(to.Addr()) {
		return nil
	}
	switch h := hopOf(ctx); {
	case !h.direct:
	case h.own:
		g.inside.Store(true)
	case !g.inside.Load():
		return &artifact.Error{
			Class:  artifact.ErrBadUpstream,
			Reason: "an upstream on the internet redirected to an address inside this network",
		}
	}
	return nil
}
