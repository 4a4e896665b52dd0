package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goweir/weir/internal/config"
)

// settings are the flags that say how a server is configured.
type settings struct {
	config                                 string
	listen, data, upstream, sumdb, private string
	flags                                  *pflag.FlagSet
}

func (s *settings) register(flags *pflag.FlagSet) {
	s.flags = flags
	flags.StringVar(&s.config, "config", "", "configuration `file` (WEIR_CONFIG); none is needed")
	flags.StringVar(&s.listen, "listen", "", "`address` to listen on (WEIR_LISTEN; default localhost:3000)")
	flags.StringVar(&s.data, "data", "", "`directory` to keep modules in (WEIR_DATA; default weir in the user's cache directory)")
	flags.StringVar(&s.upstream, "upstream", "", "where modules come from: a `list` as in GOPROXY, or \"off\" (WEIR_UPSTREAM; default: go env GOPROXY)")
	flags.StringVar(&s.sumdb, "sumdb", "", "checksum `database` as in GOSUMDB, or \"off\" (WEIR_SUMDB; default: go env GOSUMDB)")
	flags.StringVar(&s.private, "private", "", "`patterns` of private modules as in GOPRIVATE (WEIR_PRIVATE; default: go env GOPRIVATE)")
}

// load reads the configuration anew each time it is called.
func (s *settings) load(ctx context.Context) (*config.Config, config.Provenance, error) {
	given := func(name string, value *string) *string {
		if s.flags.Changed(name) {
			return value
		}
		return nil
	}
	return config.Load(ctx, config.Flags{
		Config:   s.config,
		Listen:   given("listen", &s.listen),
		Data:     given("data", &s.data),
		Upstream: given("upstream", &s.upstream),
		Sumdb:    given("sumdb", &s.sumdb),
		Private:  given("private", &s.private),
	}, os.LookupEnv)
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, print and describe the configuration of the server",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("config needs one of check, print, schema")}
		},
	}
	cmd.AddCommand(configCheckCommand(), configPrintCommand(), configSchemaCommand())
	return cmd
}

func configCheckCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell whether the server would start with this configuration",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := s.load(cmd.Context()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the configuration is good")
			return err
		},
	}
	s.register(cmd.Flags())
	return cmd
}

func configPrintCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the configuration in force, where each value comes from, without secrets",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, from, err := s.load(cmd.Context())
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), cfg, from)
		},
	}
	s.register(cmd.Flags())
	return cmd
}

func configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the configuration file, for editors",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema())
			return err
		},
	}
}
