package idtoken_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/auth/idtoken"
	"github.com/goweir/weir/internal/policy"
)

func newVerifier(t *testing.T, issuers ...idtoken.Issuer) *idtoken.Verifier {
	t.Helper()
	v, err := idtoken.New(issuers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// trusting returns a Verifier that trusts a provider.
func trusting(t *testing.T, p *provider, change func(*idtoken.Issuer)) *idtoken.Verifier {
	t.Helper()
	i := idtoken.Issuer{URL: p.url, Audiences: []string{"weir"}, Client: p.client()}
	if change != nil {
		change(&i)
	}
	return newVerifier(t, i)
}

func TestTokensOfAnIssuerAreAcceptedOverHTTPS(t *testing.T) {
	p, server := startProvider(t)
	v := trusting(t, p, func(i *idtoken.Issuer) { i.Client = server.Client() })
	keys := standardKeys()
	for alg, key := range map[string]string{"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"} {
		for _, id := range []string{key, ""} {
			raw := sign(alg, id, keys[key], p.claims(nil))
			if s, err := v.Verify(t.Context(), raw); err != nil || s.Name != "repo:acme/app:ref:refs/heads/main" {
				t.Errorf("%s by key %q: %+v, %v", alg, id, s, err)
			}
		}
	}
}

func TestClaimsBecomeNameGroupsAndText(t *testing.T) {
	p := newProvider(standardKeys())
	v := trusting(t, p, func(i *idtoken.Issuer) {
		i.NameClaim, i.GroupsClaim, i.Prefix = "user.login", "realm_access.roles", "id:"
	})
	s, err := v.Verify(t.Context(), p.token(map[string]any{
		"user":          map[string]any{"login": "alice", "id": 12345678901234567, "admin": true, "none": nil},
		"realm_access":  map[string]any{"roles": []any{"dev", "ops", map[string]any{"x": "y"}}},
		"kubernetes.io": map[string]any{"serviceaccount": map[string]any{"name": "builder"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "id:alice" || !slices.Equal(s.Groups, []string{"id:dev", "id:ops"}) {
		t.Errorf("name %q, groups %q", s.Name, s.Groups)
	}
	for key, want := range map[string][]string{
		"user.id": {"12345678901234567"}, "user.admin": {"true"}, "user.none": {}, "realm_access.roles": {"dev", "ops"},
		"kubernetes.io.serviceaccount.name": {"builder"}, "aud": {"other", "weir"}, "iss": {p.url},
	} {
		if !reflect.DeepEqual(s.Claims[key], want) {
			t.Errorf("%s is %q, want %q", key, s.Claims[key], want)
		}
	}
}

func TestATokenThatHasTwoNamesIsRefused(t *testing.T) {
	p := newProvider(standardKeys())
	v := trusting(t, p, func(i *idtoken.Issuer) { i.NameClaim = "names" })
	if s, err := v.Verify(t.Context(), p.token(map[string]any{"names": []string{"alice", "bob"}})); artifact.Class(err) != artifact.ErrUnauthorized {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestGroupsHaveProperNames(t *testing.T) {
	p := newProvider(standardKeys())
	for _, prefix := range []string{"", "id:"} {
		v := trusting(t, p, func(i *idtoken.Issuer) { i.Prefix = prefix })
		for _, bad := range []string{"", "a\nb", "a\x1b[31m", "x\u202ey", "a ", strings.Repeat("x", 251)} {
			s, err := v.Verify(t.Context(), p.token(map[string]any{"groups": []string{"dev", bad}}))
			if artifact.Class(err) != artifact.ErrUnauthorized {
				t.Errorf("%q: %+v, %v", bad, s, err)
			}
		}
	}
}

func TestForgedAndUnfitTokensAreRefusedAndSayWhy(t *testing.T) {
	p := newProvider(standardKeys())
	v := trusting(t, p, func(i *idtoken.Issuer) { i.Claims = []string{"owner=acme", "ref=refs/heads/*"} })
	good := map[string]any{"owner": "acme", "ref": "refs/heads/main"}
	with := func(key string, value any) map[string]any {
		c := map[string]any{key: value}
		for k, v := range good {
			if _, ok := c[k]; !ok {
				c[k] = v
			}
		}
		return p.claims(c)
	}
	rs := func(claims map[string]any) string { return sign("RS256", "rsa", rsaKey(), claims) }
	if _, err := v.Verify(t.Context(), rs(p.claims(good))); err != nil {
		t.Fatal(err)
	}
	public := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	other := rs(with("owner", "evil"))
	parts := strings.Split(rs(p.claims(good)), ".")
	now := time.Now()
	for name, tt := range map[string]struct{ raw, want string }{
		"algorithm none":              {sign("none", "rsa", nil, p.claims(good)), "not signed by its issuer"},
		"algorithm none in capitals":  {sign("NONE", "", nil, p.claims(good)), "not signed by its issuer"},
		"public key as shared secret": {sign("HS256", "rsa", public, p.claims(good)), "not signed by its issuer"},
		"modulus as shared secret":    {sign("HS256", "rsa", rsaKey().N.Bytes(), p.claims(good)), "not signed by its issuer"},
		"shared key of the issuer":    {sign("HS256", "shared", []byte("secret"), p.claims(good)), "a key that its issuer does not have"},
		"algorithm that is not ours":  {sign("RS512", "rsa", rsaKey(), p.claims(good)), "not signed by its issuer, or not with one of RS256"},
		"key of somebody else":        {sign("RS256", "rsa", otherRSAKey(), p.claims(good)), "not signed by its issuer"},
		"signature of another token":  {parts[0] + "." + strings.Split(other, ".")[1] + "." + parts[2], "not signed by its issuer"},
		"no signature":                {parts[0] + "." + parts[1] + ".", "not signed by its issuer"},
		"key of another kind":         {sign("RS256", "ec", rsaKey(), p.claims(good)), "not signed by its issuer"},
		"unknown issuer":              {rs(with("iss", "https://evil.example.com")), `"https://evil.example.com" are not accepted`},
		"issuer but for a slash":      {rs(with("iss", p.url+"/")), "are not accepted"},
		"no issuer":                   {rs(with("iss", nil)), "but is none"},
		"issuer that is a list":       {rs(with("iss", []string{p.url})), "but is none"},
		"other audience":              {rs(with("aud", "other")), `the audience "other"`},
		"no audience":                 {rs(with("aud", nil)), "the audience"},
		"expired":                     {rs(with("exp", now.Add(-2*time.Minute).Unix())), "expired at "},
		"no expiry":                   {rs(with("exp", nil)), "does not say when it expires"},
		"expiry beyond all time":      {rs(with("exp", 1e18)), "does not say when it expires"},
		"not valid yet":               {rs(with("nbf", now.Add(5*time.Minute).Unix())), "not valid before"},
		"no subject":                  {rs(with("sub", nil)), "claim sub"},
		"subject of control codes":    {rs(with("sub", "a\nb")), "claim sub"},
		"wanted claim is missing":     {rs(with("owner", nil)), "owner"},
		"wanted claim is another":     {other, "owner"},
		"wanted claim, wrong glob":    {rs(with("ref", "refs/heads/a/b")), "ref"},
		"claims that collide":         {rs(p.claims(map[string]any{"owner": "acme", "a.b": "x", "a": map[string]any{"b": "y"}})), "two claims"},
		"no base64":                   {"ey!.e.e", "but is none"},
		"one part":                    {"ey", "but is none"},
		"four parts":                  {rs(p.claims(good)) + ".x", "but is none"},
		"no JSON":                     {"eyJ.eyJ.eyJ", "but is none"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := v.Verify(t.Context(), tt.raw)
			if artifact.Class(err) != artifact.ErrUnauthorized || !reflect.DeepEqual(s, policy.Subject{}) {
				t.Fatalf("%+v, %v", s, err)
			}
			if reason, hint := artifact.Explain(err); !strings.Contains(reason, tt.want) || hint == "" {
				t.Errorf("%q, %q; want %q", reason, hint, tt.want)
			}
		})
	}
}

func TestATokenOfOneIssuerIsNoneOfAnother(t *testing.T) {
	good, evil := newProvider(standardKeys()), newProvider(map[string]crypto.Signer{"rsa": otherRSAKey()})
	evil.url = "https://evil.example.com"
	v := newVerifier(t,
		idtoken.Issuer{URL: good.url, Audiences: []string{"weir"}, Client: good.client()},
		idtoken.Issuer{URL: evil.url, Audiences: []string{"weir"}, Client: evil.client(), Prefix: "evil:"},
	)
	if _, err := v.Verify(t.Context(), sign("RS256", "rsa", otherRSAKey(), good.claims(nil))); artifact.Class(err) != artifact.ErrUnauthorized {
		t.Errorf("signed by another issuer: %v", err)
	}
	s, err := v.Verify(t.Context(), sign("RS256", "rsa", otherRSAKey(), evil.claims(map[string]any{"sub": "alice"})))
	if err != nil || s.Name != "evil:alice" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestF19ClocksMayDifferByAMinute(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		v := trusting(t, p, nil)
		raw := p.token(map[string]any{"nbf": time.Now().Add(50 * time.Second).Unix(), "exp": time.Now().Add(2 * time.Minute).Unix()})
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Errorf("50 s too early: %v", err)
		}
		time.Sleep(2*time.Minute + 50*time.Second)
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Errorf("50 s too late: %v", err)
		}
		time.Sleep(20 * time.Second)
		if _, err := v.Verify(t.Context(), raw); artifact.Class(err) != artifact.ErrUnauthorized || !strings.Contains(err.Error(), "expired") {
			t.Errorf("70 s too late, and known: %v", err)
		}
	})
}

func TestF30KnownKeysAreGoodForTheGraceWhileTheIssuerIsDown(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		v := trusting(t, p, func(i *idtoken.Issuer) { i.Grace = 3 * time.Hour })
		ask := func() error { _, err := v.Verify(t.Context(), p.token(nil)); return err }
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		p.set(func() { p.down = true })
		for range 179 {
			time.Sleep(time.Minute)
			if err := ask(); err != nil {
				t.Fatalf("within the grace: %v", err)
			}
			synctest.Wait()
		}
		if n := p.asked(); n > 170 {
			t.Errorf("the issuer was asked %d times while it was down", n)
		}
		time.Sleep(time.Minute + time.Second)
		err := ask()
		if artifact.Class(err) != artifact.ErrUnavailable || artifact.RetryAfter(err) <= 0 {
			t.Fatalf("after the grace: %v", err)
		}
		p.set(func() { p.down = false })
		time.Sleep(artifact.RetryAfter(err))
		if err := ask(); err != nil {
			t.Errorf("up again: %v", err)
		}
	})
}

func TestATokenThatIsKnownNeedsNoIssuerForAWhile(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		v := trusting(t, p, func(i *idtoken.Issuer) { i.Grace = time.Minute })
		raw := p.token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		for minute := range 10 {
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Fatalf("after %d minutes: %v", minute, err)
			}
			p.set(func() { p.down = true })
			time.Sleep(time.Minute)
		}
		if _, err := v.Verify(t.Context(), raw); artifact.Class(err) != artifact.ErrUnavailable {
			t.Errorf("after 10 minutes: %v", err)
		}
	})
}

func TestF30ARotationOfKeysIsNoticedAtOnceAndOldKeysGo(t *testing.T) {
	rsaKey()
	otherRSAKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string]crypto.Signer{"rsa": rsaKey()})
		v := trusting(t, p, nil)
		old := func() string {
			return p.token(map[string]any{"jti": time.Now().String(), "exp": time.Now().Add(time.Hour).Unix()})
		}
		if _, err := v.Verify(t.Context(), old()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		p.set(func() { p.keys = map[string]crypto.Signer{"new": otherRSAKey()} })
		if _, err := v.Verify(t.Context(), sign("RS256", "new", otherRSAKey(), p.claims(nil))); err != nil {
			t.Errorf("the new key: %v", err)
		}
		if _, err := v.Verify(t.Context(), old()); artifact.Class(err) != artifact.ErrUnauthorized {
			t.Errorf("the old key: %v", err)
		}
	})
}

func TestF30AKeyThatWasWithdrawnGoesWithoutANewOne(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		v := trusting(t, p, nil)
		ask := func() error {
			_, err := v.Verify(t.Context(), p.token(map[string]any{"jti": time.Now().String()}))
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		p.set(func() { p.keys = map[string]crypto.Signer{"ec": ecKey()} })
		time.Sleep(16 * time.Minute)
		if err := ask(); err != nil { // starts the refresh, and does not wait for it
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if err := ask(); artifact.Class(err) != artifact.ErrUnauthorized {
			t.Errorf("a withdrawn key: %v", err)
		}
	})
}

func TestUnknownKeysAskTheIssuerOnceInAWhileOnly(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		v := trusting(t, p, nil)
		for round := range 3 {
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					raw := sign("RS256", fmt.Sprintf("unknown-%d-%d", round, i), rsaKey(), p.claims(nil))
					if _, err := v.Verify(t.Context(), raw); artifact.Class(err) != artifact.ErrUnauthorized {
						t.Errorf("an unknown key: %v", err)
					}
				})
			}
			wg.Wait()
			if n := p.asked(); n != round+1 {
				t.Fatalf("the issuer was asked %d times in %d rounds", n, round+1)
			}
			time.Sleep(11 * time.Second)
		}
	})
}

func TestAnIssuerThatHangsHoldsUpNobodyWhoseKeyIsKnown(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		v := trusting(t, p, nil)
		if _, err := v.Verify(t.Context(), p.token(nil)); err != nil {
			t.Fatal(err)
		}
		hanging := make(chan struct{})
		p.set(func() { p.hanging = hanging })
		time.Sleep(time.Hour)
		start := time.Now()
		if _, err := v.Verify(t.Context(), p.token(nil)); err != nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		// Who needs a key that is not known waits, but not for ever.
		_, err := v.Verify(t.Context(), sign("RS256", "new", otherRSAKey(), p.claims(nil)))
		if waited := time.Since(start); artifact.Class(err) != artifact.ErrUnavailable || waited > 10*time.Second {
			t.Errorf("an unknown key, after %v: %v", waited, err)
		}
	})
}

func TestWaitingForAnIssuerEndsWithTheRequestOrTheServer(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		p.hanging = make(chan struct{})
		v := trusting(t, p, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(ctx, p.token(nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the request has ended: %v", err)
		}
		failed := make(chan error)
		go func() {
			_, err := v.Verify(t.Context(), p.token(nil))
			failed <- err
		}()
		synctest.Wait()
		v.Close()
		if err := <-failed; artifact.Class(err) != artifact.ErrUnavailable {
			t.Errorf("the server has ended: %v", err)
		}
		if _, err := v.Verify(t.Context(), p.token(nil)); artifact.Class(err) != artifact.ErrUnavailable {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestAnIssuerThatWasNeverReachedIsAskedSeldom(t *testing.T) {
	rsaKey()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(standardKeys())
		p.down = true
		v := trusting(t, p, nil)
		if p.asked() != 0 {
			t.Error("the issuer was asked before there was a token")
		}
		for range 600 {
			if _, err := v.Verify(t.Context(), p.token(nil)); artifact.Class(err) != artifact.ErrUnavailable {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := p.asked(); n < 5 || n > 20 {
			t.Errorf("the issuer was asked %d times in 10 minutes", n)
		}
	})
}

func TestAnswersOfAnIssuerThatCannotBeBelievedAreNotUsed(t *testing.T) {
	const issuer, discovery, keys = "https://id.example.com", "/.well-known/openid-configuration", "/keys"
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, text)
		}
	}
	metadata := func(issuer, keys string) http.HandlerFunc {
		return answer(`{"issuer":"` + issuer + `","jwks_uri":"` + keys + `"}`)
	}
	set := func(jwk map[string]any) string { return string(must(json.Marshal(map[string]any{"keys": []any{jwk}}))) }
	good := publicJWK("rsa", rsaKey().Public())
	encryption := publicJWK("rsa", rsaKey().Public())
	encryption["use"] = "enc"
	off := publicJWK("rsa", ecKey().Public())
	off["y"] = off["x"]
	weak := publicJWK("rsa", must(rsa.GenerateKey(rand.Reader, 1024)).Public())
	gone := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, set(good), http.StatusGone) }
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example.com/good", http.StatusFound)
	}
	for name, tt := range map[string]struct {
		path   string
		answer http.HandlerFunc
	}{
		"no metadata":               {discovery, gone},
		"login page":                {discovery, answer("<html>canary")},
		"metadata of another":       {discovery, metadata("https://evil.example.com", issuer+"/good")},
		"keys without https":        {discovery, metadata(issuer, "http://id.example.com/good")},
		"keys on this machine":      {discovery, metadata(issuer, "http://127.0.0.1/good")},
		"keys in a file":            {discovery, metadata(issuer, "file:///good")},
		"keys nowhere":              {discovery, metadata(issuer, "")},
		"keys that are gone":        {keys, gone},
		"keys of somebody else":     {keys, away},
		"no keys":                   {keys, answer(`{"keys":[]}`)},
		"keys that are no JSON":     {keys, answer(`{"keys":`)},
		"keys after a long silence": {keys, answer(strings.Repeat(" ", 2<<20) + set(good))},
		"RSA key that is too short": {keys, answer(set(weak))},
		"key for encryption":        {keys, answer(set(encryption))},
		"point that is on no curve": {keys, answer(set(off))},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(standardKeys())
			p.answers = map[string]http.Handler{tt.path: tt.answer, "/good": answer(set(good))}
			_, err := trusting(t, p, nil).Verify(t.Context(), p.token(nil))
			if artifact.Class(err) != artifact.ErrUnavailable {
				t.Errorf("%v", err)
			}
			if reason, hint := artifact.Explain(err); strings.Contains(reason+hint, "canary") {
				t.Errorf("the client sees %q", reason)
			}
		})
	}
	p := newProvider(standardKeys())
	p.answers = map[string]http.Handler{discovery: metadata(issuer, issuer+"/good"), "/good": answer(set(good))}
	if _, err := trusting(t, p, nil).Verify(t.Context(), p.token(nil)); err != nil {
		t.Errorf("good answers: %v", err)
	}
}

func TestIssuersThatCannotBeTrustedAreRefused(t *testing.T) {
	good := idtoken.Issuer{URL: "https://id.example.com", Audiences: []string{"weir"}}
	for name, tt := range map[string]struct {
		change func(*idtoken.Issuer)
		want   string
	}{
		"no https":      {func(i *idtoken.Issuer) { i.URL = "http://id.example.com" }, "https"},
		"no URL":        {func(i *idtoken.Issuer) { i.URL = "" }, "https"},
		"password":      {func(i *idtoken.Issuer) { i.URL = "https://u:p@id.example.com" }, "https"},
		"no audience":   {func(i *idtoken.Issuer) { i.Audiences = nil }, "audience"},
		"open to all":   {func(i *idtoken.Issuer) { i.URL = "https://token.actions.githubusercontent.com" }, "repository_owner"},
		"half a claim":  {func(i *idtoken.Issuer) { i.Claims = []string{"owner"} }, `"owner"`},
		"bad glob":      {func(i *idtoken.Issuer) { i.Claims = []string{"owner=[a"} }, `"owner=[a"`},
		"negative time": {func(i *idtoken.Issuer) { i.Grace = -1 }, "grace"},
	} {
		i := good
		tt.change(&i)
		if _, err := idtoken.New([]idtoken.Issuer{i}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := idtoken.New([]idtoken.Issuer{good, good}); err == nil {
		t.Error("an issuer is there twice")
	}
	for _, url := range []string{"http://127.0.0.1:8080", "http://localhost", "https://10.0.0.1:6443"} {
		i := good
		i.URL = url
		newVerifier(t, i)
	}
}
