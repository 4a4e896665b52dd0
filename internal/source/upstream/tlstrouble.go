package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// tlsTrouble is the error for a connection that one of both sides refuses because
// of a certificate, with the setting that helps; nil: err is something else.
func tlsTrouble(from string, err error) error {
	reason, hint := certificateTrouble(err)
	if reason == "" {
		reason, hint = alertTrouble(err)
	}
	if reason == "" {
		reason, hint = askedTrouble(err)
	}
	if reason == "" {
		return nil
	}
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: from + ": " + reason, Hint: hint, Err: err}
}

// certificateTrouble says what is wrong with the certificate of the other side.
func certificateTrouble(err error) (reason, hint string) {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its TLS certificate is signed by an authority that is not trusted here",
			"if the authority is your own, set ca_file of this upstream to its certificate"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return fmt.Sprintf("its TLS certificate is valid from %s to %s only", e.Cert.NotBefore.UTC().Format(time.DateOnly), e.Cert.NotAfter.UTC().Format(time.DateOnly)),
			"it has to be renewed there; or else the clock of this machine is wrong"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its TLS certificate is for a host of another name", "set the URL of this upstream to a name that the certificate is for"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its TLS certificate cannot be verified", "the server's log has the cause; ca_file of this upstream adds an authority to trust"
	}
	return "", ""
}

// refusals are the alerts by which a server refuses a client certificate, or the
// lack of one, by their texts in package crypto/tls, which exports no more.
var refusals = []string{
	"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate", "unknown certificate",
	"unknown certificate authority", "access denied", "certificate required", "handshake failure",
}

func alertTrouble(err error) (reason, hint string) {
	_, alert, _ := strings.Cut(err.Error(), "remote error: tls: ")
	if !slices.Contains(refusals, alert) {
		return "", ""
	}
	return "it refused the TLS connection: " + alert, hintCertificate
}

const hintCertificate = "it may want a client certificate, or another one: check cert_file and key_file of this upstream"

// errAsked is the error for a connection whose other side had asked for a client
// certificate before it failed. With TLS 1.3 the alert comes so late that it may
// get lost.
type errAsked struct{ error }

func (e errAsked) Unwrap() error { return e.error }

// explain adds to an error what is known of its connection.
func (h *hop) explain(err error) error {
	if h.asked.Load() {
		return errAsked{err}
	}
	return err
}

func askedTrouble(err error) (reason, hint string) {
	if _, asked := errors.AsType[errAsked](err); !asked {
		return "", ""
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "", ""
	}
	return "it asked for a client certificate and closed the connection", hintCertificate
}
