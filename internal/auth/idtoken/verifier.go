// Package idtoken verifies identity tokens of providers of OpenID Connect, and
// finds out whom they vouch for.
//
// A [Verifier] accepts a token only if an [Issuer] that is configured has signed
// it, with a key that it publishes now or did lately; if it is meant for this
// server; if it is valid now, as far as clocks agree; and if it has the claims
// that are wanted. Shared secrets, unsigned tokens and keys without https are
// never accepted.
//
// Nothing here waits for the network but the first token after an issuer was
// added or has changed its keys. Issuers that cannot be reached are in nobody's
// way whose token needs no new key. Tokens are never kept, only their digests.
package idtoken

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/policy"
	"github.com/goweir/weir/internal/recent"
)

// What was found out of a token is believed until it expires, but not for longer
// than rememberIdentity.
const (
	rememberIdentity = 10 * time.Minute
	maxRemembered    = 4096
)

// A digest stands for a token in memory.
type digest [sha256.Size]byte

// A Verifier knows all issuers that are trusted. It is safe for concurrent use.
type Verifier struct {
	issuers map[string]*issuer // by URL
	recent  *recent.Memory[digest, policy.Subject]
}

// New returns a Verifier. It asks no issuer for anything yet.
func New(trusted []Issuer) (*Verifier, error) {
	v := &Verifier{issuers: map[string]*issuer{}, recent: recent.New[digest, policy.Subject](maxRemembered)}
	for _, o := range trusted {
		i, err := newIssuer(o)
		if err == nil && v.issuers[o.URL] != nil {
			err = errors.New("it is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("issuer %q: %w", o.URL, err)
		}
		v.issuers[o.URL] = i
	}
	return v, nil
}

// Close ends what is under way in the background and waits for it. Tokens that
// need a key that is not known are refused from then on.
func (v *Verifier) Close() {
	for _, i := range v.issuers {
		i.keys.close()
	}
}

// Verify returns whom a token vouches for, but not by which Method that was
// proven. Errors are of class artifact.ErrUnauthorized if the token is not right,
// artifact.ErrUnavailable if its issuer is needed and cannot be reached; or that
// of ctx.
func (v *Verifier) Verify(ctx context.Context, raw string) (policy.Subject, error) {
	key := digest(sha256.Sum256([]byte(raw)))
	if s, ok := v.recent.Get(key); ok {
		return s, nil
	}
	claimed, err := issuerOf(raw)
	if err != nil {
		return policy.Subject{}, err
	}
	i, ok := v.issuers[claimed]
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
	v.recent.Put(key, s, until)
	return s, nil
}

// What to do about a token that is refused.
const hintLogin = "run: weir login; or ask those who run this proxy for a new token"

// refuse returns the error for a token that is not accepted.
func refuse(reason, hint string) error {
	return &artifact.Error{Class: artifact.ErrUnauthorized, Reason: reason, Hint: hint}
}

// shown is a text of a stranger, fit to be shown.
func shown(s string) string { return fmt.Sprintf("%q", artifact.Clean(s, 100)) }
