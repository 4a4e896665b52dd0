package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
)

// A Subject is who asks. The zero value is nobody in particular. Its slices and
// maps are shared and must not be changed.
type Subject struct {
	Name   string              // "alice", "repo:acme/app:ref:refs/heads/main"; empty: anonymous
	Method string              // how it was proven: "token", "basic", "oidc" or "certificate"
	Groups []string            // it belongs to
	Claims map[string][]string // of an identity token: all values of each, as text
	Addr   netip.Addr          // where the request comes from
}

// plain is the one form of an address that networks are compared with.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// A clause is one entry of Rule.Subjects: terms that must all hold.
type clause []term

func (c clause) holds(s *Subject) bool {
	for i := range c {
		if !c[i].holds(s) {
			return false
		}
	}
	return true
}

// A term is one condition on a subject.
type term struct {
	kind kind
	key  string // of a claim
	text text
	net  netip.Prefix
}

type kind uint8

const (
	anyone kind = iota
	authenticated
	user
	group
	claim
	network
)

// valued are the kinds that are written kind:value.
var valued = map[string]kind{"user": user, "group": group, "claim": claim, "net": network}

func (t *term) holds(s *Subject) bool {
	switch t.kind {
	case anyone:
		return true
	case authenticated:
		return s.Name != ""
	case user:
		return s.Name != "" && t.text.matches(s.Name)
	case group:
		return t.text.matchesAny(s.Groups)
	case claim:
		return t.text.matchesAny(s.Claims[t.key])
	default:
		return t.net.Contains(s.Addr)
	}
}

// A text is what a name or a value is compared with.
type text struct {
	pattern string
	glob    bool
}

func (t text) matches(s string) bool {
	if !t.glob {
		return s == t.pattern
	}
	ok, err := path.Match(t.pattern, s)
	return ok && err == nil
}

func (t text) matchesAny(all []string) bool {
	for _, s := range all {
		if t.matches(s) {
			return true
		}
	}
	return false
}

// parseClause reads an entry of Rule.Subjects.
func parseClause(entry string) (clause, error) {
	var c clause
	for part := range strings.SplitSeq(entry, " & ") {
		t, err := parseTerm(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		c = append(c, t)
	}
	return c, nil
}

func parseTerm(s string) (term, error) {
	switch s {
	case "anyone":
		return term{kind: anyone}, nil
	case "authenticated":
		return term{kind: authenticated}, nil
	}
	word, value, _ := strings.Cut(s, ":")
	kind, ok := valued[word]
	switch {
	case !ok:
		return term{}, errors.New("want anyone, authenticated, user:NAME, group:NAME, claim:KEY=VALUE or net:CIDR")
	case value == "":
		return term{}, fmt.Errorf("nothing follows %q", word+":")
	}
	switch kind {
	case network:
		return parseNetwork(value)
	case claim:
		return parseClaim(value)
	}
	text, err := parseText(value)
	return term{kind: kind, text: text}, err
}

func parseClaim(s string) (term, error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" || value == "" {
		return term{}, errors.New("want claim:KEY=VALUE")
	}
	text, err := parseText(value)
	return term{kind: claim, key: key, text: text}, err
}

func parseText(s string) (text, error) {
	if _, err := path.Match(s, ""); err != nil {
		return text{}, fmt.Errorf("%q is no glob: %w", s, err)
	}
	return text{pattern: s, glob: strings.ContainsAny(s, meta)}, nil
}

func parseNetwork(s string) (term, error) {
	prefix, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); addrErr == nil {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return term{}, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
	case prefix.Addr().Is4In6() || prefix.Addr().Zone() != "":
		return term{}, fmt.Errorf("%q: write IPv4 networks as IPv4, and no zone", s)
	}
	return term{kind: network, net: prefix}, nil
}
