package direct

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

// A repository is where the code of a module is.
type repository struct {
	goImport
	location *url.URL // what goImport.url says
	known    bool     // the go command finds it without a go-import tag
}

// hostport returns where the repository is served.
func (r repository) hostport() string { return hostport(r.location) }

func hostport(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

var defaultPorts = map[string]string{"https": "443", "http": "80", "ssh": "22"}

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
func fromPath(mod string) (repository, bool, error) {
	elems := strings.Split(mod, "/")
	for _, h := range codeHosts {
		if !within(mod, h.prefix) {
			continue
		}
		if len(elems) < h.elements {
			return repository{}, false, artifact.NotFound("%s cannot be a module: repositories of its host lie deeper", mod)
		}
		root := strings.Join(elems[:h.elements], "/")
		return repository{goImport: goImport{prefix: root, vcs: h.vcs, url: "https://" + root}, location: onHost(root), known: true}, true, nil
	}
	for i, elem := range elems[1:] {
		ending := path.Ext(elem)
		if ending == "" || !slices.Contains(systems, ending[1:]) {
			continue
		}
		root := strings.Join(elems[:i+2], "/")
		bare := strings.TrimSuffix(root, ending)
		return repository{goImport: goImport{prefix: root, vcs: ending[1:], url: "https://" + bare}, location: onHost(bare), known: true}, true, nil
	}
	return repository{}, false, nil
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

// refusal returns the error for what is not done for the sake of safety.
func refusal(format string, args ...any) error {
	return &artifact.Error{Class: artifact.ErrForbidden, Reason: artifact.Clean(fmt.Sprintf(format, args...), 300)}
}

// checkRepository refuses a repository that may not be fetched.
func (s *Source) checkRepository(r repository) error {
	if r.vcs != "mod" && !slices.Contains(s.o.VCS, r.vcs) {
		return refusal("%s is kept in %s, which the setting direct.vcs does not allow", r.prefix, r.vcs)
	}
	u := r.location
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err != nil && !egress.IsHostName(host) {
		return refusal("%s: the address of its repository has no valid host", r.prefix)
	}
	_, password := u.User.Password()
	if password || u.User != nil && u.Scheme != "ssh" || strings.HasPrefix(u.User.Username(), "-") {
		return refusal("%s: the address of its repository has a user or password that does not belong there", r.prefix)
	}
	if u.Scheme == "https" || u.Scheme == "ssh" && r.vcs == "git" || u.Scheme == "http" && s.allowsPlain(u) {
		return nil
	}
	return refusal("%s: the address of its repository has the scheme %q; only https is fetched, and ssh for git", r.prefix, u.Scheme)
}

// allowsPlain reports whether the operator allows http with the host of a URL.
func (s *Source) allowsPlain(u *url.URL) bool {
	_, text, _ := net.SplitHostPort(hostport(u))
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && s.o.Guard.AllowsPlain(u.Hostname(), uint16(port))
}
