package origin

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/egress"
)

// A Repository is where the code of a module is.
type Repository struct {
	Prefix   string   // the path at which modules of the repository begin
	VCS      string   // git, for example, or "mod", where a module proxy has them
	Location *url.URL // where it is served
	tag      goImport // what the host says; of it the url alone where nobody was asked
	known    bool     // the go command finds it without a go-import tag
}

// Key returns what tells the repository from all others.
func (r Repository) Key() string { return r.VCS + " " + r.tag.url }

// Page returns a page from which the go command learns of the repository and nothing
// else; nil: it knows without.
func (r Repository) Page() []byte {
	if r.known {
		return nil
	}
	return r.tag.page()
}

// HostPort returns where the repository is served.
func (r Repository) HostPort() string { return egress.HostPort(r.Location) }

// codeHosts are those whose repositories the go command tells from the path
// alone: so many elements of it.
//
// Source: cmd/go/internal/vcs/vcs.go, vcsPaths.
var codeHosts = []struct {
	prefix   string
	elements int
	vcs      string
}{
	{"github.com", 3, "git"},
	{"bitbucket.org", 3, "git"},
	{"hub.jazz.net/git", 4, "git"},
	{"git.apache.org", 2, "git"},
	{"git.openstack.org", 3, "git"},
	{"chiselapp.com", 5, "fossil"},
}

// systems are all that the go command can deal with.
var systems = []string{"bzr", "fossil", "git", "hg", "svn"}

// fromPath returns the repository that the go command tells from the path of a
// module alone; false: it would ask the host.
func fromPath(mod string) (Repository, bool, error) {
	elems := strings.Split(mod, "/")
	for _, h := range codeHosts {
		if !within(mod, h.prefix) {
			continue
		}
		if len(elems) < h.elements {
			return Repository{}, false, artifact.NotFound("%s cannot be a module: repositories of its host lie deeper", mod)
		}
		root := strings.Join(elems[:h.elements], "/")
		return knownRepository(root, h.vcs, root), true, nil
	}
	for i, elem := range elems[1:] {
		ending := path.Ext(elem)
		if ending == "" || !slices.Contains(systems, ending[1:]) {
			continue
		}
		root := strings.Join(elems[:i+2], "/")
		return knownRepository(root, ending[1:], strings.TrimSuffix(root, ending)), true, nil
	}
	return Repository{}, false, nil
}

// knownRepository returns a repository that is served at a path that begins with a host.
func knownRepository(prefix, vcs, hostPath string) Repository {
	return Repository{Prefix: prefix, VCS: vcs, Location: onHost(hostPath), tag: goImport{url: "https://" + hostPath}, known: true}
}

// onHost returns the URL of a path that begins with a host.
func onHost(hostPath string) *url.URL {
	host, rest, _ := strings.Cut(hostPath, "/")
	return &url.URL{Scheme: "https", Host: host, Path: "/" + rest}
}

// checkHost refuses modules whose host is this machine or an address: the go
// command would not take our proxy when it asks there.
func checkHost(mod string) error {
	host, _, _ := strings.Cut(mod, "/")
	_, err := netip.ParseAddr(host)
	if err == nil || strings.HasPrefix(host, "localhost.") || strings.HasSuffix(host, ".localhost") {
		return refusal("%s: modules are not fetched from an address in place of a host name, nor from this machine", mod)
	}
	return nil
}

// maxReason bounds what is shown of the words of others, in bytes.
const maxReason = 300

// refusal returns the error for what is not done for the sake of safety.
func refusal(format string, args ...any) error {
	return &artifact.Error{Class: artifact.ErrForbidden, Reason: artifact.Clean(fmt.Sprintf(format, args...), maxReason)}
}

// check refuses a repository that may not be fetched.
func (c *Client) check(r Repository) error {
	if r.VCS != "mod" && !slices.Contains(c.o.VCS, r.VCS) {
		return refusal("%s is kept in %s, which the setting direct.vcs does not allow", r.Prefix, r.VCS)
	}
	u := r.Location
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err != nil && !egress.IsHostName(host) {
		return refusal("%s: the address of its repository has no valid host", r.Prefix)
	}
	_, password := u.User.Password()
	if password || u.User != nil && u.Scheme != "ssh" || strings.HasPrefix(u.User.Username(), "-") {
		return refusal("%s: the address of its repository has a user or password that does not belong there", r.Prefix)
	}
	if u.Scheme == "https" || u.Scheme == "ssh" && r.VCS == "git" || u.Scheme == "http" && c.allowsPlain(u) {
		return nil
	}
	return refusal("%s: the address of its repository has the scheme %q; only https is fetched, and ssh for git", r.Prefix, u.Scheme)
}

// allowsPlain reports whether the operator allows http with the host of a URL.
func (c *Client) allowsPlain(u *url.URL) bool {
	_, text, _ := net.SplitHostPort(egress.HostPort(u))
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && c.o.Guard.AllowsPlain(u.Hostname(), uint16(port))
}
