package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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

// Clocks differ by up to leeway. What was found out of a token is believed until
// it expires, but not for longer than rememberIdentity.
const (
	leeway           = time.Minute
	rememberIdentity = 10 * time.Minute
)

// open are issuers of which anybody can have a token, for any audience. Whom
// their tokens vouch for is all in the claims.
var open = []string{"https://token.actions.githubusercontent.com", "https://gitlab.com", "https://accounts.google.com"}

// issuers are all issuers that are trusted.
type issuers struct {
	byURL  map[string]*issuer
	recent *recent[policy.Subject]
}

func newIssuers(all []Issuer) (*issuers, error) {
	x := &issuers{byURL: map[string]*issuer{}, recent: newRecent[policy.Subject](maxRemembered)}
	for _, o := range all {
		i, err := newIssuer(o)
		if err == nil && x.byURL[o.URL] != nil {
			err = errors.New("it is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("auth: issuer %q: %w", o.URL, err)
		}
		x.byURL[o.URL] = i
	}
	return x, nil
}

func (x *issuers) close() {
	for _, i := range x.byURL {
		i.keys.close()
	}
}

// verify returns who an identity token vouches for.
func (x *issuers) verify(ctx context.Context, raw string) (policy.Subject, error) {
	key := digest(sha256.Sum256([]byte(raw)))
	if s, ok := x.recent.get(key, time.Now()); ok {
		return s, nil
	}
	claimed, err := issuerOf(raw)
	if err != nil {
		return policy.Subject{}, err
	}
	i, ok := x.byURL[claimed]
	if !ok {
		return policy.Subject{}, refuse("identity tokens of "+shown(claimed)+" are not accepted here", hintLogin)
	}
	s, expires, err := i.verify(ctx, raw)
	if err != nil {
		return policy.Subject{}, err
	}
	until := time.Now().Add(rememberIdentity)
	if end := expires.Add(leeway); end.Before(until) {
		until = end
	}
	x.recent.put(key, s, until)
	return s, nil
}

// isJWT reports whether a secret has the form of an identity token: three parts,
// of which the first is the base64 of a JSON object.
func isJWT(s string) bool {
	return strings.HasPrefix(s, "ey") && strings.Count(s, ".") == 2 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// issuerOf returns the issuer that a token says it is of. Nothing of the token
// has been verified yet.
func issuerOf(raw string) (string, error) {
	var claims map[string]any
	if err := decodePart(raw, 1, &claims); err != nil {
		return "", err
	}
	name, ok := claims["iss"].(string)
	if !ok {
		return "", errNoIdentity
	}
	return name, nil
}

// keyOf returns the id of the key that a token says it is signed with.
func keyOf(raw string) (string, error) {
	var header struct {
		Key string `json:"kid"`
	}
	err := decodePart(raw, 0, &header)
	return header.Key, err
}

var errNoIdentity = refuse("the token has the form of an identity token, but is none", hintLogin)

// decodePart reads a part of a token.
func decodePart(raw string, part int, v any) error {
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[part])
	if err != nil || json.Unmarshal(data, v) != nil {
		return errNoIdentity
	}
	return nil
}

// An issuer verifies the tokens of one Issuer.
type issuer struct {
	Issuer
	wanted []wanted
	keys   *keyring
}

// A wanted claim is one that a token must have.
type wanted struct{ key, glob string }

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
		key, glob, ok := strings.Cut(claim, "=")
		if _, err := path.Match(glob, ""); !ok || key == "" || glob == "" || err != nil {
			return nil, fmt.Errorf("claim %q: want KEY=VALUE, where VALUE is a glob", claim)
		}
		i.wanted = append(i.wanted, wanted{key, glob})
	}
	if i.NameClaim == "" {
		i.NameClaim = "sub"
	}
	if i.GroupsClaim == "" {
		i.GroupsClaim = "groups"
	}
	if i.Grace == 0 {
		i.Grace = defaultGrace
	}
	i.keys = newKeyring(i.URL, i.Grace, i.Client)
	return i, nil
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
		if !slices.ContainsFunc(c[w.key], func(v string) bool { ok, _ := path.Match(w.glob, v); return ok }) {
			return policy.Subject{}, refuse("the identity token has not the value of "+w.key+" that is wanted here", "ask those who run this proxy who may come in")
		}
	}
	name := c[i.NameClaim]
	if len(name) != 1 || checkName(i.Prefix+name[0]) != nil {
		return policy.Subject{}, refuse("the identity token names nobody in its claim "+i.NameClaim, "ask those who run this proxy which claim holds the name")
	}
	s := policy.Subject{Name: i.Prefix + name[0], Method: MethodOIDC, Claims: c}
	for _, g := range c[i.GroupsClaim] {
		s.Groups = append(s.Groups, i.Prefix+g)
	}
	return s, nil
}
