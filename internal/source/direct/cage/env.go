package cage

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// goEnv is the environment of the go command. Nothing is taken over from that
// of this process but where programs are.
func (k *Keeper) goEnv(w workspace, mod string, r origin.Repository) []string {
	env := []string{
		"PATH=" + k.path,
		"HOME=" + w.home(), "USERPROFILE=" + w.home(), "XDG_CONFIG_HOME=" + filepath.Join(w.home(), ".config"),
		"TMPDIR=" + w.tmp(), "TMP=" + w.tmp(), "TEMP=" + w.tmp(),
		"LC_ALL=C",
		"GOMODCACHE=" + w.modCache(), "GOCACHE=" + filepath.Join(w.tmp(), "build"), "GOPATH=" + filepath.Join(w.home(), "go"),
		"GOENV=off", "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local", "GOWORK=off", "GOAUTH=off",
		"GOPROXY=direct", "GOSUMDB=off", "GOVCS=*:" + strings.Join(k.o.VCS, "|"),
	}
	if k.o.CAFile != "" {
		env = append(env, "SSL_CERT_FILE="+k.o.CAFile, "GIT_SSL_CAINFO="+k.o.CAFile)
	}
	if r.Page() != nil {
		// The go command goes on to plain http, which it needs no certificate
		// for, when our proxy refuses the tunnel for https.
		env = append(env, "GOINSECURE="+mod)
	}
	return env
}

// gitEnv is the environment of git, with the credential for the repository in
// it. It also opens the way there.
func (k *Keeper) gitEnv(ctx context.Context, c *Cage, r origin.Repository, proxyURL string) ([]string, error) {
	config := gitConfig{
		{"core.hooksPath", os.DevNull}, {"core.attributesFile", os.DevNull}, {"core.fsmonitor", "false"}, {"init.templateDir", ""},
		{"protocol.ext.allow", "never"}, {"protocol.file.allow", "never"}, {"protocol.git.allow", "never"},
		{"submodule.recurse", "false"}, {"fetch.recurseSubmodules", "false"},
		{"gc.autoDetach", "false"}, {"maintenance.autoDetach", "false"}, // nothing outlives the command
		{"credential.helper", ""}, {"http.proxy", proxyURL}, {"http.proxyAuthMethod", "basic"},
	}
	env := []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GCM_INTERACTIVE=never",
		"GIT_PROTOCOL_FROM_USER=0", "GIT_SSH_VARIANT=ssh",
	}
	shown, ok, err := credential.For(ctx, r.Location, k.o.Credentials)
	if err != nil {
		return nil, err
	}
	overSSH := r.Location.Scheme == "ssh" || ok && shown.SSH() && r.VCS == "git"
	switch {
	case overSSH:
		command, err := k.sshCommand(ctx, r, shown)
		if err != nil {
			return nil, err
		}
		env = append(env, "GIT_ALLOW_PROTOCOL=ssh", "GIT_SSH_COMMAND="+command)
		if r.Location.Scheme != "ssh" {
			config = append(config, insteadOf(r, shown))
		}
	case r.Location.Scheme == "http":
		c.toVCS.plain = r.HostPort()
		env = append(env, "GIT_ALLOW_PROTOCOL=http", "GIT_SSH_COMMAND=false")
	default:
		c.toVCS.tunnel = r.HostPort()
		env = append(env, "GIT_ALLOW_PROTOCOL=https", "GIT_SSH_COMMAND=false")
		if ok {
			c.shown = shown
			helper, err := c.store(r.Location, shown)
			if err != nil {
				return nil, err
			}
			config = append(config, helper)
		}
	}
	return append(env, config.env()...), nil
}

// hgrc is all the configuration that Mercurial gets: it asks nobody, has no
// subrepositories, and uses the proxy for every host.
const hgrc = "[ui]\ninteractive = no\n[subrepos]\nallowed = no\n[http_proxy]\nalways = yes\n"

// hgEnv is the environment of Mercurial. It gets no credentials.
func (k *Keeper) hgEnv(c *Cage, r origin.Repository, proxyURL string) ([]string, error) {
	c.toVCS.tunnel = r.HostPort()
	config := filepath.Join(c.dir, "hgrc")
	text := hgrc
	if k.o.CAFile != "" {
		text += "[web]\ncacerts = " + k.o.CAFile + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return []string{"HGRCPATH=" + config, "HGPLAIN=1", "HGSSH=false", "http_proxy=" + proxyURL, "https_proxy=" + proxyURL}, nil
}

// gitConfig is configuration of git, in pairs of key and value.
type gitConfig [][2]string

// env returns the configuration as environment variables.
func (c gitConfig) env() []string {
	env := []string{"GIT_CONFIG_COUNT=" + strconv.Itoa(len(c))}
	for i, pair := range c {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, pair[1]))
	}
	return env
}

// store puts a password where git finds it when the repository's host asks for
// it, and no other host does: in a file that goes with the workspace.
func (c *Cage) store(u *url.URL, shown credential.Credential) ([2]string, error) {
	host := &url.URL{Scheme: u.Scheme, Host: u.Host}
	with := *host
	with.User = url.UserPassword(shown.User(), shown.Password)
	if err := os.WriteFile(c.credentials(), []byte(with.String()+"\n"), 0o600); err != nil {
		return [2]string{}, err
	}
	return [2]string{"credential." + host.String() + ".helper", "store --file=" + shellQuote(c.credentials())}, nil
}

// insteadOf lets git fetch a repository by ssh whose address says https.
func insteadOf(r origin.Repository, shown credential.Credential) [2]string {
	root := url.URL{Scheme: "ssh", User: url.User(shown.SSHUser()), Host: r.Location.Hostname(), Path: "/"}
	from := url.URL{Scheme: r.Location.Scheme, Host: r.Location.Host, Path: "/"}
	return [2]string{"url." + root.String() + ".insteadOf", from.String()}
}
