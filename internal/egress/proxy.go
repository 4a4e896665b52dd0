package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// proxy is the proxy on the way to host:port, or nil.
func (d Dialer) proxy(hostport string) (*url.URL, error) {
	if d.Proxy == nil {
		return nil, nil
	}
	u, err := d.Proxy(&url.URL{Scheme: "https", Host: strings.TrimSuffix(hostport, ":443")})
	if err != nil {
		return nil, &artifact.Error{
			Class: artifact.ErrUnavailable, Reason: "the HTTP proxy on the way to version control is not a URL", // the cause may cite a password
			Hint: "those who run this proxy can correct HTTPS_PROXY or direct.proxy",
		}
	}
	return u, nil
}

// localSuffixes are those of names that mean something in a network of their own only.
//
// Sources: RFC 6761, RFC 6762, RFC 8375, and what clouds call their metadata services.
var localSuffixes = []string{".localhost", ".local", ".internal", ".intranet", ".lan", ".corp", ".home", ".home.arpa", ".localdomain"}

// checkName refuses hosts that must not be asked for. It is the proxy that connects, so that
// what it would find cannot be checked: an address is held to the Guard, and so are those
// that a name has here. A name that has none here, since only the proxy knows names, is
// taken for one of the internet unless it says otherwise itself.
func (d Dialer) checkName(ctx context.Context, host string, port uint16) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return d.Guard.Check(host, netip.AddrPortFrom(addr, port))
	}
	if d.Guard.allows(host, netip.Addr{}, port, false) {
		return nil
	}
	name := "." + strings.TrimSuffix(strings.ToLower(host), ".")
	local := strings.Count(name, ".") < 2
	for _, suffix := range localSuffixes {
		local = local || strings.HasSuffix(name, suffix)
	}
	if local {
		return &artifact.Error{
			Class: artifact.ErrForbidden, Reason: host + " is the name of a host that is not public",
			Hint: "the operator of this proxy can add the host to direct.allow_hosts",
		}
	}
	for _, addr := range d.addresses(ctx, host) {
		if err := d.Guard.Check(host, netip.AddrPortFrom(addr, port)); err != nil {
			return err
		}
	}
	return nil
}

// lookupTimeout is how long names are looked up where it may well be that nobody here
// knows them.
const lookupTimeout = 2 * time.Second

// addresses are those of a host, as far as they are known here.
func (d Dialer) addresses(ctx context.Context, host string) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	lookup := d.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	addrs, err := lookup(ctx, host)
	if err != nil {
		return nil
	}
	return addrs
}

// connect connects to host:port through a proxy.
func (d Dialer) connect(ctx context.Context, proxy *url.URL, hostport string) (net.Conn, error) {
	conn, err := d.reach(ctx, proxy)
	if err != nil {
		return nil, &artifact.Error{
			Class: artifact.ErrUnavailable, Err: err, RetryAfter: 10 * time.Second,
			Reason: "the HTTP proxy " + proxy.Host + " on the way to version control cannot be reached",
			Hint:   "those who run this proxy can look at HTTPS_PROXY, NO_PROXY and direct.proxy",
		}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(ConnectTimeout))
	err = askWay(conn, proxy, hostport)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

// reach connects to the proxy itself.
func (d Dialer) reach(ctx context.Context, proxy *url.URL) (net.Conn, error) {
	if proxy.Scheme != "http" && proxy.Scheme != "https" {
		return nil, fmt.Errorf("its scheme is %q, and only http and https are spoken", proxy.Scheme)
	}
	dialer := net.Dialer{Timeout: ConnectTimeout}
	address := HostPort(proxy)
	if proxy.Scheme == "http" {
		return dialer.DialContext(ctx, "tcp", address)
	}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: &dialer, Config: d.TLS}).DialContext(ctx, "tcp", address)
}

// askWay asks a proxy for the way to host:port.
func askWay(conn net.Conn, proxy *url.URL, hostport string) error {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: hostport}, Host: hostport, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		asUser := http.Request{Header: http.Header{}}
		asUser.SetBasicAuth(proxy.User.Username(), password)
		r.Header.Set("Proxy-Authorization", asUser.Header.Get("Authorization"))
	}
	if err := r.Write(conn); err != nil {
		return artifact.FromTransport(proxy.Host, err)
	}
	// Who connected speaks first, so that nothing of the far end can be read here.
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), r)
	if err != nil {
		return artifact.FromTransport(proxy.Host, err)
	}
	return refused(proxy, hostport, resp.StatusCode)
}

// refused is the error for the answer of a proxy, or nil.
func refused(proxy *url.URL, hostport string, status int) error {
	host, _, _ := net.SplitHostPort(hostport)
	e := &artifact.Error{Class: artifact.ErrUnavailable, RetryAfter: 10 * time.Second}
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		e.Reason = fmt.Sprintf("the HTTP proxy %s on the way to %s wants a login", proxy.Host, host)
		e.Hint = "those who run this proxy can put user and password into HTTPS_PROXY or direct.proxy"
	case http.StatusForbidden:
		e.Reason = fmt.Sprintf("the HTTP proxy %s does not let anybody connect to %s", proxy.Host, host)
		e.Hint = "those who run that proxy can allow the host, or it can be added to NO_PROXY here"
	default:
		e.Reason = fmt.Sprintf("the HTTP proxy %s cannot connect to %s: it answers %d", proxy.Host, host, status)
	}
	return e
}
