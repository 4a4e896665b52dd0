package daemon

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/source/direct"
)

// versionControl is where modules come from that no upstream has. It lives as long
// as the server, since its clones do, and begins with the first module that it is
// asked for, if not before. Credentials change with a reload.
type versionControl struct {
	options     direct.Options
	credentials atomic.Pointer[credential.Store]
	failed      func(error) // hears each time why it cannot begin

	turn   chan struct{} // held by whoever looks at what follows
	source *direct.Source
	err    error     // why there is none
	again  time.Time // when to try again
	closed bool
}

// reopenAfter is when it is tried again to begin, so that trouble which is over, such
// as a disk that was full, needs nobody to start the server again.
const reopenAfter = 10 * time.Second

// newVersionControl returns nil, and why, when this machine cannot read version
// control at all.
func newVersionControl(cfg *config.Config, guard *egress.Guard) (v *versionControl, why string) {
	if why := missing(cfg); why != "" {
		return nil, why
	}
	c := cfg.Direct
	v = &versionControl{turn: make(chan struct{}, 1), options: direct.Options{
		Dir: filepath.Join(cfg.Data, "direct"), Go: c.Go, VCS: c.VCS, CAFile: c.CAFile, Guard: guard, Proxy: wayOut(c.Proxy),
		MaxProcesses: c.MaxProcesses, MaxDisk: int64(c.FetchSize), CacheSize: int64(c.CacheSize), Timeout: time.Duration(c.Timeout),
		// Each has one of the places for all fetches meanwhile. Half of them are for
		// upstreams, whatever hosts of repositories do.
		MaxFetches: max(1, cfg.Cache.MaxFills/2),
	}}
	v.options.Credentials = v
	return v, ""
}

// missing says which program this machine lacks to read version control, if it does.
func missing(cfg *config.Config) string {
	for _, program := range []string{cmp.Or(cfg.Direct.Go, "go"), "git"} {
		if _, err := exec.LookPath(program); err != nil {
			return "the server has no " + program + " command"
		}
	}
	return ""
}

// needsDirect reports whether there are modules that come from version control and
// from nowhere else.
func needsDirect(cfg *config.Config) bool {
	return len(cfg.Private) > 0 || slices.ContainsFunc(cfg.Routes, func(r config.Route) bool {
		return r.Private && slices.ContainsFunc(config.ParseUpstreams(r.Upstream), func(e config.Entry) bool { return e.Text == "direct" })
	})
}

// wayOut is the HTTP proxy on the way to version control, by the setting.
func wayOut(proxy config.Secret) func(*url.URL) (*url.URL, error) {
	switch proxy {
	case "":
		return func(u *url.URL) (*url.URL, error) { return http.ProxyFromEnvironment(&http.Request{URL: u}) }
	case config.ProxyOff:
		return nil
	}
	fixed, err := url.Parse(proxy.Reveal())
	return func(*url.URL) (*url.URL, error) { return fixed, err }
}

// openDirect makes version control ready, where the machine can read it.
func (d *daemon) openDirect(cfg *config.Config) error {
	credentials, err := newCredentials(cfg)
	if err != nil {
		return err
	}
	guard, err := egress.NewGuard(cfg.Direct.AllowHosts)
	if err != nil {
		return fmt.Errorf("direct.allow_hosts: %w", err)
	}
	if d.vcs, d.noVCS = newVersionControl(cfg, guard); d.vcs == nil {
		return nil
	}
	d.vcs.failed = func(err error) { d.log.Error("version control cannot be read", "error", err) }
	d.vcs.use(credentials)
	return nil
}

// beginDirect begins with version control where it is sure to be needed, so that those
// who run the server hear of trouble now and not from the first who asks.
func (d *daemon) beginDirect(cfg *config.Config) {
	switch {
	case !needsDirect(cfg):
	case d.vcs == nil:
		d.log.Warn(cannotFetchPrivate(d.noVCS))
	default:
		go d.vcs.open(context.Background()) // which says what is wrong; close waits for it
	}
}

// use takes other credentials.
func (v *versionControl) use(s *credential.Store) {
	if v != nil {
		v.credentials.Store(s)
	}
}

// newCredentials reads the credentials for version control.
func newCredentials(cfg *config.Config) (*credential.Store, error) {
	o := credential.Options{Netrc: cfg.Direct.Netrc}
	for _, name := range slices.Sorted(maps.Keys(cfg.Credentials)) {
		c := cfg.Credentials[name]
		e := credential.Entry{
			Name: name, URL: c.URL, Username: c.Username, Password: c.Password.Reveal(), Netrc: c.Netrc,
			SSHKeyFile: c.SSHKeyFile, KnownHostsFile: c.KnownHostsFile, Helper: c.Helper,
		}
		if c.GitHubApp != 0 {
			e.GitHub = &credential.GitHubApp{App: c.GitHubApp, Installation: c.GitHubInstallation, Key: c.GitHubKey.Reveal(), API: c.GitHubAPI}
		}
		o.Entries = append(o.Entries, e)
	}
	var err error
	if o.Client, err = apiClient(cfg.Direct); err != nil {
		return nil, fmt.Errorf("direct.ca_file: %w", err)
	}
	s, err := credential.New(o)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return s, nil
}

// apiClient reaches the API of GitHub, which the operator has named, by the same way out
// as repositories.
func apiClient(c config.Direct) (*http.Client, error) {
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	if c.CAFile != "" {
		var err error
		if client, err = trusting(c.CAFile); err != nil {
			return nil, err
		}
	}
	transport := client.Transport.(*http.Transport)
	transport.Proxy = nil
	if way := wayOut(c.Proxy); way != nil {
		transport.Proxy = func(r *http.Request) (*url.URL, error) { return way(r.URL) }
	}
	return client, nil
}

// Find implements credential.Finder.
func (v *versionControl) Find(ctx context.Context, u *url.URL) (credential.Credential, bool, error) {
	return v.credentials.Load().Find(ctx, u)
}

// Fetch implements source.Source.
func (v *versionControl) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	s, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Fetch(ctx, n)
}

// open returns what version control is read with, and begins if need be.
func (v *versionControl) open(ctx context.Context) (*direct.Source, error) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if v.source == nil && !v.closed && !time.Now().Before(v.again) {
		v.begin()
	}
	if v.source != nil {
		return v.source, nil
	}
	return nil, &artifact.Error{
		Class: artifact.ErrUnavailable, RetryAfter: reopenAfter, Err: v.err,
		Reason: "version control cannot be read here",
		Hint:   "those who run this proxy find the reason in its log",
	}
}

// begin tries to begin; the turn is held.
func (v *versionControl) begin() {
	if v.source, v.err = direct.New(v.options); v.err != nil {
		v.again = time.Now().Add(reopenAfter)
		v.failed(v.err)
	}
}

// close ends what is under way. Nothing is asked any more.
func (v *versionControl) close() error {
	if v == nil {
		return nil
	}
	v.turn <- struct{}{} // held by others only while they begin, which has a bound
	defer func() { <-v.turn }()
	v.closed = true
	if v.source == nil {
		return nil
	}
	return v.source.Close()
}
