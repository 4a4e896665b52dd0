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
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/source/direct"
	"github.com/goweir/weir/internal/source/direct/cage"
)

// A Finding is how one of the credentials for version control fares at its host.
type Finding struct {
	Key, URL string // credentials.our-team, or direct.netrc; and where it was shown
	Accepted bool   // the host has let in who showed it, and nobody else
	Err      error  // it was refused, or could not be shown; nil with Accepted false: the host answers all alike
}

// probeTimeout is how long one of the credentials is tried.
const probeTimeout = 20 * time.Second

// Probe shows each of the credentials to its host, as the server would, and says what came
// of it.
func Probe(ctx context.Context, cfg *config.Config) ([]Finding, error) {
	credentials, err := newCredentials(cfg)
	if err != nil {
		return nil, err
	}
	p, err := newProber(cfg.Direct, credentials)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, name := range slices.Sorted(maps.Keys(cfg.Credentials)) {
		findings = append(findings, p.probe(ctx, "credentials."+name, cfg.Credentials[name].URL))
	}
	for _, host := range credentials.NetrcHosts() {
		findings = append(findings, p.probe(ctx, "direct.netrc", host.String()))
	}
	return findings, nil
}

// A prober shows credentials to their hosts, by the way that the server takes.
type prober struct {
	credentials credential.Finder
	client      *http.Client
	dialer      egress.Dialer
}

func newProber(c config.Direct, credentials credential.Finder) (*prober, error) {
	guard, err := egress.NewGuard(c.AllowHosts)
	if err != nil {
		return nil, fmt.Errorf("direct.allow_hosts: %w", err)
	}
	p := &prober{credentials: credentials, dialer: egress.Dialer{Guard: guard, Proxy: wayOut(c.Proxy)}}
	transport, err := direct.NewTransport(p.dialer, c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("direct.ca_file: %w", err)
	}
	p.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p, nil
}

func (p *prober) probe(ctx context.Context, key, rawURL string) Finding {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	accepted, err := p.show(ctx, rawURL)
	if e, ok := errors.AsType[*artifact.Error](err); ok && e.Hint != "" {
		err = fmt.Errorf("%w; %s", err, e.Hint)
	}
	return Finding{Key: key, URL: rawURL, Accepted: accepted, Err: err}
}

// show shows what there is for a URL, and says whether that is accepted.
func (p *prober) show(ctx context.Context, rawURL string) (accepted bool, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false, err
	}
	c, ok, err := p.credentials.Find(ctx, u)
	switch {
	case err != nil:
		return false, err
	case !ok:
		return false, errors.New("nothing is found for the host; look at the file or the program that it comes from")
	case !c.SSH():
		return p.showWeb(ctx, u, c)
	}
	if u.Scheme != "ssh" { // its repositories are fetched by ssh
		u = &url.URL{Scheme: "ssh", Host: u.Hostname()}
	}
	err = cage.TrySSH(ctx, p.dialer, u, c)
	return err == nil, err
}

// showWeb asks for repositories with a name and a password, and without. Most hosts hide
// what one may not see, be it there or not, so that it takes both to tell.
func (p *prober) showWeb(ctx context.Context, u *url.URL, c credential.Credential) (accepted bool, err error) {
	for _, repository := range repositoriesAt(u) {
		known, err := p.ask(ctx, repository, &c)
		if err != nil {
			return false, err
		}
		if isRefusal(known) {
			return false, fmt.Errorf("refused: the host answers %d %s: the user name, password or token is wrong or has expired, or may not read there", known, http.StatusText(known))
		}
		stranger, err := p.ask(ctx, repository, nil)
		if err != nil {
			return false, err
		}
		if opens(known, stranger) {
			return true, nil
		}
	}
	return false, nil
}

// noRepository is a name that hardly any repository has.
const noRepository = "weir-probe"

// repositoriesAt are those that tell who is let in below a URL: the one that it may be
// itself, and one that is not there.
func repositoriesAt(u *url.URL) []*url.URL {
	path := strings.Trim(u.Path, "/")
	if path == "" {
		return []*url.URL{u.JoinPath(noRepository, noRepository+".git")}
	}
	itself := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/" + strings.TrimSuffix(path, ".git") + ".git"}
	return []*url.URL{itself, u.JoinPath(noRepository + ".git")}
}

// ask asks for a repository as git does first, and returns the status of the answer. The
// nil credential is that of a stranger.
func (p *prober) ask(ctx context.Context, repository *url.URL, c *credential.Credential) (status int, err error) {
	u := repository.JoinPath("info/refs")
	u.RawQuery = "service=git-upload-pack"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	if c != nil {
		req.SetBasicAuth(c.User(), c.Password)
	}
	resp, err := p.client.Do(req)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return 0, fmt.Errorf("%w; if its authority is your own, name it in direct.ca_file", err)
	}
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
		return 0, fmt.Errorf("the host answers %s; try again later", resp.Status)
	}
	return resp.StatusCode, nil
}

func isRefusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// opens reports whether a credential makes the difference between two answers to one
// question.
func opens(known, stranger int) bool {
	if isRefusal(stranger) {
		return known == http.StatusOK || known == http.StatusNotFound
	}
	return known == http.StatusOK && stranger != http.StatusOK
}
