// Package gocmd runs the go command of this machine, as the user would.
//
// It is given the user's own environment, may use the network, and is killed with its
// children when the context ends. Nothing is asked on a terminal: there is no input.
package gocmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/command"
)

// A Command is a way to run the go command. It may be used by several goroutines.
type Command struct {
	Path string   // of the go command; empty: the one in PATH
	Dir  string   // to run it in; empty: the current one
	Env  []string // added to the environment of this process
}

// Run runs the go command and returns what it says on standard output: also when it
// fails, in which case the error is an [*Error]. When ctx has ended, the error is its cause.
func (c Command) Run(ctx context.Context, args ...string) (stdout []byte, err error) {
	path := c.Path
	if path == "" {
		path = "go"
	}
	out, complaints, err := command.Run(ctx, command.Command{Path: path, Args: args, Dir: c.Dir, Env: slices.Concat(os.Environ(), c.Env)})
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("there is no go command in PATH; install Go from https://go.dev/dl or add its bin folder to PATH: %w", err)
	case exited:
		return []byte(out), &Error{Args: args, Stderr: complaints, ExitCode: exit.ExitCode()}
	}
	return []byte(out), err
}

// An Error is a go command that has failed.
type Error struct {
	Args     []string
	Stderr   string // the beginning of it
	ExitCode int
}

// Error says what was run and what it complained about.
func (e *Error) Error() string {
	text := strings.TrimSpace(e.Stderr)
	if text == "" {
		text = fmt.Sprintf("exit status %d", e.ExitCode)
	}
	return "go " + strings.Join(e.Args, " ") + ": " + text
}
