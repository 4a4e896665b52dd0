package idtoken

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/policy"
)

// An Issuer is a provider of OpenID Connect whose identity tokens are accepted.
//
// Its keys are asked for when a token needs them first, and then every 15
// minutes while tokens come. Nobody waits for that, but for keys that were never
// seen, at most once in 10 s. A provider that cannot be reached is asked again
// after 1 s, 2 s and so on up to a minute.
type Issuer struct {
	URL         string   // as in the claim iss; https, but for loopback addresses
	Audiences   []string // of which the claim aud must hold one
	Claims      []string // KEY=VALUE that a token must have, all of them; values are globs as in package policy
	NameClaim   string   // becomes the name of the subject; empty: sub
	GroupsClaim string   // becomes its groups; empty: groups
	// Prefix is put before names and groups, to keep them apart from those of
	// other issuers and of the file.
	Prefix string
	Grace  time.Duration // how long keys are good for while the issuer cannot be reached; zero: 24 h
	Client *http.Client  // to reach it; nil: the default one
}

const defaultGrace = 24 * time.Hour

// open are issuers of which anybody can have a token, for any audience. Whom
// their tokens vouch for is all in the claims.
var open = []string{"https://token.actions.githubusercontent.com", "https://gitlab.com", "https://accounts.google.com"}

// An issuer verifies the tokens of one Issuer.
type issuer struct {
	Issuer
	wanted []wanted
	keys   *keyring
}

func newIssuer(o Issuer) (*issuer, error) {
	switch {
	case !isSafe(o.URL, true):
		return nil, errors.New("want an https URL")
	case len(o.Audiences) == 0 || slices.Contains(o.Audiences, ""):
		return nil, errors.New("say for which audiences its tokens must be")
	case len(o.Claims) == 0 && slices.Contains(open, o.URL):
		return nil, errors.New("anybody can get a token of this issuer: say which claims a token must have, such as repository_owner=acme")
	case o.Grace < 0:
		return nil, errors.New("the grace is negative")
	}
	i := &issuer{Issuer: o}
	for _, claim := range o.Claims {
		w, err := parseWanted(claim)
		if err != nil {
			return nil, err
		}
		i.wanted = append(i.wanted, w)
	}
	i.NameClaim = cmp.Or(i.NameClaim, "sub")
	i.GroupsClaim = cmp.Or(i.GroupsClaim, "groups")
	i.Grace = cmp.Or(i.Grace, defaultGrace)
	i.keys = newKeyring(i.URL, i.Grace, i.Client)
	return i, nil
}

// accepted are the algorithms that tokens may be signed with. Those with a shared
// secret are not among them, and neither is none.
var accepted = []string{oidc.RS256, oidc.ES256, oidc.PS256, oidc.EdDSA}

// verify returns who a token of this issuer vouches for, and until when.
func (i *issuer) verify(ctx context.Context, raw string) (s policy.Subject, expires time.Time, err error) {
	key, err := keyOf(raw)
	if err != nil {
		return s, expires, err
	}
	keys, err := i.keys.get(ctx, key)
	if err != nil {
		return s, expires, err
	}
	// Audience and time are checked afterwards, so that what is said of them is
	// said of a token that is genuine.
	config := &oidc.Config{SupportedSigningAlgs: accepted, SkipClientIDCheck: true, SkipExpiryCheck: true}
	token, err := oidc.NewVerifier(i.URL, keys, config).Verify(ctx, raw)
	if err != nil {
		return s, expires, &artifact.Error{
			Class: artifact.ErrUnauthorized, Err: err, Hint: hintLogin,
			Reason: "the identity token is not signed by its issuer, or not with one of " + strings.Join(accepted, ", "),
		}
	}
	if !slices.ContainsFunc(token.Audience, func(a string) bool { return slices.Contains(i.Audiences, a) }) {
		return s, expires, refuse("the identity token is for the audience "+shown(strings.Join(token.Audience, " ")),
			"order one for the audience "+i.Audiences[0])
	}
	c, err := parseClaims(token)
	if err != nil {
		return s, expires, err
	}
	expires, err = c.expires(time.Now())
	if err != nil {
		return s, expires, err
	}
	s, err = i.subject(c)
	return s, expires, err
}

// subject makes the subject of the claims of a token.
func (i *issuer) subject(c claims) (policy.Subject, error) {
	for _, w := range i.wanted {
		if !w.in(c) {
			return policy.Subject{}, refuse("the identity token has not the value of "+w.key+" that is wanted here", "ask those who run this proxy who may come in")
		}
	}
	name := c[i.NameClaim]
	if len(name) != 1 || policy.CheckName(i.Prefix+name[0]) != nil {
		return policy.Subject{}, refuse("the identity token names nobody in its claim "+i.NameClaim, "ask those who run this proxy which claim holds the name")
	}
	s := policy.Subject{Name: i.Prefix + name[0], Claims: c}
	for _, g := range c[i.GroupsClaim] {
		s.Groups = append(s.Groups, i.Prefix+g)
	}
	// None is left out, since it may be one that is kept from something.
	if policy.CheckGroups(s.Groups) != nil || slices.Contains(c[i.GroupsClaim], "") {
		return policy.Subject{}, refuse("the identity token has a group in its claim "+i.GroupsClaim+" that has no proper name", "ask those who run this proxy which claim holds the groups")
	}
	return s, nil
}

// A wanted claim is one that a token must have.
type wanted struct{ key, glob string }

func parseWanted(s string) (wanted, error) {
	key, glob, ok := strings.Cut(s, "=")
	if _, err := path.Match(glob, ""); !ok || key == "" || glob == "" || err != nil {
		return wanted{}, fmt.Errorf("claim %q: want KEY=VALUE, where VALUE is a glob", s)
	}
	return wanted{key, glob}, nil
}

// in reports whether the claims of a token have it.
func (w wanted) in(c claims) bool {
	return slices.ContainsFunc(c[w.key], func(v string) bool { ok, _ := path.Match(w.glob, v); return ok })
}

// isSafe reports whether what comes from a URL can be believed: because of https
// or, if plain is set, because it comes from this machine.
func isSafe(text string, plain bool) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	addr, _ := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || plain && u.Scheme == "http" && (addr.IsLoopback() || u.Hostname() == "localhost")
}
