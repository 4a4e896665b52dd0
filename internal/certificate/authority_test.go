package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goweir/weir/internal/certificate"
)

// An authority issues certificates for tests.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial atomic.Int64

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = a.sign(template, template, &a.key.PublicKey)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(template, parent *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue issues a certificate for a host or client for some time around now.
func (a *authority) issue(name string, from, to time.Duration, public *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, public)
}

// pair issues a certificate as the contents of two files.
func (a *authority) pair(name string, from, to time.Duration) (certificate, key []byte) {
	a.t.Helper()
	k := newKey(a.t)
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	chain := append(encode(a.issue(name, from, to, &k.PublicKey)), encode(a.cert)...)
	return chain, key
}

func encode(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// client is a certificate that a client shows.
func (a *authority) client(name string) tls.Certificate {
	a.t.Helper()
	c, err := tls.X509KeyPair(a.pair(name, -time.Hour, time.Hour))
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Files of a test.
type folder struct {
	t   testing.TB
	dir string
}

func newFolder(t testing.TB) *folder { return &folder{t, t.TempDir()} }

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// write replaces a file in one step.
func (f *folder) write(name string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name+".new"), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.path(name+".new"), f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

// put replaces the files of a pair, one after the other.
func (f *folder) put(name string, certificate, key []byte) {
	f.t.Helper()
	f.write(name+".crt", certificate)
	f.write(name+".key", key)
}

// issue puts a new pair there.
func (f *folder) issue(a *authority, name, host string, from, to time.Duration) {
	f.t.Helper()
	certificate, key := a.pair(host, from, to)
	f.put(name, certificate, key)
}

func (f *folder) pair(name string) certificate.Pair {
	return certificate.Pair{Certificate: f.path(name + ".crt"), Key: f.path(name + ".key")}
}
