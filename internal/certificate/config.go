// Package certificate keeps the TLS of a server current.
//
// Certificates come out of [Files] that are reloaded while the server runs, or by
// [ACME]. [Config] makes a tls.Config of them. It promises that
//
//   - a change of certificates or client authorities drops no connection: those
//     that are open go on, new ones get the new certificate;
//   - a bad change is refused with the reason, and what was in use stays so: a key
//     of another certificate, a file that is missing, half written or damaged, a
//     certificate that has expired or is not valid yet;
//   - nothing below TLS 1.2 is spoken, TLS 1.3 is preferred, and with TLS 1.2 only
//     forward secret authenticated encryption (AEAD);
//   - an authority that is taken out of the file is not trusted any more for new
//     connections, resumed sessions included.
//
// What ACME keeps in the store holds private keys. Whoever can read the store below
// ".weir/acme/" can pass for the server, so that this part of it must be served and
// shown to nobody.
package certificate

import (
	"crypto/tls"
	"errors"
	"fmt"

	"golang.org/x/crypto/acme"
)

// ClientAuth says whether clients show certificates.
type ClientAuth string

// What clients are asked for.
const (
	NoClientAuth ClientAuth = ""        // nothing
	Request      ClientAuth = "request" // a certificate, if they have one
	Require      ClientAuth = "require" // a certificate
)

// Options say what a tls.Config is made of.
type Options struct {
	Files *Files // may be nil
	ACME  *ACME  // asked for hosts that no certificate of Files suits; may be nil

	// ClientAuth needs the authorities of Files. A certificate that does not lead
	// to one of them ends the handshake. With Require, ACME proves hosts by HTTP-01
	// only, as the authority shows no certificate.
	ClientAuth ClientAuth
}

// Config returns the configuration of a server, for HTTP/2 and HTTP/1.1. It is
// meant for http.Server.ServeTLS with empty file names.
func Config(o Options) (*tls.Config, error) {
	if o.Files == nil {
		o.Files = &Files{}
		o.Files.current.Store(&state{})
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	base := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   suites,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: o.getCertificate,
	}
	if o.ACME != nil {
		base.NextProtos = append(base.NextProtos, acme.ALPNProto)
	}
	if o.ClientAuth == NoClientAuth {
		return base, nil
	}
	base.ClientAuth = modes[o.ClientAuth]
	served := base.Clone()
	served.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := base.Clone()
		current.ClientCAs = o.Files.current.Load().clientCAs
		return current, nil
	}
	return served, nil
}

var modes = map[ClientAuth]tls.ClientAuthType{
	NoClientAuth: tls.NoClientCert,
	Request:      tls.VerifyClientCertIfGiven,
	Require:      tls.RequireAndVerifyClientCert,
}

// suites are those of TLS 1.2 with AEAD; those of TLS 1.3 all have it.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func (o Options) check() error {
	inUse := o.Files.current.Load()
	if len(inUse.certificates) == 0 && o.ACME == nil {
		return errors.New("certificate: TLS needs a certificate; name its files, or the hosts to get one for by ACME")
	}
	if _, ok := modes[o.ClientAuth]; !ok {
		return fmt.Errorf("certificate: %q is no way to ask for client certificates; say %q or %q", o.ClientAuth, Request, Require)
	}
	// Without a pool, crypto/tls would trust every public authority.
	if o.ClientAuth != NoClientAuth && inUse.clientCAs == nil {
		return errors.New("certificate: client certificates need the authorities to trust; name the file that holds them")
	}
	if o.ClientAuth == Require && o.ACME != nil && !o.ACME.byHTTP.Load() {
		return fmt.Errorf("certificate: when clients must show certificates, ACME can prove hosts on port 80 only, where nothing answers; say %q, or take certificates out of files", Request)
	}
	return nil
}

// getCertificate finds a certificate for a client.
func (o Options) getCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := o.Files.match(hello); c != nil {
		return c, nil
	}
	if o.ACME != nil && o.ACME.serves(hello.ServerName) {
		return o.ACME.GetCertificate(hello)
	}
	return o.Files.GetCertificate(hello)
}
