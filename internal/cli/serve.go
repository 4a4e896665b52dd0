package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/daemon"
)

func serveCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the module proxy",
		Long: "Run the module proxy. Without any configuration it listens on localhost:3000, takes\n" +
			"modules from where the go command of this machine would, and keeps them in the user's\n" +
			"cache directory. SIGHUP reads the configuration again; SIGTERM ends the server when the\n" +
			"requests under way are answered, a second one at once.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return daemon.Run(cmd.Context(), daemon.Options{
				Load: func(ctx context.Context) (*config.Config, error) {
					cfg, _, err := s.load(ctx)
					return cfg, err
				},
				Reload:  hangup,
				Log:     cmd.ErrOrStderr(),
				Version: readBuild().Version,
			})
		},
	}
	s.register(cmd.Flags())
	return cmd
}
