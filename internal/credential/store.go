package credential

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/netrc"
)

// An Entry is what is shown below a URL: one of a password, a netrc file, a key, a
// GitHub App and a helper.
type Entry struct {
	Name string // for people
	URL  string // https://git.example.com/team

	Username, Password         string
	Netrc                      string // file
	SSHKeyFile, KnownHostsFile string
	GitHub                     *GitHubApp
	Helper                     string // as git's credential.helper
}

// Options are the entries and what they need.
type Options struct {
	Entries []Entry
	Netrc   string       // file for hosts that no entry is for; empty: none
	Client  *http.Client // to reach the GitHub API; nil: the default one
}

// Store is a set of credentials. It is safe for concurrent use.
type Store struct {
	holders []holder
	netrc   string // contents
}

// A holder is an Entry that is ready to be asked.
type holder struct {
	scheme, host, path string
	find               func(context.Context, *url.URL) (Credential, bool, error)
}

// New reads the files of all entries.
func New(o Options) (*Store, error) {
	s := &Store{}
	var errs []error
	for _, e := range o.Entries {
		h, err := e.holder(o.Client)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Name, err))
		}
		s.holders = append(s.holders, h)
	}
	if o.Netrc != "" {
		data, err := os.ReadFile(o.Netrc)
		errs = append(errs, err)
		s.netrc = string(data)
	}
	return s, errors.Join(errs...)
}

func (e Entry) holder(client *http.Client) (holder, error) {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "":
		return holder{}, errors.New("the URL is none")
	case u.Scheme != "https" && u.Scheme != "ssh":
		return holder{}, errors.New("credentials are shown over https and ssh only")
	}
	h := holder{scheme: u.Scheme, host: egress.HostPort(u), path: strings.Trim(u.Path, "/")}
	h.find, err = e.finder(client)
	return h, err
}

// finder is how the entry is asked.
func (e Entry) finder(client *http.Client) (func(context.Context, *url.URL) (Credential, bool, error), error) {
	always := Credential{Name: e.Name, Username: e.Username, Password: e.Password, SSHKeyFile: e.SSHKeyFile, KnownHostsFile: e.KnownHostsFile}
	switch {
	case e.GitHub != nil:
		app, err := newApp(e.Name, *e.GitHub, client)
		if err != nil {
			return nil, err
		}
		return app.find, nil
	case e.Helper != "":
		return helper{name: e.Name, program: e.Helper}.find, nil
	case e.Netrc != "":
		data, err := os.ReadFile(e.Netrc)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, u *url.URL) (Credential, bool, error) {
			c, ok := fromNetrc(e.Name, string(data), u)
			return c, ok, nil
		}, nil
	case e.SSHKeyFile != "":
		if _, err := os.Stat(e.SSHKeyFile); err != nil {
			return nil, err
		}
		if _, err := os.Stat(e.KnownHostsFile); err != nil {
			return nil, err
		}
	}
	return func(context.Context, *url.URL) (Credential, bool, error) { return always, true, nil }, nil
}

func fromNetrc(name, data string, u *url.URL) (Credential, bool) {
	login, password, ok := netrc.Find(data, u.Host)
	return Credential{Name: name, Username: login, Password: password}, ok
}

// Find implements Finder.
func (s *Store) Find(ctx context.Context, u *url.URL) (Credential, bool, error) {
	if best := s.best(u); best != nil {
		return best.find(ctx, u)
	}
	if s.netrc == "" || u.Scheme != "https" {
		return Credential{}, false, nil
	}
	c, ok := fromNetrc("netrc", s.netrc, u)
	return c, ok, nil
}

// best is the entry for a URL, or nil.
func (s *Store) best(u *url.URL) (best *holder) {
	for i := range s.holders {
		h := &s.holders[i]
		if h.fits(u) && (best == nil || len(h.path) > len(best.path)) {
			best = h
		}
	}
	return best
}

// NetrcHosts are the hosts of the netrc file that are looked up there, each once: no entry
// is for the whole of them.
func (s *Store) NetrcHosts() []*url.URL {
	var hosts []*url.URL
	known := map[string]bool{}
	for host := range netrc.Hosts(s.netrc) {
		u := &url.URL{Scheme: "https", Host: host}
		if !known[host] && s.best(u) == nil {
			hosts = append(hosts, u)
		}
		known[host] = true
	}
	return hosts
}

func (h *holder) fits(u *url.URL) bool {
	if h.scheme != u.Scheme || h.host != egress.HostPort(u) {
		return false
	}
	rest, ok := strings.CutPrefix(strings.Trim(u.Path, "/"), h.path)
	return ok && (rest == "" || h.path == "" || rest[0] == '/' || rest == ".git")
}
