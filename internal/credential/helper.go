package credential

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/command"
)

// helper asks a program that speaks the protocol of git's credential helpers. It runs
// with the rights and the environment of the server: the operator has asked for it.
//
// Source: git help credential, git help gitcredentials.
type helper struct{ name, program string }

// helperTimeout is how long the program may take.
const helperTimeout = 30 * time.Second

func (h helper) find(ctx context.Context, u *url.URL) (Credential, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	out, _, err := command.Run(ctx, command.Command{
		Path: "git",
		Args: []string{"-c", "credential.helper=", "-c", "credential.helper=" + h.program, "-c", "core.askPass=", "credential", "fill"},
		Env:  append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS="),
		In:   fmt.Sprintf("protocol=%s\nhost=%s\npath=%s\n\n", u.Scheme, u.Host, strings.TrimPrefix(u.Path, "/")),
	})
	if err != nil {
		return Credential{}, false, &artifact.Error{
			Class: artifact.ErrBadUpstream, Err: err,
			Reason: fmt.Sprintf("no credentials %s: its helper failed", h.name),
			Hint:   "those who run this proxy should try the helper by hand: git credential fill",
		}
	}
	c := Credential{Name: h.name}
	for line := range strings.Lines(out) {
		switch key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "="); key {
		case "username":
			c.Username = value
		case "password":
			c.Password = value
		}
	}
	return c, c.Password != "", nil
}
