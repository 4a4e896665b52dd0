package visit

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A Stage is a part of the way.
type Stage int

// The stages, in order. All before Asked concern the HTTP proxy where there is one,
// except for TLS.
const (
	Lookup  Stage = iota // of the name
	Connect              // to the address
	Tunnel               // through the HTTP proxy
	TLS
	Asked // the request, and the answer
)

// A Trail is what a visit met before the answer. What was met by an earlier visit,
// whose connection is used again, is not met again.
type Trail struct {
	Proxy     string               // host of the HTTP proxy; empty: there is none
	Addresses []string             // of the name
	Remote    string               // the address that was connected to
	State     *tls.ConnectionState // of the connection; nil without TLS
	LookedUp  time.Duration        // how long the name was looked up
	Connected time.Duration        // how long the connection took
	Shaken    time.Duration        // how long the TLS handshake took
	Reused    bool                 // the connection was there already
}

// trace collects a Trail. Its hooks may still run when the visit has ended.
type trace struct {
	proxy *url.URL

	mu     sync.Mutex
	begun  time.Time // of the stage
	stage  Stage
	trail  Trail
	tunnel int // the status by which the HTTP proxy refused a tunnel
}

// traceKey is the key of the trace in the context of a request.
type traceKey struct{}

// in is the context of a request that is traced.
func (t *trace) in(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, traceKey{}, t)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { t.enter(Lookup) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			t.note(func(trail *Trail, took time.Duration) {
				trail.LookedUp = took
				for _, address := range info.Addrs {
					trail.Addresses = append(trail.Addresses, address.String())
				}
			})
		},
		ConnectStart: func(_, _ string) { t.enter(Connect) },
		ConnectDone: func(_, address string, err error) {
			if err != nil {
				return
			}
			t.note(func(trail *Trail, took time.Duration) { trail.Remote, trail.Connected = address, took })
			t.enter(Tunnel)
		},
		TLSHandshakeStart: func() { t.enter(TLS) },
		TLSHandshakeDone: func(state tls.ConnectionState, _ error) {
			t.note(func(trail *Trail, took time.Duration) { trail.Shaken, trail.State = took, &state })
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.note(func(trail *Trail, _ time.Duration) { trail.Reused = info.Reused })
			t.enter(Asked)
		},
	})
}

// enter notes that a stage begins.
func (t *trace) enter(s Stage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stage, t.begun = s, time.Now()
}

// note notes what the stage has brought, and how long it took.
func (t *trace) note(what func(trail *Trail, took time.Duration)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	what(&t.trail, time.Since(t.begun))
}

// result is what was collected so far.
func (t *trace) result() Trail {
	t.mu.Lock()
	defer t.mu.Unlock()
	trail := t.trail
	trail.Addresses = slices.Clone(trail.Addresses)
	if t.proxy != nil {
		trail.Proxy = t.proxy.Host
	}
	return trail
}

// where is the stage that the visit is in, and how its tunnel was refused, or zero.
func (t *trace) where() (Stage, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stage, t.tunnel
}

// rememberTunnel notes how an HTTP proxy answers to the wish for a tunnel.
func rememberTunnel(ctx context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok && resp.StatusCode != http.StatusOK {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.tunnel = resp.StatusCode
	}
	return nil
}
