package credential

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// GitHubApp is an installed GitHub App, whose tokens are made here.
type GitHubApp struct {
	App, Installation int
	Key               string // its private key, in PEM
	API               string // https://api.github.com
}

// Times of the tokens of a GitHub App.
const (
	renewBefore = 5 * time.Minute // the end of an installation token
	jwtLifetime = 9 * time.Minute // of which GitHub allows ten
	clockSkew   = time.Minute
	askTimeout  = 30 * time.Second
)

// app makes the installation tokens of a GitHub App.
//
// Source: GitHub's documentation, "Generating an installation access token for a
// GitHub App" and "Generating a JSON Web Token (JWT) for a GitHub App".
type app struct {
	GitHubApp
	name   string
	key    *rsa.PrivateKey
	client *http.Client

	asking  chan struct{} // holds one token: whoever has it may ask
	token   string
	expires time.Time
}

func newApp(name string, a GitHubApp, client *http.Client) (*app, error) {
	key, err := parseKey([]byte(a.Key))
	if err != nil {
		return nil, fmt.Errorf("github_key: %w", err)
	}
	if client == nil {
		client = http.DefaultClient
	}
	return &app{GitHubApp: a, name: name, key: key, client: client, asking: make(chan struct{}, 1)}, nil
}

func parseKey(data []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("this is no key in PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PrivateKey); err == nil && ok {
		return rsaKey, nil
	}
	return nil, errors.New("this is no RSA key, which GitHub Apps have")
}

// find returns a token that is good for some minutes at least.
func (a *app) find(ctx context.Context, _ *url.URL) (Credential, bool, error) {
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return Credential{}, false, ctx.Err()
	}
	if time.Until(a.expires) < renewBefore {
		if err := a.renew(ctx); err != nil {
			return Credential{}, false, err
		}
	}
	return Credential{Name: a.name, Username: "x-access-token", Password: a.token}, true, nil
}

func (a *app) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	assertion, err := a.assertion(time.Now())
	if err != nil {
		return err
	}
	target := fmt.Sprintf("%s/app/installations/%d/access_tokens", strings.TrimSuffix(a.API, "/"), a.Installation)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+assertion)
	req.Header.Set("Accept", "application/vnd.github+json")
	resp, err := a.client.Do(req)
	if err != nil {
		return a.trouble("GitHub could not be reached", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return a.trouble("GitHub's answer broke off", err)
	}
	if resp.StatusCode != http.StatusCreated {
		return a.trouble(fmt.Sprintf("GitHub answered %s", resp.Status), errors.New(artifact.Clean(string(body), 300)))
	}
	return a.take(body)
}

func (a *app) take(body []byte) error {
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Token == "" {
		return a.trouble("GitHub's answer holds no token", err)
	}
	a.token, a.expires = answer.Token, answer.Expires
	return nil
}

// trouble is an error that may pass, and that proves no absence.
func (a *app) trouble(what string, err error) error {
	return &artifact.Error{
		Class: artifact.ErrBadUpstream, Err: err,
		Reason: fmt.Sprintf("no token for the credentials %s: %s", a.name, what),
		Hint:   "those who run this proxy should look at its log, and at the settings github_app, github_installation and github_key",
	}
}

// assertion is a token, signed by the key of the app, that says who asks.
//
// Source: RFC 7515, RFC 7519.
func (a *app) assertion(now time.Time) (string, error) {
	var token bytes.Buffer
	for i, part := range []any{
		map[string]string{"alg": "RS256", "typ": "JWT"},
		map[string]any{"iat": now.Add(-clockSkew).Unix(), "exp": now.Add(jwtLifetime).Unix(), "iss": fmt.Sprint(a.App)},
	} {
		data, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		if i > 0 {
			token.WriteByte('.')
		}
		token.WriteString(base64.RawURLEncoding.EncodeToString(data))
	}
	sum := sha256.Sum256(token.Bytes())
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return token.String() + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
