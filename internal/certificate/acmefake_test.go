package certificate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is an authority that speaks as much of ACME (RFC 8555) as a client needs
// that gets one certificate at a time. It checks the challenges in earnest, but no
// signatures.
type fake struct {
	*authority
	url  string
	kind string                             // of the challenges it offers
	dial func(host string) (address string) // where it finds the host

	mu      sync.Mutex
	host    string // of the order
	valid   bool   // it is proven that the host is the client's
	issued  []byte
	orders  int
	refuses bool // every order
}

const token = "Token-With_CAPITALS"

func newFake(t *testing.T, kind string) *fake {
	t.Helper()
	f := &fake{authority: newAuthority(t, "ACME"), kind: kind}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Replay-Nonce", fmt.Sprint(serial.Add(1)))
	switch r.URL.Path {
	case "/directory":
		answer(w, 200, map[string]string{"newNonce": f.url + "/nonce", "newAccount": f.url + "/account", "newOrder": f.url + "/order"})
	case "/nonce":
	case "/account":
		w.Header().Set("Location", f.url+"/account/1")
		answer(w, 201, map[string]string{"status": "valid"})
	case "/order":
		f.order(w, r)
	case "/order/1":
		answer(w, 200, f.orderState())
	case "/authorization":
		answer(w, 200, f.authorization())
	case "/challenge":
		f.valid = f.prove() == nil
		answer(w, 200, f.challenge())
	case "/finalize":
		f.finalize(w, r)
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Write(f.issued)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// payload reads what is in the signed envelope of a request.
func payload(r *http.Request, into any) error {
	var envelope struct{ Payload string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&envelope); err != nil {
		return err
	}
	text, err := base64.RawURLEncoding.DecodeString(envelope.Payload)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (f *fake) order(w http.ResponseWriter, r *http.Request) {
	var o struct{ Identifiers []struct{ Value string } }
	if err := payload(r, &o); err != nil || len(o.Identifiers) != 1 || f.refuses {
		w.Header().Set("Content-Type", "application/problem+json")
		answer(w, 403, map[string]string{"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "not for you"})
		return
	}
	f.orders++
	f.host, f.valid, f.issued = o.Identifiers[0].Value, false, nil
	w.Header().Set("Location", f.url+"/order/1")
	answer(w, 201, f.orderState())
}

func (f *fake) orderState() map[string]any {
	status := "pending"
	switch {
	case f.issued != nil:
		status = "valid"
	case f.valid:
		status = "ready"
	}
	return map[string]any{
		"status": status, "identifiers": []any{f.identifier()}, "authorizations": []string{f.url + "/authorization"},
		"finalize": f.url + "/finalize", "certificate": f.url + "/certificate",
	}
}

func (f *fake) identifier() map[string]string {
	return map[string]string{"type": "dns", "value": f.host}
}

func (f *fake) status() string {
	if f.valid {
		return "valid"
	}
	return "pending"
}

func (f *fake) authorization() map[string]any {
	return map[string]any{"status": f.status(), "identifier": f.identifier(), "challenges": []any{f.challenge()}}
}

func (f *fake) challenge() map[string]string {
	return map[string]string{"type": f.kind, "url": f.url + "/challenge", "token": token, "status": f.status()}
}

// prove asks the host for the proof of the challenge.
func (f *fake) prove() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if f.kind == "http-01" {
		return f.proveHTTP(ctx)
	}
	return f.proveTLS(ctx)
}

func (f *fake) proveHTTP(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.dial(f.host)+"/.well-known/acme-challenge/"+token, nil)
	if err != nil {
		return err
	}
	r.Host = f.host
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), token+".") {
		f.t.Errorf("the challenge is answered with %s %q, %v", got.Status, text, err)
		return errors.New("no proof")
	}
	return nil
}

func (f *fake) proveTLS(ctx context.Context) error {
	d := tls.Dialer{Config: &tls.Config{ServerName: f.host, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}}
	c, err := d.DialContext(ctx, "tcp", f.dial(f.host))
	if err != nil {
		f.t.Errorf("the challenge is not answered: %v", err)
		return err
	}
	defer c.Close()
	state := c.(*tls.Conn).ConnectionState()
	shown := state.PeerCertificates[0]
	for _, e := range shown.Extensions {
		if e.Id.String() == "1.3.6.1.5.5.7.1.31" && e.Critical && shown.VerifyHostname(f.host) == nil && state.NegotiatedProtocol == "acme-tls/1" {
			return nil
		}
	}
	f.t.Errorf("the challenge is answered without a proof")
	return errors.New("no proof")
}

func (f *fake) finalize(w http.ResponseWriter, r *http.Request) {
	var o struct{ CSR string }
	if err := payload(r, &o); err != nil || !f.valid {
		answer(w, 403, map[string]string{"type": "urn:ietf:params:acme:error:orderNotReady"})
		return
	}
	der, err := base64.RawURLEncoding.DecodeString(o.CSR)
	if err != nil {
		f.t.Error(err)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil || len(request.DNSNames) != 1 || request.DNSNames[0] != f.host {
		f.t.Errorf("request for a certificate of %v, %v", request, err)
		return
	}
	f.issued = append(encode(f.issue(f.host, -time.Hour, 90*day, request.PublicKey.(*ecdsa.PublicKey))), encode(f.cert)...)
	w.Header().Set("Location", f.url+"/order/1")
	answer(w, 200, f.orderState())
}

// ordered is how many orders it has had.
func (f *fake) ordered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders
}

func (f *fake) refuse(all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuses = all
}

// finds tells the authority where all hosts are.
func (f *fake) finds(address net.Addr) { f.dial = func(string) string { return address.String() } }
