// Package cage runs the go command, and the version control that it runs, in a cage.
//
// A [Keeper] builds a [Cage] for each piece of work. It promises that commands in there
//
//   - see an environment made from nothing and a home of their own, in a folder that is
//     thrown away, in which the clone of the repository alone outlives them: no hooks, no
//     prompts, no configuration but ours;
//   - reach one place, the repository of the module, through a proxy on loopback that
//     lets the bearer of a pass to one place and is told whether the address may be
//     connected to; ssh makes its connection itself, to an address that has been looked
//     at, and to a host whose key is known;
//   - have bounds on time, disk and output, at whose end whole process groups are killed
//     and waited for;
//   - get the credential for that place and no other, and on no command line. Git finds
//     a password in a file of the workspace, ssh a key in the file of the operator.
//
// It does not understand what commands say; but why there was no way out for them is
// known here alone ([Cage.Refused]), and what of their words must not be shown
// ([Cage.Redact]). It needs process groups and symbolic links.
package cage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/command"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// A Cage is what commands get to see of the world: an environment made from nothing,
// and two passes of the proxy. The go command's pass shows it a page with the one
// go-import tag that counts, and leads nowhere; that of version control leads to the
// repository.
type Cage struct {
	workspace
	keeper     *Keeper
	clone      *clones.Clone
	repository origin.Repository
	toGo       *pass
	toVCS      *pass
	env        []string
	shown      credential.Credential // must not be in any text that leaves
}

// Close closes the ways out. The workspace stays.
func (c *Cage) Close() {
	c.keeper.proxy.revoke(c.toGo)
	c.keeper.proxy.revoke(c.toVCS)
}

// Refused returns why version control was not let to the repository or to where that
// sent it; nil: it was, or has not asked.
func (c *Cage) Refused() error { return c.toVCS.trouble() }

// OverSSH reports whether the repository is reached by ssh.
func (c *Cage) OverSSH() bool { return c.toVCS.tunnel == "" && c.toVCS.plain == "" }

// Redact takes out of a text what is shown to nobody: the credential, and where the
// cage is.
func (c *Cage) Redact(text string) string {
	return strings.ReplaceAll(c.shown.Redact(text), c.dir, "")
}

// Run runs the go command. The error is an [exec.ExitError] if it ended badly, whatever
// that means; all others say why it did not get as far.
func (c *Cage) Run(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	return c.run(ctx, c.keeper.tool, args)
}

// Git runs git as the go command would, and returns what it says.
func (c *Cage) Git(ctx context.Context, args ...string) (stdout string, err error) {
	stdout, _, err = c.run(ctx, c.keeper.git, args)
	return stdout, err
}

func (c *Cage) run(ctx context.Context, program string, args []string) (stdout, stderr string, err error) {
	k, root := c.keeper, c.repository.Prefix
	late := &artifact.Error{Class: artifact.ErrTimeout, Reason: fmt.Sprintf("fetch timed out: the repository of %s took longer than %s", root, k.o.Timeout)}
	ctx, cancel := context.WithTimeoutCause(ctx, k.o.Timeout, late)
	defer cancel()
	watched, stop := c.watchDisk(ctx)
	stdout, stderr, err = command.Run(watched, command.Command{Path: program, Args: args, Dir: cmp.Or(k.cwd, c.work()), Env: c.env})
	stop()
	switch {
	case watched.Err() != nil:
		c.clone.Killed()
		return "", "", context.Cause(watched)
	case errors.Is(err, command.ErrTooLong):
		return "", "", &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("the repository of %s has more to list than %d bytes", root, command.MaxStdout)}
	}
	return stdout, stderr, err
}

// diskInterval is how often the disk space of a command is looked at.
const diskInterval = 500 * time.Millisecond

// watchDisk returns a context that ends when a command takes more disk space
// than it may. stop ends the watch and waits for it.
func (c *Cage) watchDisk(ctx context.Context) (watched context.Context, stop func()) {
	limit, before := c.keeper.o.MaxDisk, clones.Size(c.clone.Dir())
	watched, cancel := context.WithCancelCause(ctx)
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(diskInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stopped:
				return
			}
			if clones.Size(c.clone.Dir())+clones.Size(c.dir)-before > limit {
				cancel(&artifact.Error{
					Class:  artifact.ErrForbidden,
					Reason: fmt.Sprintf("the repository of %s takes more disk space than the %d bytes it may", c.repository.Prefix, limit),
					Hint:   "the operator of this proxy can allow more with direct.fetch_size",
				})
			}
		}
	}()
	return watched, func() { close(stopped); <-done }
}
