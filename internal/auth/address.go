package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// doors say which addresses may come in, and whose word is believed about them.
type doors struct{ trusted, allow, deny []netip.Prefix }

func newDoors(o Options) (doors, error) {
	for _, p := range slices.Concat(o.Trusted, o.Allow, o.Deny) {
		if !p.IsValid() || p.Addr().Is4In6() {
			return doors{}, fmt.Errorf("auth: %v is no network that an address can be in", p)
		}
	}
	return doors{trusted: o.Trusted, allow: o.Allow, deny: o.Deny}, nil
}

// admit reports whether requests from an address may come in. One that is not
// known may only if there is no list.
func (d *doors) admit(addr netip.Addr) bool {
	if !addr.IsValid() {
		return len(d.allow)+len(d.deny) == 0
	}
	return !contains(d.deny, addr) && (len(d.allow) == 0 || contains(d.allow, addr))
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientAddr returns the address that a request comes from: that of the peer
// or, if this is a trusted proxy, the one that it names in X-Forwarded-For, and so
// on from the right to the left. What stands left of an address that is not
// trusted, or of something that is no address, may have been made up and is
// ignored. The address is invalid if the peer has none.
func (a *Authenticator) ClientAddr(r *http.Request) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	if len(a.doors.trusted) == 0 {
		return addr
	}
	header := r.Header["X-Forwarded-For"]
	for i := len(header) - 1; i >= 0; i-- {
		for rest, more := header[i], true; more; {
			if !contains(a.doors.trusted, addr) {
				return addr
			}
			var last string
			rest, last, more = cutLast(rest)
			next := parseAddr(last)
			if !next.IsValid() {
				return addr
			}
			addr = next
		}
	}
	return addr
}

// Scheme returns the scheme of the URL that a client has asked for: https where the
// request came over TLS, or where a trusted proxy says in X-Forwarded-Proto that it
// has come so to it.
func (a *Authenticator) Scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	header := r.Header["X-Forwarded-Proto"]
	if len(header) == 0 || !contains(a.doors.trusted, parseAddr(r.RemoteAddr)) {
		return "http"
	}
	if _, last, _ := cutLast(header[len(header)-1]); strings.EqualFold(last, "https") {
		return "https"
	}
	return "http"
}

// cutLast cuts a list at its last comma.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", strings.TrimSpace(list), false
	}
	return list[:i], strings.TrimSpace(list[i+1:]), true
}

// parseAddr reads an address with or without a port. It returns the form that
// networks are compared with: no zone, and IPv4 as such.
func parseAddr(s string) netip.Addr {
	port, err := netip.ParseAddrPort(s)
	addr := port.Addr()
	if err != nil {
		addr, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	}
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
