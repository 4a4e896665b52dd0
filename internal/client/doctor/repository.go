package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/command"
)

// versionControlChecks are those of what version control needs, where it is used.
func (m *machine) versionControlChecks() []*Check {
	if !m.usesVersionControl() {
		return nil
	}
	git := &Check{ID: "vcs-git", Run: m.checkGit}
	checks := []*Check{git}
	for _, path := range m.inVersionControl() {
		checks = append(checks, &Check{ID: "vcs-repository", Subject: path, After: []*Check{git}, Run: func(ctx context.Context) Result {
			_, result := m.repository(ctx, path, "")
			return result
		}})
	}
	return checks
}

// inVersionControl are modules that come from version control, one from each host.
func (m *machine) inVersionControl() []string {
	if m.proxyValue() == "direct" {
		return []string{m.probe.Path}
	}
	var paths []string
	const enough = 3
	hosts := map[string]bool{}
	for _, r := range m.folder.requirements() {
		host, _, _ := strings.Cut(r.Path, "/")
		if !m.isPrivate(r.Path) || hosts[host] || len(hosts) == enough || r.Path == m.Target.Path {
			continue
		}
		hosts[host] = true
		paths = append(paths, r.Path)
	}
	return paths
}

// usesVersionControl reports whether some modules come from version control.
func (m *machine) usesVersionControl() bool {
	for _, p := range m.proxies {
		if p.Direct {
			return true
		}
	}
	return m.needsVersionControl()
}

// needsVersionControl reports whether nothing else has some modules.
func (m *machine) needsVersionControl() bool {
	private := m.patterns("GONOPROXY")
	return m.proxyValue() == "direct" || private != "" && private != "none"
}

func (m *machine) checkGit(ctx context.Context) Result {
	if _, err := exec.LookPath("git"); err != nil {
		if m.needsVersionControl() {
			return gitMissing()
		}
		return well("there is none", "modules that no proxy has could not be fetched without it")
	}
	for _, name := range []string{"http.sslCAInfo", "http.sslCAPath"} {
		if file := m.gitConfig(ctx, "--get", name); file != "" {
			if _, err := os.Stat(file); err != nil {
				return bad("git-ca-missing", fmt.Sprintf("%s of git names %s, which cannot be read", name, file), "correct it or take it away", byHand("git config --global --unset "+name))
			}
		}
	}
	rewrites := m.gitConfig(ctx, "--get-regexp", `^url\..*\.insteadof$`)
	if _, err := exec.LookPath("ssh"); err != nil && m.Getenv("GIT_SSH_COMMAND") == "" && (strings.Contains(rewrites, "url.ssh://") || strings.Contains(rewrites, "url.git@")) {
		return bad("ssh-missing", "git is told to use ssh (insteadOf), and there is no ssh in PATH", "install it (openssh-client), or have git use https")
	}
	out, _, err := command.Run(ctx, command.Command{Path: "git", Args: []string{"--version"}})
	if err != nil {
		return bad("git-broken", "git does not run", "install it anew", byHand("git --version"))
	}
	return well(artifact.Clean(out, 80))
}

func gitMissing() Result {
	return bad("git-missing", "there is no git in PATH, and some modules come from version control only", "install git, or have a proxy bring them")
}

// gitConfig asks git for its settings. Nothing is what it says of what is not set.
func (m *machine) gitConfig(ctx context.Context, args ...string) string {
	out, _, err := command.Run(ctx, command.Command{Path: "git", Args: append([]string{"config"}, args...), Dir: m.Dir})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// A place is where the code of a module is.
type place struct{ prefix, vcs, url, subdir string }

// known are the hosts whose paths say where the repository is.
//
// Source: cmd/go/internal/vcs/vcs.go, vcsPaths.
var known = regexp.MustCompile(`^((?:github\.com|bitbucket\.org)/[^/]+/[^/]+)(?:/|$)`)

// withSuffix is a path that says where the repository is by its name.
var withSuffix = regexp.MustCompile(`^((?:[a-z0-9.-]+\.)+[a-z0-9.-]+(?::[0-9]+)?(?:/~?[A-Za-z0-9_.-]+)+?\.(bzr|fossil|git|hg|svn))(?:/|$)`)

// repository follows the way to the repository of a module, and to a version there if
// one is named.
func (m *machine) repository(ctx context.Context, path, version string) ([]Hop, Result) {
	at, hops, r := m.discover(ctx, path)
	if r.State == Bad {
		return hops, r
	}
	if at.vcs == "mod" {
		return hops, well("its host says that it is at the proxy " + redactedURL(at.url))
	}
	rules, err := parseVCS(m.env.Value("GOVCS"))
	private := module.MatchPrefixPatterns(m.env.Value("GOPRIVATE"), at.prefix)
	if err != nil || !rules.allows(at.prefix, private, at.vcs) {
		r := bad("govcs-forbids", fmt.Sprintf("%s forbids %s for %s", m.from("GOVCS"), at.vcs, at.prefix), "allow it", m.set("GOVCS", strings.TrimSuffix(at.prefix+":"+at.vcs+","+m.env.Value("GOVCS"), ",")))
		return append(hops, Hop{Where: at.vcs, State: Bad, Text: r.Summary}), r
	}
	if at.vcs != "git" {
		if _, err := exec.LookPath(at.vcs); err != nil {
			r := bad("vcs-missing", fmt.Sprintf("%s is in a repository of %s, which is not in PATH", path, at.vcs), "install it")
			return append(hops, Hop{Where: at.vcs, State: Bad, Text: r.Summary}), r
		}
		return hops, well("in a repository of " + at.vcs)
	}
	refs, r := m.lsRemote(ctx, at)
	hop := Hop{Where: "git", What: "ls-remote", State: r.State, Text: r.Summary}
	if r.State == OK {
		r = at.find(path, version, refs)
		hop.State, hop.Text = r.State, r.Summary
	}
	return append(hops, hop), r
}

// discover finds out where the code of a module is.
func (m *machine) discover(ctx context.Context, path string) (place, []Hop, Result) {
	if match := known.FindStringSubmatch(path); match != nil {
		return place{match[1], "git", "https://" + match[1], ""}, nil, well("")
	}
	if match := withSuffix.FindStringSubmatch(path); match != nil {
		return place{match[1], match[2], "https://" + match[1], ""}, nil, well("")
	}
	host, _, _ := strings.Cut(path, "/")
	u := &url.URL{Scheme: "https", Host: host, Path: strings.TrimPrefix(path, host), RawQuery: "go-get=1"}
	hop := Hop{Where: host, What: "go-import page"}
	at, r := m.askHost(ctx, path, u)
	hop.State, hop.Text = r.State, r.Summary
	return at, []Hop{hop}, r
}

// askHost asks the host of a module for its go-import page.
func (m *machine) askHost(ctx context.Context, path string, u *url.URL) (place, Result) {
	visitor := m.visitor
	insecure := module.MatchPrefixPatterns(m.env.Value("GOINSECURE"), path)
	if insecure {
		visitor = visit.New(visit.Options{UserAgent: m.UserAgent, Insecure: true})
		defer visitor.Close()
	}
	a := visitor.Get(ctx, visit.Request{URL: u, Max: maxPage})
	if insecure && a.Trouble != nil {
		u.Scheme = "http"
		a = visitor.Get(ctx, visit.Request{URL: u, Max: maxPage})
	}
	if a.Trouble != nil {
		return place{}, m.adviseTLS(ctx, a.Trouble, u).with("asked of it was " + u.Redacted())
	}
	for _, at := range goImports(a.Body) {
		if path == at.prefix || strings.HasPrefix(path, at.prefix+"/") {
			return at, well(fmt.Sprintf("%s at %s", at.vcs, redactedURL(at.url)))
		}
	}
	return place{}, bad("no-go-import", fmt.Sprintf("%s (status %d) has no go-import tag for %s", u.Redacted(), a.Status, path),
		"is the path right? A page that wants a login hides the tag: let it be shown to everybody, end the path of the repository in .git, or have a proxy bring the module")
}

// goImports are the go-import tags in the head of a page.
//
// Source: the Go Modules Reference, "Finding a repository for a module path".
func goImports(page []byte) []place {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var all []place
	for {
		token, err := d.RawToken()
		if err != nil {
			return all
		}
		switch e := token.(type) {
		case xml.StartElement:
			if strings.EqualFold(e.Name.Local, "body") {
				return all
			}
			if at, ok := goImport(e); ok {
				all = append(all, at)
			}
		case xml.EndElement:
			if strings.EqualFold(e.Name.Local, "head") {
				return all
			}
		}
	}
}

func goImport(e xml.StartElement) (place, bool) {
	values := map[string]string{}
	for _, a := range e.Attr {
		values[strings.ToLower(a.Name.Local)] = a.Value
	}
	words := strings.Fields(values["content"])
	if !strings.EqualFold(e.Name.Local, "meta") || values["name"] != "go-import" || len(words) < 3 || len(words) > 4 {
		return place{}, false
	}
	words = append(words, "")
	for i, word := range words {
		words[i] = artifact.Clean(word, 500)
	}
	return place{words[0], words[1], words[2], words[3]}, true
}

// find looks for the tag of a version.
func (at place) find(path, version, refs string) Result {
	if version == "" || !semver.IsValid(version) || module.IsPseudoVersion(version) {
		return well("the repository answers")
	}
	prefix, _, _ := module.SplitPathVersion(path)
	dir := strings.Trim(strings.TrimPrefix(prefix, at.prefix), "/")
	tag := strings.TrimSuffix(strings.TrimPrefix(dir+"/"+version, "/"), "+incompatible")
	for line := range strings.Lines(refs) {
		if _, ref, _ := strings.Cut(strings.TrimSpace(line), "\t"); ref == "refs/tags/"+tag {
			return well("the repository has the tag " + tag)
		}
	}
	return bad("unknown-version", fmt.Sprintf("the repository %s has no tag %s", redactedURL(at.url), tag), "push the tag, or ask for a version that exists", byHand("git ls-remote --tags "+quote(redactedURL(at.url))))
}

// lsRemote lists the tags of a repository. Nobody is asked for a password.
//
// Source: cmd/go/internal/vcs and main.go, for the environment.
func (m *machine) lsRemote(ctx context.Context, at place) (refs string, r Result) {
	if !strings.Contains(at.url, "://") || strings.HasPrefix(at.url, "-") {
		return "", bad("git-failed", "the go-import tag names no URL of a repository", "mend the page")
	}
	env := append(os.Environ(), "LC_ALL=C", "GCM_INTERACTIVE=never")
	if m.Getenv("GIT_TERMINAL_PROMPT") == "" {
		env = append(env, "GIT_TERMINAL_PROMPT=0")
	}
	if m.Getenv("GIT_SSH") == "" && m.Getenv("GIT_SSH_COMMAND") == "" {
		env = append(env, "GIT_SSH_COMMAND=ssh -o ControlMaster=no -o BatchMode=yes")
	}
	out, complaints, err := command.Run(ctx, command.Command{Path: "git", Args: []string{"ls-remote", "--tags", "-q", "--", at.url}, Dir: os.TempDir(), Env: env})
	switch {
	case err == nil:
		return out, well("the repository answers")
	case errors.Is(err, exec.ErrNotFound):
		return "", gitMissing()
	case ctx.Err() != nil:
		return "", bad("git-silent", fmt.Sprintf("git ls-remote %s does not end", redactedURL(at.url)), "something on the way may drop packets, or ask somebody for a password", byHand("git ls-remote "+quote(redactedURL(at.url))))
	}
	return "", adviseGit(redactedURL(at.url), complaints)
}

// gitTroubles are what git complains of: the first that fits counts.
var gitTroubles = []struct{ text, kind, what, hint string }{
	{"cannot run ssh", "ssh-missing", "wants ssh, which is not in PATH", "install it (openssh-client)"},
	{"Permission denied (publickey", "ssh-key", "refuses the ssh keys of this user", "load the right key (ssh-add), and add its public half to your account there"},
	{"Host key verification failed", "ssh-host-key", "is not known to ssh", "compare its key and add it: ssh-keyscan HOST >> ~/.ssh/known_hosts"},
	{"ssh: connect to host", "ssh-refused", "cannot be reached over ssh", "is the port for ssh open from here? If not, have git use https: take url.*.insteadOf away"},
	{"Could not resolve host", visit.NoSuchHost, "is at a host that DNS does not know", hints[visit.NoSuchHost]},
	{"certificate", "git-certificate", "shows a certificate that git does not trust", "git has settings of its own: name the authority in http.sslCAInfo or GIT_SSL_CAINFO"},
	{"terminal prompts disabled", "git-prompts", "wants a password, and git has none", "give git a token through a credential helper or netrc, or have it use ssh (url.*.insteadOf)"},
	{"could not read Username", "git-prompts", "wants a password, and git has none", "give git a token through a credential helper or netrc, or have it use ssh (url.*.insteadOf)"},
	{"Authentication failed", "git-denied", "refuses the password that git has", "renew the token"},
	{"error: 403", "git-denied", "refuses this user (403)", "the token may lack rights, or single sign-on"},
	{"not found", "git-not-found", "does not exist, or is hidden from this user", "check the spelling; ask for access"},
	{"Connection refused", visit.Refused, "is at a host where nothing listens", hints[visit.Refused]},
	{"timed out", visit.NoConnection, "is at a host that does not answer", hints[visit.NoConnection]},
}

func adviseGit(where, complaints string) Result {
	said := "git says: " + artifact.Clean(redactedText(complaints), 300)
	for _, t := range gitTroubles {
		if strings.Contains(complaints, t.text) {
			return bad(t.kind, fmt.Sprintf("the repository %s %s", where, t.what), t.hint).with(said)
		}
	}
	return bad("git-failed", fmt.Sprintf("git cannot ask the repository %s", where), "see what git says", byHand("git ls-remote "+quote(where))).with(said)
}

var userinfo = regexp.MustCompile(`://[^/@\s]+@`)

// redactedText is a text without the users of its URLs.
func redactedText(text string) string { return userinfo.ReplaceAllString(text, "://xxxxx@") }
