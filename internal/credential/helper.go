package credential

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
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
	cmd := exec.CommandContext(ctx, "git", "-c", "credential.helper=", "-c", "credential.helper="+h.program, "-c", "core.askPass=", "credential", "fill")
	cmd.Env = append(cmd.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("protocol=%s\nhost=%s\npath=%s\n\n", u.Scheme, u.Host, strings.TrimPrefix(u.Path, "/")))
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Credential{}, false, &artifact.Error{
			Class: artifact.ErrBadUpstream, Err: err,
			Reason: fmt.Sprintf("no credentials %s: its helper failed", h.name),
			Hint:   "those who run this proxy should try the helper by hand: git credential fill",
		}
	}
	c := Credential{Name: h.name}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		switch key, value, _ := strings.Cut(lines.Text(), "="); key {
		case "username":
			c.Username = value
		case "password":
			c.Password = value
		}
	}
	return c, c.Password != "", nil
}
