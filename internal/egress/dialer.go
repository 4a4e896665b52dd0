package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// ConnectTimeout bounds how long a connection may take to be made.
const ConnectTimeout = 10 * time.Second

// A Dialer makes connections that a Guard allows. It is safe for concurrent use.
type Dialer struct {
	Guard *Guard
	// Proxy says which HTTP proxy is on the way to a URL, such as
	// [http.ProxyFromEnvironment] does; nil: none is.
	Proxy func(*url.URL) (*url.URL, error)
	TLS   *tls.Config // for proxies of the scheme https; nil: the defaults

	// Resolve says where host:port lies instead; nil: nowhere else. Lookup finds the
	// addresses of a host; nil: by the resolver of the system. Both are for tests.
	Resolve func(hostport string) string
	Lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
}

// DialContext connects to host:port, through the proxy of the network if there is one
// on the way.
func (d Dialer) DialContext(ctx context.Context, network, hostport string) (net.Conn, error) {
	through, err := d.proxy(hostport)
	switch {
	case err != nil:
		return nil, err
	case through == nil:
		return d.dial(ctx, network, hostport)
	}
	host, port, err := splitPort(hostport)
	if err != nil {
		return nil, err
	}
	if err := d.checkName(ctx, host, port); err != nil {
		return nil, err
	}
	return d.connect(ctx, through, hostport)
}

// dial connects to host:port itself.
func (d Dialer) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	if d.Resolve != nil {
		hostport = d.Resolve(hostport)
	}
	guarded := net.Dialer{Timeout: ConnectTimeout, Control: func(_, connected string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(connected)
		if err != nil {
			return err
		}
		return d.Guard.Check(host, to)
	}}
	return guarded.DialContext(ctx, network, hostport)
}

// Pin returns an address of host:port that can be connected to, and may be, for
// a command that makes its connection by itself, as ssh does: no proxy is on its way.
func (d Dialer) Pin(ctx context.Context, hostport string) (netip.AddrPort, error) {
	conn, err := d.dial(ctx, "tcp", hostport)
	if refused, ok := errors.AsType[*artifact.Error](err); ok {
		return netip.AddrPort{}, refused
	}
	if err != nil {
		return netip.AddrPort{}, artifact.FromTransport(hostport, err)
	}
	defer conn.Close()
	return netip.ParseAddrPort(conn.RemoteAddr().String())
}
