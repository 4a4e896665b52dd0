package direct

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// The bounds of what a command may say, in bytes. Version lists are the longest
// of it; the longest there are have a hundredth of this.
const (
	maxStdout = 16 << 20
	maxStderr = 64 << 10
)

// afterKill is how long the output of a command is waited for after its end.
const afterKill = 5 * time.Second

// run runs a command with nothing but the given environment, and returns what
// it says on both outputs. The end of ctx kills it with all its children, which
// have been waited for when run returns; the error is then the cause.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (stdout, stderr string, err error) {
	out, complaints := &bounded{max: maxStdout}, &bounded{max: maxStderr}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, out, complaints
	cmd.WaitDelay = afterKill
	lead(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		killGroup(cmd) // a child has outlived the command and holds its output
	}
	switch {
	case ctx.Err() != nil:
		return "", "", context.Cause(ctx)
	case out.full:
		return "", "", &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("the repository has more to list than %d bytes", maxStdout)}
	}
	return out.kept.String(), complaints.kept.String(), err
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer
	max  int
	full bool // more came than was kept
}

// Write implements io.Writer. It takes everything.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.max-b.kept.Len())
	b.full = b.full || n < len(p)
	b.kept.Write(p[:n])
	return len(p), nil
}
