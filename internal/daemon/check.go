package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/goweir/weir/internal/certificate"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/source/direct/cage"
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
	_, guardErr := egress.NewGuard(cfg.Direct.AllowHosts)
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
	guard, err := egress.NewGuard(cfg.Direct.AllowHosts)
	if err != nil {
		return nil, fmt.Errorf("direct.allow_hosts: %w", err)
	}
	p := prober{credentials: credentials, client: http.DefaultClient, dialer: egress.Dialer{Guard: guard}}
	if cfg.Direct.CAFile != "" {
		if p.client, err = trusting(cfg.Direct.CAFile); err != nil {
			return nil, err
		}
	}
	var findings []Finding
	for _, name := range slices.Sorted(maps.Keys(cfg.Credentials)) {
		f := Finding{Name: name, URL: cfg.Credentials[name].URL}
		f.Err = p.probe(ctx, f.URL)
		findings = append(findings, f)
	}
	return findings, nil
}

// A prober shows credentials to their hosts.
type prober struct {
	credentials credential.Finder
	client      *http.Client
	dialer      egress.Dialer // for ssh
}

func (p prober) probe(ctx context.Context, rawURL string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	c, ok, err := p.credentials.Find(ctx, u)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("nothing is found for the host; look at the file or the program that it comes from")
	case c.SSH() && u.Scheme == "ssh":
		return cage.TrySSH(ctx, p.dialer, u, c)
	case c.SSH(): // its repositories are fetched by ssh
		return cage.TrySSH(ctx, p.dialer, &url.URL{Scheme: "ssh", Host: u.Hostname()}, c)
	}
	return p.probeWeb(ctx, u, c)
}

// probeWeb shows a name and a password.
func (p prober) probeWeb(ctx context.Context, u *url.URL, c credential.Credential) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.Username, c.Password)
	own := *p.client
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
