// Package origin asks the hosts of modules: where the repository of a module is, and what
// a module proxy has that stands in its place.
//
// A [Client] asks as the go command would, and takes the same answers. It promises that
//
//   - it asks by https, and follows redirects within bounds and to https only, unless the
//     operator allows plain http with a host;
//   - each single request shows the credential for the place it goes to and no other,
//     and nothing of where it comes from;
//   - a repository that is found may be fetched: its version control is allowed, its
//     scheme is https, or ssh for git, and its host is a name or an address that a
//     command takes for nothing else;
//   - what a module proxy sends is bounded, and states what must hold of it;
//   - only proven absence is ErrNotFound: what the path of a module says, or the honest
//     answer of its host. All else is trouble.
//
// It refuses modules whose host is an address or this machine. Which addresses may be
// connected to is up to the transport it is given. It runs no command and remembers
// nothing.
package origin

import (
	"context"
	"net/http"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
)

// Options are what a Client needs.
type Options struct {
	Transport   http.RoundTripper // which makes connections that may be made
	Guard       *egress.Guard     // with which hosts plain http is allowed
	VCS         []string          // the version control systems that are allowed
	Credentials credential.Finder // nil: none
	UserAgent   string
	Timeout     time.Duration // for an artifact of a module proxy
}

// A Client asks hosts. It is safe for concurrent use.
type Client struct {
	o    Options
	http *http.Client
}

// New returns a Client.
func New(o Options) *Client {
	c := &Client{o: o}
	c.http = &http.Client{Transport: signer{&c.o}, CheckRedirect: c.checkRedirect}
	return c
}

// Probe asks the host of a repository what version control would ask first, and says
// why there is no good answer; nil: there is.
func (c *Client) Probe(ctx context.Context, r Repository) error {
	path, query := "info/refs", "service=git-upload-pack"
	if r.VCS == "hg" {
		path, query = "", "cmd=capabilities"
	}
	u := *r.Location.JoinPath(path)
	u.RawQuery = query
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	resp, err := c.get(ctx, &u)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusGone:
		return artifact.NotFound("%s has no repository for %s", u.Hostname(), r.Prefix)
	case http.StatusUnauthorized, http.StatusForbidden:
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "the repository of " + r.Prefix + " is not for everybody", Hint: credential.Hint(u.Hostname())}
	}
	return artifact.FromStatus(u.Hostname(), resp.StatusCode, "", 0)
}
