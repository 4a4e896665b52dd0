package daemon

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goweir/weir/internal/certificate"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/store/disk"
)

// encryption is how the way to clients is encrypted; the zero value is not at all.
type encryption struct {
	config *tls.Config
	files  *certificate.Files
	acme   *certificate.ACME
	keys   *disk.Store  // of acme
	plain  http.Handler // answers those who come by http
}

func (d *daemon) newEncryption(cfg *config.Config) (e encryption, err error) {
	t := cfg.TLS
	if t.CertFile == "" && len(t.ACMEHosts) == 0 {
		return e, nil
	}
	paths := certificate.Paths{ClientCAs: t.ClientCAFile}
	if t.CertFile != "" {
		paths.Pairs = []certificate.Pair{{Certificate: t.CertFile, Key: t.KeyFile}}
	}
	if e.files, err = certificate.LoadFiles(paths); err != nil {
		return e, err
	}
	for _, w := range e.files.Warnings() {
		d.log.Warn("certificate", "warning", w)
	}
	if len(t.ACMEHosts) > 0 {
		if e.acme, e.keys, err = d.newACME(cfg); err != nil {
			return e, err
		}
	}
	e.plain = http.HandlerFunc(toHTTPS)
	if e.acme != nil && t.HTTPListen != "" {
		e.plain = e.acme.HTTPHandler(e.plain)
	}
	modes := map[string]certificate.ClientAuth{config.ClientCertsRequest: certificate.Request, config.ClientCertsRequire: certificate.Require}
	e.config, err = certificate.Config(certificate.Options{Files: e.files, ACME: e.acme, ClientAuth: modes[t.ClientCerts]})
	return e, err
}

// newACME keeps its keys where nobody else can read, and apart from the modules, which
// others may serve.
func (d *daemon) newACME(cfg *config.Config) (*certificate.ACME, *disk.Store, error) {
	dir := filepath.Join(cfg.Data, "acme")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	keys, err := disk.Open(dir, disk.Options{})
	if err != nil {
		return nil, nil, err
	}
	acme, err := certificate.NewACME(certificate.ACMEOptions{
		Hosts: cfg.TLS.ACMEHosts, Email: cfg.TLS.ACMEEmail, Directory: cfg.TLS.ACMEDirectory, Store: keys, OnChange: d.acmeChanged,
	})
	return acme, keys, err
}

func (e encryption) close() error {
	if e.keys == nil {
		return nil
	}
	return e.keys.Close()
}

// acmeChanged tells when a host gets no certificate, and when it gets one again.
func (d *daemon) acmeChanged(host string, err error) {
	if err != nil {
		d.log.Error("no certificate by ACME", "host", host, "error", err)
		return
	}
	d.log.Info("certificate by ACME", "host", host)
}

// certificateChanged tells when the files of certificates have changed.
func (d *daemon) certificateChanged(err error) {
	if err != nil {
		d.log.Error("the new certificate is refused, the old one stays in use", "error", err)
		return
	}
	d.log.Info("the certificate has been renewed", "not_after", d.encryption.files.NotAfter())
}

// watchCertificates takes new certificates in use as they come, until ctx ends.
func (d *daemon) watchCertificates(ctx context.Context) {
	if d.encryption.files != nil {
		d.encryption.files.Watch(ctx, watchEvery, d.certificateChanged)
	}
}

// expiry is when the first certificate expires, in Unix seconds; 0 if there is none.
func (e encryption) expiry() float64 {
	var all []time.Time
	if e.files != nil {
		all = append(all, e.files.NotAfter())
	}
	if e.acme != nil {
		all = append(all, e.acme.NotAfter())
	}
	all = slices.DeleteFunc(all, time.Time.IsZero)
	if len(all) == 0 {
		return 0
	}
	return float64(slices.MinFunc(all, time.Time.Compare).Unix())
}

// strictly tells browsers, and whoever else cares, never to come without TLS again.
//
// Source: RFC 6797.
func strictly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Strict-Transport-Security"] = []string{"max-age=31536000"}
		next.ServeHTTP(w, r)
	})
}

// toHTTPS sends who came by http to the same place behind https. Others than those who
// only read have shown what they sent already, and are to notice.
func toHTTPS(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "use https", http.StatusBadRequest)
		return
	}
	there := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if port := there.Port(); port != "" {
		there.Host = strings.TrimSuffix(there.Host, ":"+port)
	}
	http.Redirect(w, r, there.String(), http.StatusMovedPermanently)
}

// scheme is that of the server's URL.
func (e encryption) scheme() string {
	if e.config == nil {
		return "http"
	}
	return "https"
}
