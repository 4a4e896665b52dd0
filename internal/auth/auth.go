// Package auth finds out who asks.
//
// An [Authenticator] makes the [policy.Subject] of a request, which says who
// asks and nothing of what they may do. It accepts tokens that Weir has made and
// the passwords of users, both of a file (package accounts); identity tokens of
// providers of OpenID Connect (package idtoken); and certificates that the TLS
// server has verified. It reads what a request shows, asks the room that knows
// of it, and says what is to be done about what is not accepted.
//
// A token may come as Bearer or, since .netrc and GOPROXY know nothing else, as
// the password of Basic with any user name. Credentials that are not right are
// refused even where none are needed, so that nobody is somebody else than they
// think.
//
// What it tells who is refused is what is wrong and what to do, but not who
// exists: an unknown user, an unknown token and a wrong password read the same
// and cost the same work. What is told of a token, such as that it has expired,
// is told to those only who hold its secret.
//
// Nothing here waits for the network but the first identity token after an
// issuer was added or has changed its keys. Credentials themselves are never
// kept, only their digests.
package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/auth/idtoken"
	"github.com/goweir/weir/internal/auth/password"
	"github.com/goweir/weir/internal/policy"
)

// How a subject was proven, as policy.Subject.Method.
const (
	MethodToken       = "token"
	MethodBasic       = "basic"
	MethodOIDC        = "oidc"
	MethodCertificate = "certificate"
)

// Options are the settings of an Authenticator.
type Options struct {
	Required    bool             // refuse requests without credentials; else they are anonymous
	File        *accounts.File   // tokens and users; nil: there are none
	Issuers     []idtoken.Issuer // whose identity tokens are accepted
	ClientCerts bool             // a verified client certificate tells who asks

	Trusted []netip.Prefix // proxies that are believed in what X-Forwarded-For says
	Allow   []netip.Prefix // addresses that may come in; empty: all
	Deny    []netip.Prefix // addresses that may not, whatever Allow says

	// MayTry says why a password from an address may not be tried now, or nil. That is
	// not for tokens, which cannot be guessed, nor for passwords that were tried a while
	// ago. nil: all may be tried.
	MayTry func(netip.Addr) error
}

// An Authenticator finds out who asks. It is safe for concurrent use.
type Authenticator struct {
	required, certificates bool
	file                   *accounts.File
	passwords              *password.Checker
	identities             *idtoken.Verifier
	doors                  doors
	mayTry                 func(netip.Addr) error
}

// New returns an Authenticator. It asks no issuer for anything yet.
func New(o Options) (*Authenticator, error) {
	doors, err := newDoors(o)
	if err != nil {
		return nil, err
	}
	identities, err := idtoken.New(o.Issuers)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if o.File == nil {
		o.File = &accounts.File{}
	}
	if o.MayTry == nil {
		o.MayTry = func(netip.Addr) error { return nil }
	}
	return &Authenticator{
		required: o.Required, certificates: o.ClientCerts, file: o.File,
		passwords: password.NewChecker(), identities: identities, doors: doors, mayTry: o.MayTry,
	}, nil
}

// Close ends what is under way in the background and waits for it. Requests for
// which it would be needed are refused from then on.
func (a *Authenticator) Close() {
	a.passwords.Close()
	a.identities.Close()
}

// ErrUnauthenticated is the refusal of a request without credentials where they
// are needed.
var ErrUnauthenticated error = &artifact.Error{
	Class:  artifact.ErrUnauthorized,
	Reason: "this proxy must know who asks, and the request says nothing of it",
	Hint:   "run: weir login; or put a token into .netrc as: machine HOST login weir password TOKEN",
}

// Authenticate returns who asks. Errors are of class artifact.ErrUnauthorized
// if credentials are missing or not right, artifact.ErrForbidden if the address
// may not come in, artifact.ErrUnavailable if an issuer is needed and cannot be
// reached, artifact.ErrTooMany if too many passwords are being tried; that of
// MayTry; or the error of the request's context.
func (a *Authenticator) Authenticate(r *http.Request) (policy.Subject, error) {
	addr := a.ClientAddr(r)
	if !a.doors.admit(addr) {
		return policy.Subject{}, &artifact.Error{
			Class:  artifact.ErrForbidden,
			Reason: "this proxy does not serve the address " + text(addr),
			Hint:   "come from a network that it serves, or ask those who run it to allow yours",
		}
	}
	s, err := a.subject(r)
	if err != nil {
		return policy.Subject{}, err
	}
	s.Addr = addr
	return s, nil
}

func text(addr netip.Addr) string {
	if !addr.IsValid() {
		return "that the request comes from"
	}
	return addr.String()
}

// subject returns who asks, without the address.
func (a *Authenticator) subject(r *http.Request) (policy.Subject, error) {
	switch header := r.Header["Authorization"]; len(header) {
	case 0:
		return a.withoutHeader(r)
	case 1:
		c, err := parseAuthorization(header[0])
		if err != nil {
			return policy.Subject{}, err
		}
		return a.verify(r, c)
	}
	return policy.Subject{}, refuse("the request has more than one Authorization header", hintLogin)
}

func (a *Authenticator) withoutHeader(r *http.Request) (policy.Subject, error) {
	if a.certificates && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return fromCertificate(r.TLS.VerifiedChains[0][0], time.Now())
	}
	if a.required {
		return policy.Subject{}, ErrUnauthenticated
	}
	return policy.Subject{}, nil
}

// verify returns who the credentials are of.
func (a *Authenticator) verify(r *http.Request, c credentials) (policy.Subject, error) {
	if id, secret, ok := accounts.ParseToken(c.secret); ok {
		return a.verifyToken(id, secret, time.Now())
	}
	if idtoken.IsJWT(c.secret) {
		s, err := a.identities.Verify(r.Context(), c.secret)
		if err != nil {
			return policy.Subject{}, err
		}
		s.Method = MethodOIDC
		return s, nil
	}
	if c.scheme != basic {
		return policy.Subject{}, errWrong
	}
	return a.verifyPassword(r, c)
}

// verifyToken returns who a token belongs to. That it has expired or was revoked
// is only told to who holds its secret.
func (a *Authenticator) verifyToken(id, secret string, now time.Time) (policy.Subject, error) {
	t, right := a.file.Token(id, secret)
	switch {
	case !right:
		return policy.Subject{}, errWrong
	case t.Revoked:
		return policy.Subject{}, refuse("the token "+id+" was revoked", hintLogin)
	case t.Expired(now):
		return policy.Subject{}, refuse("the token "+id+" expired at "+t.Expires.UTC().Format(time.RFC3339), hintLogin)
	}
	return policy.Subject{Name: t.User, Method: MethodToken, Groups: t.Groups}, nil
}

func (a *Authenticator) verifyPassword(r *http.Request, c credentials) (policy.Subject, error) {
	user, hash, known := a.file.User(c.user)
	if err := a.mayTry(a.ClientAddr(r)); err != nil && !a.passwords.Knows(c.user, hash, c.secret) {
		return policy.Subject{}, err
	}
	right, err := a.passwords.Check(r.Context(), c.user, hash, c.secret)
	if err != nil {
		return policy.Subject{}, err
	}
	if !right || !known {
		return policy.Subject{}, errWrong
	}
	return policy.Subject{Name: user.Name, Method: MethodBasic, Groups: user.Groups}, nil
}

// What to do about credentials that are refused.
const hintLogin = "run: weir login; or ask those who run this proxy for a new token"

// errWrong says that credentials are not right, and no more.
var errWrong = refuse("the token or password is wrong, or not known here any more", hintLogin)

// refuse returns the error for credentials that are not accepted.
func refuse(reason, hint string) error {
	return &artifact.Error{Class: artifact.ErrUnauthorized, Reason: reason, Hint: hint}
}
