package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/auth"
	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/auth/idtoken"
	"github.com/goweir/weir/internal/policy"
)

func newAuthenticator(t testing.TB, o auth.Options) *auth.Authenticator {
	t.Helper()
	a, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/golang.org/x/mod/@v/list", nil)
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	return r
}

func authenticate(a *auth.Authenticator, authorization ...string) (policy.Subject, error) {
	return a.Authenticate(request(authorization...))
}

func bearer(secret string) string { return "Bearer " + secret }

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// tokenFile returns a file with one token, of alice of the groups dev and staff.
func tokenFile(t testing.TB) (*accounts.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.json")
	token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice", Groups: []string{"staff", "dev", "dev"}})
	if err != nil {
		t.Fatal(err)
	}
	return load(t, path), token
}

func load(t testing.TB, path string) *accounts.File {
	t.Helper()
	f, err := accounts.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTokensAreAcceptedHoweverTheyCome(t *testing.T) {
	file, token := tokenFile(t)
	a := newAuthenticator(t, auth.Options{Required: true, File: file})
	want := policy.Subject{Name: "alice", Method: auth.MethodToken, Groups: []string{"dev", "staff"}, Addr: netip.MustParseAddr("192.0.2.1")}
	for _, header := range []string{
		bearer(token), "bearer " + token, "BEARER  " + token,
		basic("__token__", token), basic("oauth2", token), basic("", token), basic(token, ""), "basic " + basic("x", token)[6:],
	} {
		if s, err := authenticate(a, header); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("%q: %+v, %v", header, s, err)
		}
	}
}

func TestPasswordsAreAcceptedForTheirUserOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := accounts.SetUser(path, accounts.User{Name: "alice", Groups: []string{"dev"}}, "correct: horse"); err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, auth.Options{File: load(t, path)})
	for range 100 { // only the first takes the time of a hash
		s, err := authenticate(a, basic("alice", "correct: horse"))
		if err != nil || s.Name != "alice" || s.Method != auth.MethodBasic || !reflect.DeepEqual(s.Groups, []string{"dev"}) {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	for _, header := range []string{basic("bob", "correct: horse"), basic("alice", "wrong"), bearer("correct: horse")} {
		if s, err := authenticate(a, header); artifact.Class(err) != artifact.ErrUnauthorized || s.Name != "" {
			t.Errorf("%q: %+v, %v", header, s, err)
		}
	}
}

func TestA21PasswordsAreTriedOnlyFromWhereTheyMayBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := accounts.SetUser(path, accounts.User{Name: "alice"}, "correct: horse"); err != nil {
		t.Fatal(err)
	}
	token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	var errNot error
	a := newAuthenticator(t, auth.Options{File: load(t, path), MayTry: func(from netip.Addr) error {
		if from != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("asked about %v", from)
		}
		return errNot
	}})
	if s, err := authenticate(a, basic("alice", "correct: horse")); err != nil || s.Name != "alice" {
		t.Fatal(s, err)
	}
	errNot = &artifact.Error{Class: artifact.ErrTooMany, Reason: "not now"}
	for header, want := range map[string]error{
		basic("alice", "another"): errNot, basic("bob", "correct: horse"): errNot,
		basic("alice", "correct: horse"): nil, bearer(token): nil, // what is known, and what cannot be guessed
	} {
		if _, err := authenticate(a, header); err != want {
			t.Errorf("%q: %v, want %v", header, err, want)
		}
	}
}

func TestTheLongestNameAndPasswordFitIntoAHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	name, password := strings.Repeat("n", policy.MaxName), strings.Repeat("p", accounts.MaxPassword)
	if err := accounts.SetUser(path, accounts.User{Name: name}, password); err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, auth.Options{File: load(t, path)})
	if s, err := authenticate(a, basic(name, password)); err != nil || s.Name != name {
		t.Errorf("%+v, %v", s, err)
	}
	for _, header := range []string{basic("", password+"p"), basic(name, password+"p"), basic(name+"n", password)} {
		if s, err := authenticate(a, header); artifact.Class(err) != artifact.ErrUnauthorized || s.Name != "" {
			t.Errorf("%d bytes: %+v, %v", len(header), s, err)
		}
	}
}

func TestWithoutCredentialsOneIsNobodyOrRefused(t *testing.T) {
	s, err := authenticate(newAuthenticator(t, auth.Options{}))
	if want := (policy.Subject{Addr: netip.MustParseAddr("192.0.2.1")}); err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = authenticate(newAuthenticator(t, auth.Options{Required: true}))
	if err != auth.ErrUnauthenticated || artifact.Status(err) != http.StatusUnauthorized {
		t.Errorf("%v", err)
	}
	if reason, hint := artifact.Explain(err); reason == "" || !strings.Contains(hint, "weir login") {
		t.Errorf("%q, %q", reason, hint)
	}
}

func TestCredentialsThatAreNotRightAreRefusedEvenWhereNoneAreNeeded(t *testing.T) {
	file, token := tokenFile(t)
	a := newAuthenticator(t, auth.Options{File: file})
	other := token[:len(token)-1] + map[bool]string{true: "1", false: "0"}[token[len(token)-1] == '0']
	for name, header := range map[string][]string{
		"wrong secret":       {bearer(other)},
		"unknown token":      {bearer("weir_" + strings.Repeat("0", 12) + "_" + strings.Repeat("0", 48))},
		"cut token":          {bearer(token[:len(token)-1])},
		"longer token":       {bearer(token + "0")},
		"capital token":      {bearer(strings.ToUpper(token))},
		"no token":           {bearer("")},
		"scheme only":        {"Bearer"},
		"empty":              {""},
		"another scheme":     {"Digest username=x"},
		"token alone":        {token},
		"no base64":          {"Basic !"},
		"no colon":           {"Basic " + base64.StdEncoding.EncodeToString([]byte(token))},
		"two headers":        {bearer(token), bearer(token)},
		"blank at the end":   {bearer(token + " ")},
		"much too long":      {bearer(strings.Repeat("x", 1<<20))},
		"much too long user": {basic(strings.Repeat("x", 1<<20), token)},
		"identity token":     {bearer("eyJhIjoxfQ.eyJpc3MiOiJ4In0.c2ln")},
	} {
		s, err := authenticate(a, header...)
		if artifact.Class(err) != artifact.ErrUnauthorized || !reflect.DeepEqual(s, policy.Subject{}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if _, hint := artifact.Explain(err); hint == "" {
			t.Errorf("%s: %v says not what to do", name, err)
		}
	}
}

func TestExpiredAndRevokedTokensSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens.json")
		token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice", Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		file := load(t, path)
		a := newAuthenticator(t, auth.Options{File: file})
		ask := func(want string) {
			t.Helper()
			_, err := authenticate(a, bearer(token))
			if want == "" && err != nil || want != "" && (artifact.Class(err) != artifact.ErrUnauthorized || !strings.Contains(err.Error(), want)) {
				t.Errorf("%v, want %q", err, want)
			}
			if _, hint := artifact.Explain(err); want != "" && !strings.Contains(hint, "weir login") {
				t.Errorf("%v: %q", err, hint)
			}
		}
		time.Sleep(time.Hour - time.Second)
		ask("")
		time.Sleep(time.Second)
		ask("expired at 2000-01-01T01:00:00Z")
		if err := accounts.RevokeToken(path, strings.Split(token, "_")[1]); err != nil {
			t.Fatal(err)
		}
		if err := file.Reload(); err != nil {
			t.Fatal(err)
		}
		ask("was revoked")
	})
}

func TestA18NothingTellsAnUnknownUserOrTokenFromAWrongSecret(t *testing.T) {
	file, token := tokenFile(t)
	path := filepath.Join(t.TempDir(), "users.json")
	if err := accounts.SetUser(path, accounts.User{Name: "alice"}, "correct horse"); err != nil {
		t.Fatal(err)
	}
	expired := newAuthenticator(t, auth.Options{File: file})
	users := newAuthenticator(t, auth.Options{File: load(t, path)})
	_, want := authenticate(users, basic("alice", "wrong horse"))
	for name, ask := range map[string]func() (policy.Subject, error){
		"unknown user": func() (policy.Subject, error) { return authenticate(users, basic("bob", "wrong horse")) },
		"no users":     func() (policy.Subject, error) { return authenticate(expired, basic("bob", "wrong horse")) },
		"wrong secret": func() (policy.Subject, error) {
			return authenticate(expired, bearer(token[:len(token)-48]+strings.Repeat("0", 48)))
		},
		"unknown token": func() (policy.Subject, error) {
			return authenticate(expired, bearer("weir_"+strings.Repeat("0", 12)+"_"+strings.Repeat("0", 48)))
		},
	} {
		if _, err := ask(); !reflect.DeepEqual(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func TestA17NoErrorShowsASecret(t *testing.T) {
	file, _ := tokenFile(t)
	p := &provider{}
	a := newAuthenticator(t, auth.Options{File: file, Issuers: []idtoken.Issuer{p.issuer()}})
	const canary = "ca9a7eca9a7eca9a7eca9a7e"
	jwt := identity("")
	for _, header := range []string{
		"Digest " + canary, canary, "Basic " + canary, basic("u", canary), basic(canary, "x"), bearer(canary), bearer("weir_" + canary[:12] + "_" + canary + canary),
		bearer(jwt[:strings.LastIndex(jwt, ".")+1] + canary), bearer("ey" + canary + "." + canary + "." + canary),
	} {
		_, err := authenticate(a, header)
		if err == nil {
			t.Fatalf("%q is accepted", header)
		}
		reason, hint := artifact.Explain(err)
		if strings.Contains(err.Error()+reason+hint, canary) {
			t.Errorf("%q: %v, %q, %q", header, err, reason, hint)
		}
	}
}

func TestClientCertificatesTellWhoAsks(t *testing.T) {
	uri, _ := url.Parse("spiffe://corp.example.com/app")
	later := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		cert x509.Certificate
		want string
	}{
		"common name": {x509.Certificate{Subject: pkix.Name{CommonName: "Alice Smith", OrganizationalUnit: []string{"dev"}}, NotAfter: later, DNSNames: []string{"x"}}, "Alice Smith"},
		"URI":         {x509.Certificate{URIs: []*url.URL{uri}, EmailAddresses: []string{"a@example.com"}, NotAfter: later}, "spiffe://corp.example.com/app"},
		"mail":        {x509.Certificate{EmailAddresses: []string{"a@example.com"}, DNSNames: []string{"x"}, NotAfter: later}, "a@example.com"},
		"host":        {x509.Certificate{DNSNames: []string{"ci.example.com"}, NotAfter: later}, "ci.example.com"},
		"nobody":      {x509.Certificate{NotAfter: later}, ""},
		"controls":    {x509.Certificate{Subject: pkix.Name{CommonName: "a\nb"}, NotAfter: later}, ""},
		"bad unit":    {x509.Certificate{Subject: pkix.Name{CommonName: "x", OrganizationalUnit: []string{"dev", "a\nb"}}, NotAfter: later}, ""},
		"empty unit":  {x509.Certificate{Subject: pkix.Name{CommonName: "x", OrganizationalUnit: []string{""}}, NotAfter: later}, ""},
		"expired":     {x509.Certificate{DNSNames: []string{"x"}, NotAfter: time.Now().Add(-time.Second)}, ""},
	} {
		r := request()
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{&tt.cert}, VerifiedChains: [][]*x509.Certificate{{&tt.cert}}}
		s, err := newAuthenticator(t, auth.Options{Required: true, ClientCerts: true}).Authenticate(r)
		switch {
		case tt.want == "" && artifact.Class(err) != artifact.ErrUnauthorized:
			t.Errorf("%s: %+v, %v", name, s, err)
		case tt.want != "" && (err != nil || s.Name != tt.want || s.Method != auth.MethodCertificate || !reflect.DeepEqual(s.Groups, tt.cert.Subject.OrganizationalUnit)):
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		r.TLS.VerifiedChains = nil
		if _, err := newAuthenticator(t, auth.Options{Required: true, ClientCerts: true}).Authenticate(r); err != auth.ErrUnauthenticated {
			t.Errorf("%s that was not verified: %v", name, err)
		}
	}
	r := request()
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{DNSNames: []string{"x"}, NotAfter: later}}}}
	if s, err := newAuthenticator(t, auth.Options{}).Authenticate(r); err != nil || s.Name != "" {
		t.Errorf("certificates are off: %+v, %v", s, err)
	}
}

func networks(all ...string) (prefixes []netip.Prefix) {
	for _, s := range all {
		prefixes = append(prefixes, netip.MustParsePrefix(s))
	}
	return prefixes
}

func TestOnlyTrustedProxiesAreBelievedAboutAddresses(t *testing.T) {
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1234", nil, "192.0.2.1"},
		{"192.0.2.1:1234", []string{"10.9.9.9"}, "192.0.2.1"}, // made up by the client
		{"10.0.0.1:1234", []string{"192.0.2.7"}, "192.0.2.7"},
		{"10.0.0.1:1234", []string{"10.0.0.2, 198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		{"10.0.0.1:1234", []string{"1.1.1.1, 192.0.2.7,10.0.0.2 "}, "192.0.2.7"},
		{"10.0.0.1:1234", []string{"1.1.1.1", "192.0.2.7", "10.0.0.2"}, "192.0.2.7"},
		{"10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:1234", []string{"192.0.2.7, evil"}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.7, "}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"192.0.2.7:5555"}, "192.0.2.7"},
		{"10.0.0.1:1234", []string{"[2001:db8::7]:5555"}, "2001:db8::7"},
		{"10.0.0.1:1234", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"10.0.0.1:1234", []string{"2001:db8::7"}, "2001:db8::7"},
		{"10.0.0.1:1234", []string{"192.0.2.7, ::ffff:10.0.0.2"}, "192.0.2.7"},
		{"[::ffff:10.0.0.1]:1234", []string{"192.0.2.7"}, "192.0.2.7"},
		{"[fe80::1%eth0]:1234", []string{"192.0.2.7"}, "192.0.2.7"},
		{"@", []string{"192.0.2.7"}, "invalid IP"},
	} {
		a := newAuthenticator(t, auth.Options{Trusted: networks("10.0.0.0/8", "fe80::/10")})
		r := request()
		r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.peer, tt.forwarded
		if got := a.ClientAddr(r).String(); got != tt.want {
			t.Errorf("%s with %q: %s, want %s", tt.peer, tt.forwarded, got, tt.want)
		}
		if got := newAuthenticator(t, auth.Options{}).ClientAddr(r).String(); tt.peer == "10.0.0.1:1234" && got != "10.0.0.1" {
			t.Errorf("nobody is trusted, and %q leads to %s", tt.forwarded, got)
		}
	}
}

func TestOnlyTrustedProxiesAreBelievedAboutTLS(t *testing.T) {
	a := newAuthenticator(t, auth.Options{Trusted: networks("10.0.0.0/8")})
	for _, test := range []struct {
		peer      string
		tls       bool
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1234", false, nil, "http"},
		{"192.0.2.1:1234", true, nil, "https"},
		{"192.0.2.1:1234", false, []string{"https"}, "http"}, // made up by the client
		{"10.0.0.1:1234", false, nil, "http"},
		{"10.0.0.1:1234", false, []string{"https"}, "https"},
		{"10.0.0.1:1234", false, []string{"HTTPS "}, "https"},
		{"10.0.0.1:1234", false, []string{"http"}, "http"},
		{"10.0.0.1:1234", false, []string{"https, http"}, "http"},
		{"10.0.0.1:1234", false, []string{"http", "https"}, "https"},
		{"10.0.0.1:1234", false, []string{"javascript"}, "http"},
	} {
		r := request()
		r.RemoteAddr, r.Header["X-Forwarded-Proto"] = test.peer, test.forwarded
		if test.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := a.Scheme(r); got != test.want {
			t.Errorf("%s, TLS %v, with %q: %s, want %s", test.peer, test.tls, test.forwarded, got, test.want)
		}
	}
}

func TestAddressesAreAdmittedByTheLists(t *testing.T) {
	for _, tt := range []struct {
		allow, deny []netip.Prefix
		peer        string
		want        bool
	}{
		{nil, nil, "192.0.2.1:1", true},
		{nil, nil, "@", true},
		{networks("192.0.2.0/24"), nil, "192.0.2.1:1", true},
		{networks("192.0.2.0/24"), nil, "[::ffff:192.0.2.1]:1", true},
		{networks("192.0.2.0/24"), nil, "198.51.100.1:1", false},
		{networks("192.0.2.0/24"), networks("192.0.2.1/32"), "192.0.2.1:1", false},
		{nil, networks("192.0.2.0/24"), "192.0.2.1:1", false},
		{nil, networks("192.0.2.0/24"), "198.51.100.1:1", true},
		{nil, networks("192.0.2.0/24"), "@", false},
		{networks("0.0.0.0/0"), nil, "@", false},
	} {
		file, token := tokenFile(t)
		a := newAuthenticator(t, auth.Options{File: file, Allow: tt.allow, Deny: tt.deny})
		r := request(bearer(token))
		r.RemoteAddr = tt.peer
		s, err := a.Authenticate(r)
		if tt.want != (err == nil) || !tt.want && (artifact.Class(err) != artifact.ErrForbidden || s.Name != "") {
			t.Errorf("%+v: %+v, %v", tt, s, err)
		}
	}
	for _, bad := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:10.0.0.0/104")} {
		if _, err := auth.New(auth.Options{Deny: []netip.Prefix{bad}}); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func BenchmarkAuthenticateToken(b *testing.B) {
	file, token := tokenFile(b)
	a := newAuthenticator(b, auth.Options{File: file, Required: true})
	for name, r := range map[string]*http.Request{"bearer": request(bearer(token)), "basic": request(basic("__token__", token))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAuthenticateIdentity(b *testing.B) {
	p := &provider{}
	a := newAuthenticator(b, auth.Options{Issuers: []idtoken.Issuer{p.issuer()}})
	r := request(bearer(identity("")))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzAuthenticate(f *testing.F) {
	path := filepath.Join(f.TempDir(), "tokens.json")
	token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
	if err != nil {
		f.Fatal(err)
	}
	file := load(f, path)
	p := &provider{}
	a := newAuthenticator(f, auth.Options{File: file, Issuers: []idtoken.Issuer{p.issuer()}})
	good := []string{bearer(token), basic("x", token), bearer(identity(""))}
	for _, s := range append(good, "", "Bearer", "Basic Og==", "Basic "+strings.Repeat("A", 100), bearer("eyJ.e30.x"), bearer("eyJhbGciOiJub25lIn0.e30.")) {
		f.Add(s, "192.0.2.1, 10.0.0.1")
	}
	f.Fuzz(func(t *testing.T, header, forwarded string) {
		r := request(header)
		r.Header.Set("X-Forwarded-For", forwarded)
		s, err := a.Authenticate(r)
		if err == nil && (s.Name == "" || !strings.Contains(header, " ")) {
			t.Fatalf("%q is accepted as %+v", header, s)
		}
		if err != nil && (!reflect.DeepEqual(s, policy.Subject{}) || artifact.Class(err) != artifact.ErrUnauthorized) {
			t.Fatalf("%q: %+v, %v", header, s, err)
		}
	})
}
