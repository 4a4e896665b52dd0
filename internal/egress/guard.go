// Package egress connects to hosts that strangers have named, within bounds: to public
// addresses, and to what the operator allows besides.
//
// What counts is the address that is connected to, after the name has been looked up.
// Where an HTTP proxy leads out of the network, it is the proxy that connects: then the
// name is checked, and the addresses that it has here. Errors that say why somebody may
// not be connected to are of class artifact.ErrForbidden.
package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goweir/weir/internal/artifact"
)

// A Guard decides which addresses may be connected to: all public ones, and
// those that the operator allows. The nil Guard allows the public ones. It is
// safe for concurrent use.
type Guard struct{ allowed []allowance }

// An allowance is one entry of the operator's list.
type allowance struct {
	name   string       // a host, or "." and a suffix; empty: prefix counts
	prefix netip.Prefix // addresses
	port   uint16       // 0: every port
	plain  bool         // http may be spoken there
}

// NewGuard returns a Guard that also allows what the entries name: a host
// (git.corp.example), all hosts below a domain (*.corp.example), an address or
// a range of addresses (10.0.0.0/8), each with a port behind a colon where only
// that port is meant; an IPv6 address with a port stands in brackets. An entry
// that begins with http:// allows to speak plain http there, which is otherwise
// never done. A host that is allowed by its name may have any address.
func NewGuard(allow []string) (*Guard, error) {
	g := &Guard{}
	for _, entry := range allow {
		a, err := parseAllowance(entry)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", entry, err)
		}
		g.allowed = append(g.allowed, a)
	}
	return g, nil
}

func parseAllowance(entry string) (a allowance, err error) {
	entry, a.plain = strings.CutPrefix(strings.ToLower(strings.TrimSpace(entry)), "http://")
	host, port, err := splitPort(entry)
	if err != nil {
		return allowance{}, err
	}
	a.port = port
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		a.prefix = netip.PrefixFrom(addr, addr.BitLen())
		return a, nil
	}
	if prefix, err := netip.ParsePrefix(host); err == nil {
		a.prefix = prefix.Masked()
		return a, nil
	}
	a.name = strings.TrimPrefix(host, "*")
	if !IsHostName(strings.TrimPrefix(a.name, ".")) || strings.HasPrefix(host, ".") || host != a.name && a.name[0] != '.' {
		return allowance{}, errors.New("neither a host name, nor *. and a domain, nor an address, nor a range of addresses")
	}
	return a, nil
}

// splitPort cuts the port off, and the brackets of an IPv6 address.
func splitPort(entry string) (host string, port uint16, err error) {
	if strings.Count(entry, ":") > 1 && !strings.HasPrefix(entry, "[") {
		return entry, 0, nil // IPv6 without port
	}
	at := strings.LastIndexByte(entry, ':')
	if at < 0 || strings.HasSuffix(entry, "]") {
		return trimBrackets(entry), 0, nil
	}
	n, err := strconv.ParseUint(entry[at+1:], 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("the port must be a number from 1 to 65535")
	}
	return trimBrackets(entry[:at]), uint16(n), nil
}

func trimBrackets(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

// IsHostName reports whether a word can be the name of a host, which is also
// what keeps it from being taken for an option of a command.
func IsHostName(word string) bool {
	if word == "" || len(word) > 253 {
		return false
	}
	for label := range strings.SplitSeq(word, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// matches reports whether an entry is about a host at an address. The address
// may be missing, when only the name is known.
func (a allowance) matches(host string, addr netip.Addr, port uint16) bool {
	switch {
	case a.port != 0 && a.port != port:
		return false
	case a.name == "":
		return addr.IsValid() && a.prefix.Contains(addr)
	case a.name[0] == '.':
		return strings.HasSuffix(host, a.name)
	}
	return host == a.name
}

// Check refuses what may not be connected to: a host that leads to an address.
func (g *Guard) Check(host string, to netip.AddrPort) error {
	addr := to.Addr().Unmap().WithZone("")
	if IsPublic(addr) || g.allows(host, addr, to.Port(), false) {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrForbidden,
		Reason: host + " leads to an address that is not public",
		Hint:   "the operator of this proxy can add the host to direct.allow_hosts",
		Err:    fmt.Errorf("the address is %s", to),
	}
}

// allows reports whether an entry is about the host; with plain, one that
// allows http.
func (g *Guard) allows(host string, addr netip.Addr, port uint16, plain bool) bool {
	if g == nil {
		return false
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, a := range g.allowed {
		if (a.plain || !plain) && a.matches(host, addr, port) {
			return true
		}
	}
	return false
}

// AllowsPlain reports whether http may be spoken with a host.
func (g *Guard) AllowsPlain(host string, port uint16) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr = netip.Addr{}
	}
	return g.allows(host, addr.Unmap(), port, true)
}

// special are the addresses within 0.0.0.0/0 and 2000::/3 that are not those of
// a host on the public internet, or that hide one of another kind.
//
// Sources: the IANA registries of special-purpose addresses, RFC 6890; RFC 3056
// (6to4), RFC 4380 (Teredo), RFC 9637.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// globalUnicast is all of IPv6 that has been given out to hosts. Loopback,
// link-local, unique local, multicast, mapped and NAT64 addresses lie outside.
var globalUnicast = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// IsPublic reports whether an address is one of a host on the public internet.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return addr.Is4() || globalUnicast.Contains(addr)
}
