package probe

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// Phases are the parts of a request.
type Phases struct {
	Fresh     bool          // a connection was made for it
	DNS       time.Duration // to look up the name; zero where it was an address
	Connect   time.Duration // until the mirror, or the HTTP proxy of this network, took the connection
	TLS       time.Duration // zero without TLS
	FirstByte time.Duration // from the request to the first byte of the answer, with all redirects
}

// A trace notes when the parts of a request begin and end. Only the first connection
// counts: others belong to redirects.
type trace struct {
	mu                      sync.Mutex // dialing goes on beside the request
	settled                 bool       // the first connection was had
	fresh                   bool
	lookup, connect, secure span
	wrote, answered         time.Time
}

// A span is from one moment to another.
type span struct{ from, to time.Time }

func (s span) length() time.Duration {
	if s.from.IsZero() || s.to.IsZero() {
		return 0
	}
	return s.to.Sub(s.from)
}

// begin notes the first beginning, end the first end.
func (s *span) begin() {
	if s.from.IsZero() {
		s.from = time.Now()
	}
}

func (s *span) end() {
	if s.to.IsZero() {
		s.to = time.Now()
	}
}

// into returns a context whose request is traced.
func (t *trace) into(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { t.connecting(t.lookup.begin) },
		DNSDone:      func(httptrace.DNSDoneInfo) { t.connecting(t.lookup.end) },
		ConnectStart: func(_, _ string) { t.connecting(t.connect.begin) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				t.connecting(t.connect.end)
			}
		},
		TLSHandshakeStart:    func() { t.connecting(t.secure.begin) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { t.connecting(t.secure.end) },
		GotConn:              func(info httptrace.GotConnInfo) { t.connecting(func() { t.settled, t.fresh = true, !info.Reused }) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.note(&t.wrote, false) },
		GotFirstResponseByte: func() { t.note(&t.answered, true) },
	})
}

// connecting does something as long as the first connection is being made.
func (t *trace) connecting(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.settled {
		do()
	}
}

// note notes a moment: the first one, or the last one.
func (t *trace) note(moment *time.Time, last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last || moment.IsZero() {
		*moment = time.Now()
	}
}

func (t *trace) phases() Phases {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Phases{
		Fresh: t.fresh, DNS: t.lookup.length(), Connect: t.connect.length(), TLS: t.secure.length(),
		FirstByte: span{t.wrote, t.answered}.length(),
	}
}
