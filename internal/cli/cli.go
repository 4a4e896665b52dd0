// Package cli is the command line: one file per command, and the exit codes.
//
// A command ends with 0 when all is well, with 1 when what it was asked to do or
// to check is not, and with 2 when it was called wrongly. What a command finds
// goes to standard output, everything else to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs one command line and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end, the second ends the process.
	context.AfterFunc(ctx, stop)

	root := command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "weir: "+strings.TrimPrefix(err.Error(), "weir: "))
	var misuse usageError
	if errors.As(err, &misuse) {
		return 2
	}
	return 1
}

// usageError is a wrong call, as opposed to a failure.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "weir",
		Short:         "A Go module proxy that keeps builds green",
		Long:          "Weir is a Go module proxy. It answers from what it has stored, proves every byte\nagainst the checksum database, and goes on working when everything upstream is down.\n\nStart it with \"weir serve\" and point the go command at it: GOPROXY=http://localhost:3000",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee: %s --help", err, cmd.CommandPath())}
	})
	addGroup(root, "server", "The server:",
		serveCommand(),
		configCommand(),
		upstreamsCommand(),
		tokenCommand(),
		userCommand(),
	)
	addGroup(root, "client", "For developers, with any proxy or none:",
		loginCommand(),
		logoutCommand(),
		authCommand(),
		graphCommand(),
		benchCommand(),
		verifyCommand(),
		cleanCommand(),
		doctorCommand(),
		envCommand(),
		warmCommand(),
		exportCommand(),
		importCommand(),
		explainCommand(),
	)
	root.AddCommand(versionCommand())
	return root
}

// addGroup adds commands that are listed together.
func addGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, c := range commands {
		c.GroupID = id
		root.AddCommand(c)
	}
}

// noArgs refuses arguments, and unknown commands with them, as a wrong call.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s does not know %q", cmd.CommandPath(), args[0])
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		text += "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return usageError{fmt.Errorf("%s\nsee: %s --help", text, cmd.CommandPath())}
}
