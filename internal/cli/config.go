package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/daemon"
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
			return usageError{errors.New("config needs one of check, print, explain, schema")}
		},
	}
	cmd.AddCommand(configCheckCommand(), configPrintCommand(), configExplainCommand(), configSchemaCommand())
	return cmd
}

func configCheckCommand() *cobra.Command {
	var s settings
	var probe bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell whether the server would start with this configuration",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := s.load(cmd.Context())
			if err != nil {
				return err
			}
			if err := daemon.Check(cfg); err != nil {
				return err
			}
			for _, w := range daemon.Warnings(cfg) {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if probe {
				if err := probeCredentials(cmd, cfg); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the configuration is good")
			return err
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&probe, "probe", false, "show each of the credentials for version control to its host, too")
	return cmd
}

// probeCredentials tells how the credentials fare at their hosts.
func probeCredentials(cmd *cobra.Command, cfg *config.Config) error {
	findings, err := daemon.Probe(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	useless := 0
	for _, f := range findings {
		if f.Err != nil {
			useless++
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s: %s\n", f.Key, f.URL, outcome(f))
	}
	if useless > 0 {
		return fmt.Errorf("%d of %d credentials are of no use", useless, len(findings))
	}
	return nil
}

// outcome says what is proven of a credential.
func outcome(f daemon.Finding) string {
	switch {
	case f.Err != nil:
		return f.Err.Error()
	case f.Accepted:
		return "accepted"
	default:
		return "not refused, which proves nothing: the host gives strangers the same answer"
	}
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
