package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/goweir/weir/internal/certificate"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/source/direct"
)

// Check says what would keep a server with a configuration from starting besides
// what config.Load finds: files that are missing or damaged, rules that contradict
// themselves. It opens no connection.
func Check(cfg *config.Config) error {
	rules, err := newRules(cfg, nil)
	if err == nil {
		rules.auth.Close()
	}
	_, credentialsErr := newCredentials(cfg)
	_, guardErr := direct.NewGuard(cfg.Direct.AllowHosts)
	if guardErr != nil {
		guardErr = fmt.Errorf("direct.allow_hosts: %w", guardErr)
	}
	return errors.Join(err, credentialsErr, guardErr, checkCertificates(cfg))
}

func checkCertificates(cfg *config.Config) error {
	if cfg.TLS.CertFile == "" {
		return nil
	}
	_, err := certificate.LoadFiles(certificate.Paths{
		Pairs: []certificate.Pair{{Certificate: cfg.TLS.CertFile, Key: cfg.TLS.KeyFile}}, ClientCAs: cfg.TLS.ClientCAFile,
	})
	return err
}

// A Finding is how one of the credentials for version control fares at its host.
type Finding struct {
	Name, URL string
	Err       error // nil: it was not refused
}

// probeTimeout is how long one of the credentials is tried.
const probeTimeout = 20 * time.Second

// Probe shows each of the credentials to its host, once, and says what came of it.
func Probe(ctx context.Context, cfg *config.Config) ([]Finding, error) {
	credentials, err := newCredentials(cfg)
	if err != nil {
		return nil, err
	}
	client := http.DefaultClient
	if cfg.Direct.CAFile != "" {
		if client, err = trusting(cfg.Direct.CAFile); err != nil {
			return nil, err
		}
	}
	var findings []Finding
	for _, name := range slices.Sorted(maps.Keys(cfg.Credentials)) {
		f := Finding{Name: name, URL: cfg.Credentials[name].URL}
		f.Err = probe(ctx, client, credentials, f.URL)
		findings = append(findings, f)
	}
	return findings, nil
}

func probe(ctx context.Context, client *http.Client, credentials direct.Credentials, rawURL string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	c, ok, err := credentials.Find(ctx, u)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("nothing is found for the host; look at the file or the program that it comes from")
	case u.Scheme == "ssh":
		return probeTCP(ctx, u)
	}
	return probeWeb(ctx, client, u, c)
}

// probeTCP says whether a host can be reached. The key is tried with the first
// repository.
func probeTCP(ctx context.Context, u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = "22"
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// probeWeb shows a name and a password.
func probeWeb(ctx context.Context, client *http.Client, u *url.URL, c direct.Credential) error {
	if c.SSH() {
		return probeTCP(ctx, &url.URL{Scheme: "ssh", Host: u.Hostname()})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.Username, c.Password)
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := own.Do(req)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w; if its authority is your own, name it in direct.ca_file", err)
	}
	if err != nil {
		return err
	}
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the host answers %s: the user name, password or token is wrong or has expired, or may not read there", resp.Status)
	}
	return nil
}
