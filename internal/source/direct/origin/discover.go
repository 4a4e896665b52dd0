package origin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
)

// The bounds of asking a host about a module.
const (
	pageTimeout = 30 * time.Second
	maxPage     = 1 << 20
)

// Find finds out where the code of a module is, and whether it may be fetched, as the
// go command does.
//
// Source: cmd/go/internal/vcs/vcs.go, RepoRootForImportPath.
func (c *Client) Find(ctx context.Context, mod string) (Repository, error) {
	r, err := c.discover(ctx, mod)
	if err == nil {
		err = c.check(r)
	}
	if err != nil {
		return Repository{}, err
	}
	return r, nil
}

func (c *Client) discover(ctx context.Context, mod string) (Repository, error) {
	if err := checkHost(mod); err != nil {
		return Repository{}, err
	}
	if r, ok, err := fromPath(mod); ok || err != nil {
		return r, err
	}
	tag, err := c.askHost(ctx, mod)
	if err != nil {
		return Repository{}, err
	}
	if tag.prefix != mod { // whoever has a page below a path must not speak for all of it
		if root, err := c.askHostForRoot(ctx, tag.prefix, mod); err != nil || root != tag {
			return Repository{}, orNotFound(err, "the pages of %s and %s disagree about its go-import tag", mod, tag.prefix)
		}
	}
	location, err := url.Parse(tag.url)
	if err != nil || location.Scheme == "" {
		return Repository{}, artifact.NotFound("the go-import tag of %s has no valid repository address", tag.prefix)
	}
	if strings.HasPrefix(tag.subdir, "/") || strings.HasPrefix(tag.subdir, "-") {
		return Repository{}, artifact.NotFound("the go-import tag of %s has no valid subdirectory", tag.prefix)
	}
	return Repository{Prefix: tag.prefix, VCS: tag.vcs, Location: location, tag: tag}, nil
}

// askHost returns the go-import tag that the host of a module has for it.
func (c *Client) askHost(ctx context.Context, mod string) (goImport, error) {
	return c.askHostForRoot(ctx, mod, mod)
}

// askHostForRoot returns the tag for a module on the page of a path above it.
func (c *Client) askHostForRoot(ctx context.Context, root, mod string) (goImport, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	u := onHost(root)
	u.RawQuery = "go-get=1"
	resp, err := c.get(ctx, u)
	if err != nil {
		return goImport{}, err
	}
	defer resp.Body.Close()
	tags, err := parseGoImports(io.LimitReader(resp.Body, maxPage))
	if len(tags) == 0 {
		return goImport{}, withoutTags(ctx, root, resp, err)
	}
	tag, err := chooseGoImport(tags, mod)
	if err != nil {
		return goImport{}, artifact.NotFound("the page of %s %s", root, err)
	}
	return tag, nil
}

// withoutTags returns what a page without go-import tags means: only an honest
// answer of the host proves that there is no module.
func withoutTags(ctx context.Context, root string, resp *http.Response, err error) error {
	host, _, _ := strings.Cut(root, "/")
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return &artifact.Error{
			Class:  artifact.ErrBadUpstream,
			Reason: fmt.Sprintf("%s answered %d when asked where %s is", host, resp.StatusCode, root),
			Hint:   credential.Hint(host),
		}
	case resp.StatusCode != http.StatusOK:
		return artifact.FromStatus(host, resp.StatusCode, "", 0)
	case ctx.Err() != nil:
		return artifact.FromTransport(host, ctx.Err())
	case isTransport(err):
		return artifact.FromTransport(host, err)
	}
	return artifact.NotFound("the page of %s has no go-import tag", root)
}

// orNotFound is err, or ErrNotFound where that is nil.
func orNotFound(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return artifact.NotFound(format, args...)
}
