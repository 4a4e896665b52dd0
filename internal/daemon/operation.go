package daemon

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/auth"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/policy"
)

// mayOperate says why a request may not see how the server fares, and whose it is, or
// nil.
func (d *door) mayOperate(r *http.Request) (policy.Subject, error) {
	s, err := d.rules.Load().mayOperate(r)
	if err != nil {
		return s, d.turnAway(r, s, err)
	}
	return s, nil
}

// mayOperate decides by the rules. A request that has come through a proxy nobody
// trusts may be anybody's, whatever address the proxy has.
func (r *rules) mayOperate(req *http.Request) (policy.Subject, error) {
	addr := r.auth.ClientAddr(req)
	if !forwarded(req, addr) && within(addr, r.admin) {
		return policy.Subject{Addr: addr}, nil
	}
	s, err := r.authenticate(req)
	if err != nil {
		return s, err
	}
	if r.policy.Decide(s, policy.Admin, "").Allowed {
		return s, nil
	}
	if s.Name == "" {
		return s, auth.ErrUnauthenticated
	}
	return s, &artifact.Error{
		Class:  artifact.ErrForbidden,
		Reason: "the operation of this server is not for " + artifact.Clean(s.Name, 100),
		Hint:   "ask for an access rule with the action admin, or come from one of admin.allow_networks",
	}
}

// forwarded reports whether a request says that it comes from elsewhere than from
// where it seems to.
func forwarded(r *http.Request, addr netip.Addr) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && peer.Addr().Unmap().WithZone("") != addr {
		return false // a trusted proxy has told
	}
	return len(r.Header["X-Forwarded-For"])+len(r.Header["Forwarded"]) > 0
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// strangers are public addresses all over the internet: any network of an eighth of
// it has one, however the networks of those who run the server are written down.
var strangers = []netip.Addr{
	netip.MustParseAddr("20.171.93.57"), netip.MustParseAddr("45.171.93.57"), netip.MustParseAddr("77.171.93.57"),
	netip.MustParseAddr("109.171.93.57"), netip.MustParseAddr("141.171.93.57"), netip.MustParseAddr("181.171.93.57"),
	netip.MustParseAddr("201.171.93.57"),
	netip.MustParseAddr("2001:4171:93:57::1"), netip.MustParseAddr("2400:4171:93:57::1"), netip.MustParseAddr("2600:4171:93:57::1"),
	netip.MustParseAddr("2800:4171:93:57::1"), netip.MustParseAddr("2a00:4171:93:57::1"), netip.MustParseAddr("2c00:4171:93:57::1"),
}

// checkOperation refuses rules by which strangers who show nothing would see how the
// server fares, where they can connect.
func (r *rules) checkOperation(cfg *config.Config) error {
	at := cmp.Or(cfg.Admin.Listen, cfg.Listen)
	if config.IsLoopback(at) || cfg.TLS.ClientCerts == config.ClientCertsRequire {
		return nil
	}
	for _, from := range strangers {
		if _, err := r.mayOperate(&http.Request{RemoteAddr: netip.AddrPortFrom(from, 1).String()}); err == nil {
			return fmt.Errorf("%s would show the operation of the server to everybody, such as %s, since it listens on %q; name those who run it, or their networks, or listen on localhost (admin.listen)", r.whyOpen(from), from, at)
		}
	}
	return nil
}

// whyOpen is what lets somebody without credentials see how the server fares.
func (r *rules) whyOpen(from netip.Addr) string {
	if within(from, r.admin) {
		return "admin.allow_networks"
	}
	return fmt.Sprintf("access: the rule %q with the action admin", r.policy.Decide(policy.Subject{Addr: from}, policy.Admin, "").Rule)
}
