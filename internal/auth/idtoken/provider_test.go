package idtoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// keys for tests are made once: RSA keys take their time.
var (
	rsaKey      = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSAKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey       = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey       = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A provider is a provider of OpenID Connect. As a RoundTripper it is reached
// without a network, which tests with a clock of their own need.
type provider struct {
	url string

	mu       sync.Mutex
	keys     map[string]crypto.Signer // by key id
	answers  map[string]http.Handler  // instead of its own, by path
	down     bool
	hanging  chan struct{} // answers come when it is closed; nil: at once
	requests map[string]int
}

func newProvider(keys map[string]crypto.Signer) *provider {
	return &provider{url: "https://id.example.com", keys: keys, requests: map[string]int{}}
}

func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// asked returns how often the keys were asked for, or an attempt at it.
func (p *provider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests["/.well-known/openid-configuration"]
}

func (p *provider) client() *http.Client { return &http.Client{Transport: p} }

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	down, hanging := p.down, p.hanging
	if down {
		p.requests[r.URL.Path]++
	}
	p.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	if hanging != nil {
		select {
		case <-hanging:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[r.URL.Path]++
	if answer, ok := p.answers[r.URL.Path]; ok {
		answer.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.url, "jwks_uri": p.url + "/keys", "authorization_endpoint": p.url + "/a", "token_endpoint": p.url + "/t",
		})
	case "/keys":
		all := []map[string]any{{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "torn", "n": "!", "e": "AQAB"}}
		for id, key := range p.keys {
			all = append(all, publicJWK(id, key.Public()))
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": all})
	default:
		http.NotFound(w, r)
	}
}

func publicJWK(id string, key crypto.PublicKey) map[string]any {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "kid": id, "use": "sig", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point := must(key.Bytes())
		return map[string]any{"kty": "EC", "kid": id, "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "kid": id, "crv": "Ed25519", "x": b64(key)}
	}
	panic("no such key")
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// claims returns claims that are right, with changes; nil removes one.
func (p *provider) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": p.url, "sub": "repo:acme/app:ref:refs/heads/main", "aud": []string{"other", "weir"},
		"iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// token returns a token that is right, with changes, signed with the key "rsa".
func (p *provider) token(changes map[string]any) string {
	return sign("RS256", "rsa", rsaKey(), p.claims(changes))
}

// sign makes a token. key is a private key, the secret of HS256, or nil.
func sign(alg, id string, key any, claims map[string]any) string {
	header := map[string]any{"alg": alg, "typ": "JWT"}
	if id != "" {
		header["kid"] = id
	}
	input := b64(must(json.Marshal(header))) + "." + b64(must(json.Marshal(claims)))
	return input + "." + b64(signature(alg, key, input))
}

func signature(alg string, key any, input string) []byte {
	sum := sha256.Sum256([]byte(input))
	switch alg {
	case "RS256":
		return must(rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA256, sum[:]))
	case "RS512":
		sum := sha512.Sum512([]byte(input))
		return must(rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA512, sum[:]))
	case "PS256":
		return must(rsa.SignPSS(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	case "ES256":
		r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
		must(0, err)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case "EdDSA":
		return ed25519.Sign(key.(ed25519.PrivateKey), []byte(input))
	case "HS256":
		mac := hmac.New(sha256.New, key.([]byte))
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
	return nil
}

func standardKeys() map[string]crypto.Signer {
	return map[string]crypto.Signer{"rsa": rsaKey(), "ec": ecKey(), "ed": edKey()}
}

// startProvider starts a provider over real https.
func startProvider(t *testing.T) (*provider, *httptest.Server) {
	p := newProvider(standardKeys())
	server := httptest.NewTLSServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p, server
}
