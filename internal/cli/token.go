package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/daemon"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens with which clients log in",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("token needs one of create, list, revoke")}
		},
	}
	cmd.AddCommand(tokenCreateCommand(), tokenListCommand(), tokenRevokeCommand())
	return cmd
}

// tokensFile is the file of tokens of the configuration.
func tokensFile(cmd *cobra.Command, s *settings) (string, error) {
	cfg, _, err := s.load(cmd.Context())
	if err != nil {
		return "", err
	}
	return daemon.TokensFile(cfg), nil
}

func tokenCreateCommand() *cobra.Command {
	var s settings
	var spec accounts.TokenSpec
	var expires string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token and print it, once",
		Long: "Make a token and print it. It is shown this once: only its digest is kept, in the file of\n" +
			"tokens of the server, which takes it in use within seconds.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if spec.User == "" {
				return usageError{errors.New("say whose token it is: --user NAME")}
			}
			var lifetime config.Duration
			if err := lifetime.UnmarshalText([]byte(expires)); err != nil || lifetime < 0 {
				return usageError{fmt.Errorf("--expires: %q is not a time such as 90d; 0s is for ever", expires)}
			}
			if lifetime > 0 {
				spec.Expires = time.Now().Add(time.Duration(lifetime))
			}
			path, err := tokensFile(cmd, &s)
			if err != nil {
				return err
			}
			token, err := accounts.CreateToken(path, spec)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().StringVar(&spec.User, "user", "", "`name` of whom it is for")
	cmd.Flags().StringSliceVar(&spec.Groups, "group", nil, "`group` that they belong to; may be repeated")
	cmd.Flags().StringVar(&expires, "expires", "90d", "`time` until it expires; 0s: never")
	return cmd
}

func tokenListCommand() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without their secrets",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := tokensFile(cmd, &s)
			if err != nil {
				return err
			}
			all, err := accounts.ListTokens(path)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(append([]accounts.Token{}, all...))
			}
			return showTokens(cmd.OutOrStdout(), all)
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showTokens(out io.Writer, all []accounts.Token) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tUSER\tGROUPS\tCREATED\tEXPIRES\tSTATE")
	for _, t := range all {
		state, expires := "good", "never"
		if !t.Expires.IsZero() {
			expires = t.Expires.UTC().Format(time.DateOnly)
			if time.Now().After(t.Expires) {
				state = "expired"
			}
		}
		if t.Revoked {
			state = "revoked"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.User, strings.Join(t.Groups, ","), t.Created.UTC().Format(time.DateOnly), expires, state)
	}
	return w.Flush()
}

func tokenRevokeCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Make a token worthless",
		Args:  exactly("the id of a token, as \"weir token list\" shows it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensFile(cmd, &s)
			if err != nil {
				return err
			}
			return accounts.RevokeToken(path, args[0])
		},
	}
	s.register(cmd.Flags())
	return cmd
}
