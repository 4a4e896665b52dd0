package visit

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// The kinds of trouble.
const (
	NoSuchHost       = "no-such-host"       // DNS says that there is no such name
	NoDNS            = "no-dns"             // DNS does not answer
	Refused          = "refused"            // nothing listens there
	NoConnection     = "no-connection"      // packets get no answer
	Unreachable      = "unreachable"        // there is no route
	ProxyDead        = "http-proxy-dead"    // the HTTP proxy cannot be reached
	ProxyLogin       = "http-proxy-login"   // the HTTP proxy wants a login
	ProxyRefuses     = "http-proxy-refuses" // the HTTP proxy does not let through
	ProxyMalformed   = "http-proxy-malformed"
	UnknownAuthority = "unknown-authority" // the certificate is signed by nobody who is trusted
	Expired          = "expired"           // the certificate is no longer valid
	NotYetValid      = "not-yet-valid"     // the certificate is not valid yet
	OtherName        = "other-name"        // the certificate is for another name
	BadCertificate   = "bad-certificate"   // the certificate is bad in another way
	PlainHTTP        = "plain-http"        // an https URL leads to where http is spoken
	NoHandshake      = "no-handshake"      // the TLS handshake fails or is cut
	WantsCertificate = "wants-certificate" // the server wants a certificate of the client
	SpeaksTLS        = "speaks-tls"        // an http URL leads to where https is spoken
	Silent           = "silent"            // connected, asked, and no answer
	Slow             = "slow"              // the answer has begun, and does not end in time
	Closed           = "closed"            // connected, asked, and the connection is closed
	BrokeOff         = "broke-off"         // the answer ends before its end
	InsecureRedirect = "insecure-redirect" // from https to http
	RedirectLoop     = "redirect-loop"
	Malformed        = "malformed" // what should be a URL
	Other            = "other"
)

// Trouble is why a visit brought no answer.
type Trouble struct {
	Stage Stage
	Kind  string
	What  string // one line for people, without secrets
	// Certificate is the one that was not accepted, or nil.
	Certificate *x509.Certificate
}

// A brokenOff error says that a body ended before its end.
type brokenOff struct{ error }

// explain says what kind of trouble the error of a visit is.
func explain(ctx context.Context, u *url.URL, t *trace, a Answer, err error) *Trouble {
	stage, tunnel := t.where()
	to := u.Host
	if t.proxy != nil && stage < TLS {
		return proxyTrouble(t.proxy, tunnel, to, err)
	}
	if redirect, ok := errors.AsType[redirectError](err); ok {
		return &Trouble{Stage: Asked, Kind: redirect.kind, What: redirect.what}
	}
	if trouble := certificateTrouble(u, err); trouble != nil {
		return trouble
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return lookupTrouble(dns)
	}
	if isTimeout(ctx, err) && a.Status != 0 {
		return &Trouble{Asked, Slow, fmt.Sprintf("%s does not send its answer in time: %d bytes came in %v", to, len(a.Body), a.Took.Round(time.Millisecond)), nil}
	}
	if isTimeout(ctx, err) {
		return timeoutTrouble(stage, to)
	}
	switch text := err.Error(); {
	case isRefused(err):
		return &Trouble{Connect, Refused, fmt.Sprintf("nothing listens at %s: connection refused", to), nil}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return &Trouble{Connect, Unreachable, fmt.Sprintf("there is no route to %s", to), nil}
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return &Trouble{TLS, PlainHTTP, fmt.Sprintf("%s speaks http, not https", to), nil}
	case strings.Contains(text, "malformed HTTP response"), strings.Contains(text, "malformed HTTP status code"):
		return &Trouble{Asked, SpeaksTLS, fmt.Sprintf("%s does not speak http; it may speak https", to), nil}
	case stage == TLS:
		return handshakeTrouble(to, text)
	case isBrokenOff(err):
		return &Trouble{Asked, BrokeOff, fmt.Sprintf("the answer of %s breaks off", to), nil}
	case isClosed(err):
		return &Trouble{Asked, Closed, fmt.Sprintf("%s closes the connection without an answer", to), nil}
	}
	return &Trouble{stage, Other, fmt.Sprintf("%s cannot be asked", to), nil}
}

// misunderstanding is an answer that is none: that of a server which was spoken to in
// the wrong protocol, or that of the HTTP proxy.
func misunderstanding(u *url.URL, a Answer) *Trouble {
	switch {
	case a.Status == http.StatusProxyAuthRequired && a.Proxy != "":
		return &Trouble{Tunnel, ProxyLogin, fmt.Sprintf("the HTTP proxy %s wants a login", a.Proxy), nil}
	case u.Scheme == "http" && a.Status == http.StatusBadRequest && mentionsTLS(a.Body):
		return &Trouble{Asked, SpeaksTLS, fmt.Sprintf("%s speaks https, not http", u.Host), nil}
	}
	return nil
}

// mentionsTLS reports whether a server complains about http at a port for https.
func mentionsTLS(body []byte) bool {
	return bytes.Contains(body, []byte("HTTP request to an HTTPS server")) || bytes.Contains(body, []byte("HTTP request was sent to HTTPS port")) || bytes.Contains(body, []byte("SSL-enabled server port"))
}

// proxyTrouble is trouble on the way through an HTTP proxy.
func proxyTrouble(proxy *url.URL, tunnel int, to string, err error) *Trouble {
	switch {
	case tunnel == http.StatusProxyAuthRequired:
		return &Trouble{Tunnel, ProxyLogin, fmt.Sprintf("the HTTP proxy %s wants a login", proxy.Host), nil}
	case tunnel != 0:
		return &Trouble{Tunnel, ProxyRefuses, fmt.Sprintf("the HTTP proxy %s does not let through to %s: %d %s", proxy.Host, to, tunnel, http.StatusText(tunnel)), nil}
	}
	why := "it does not answer"
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		why = lookupTrouble(dns).What
	} else if isRefused(err) {
		why = "connection refused"
	}
	return &Trouble{Tunnel, ProxyDead, fmt.Sprintf("the HTTP proxy %s cannot be reached: %s", proxy.Host, why), nil}
}

// lookupTrouble is a name that has no address.
func lookupTrouble(err *net.DNSError) *Trouble {
	if err.IsNotFound {
		return &Trouble{Lookup, NoSuchHost, fmt.Sprintf("DNS knows no host %s", err.Name), nil}
	}
	return &Trouble{Lookup, NoDNS, fmt.Sprintf("DNS does not answer for %s", err.Name), nil}
}

// certificateTrouble is trouble with the certificate of the server, or nil.
func certificateTrouble(u *url.URL, err error) *Trouble {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return &Trouble{TLS, UnknownAuthority, fmt.Sprintf("the certificate of %s is signed by %q, which this machine does not trust", u.Host, issuer(e.Cert)), e.Cert}
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return &Trouble{TLS, OtherName, fmt.Sprintf("the certificate that answers for %s is for %s", u.Host, names(e.Certificate)), e.Certificate}
	}
	e, ok := errors.AsType[x509.CertificateInvalidError](err)
	if ok && e.Reason == x509.Expired {
		return validityTrouble(u, e.Cert)
	}
	if _, other := errors.AsType[*tls.CertificateVerificationError](err); ok || other {
		return &Trouble{TLS, BadCertificate, fmt.Sprintf("the certificate of %s cannot be verified", u.Host), e.Cert}
	}
	return nil
}

// validityTrouble is a certificate whose time is not now.
func validityTrouble(u *url.URL, c *x509.Certificate) *Trouble {
	now := time.Now()
	if now.Before(c.NotBefore) {
		return &Trouble{TLS, NotYetValid, fmt.Sprintf("the certificate of %s is valid from %s on, and the clock of this machine says %s", u.Host, date(c.NotBefore), date(now)), c}
	}
	return &Trouble{TLS, Expired, fmt.Sprintf("the certificate of %s was valid until %s, and the clock of this machine says %s", u.Host, date(c.NotAfter), date(now)), c}
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// issuer is who signed a certificate, for people.
func issuer(c *x509.Certificate) string {
	switch {
	case c == nil:
		return "somebody"
	case c.Issuer.CommonName != "":
		return printable(c.Issuer.CommonName)
	}
	return printable(c.Issuer.String())
}

// names are the names that a certificate is for, as far as they fit.
func names(c *x509.Certificate) string {
	all := c.DNSNames
	for _, address := range c.IPAddresses {
		all = append(all, address.String())
	}
	const enough = 3
	switch {
	case len(all) == 0:
		return "no host at all"
	case len(all) > enough:
		all = append(all[:enough:enough], "others")
	}
	return printable(strings.Join(all, ", "))
}

// maxName bounds what strangers call themselves, in bytes.
const maxName = 120

func printable(text string) string { return artifact.Clean(text, maxName) }

// timeoutTrouble is a visit whose time was over.
func timeoutTrouble(s Stage, to string) *Trouble {
	switch s {
	case Lookup:
		return &Trouble{Lookup, NoDNS, fmt.Sprintf("DNS does not answer for %s", to), nil}
	case Connect:
		return &Trouble{Connect, NoConnection, fmt.Sprintf("%s does not answer to the wish for a connection; packets may be dropped on the way", to), nil}
	case TLS:
		return &Trouble{TLS, NoHandshake, fmt.Sprintf("%s takes the connection, but does not answer to the TLS handshake", to), nil}
	}
	return &Trouble{Asked, Silent, fmt.Sprintf("%s takes the request, but does not answer", to), nil}
}

// handshakeTrouble is a TLS handshake that one of both sides gave up.
func handshakeTrouble(to, text string) *Trouble {
	_, alert, _ := strings.Cut(text, "remote error: tls: ")
	switch alert {
	case "":
		return &Trouble{TLS, NoHandshake, fmt.Sprintf("%s cuts the connection in the TLS handshake", to), nil}
	case "certificate required", "bad certificate", "unknown certificate", "unknown certificate authority", "access denied":
		return &Trouble{TLS, WantsCertificate, fmt.Sprintf("%s wants a certificate of the client, which the go command does not have: %s", to, alert), nil}
	}
	return &Trouble{TLS, NoHandshake, fmt.Sprintf("%s refuses the TLS handshake: %s", to, printable(alert)), nil}
}

func isTimeout(ctx context.Context, err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || ok && timeout.Timeout()
}

func isBrokenOff(err error) bool {
	_, ok := errors.AsType[brokenOff](err)
	return ok
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
}

// isRefused reports whether nothing listens. Windows has a number of its own for it.
func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "actively refused")
}
