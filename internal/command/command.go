// Package command runs other programs so that nothing is left behind: when the context
// ends, a program is killed with all its children, and has been waited for when [Run]
// returns. What it says is bounded, and it can ask nobody: its input is what it was given.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// The bounds of what a program may say, in bytes. Version lists and module graphs are
// the longest of it; the longest there are have a hundredth of this.
const (
	MaxStdout = 16 << 20
	maxStderr = 64 << 10
)

// afterKill is how long the output of a program is waited for after its end.
const afterKill = 5 * time.Second

// ErrTooLong is the error of a program that says more than MaxStdout.
var ErrTooLong = errors.New("its output is too long")

// A Command is a program to run.
type Command struct {
	Path string // name or path
	Args []string
	Dir  string   // empty: the current folder
	Env  []string // all of it; nil: that of this process
	In   string   // its standard input
}

// Run runs a command and returns what it says on both outputs, of standard error the
// beginning. When ctx has ended, the error is its cause. Other errors are those of
// package os/exec, and ErrTooLong.
func Run(ctx context.Context, c Command) (stdout, stderr string, err error) {
	out, complaints := &bounded{max: MaxStdout}, &bounded{max: maxStderr}
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Env, out, complaints
	if c.In != "" {
		cmd.Stdin = strings.NewReader(c.In)
	}
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
		return "", "", fmt.Errorf("%s: %w: more than %d bytes", c.Path, ErrTooLong, MaxStdout)
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
