package direct

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/goweir/weir/internal/egress"
)

// The bounds of one request.
const (
	firstByteTimeout = 30 * time.Second
	maxHeader        = 256 << 10
	idleTimeout      = 90 * time.Second
	idlePerHost      = 4
)

// newTransport returns a transport whose connections the Guard allows.
func newTransport(d egress.Dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout:    egress.ConnectTimeout,
		ResponseHeaderTimeout:  firstByteTimeout,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    idlePerHost,
		ForceAttemptHTTP2:      true,
	}
}

// NewTransport returns a transport that goes where a dialer lets it, to hosts that an
// authority in a file vouches for; without one, those of the system.
func NewTransport(d egress.Dialer, caFile string) (*http.Transport, error) {
	roots, err := readRoots(caFile)
	if err != nil {
		return nil, err
	}
	d.TLS = &tls.Config{RootCAs: roots}
	return newTransport(d, roots), nil
}

// readRoots reads certificates; nil: those of the system.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return roots, nil
}
