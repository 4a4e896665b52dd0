package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/command"
)

func (f *Finder) checkGit(ctx context.Context) check.Result {
	if _, err := exec.LookPath("git"); err != nil {
		if f.isNeeded() {
			return gitMissing()
		}
		return check.Well("there is none", "modules that no proxy has could not be fetched without it")
	}
	for _, name := range []string{"http.sslCAInfo", "http.sslCAPath"} {
		if file := f.gitConfig(ctx, "--get", name); file != "" {
			if _, err := os.Stat(file); err != nil {
				return check.Trouble("git-ca-missing", fmt.Sprintf("%s of git names %s, which cannot be read", name, file), "correct it or take it away", check.ByHand("git config --global --unset "+name))
			}
		}
	}
	rewrites := f.gitConfig(ctx, "--get-regexp", `^url\..*\.insteadof$`)
	if _, err := exec.LookPath("ssh"); err != nil && f.settings.Getenv("GIT_SSH_COMMAND") == "" && (strings.Contains(rewrites, "url.ssh://") || strings.Contains(rewrites, "url.git@")) {
		return check.Trouble("ssh-missing", "git is told to use ssh (insteadOf), and there is no ssh in PATH", "install it (openssh-client), or have git use https")
	}
	out, _, err := command.Run(ctx, command.Command{Path: "git", Args: []string{"--version"}})
	if err != nil {
		return check.Trouble("git-broken", "git does not run", "install it anew", check.ByHand("git --version"))
	}
	return check.Well(artifact.Clean(out, 80))
}

func gitMissing() check.Result {
	return check.Trouble("git-missing", "there is no git in PATH, and some modules come from version control only", "install git, or have a proxy bring them")
}

// gitConfig asks git for its settings. Nothing is what it says of what is not set.
func (f *Finder) gitConfig(ctx context.Context, args ...string) string {
	out, _, err := command.Run(ctx, command.Command{Path: "git", Args: append([]string{"config"}, args...), Dir: f.settings.Dir})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// lsRemote lists the tags of a repository. Nobody is asked for a password.
//
// Source: cmd/go/internal/vcs and main.go, for the environment.
func (f *Finder) lsRemote(ctx context.Context, at place) (refs string, r check.Result) {
	if !strings.Contains(at.url, "://") || strings.HasPrefix(at.url, "-") {
		return "", check.Trouble("git-failed", "the go-import tag names no URL of a repository", "mend the page")
	}
	env := append(os.Environ(), "LC_ALL=C", "GCM_INTERACTIVE=never")
	if f.settings.Getenv("GIT_TERMINAL_PROMPT") == "" {
		env = append(env, "GIT_TERMINAL_PROMPT=0")
	}
	if f.settings.Getenv("GIT_SSH") == "" && f.settings.Getenv("GIT_SSH_COMMAND") == "" {
		env = append(env, "GIT_SSH_COMMAND=ssh -o ControlMaster=no -o BatchMode=yes")
	}
	out, complaints, err := command.Run(ctx, command.Command{Path: "git", Args: []string{"ls-remote", "--tags", "-q", "--", at.url}, Dir: os.TempDir(), Env: env})
	switch {
	case err == nil:
		return out, check.Well("the repository answers")
	case errors.Is(err, exec.ErrNotFound):
		return "", gitMissing()
	case ctx.Err() != nil:
		return "", check.Trouble("git-silent", fmt.Sprintf("git ls-remote %s does not end", govars.RedactURL(at.url)), "something on the way may drop packets, or ask somebody for a password", check.ByHand("git ls-remote "+check.Quote(govars.RedactURL(at.url))))
	}
	return "", adviseGit(govars.RedactURL(at.url), complaints)
}

// gitTroubles are what git complains of: the first that fits counts.
var gitTroubles = []struct{ text, kind, what, hint string }{
	{"cannot run ssh", "ssh-missing", "wants ssh, which is not in PATH", "install it (openssh-client)"},
	{"Permission denied (publickey", "ssh-key", "refuses the ssh keys of this user", "load the right key (ssh-add), and add its public half to your account there"},
	{"Host key verification failed", "ssh-host-key", "is not known to ssh", "compare its key and add it: ssh-keyscan HOST >> ~/.ssh/known_hosts"},
	{"ssh: connect to host", "ssh-refused", "cannot be reached over ssh", "is the port for ssh open from here? If not, have git use https: take url.*.insteadOf away"},
	{"Could not resolve host", visit.NoSuchHost, "is at a host that DNS does not know", advice.Hint(visit.NoSuchHost)},
	{"certificate", "git-certificate", "shows a certificate that git does not trust", "git has settings of its own: name the authority in http.sslCAInfo or GIT_SSL_CAINFO"},
	{"terminal prompts disabled", "git-prompts", "wants a password, and git has none", "give git a token through a credential helper or netrc, or have it use ssh (url.*.insteadOf)"},
	{"could not read Username", "git-prompts", "wants a password, and git has none", "give git a token through a credential helper or netrc, or have it use ssh (url.*.insteadOf)"},
	{"Authentication failed", "git-denied", "refuses the password that git has", "renew the token"},
	{"error: 403", "git-denied", "refuses this user (403)", "the token may lack rights, or single sign-on"},
	{"not found", "git-not-found", "does not exist, or is hidden from this user", "check the spelling; ask for access"},
	{"Connection refused", visit.Refused, "is at a host where nothing listens", advice.Hint(visit.Refused)},
	{"timed out", visit.NoConnection, "is at a host that does not answer", advice.Hint(visit.NoConnection)},
}

func adviseGit(where, complaints string) check.Result {
	said := "git says: " + artifact.Clean(redactedText(complaints), 300)
	for _, t := range gitTroubles {
		if strings.Contains(complaints, t.text) {
			return check.Trouble(t.kind, fmt.Sprintf("the repository %s %s", where, t.what), t.hint).With(said)
		}
	}
	return check.Trouble("git-failed", fmt.Sprintf("git cannot ask the repository %s", where), "see what git says", check.ByHand("git ls-remote "+check.Quote(where))).With(said)
}

var userinfo = regexp.MustCompile(`://[^/@\s]+@`)

// redactedText is a text without the users of its URLs.
func redactedText(text string) string { return userinfo.ReplaceAllString(text, "://xxxxx@") }
