package auth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/auth"
	"github.com/goweir/weir/internal/auth/idtoken"
)

// A provider is a provider of OpenID Connect with one key, reached without a network.
type provider struct {
	down  bool
	asked atomic.Int64
}

const providerURL = "https://id.example.com"

var providerKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// issuer is the provider as one that is trusted.
func (p *provider) issuer() idtoken.Issuer {
	return idtoken.Issuer{URL: providerURL, Audiences: []string{"weir"}, Client: &http.Client{Transport: p}}
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.asked.Add(1)
	if p.down {
		return nil, errors.New("connection refused")
	}
	body := fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, providerURL, providerURL+"/keys")
	if r.URL.Path == "/keys" {
		body = fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed","x":%q}]}`, b64(providerKey.Public().(ed25519.PublicKey)))
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// identity makes an identity token of alice, with a claim that makes it longer.
func identity(pad string) string {
	claims, err := json.Marshal(map[string]any{
		"iss": providerURL, "sub": "alice", "aud": "weir", "exp": time.Now().Add(10 * time.Minute).Unix(), "pad": pad,
	})
	if err != nil {
		panic(err)
	}
	input := b64([]byte(`{"alg":"EdDSA","kid":"ed"}`)) + "." + b64(claims)
	return input + "." + b64(ed25519.Sign(providerKey, []byte(input)))
}

func TestIdentityTokensAreAcceptedHoweverTheyCome(t *testing.T) {
	p := &provider{}
	a := newAuthenticator(t, auth.Options{Issuers: []idtoken.Issuer{p.issuer()}})
	raw := identity("")
	for _, header := range []string{bearer(raw), basic("oauth2", raw), basic(raw, "")} {
		for range 2 { // the second is remembered
			s, err := authenticate(a, header)
			if err != nil || s.Name != "alice" || s.Method != auth.MethodOIDC || s.Addr.String() != "192.0.2.1" {
				t.Errorf("%q: %+v, %v", header, s, err)
			}
		}
	}
	for header, want := range map[string]string{
		bearer(identity(strings.Repeat("x", 20<<10))): "malformed",
		bearer("ey!.e.e"): "token or password is wrong",
	} {
		_, err := authenticate(a, header)
		if reason, hint := artifact.Explain(err); artifact.Class(err) != artifact.ErrUnauthorized || !strings.Contains(reason, want) || hint == "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAnIssuerThatWasNeverReachedIsInNobodysWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{down: true}
		file, token := tokenFile(t)
		a := newAuthenticator(t, auth.Options{File: file, Issuers: []idtoken.Issuer{p.issuer()}})
		if p.asked.Load() != 0 {
			t.Error("the issuer was asked before there was a token")
		}
		raw := identity("")
		for range 600 {
			if _, err := authenticate(a, bearer(raw)); artifact.Class(err) != artifact.ErrUnavailable {
				t.Fatal(err)
			}
			if _, err := authenticate(a, bearer(token)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestAnIssuerThatCannotBeTrustedIsRefused(t *testing.T) {
	_, err := auth.New(auth.Options{Issuers: []idtoken.Issuer{{URL: "http://id.example.com", Audiences: []string{"weir"}}}})
	if err == nil || !strings.Contains(err.Error(), `issuer "http://id.example.com": want an https URL`) {
		t.Error(err)
	}
}
