package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/daemon"
	"github.com/goweir/weir/internal/policy"
)

func configExplainCommand() *cobra.Command {
	var s settings
	var q admin.Question
	var address string
	var claims []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain MODULE",
		Short: "Tell which access rule decides who may do what with a module, and why",
		Long: "Tell which access rule decides whether somebody may do something with a module, and\n" +
			"what each rule says of it. It ends with 1 when they may not.",
		Args: exactly("the path of a module"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := s.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := daemon.Policy(cfg)
			if err != nil {
				return err
			}
			q.Module = args[0]
			subject, err := subjectOf(q, address, claims)
			if err != nil {
				return usageError{err}
			}
			e := admin.Explain(p, q, subject)
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(e)
			} else {
				err = showExplanation(cmd.OutOrStdout(), e)
			}
			if err == nil && !e.Allowed {
				err = errors.New("they may not")
			}
			return err
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().StringVar(&q.Subject, "as", "", "`name` of who asks; without it, somebody without credentials")
	cmd.Flags().StringSliceVar(&q.Groups, "group", nil, "`group` of who asks; may be repeated")
	cmd.Flags().StringSliceVar(&claims, "claim", nil, "`NAME=VALUE` of the token of who asks; may be repeated")
	cmd.Flags().StringVar(&address, "from", "", "`address` of who asks")
	cmd.Flags().StringVar(&q.Action, "action", string(policy.Read), "what they want to do: read, publish or admin")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func subjectOf(q admin.Question, address string, claims []string) (policy.Subject, error) {
	s := policy.Subject{Name: q.Subject, Groups: q.Groups, Claims: map[string][]string{}}
	for _, c := range claims {
		name, value, ok := strings.Cut(c, "=")
		if !ok {
			return s, fmt.Errorf("--claim %q is not NAME=VALUE", c)
		}
		s.Claims[name] = append(s.Claims[name], value)
	}
	if address == "" {
		return s, nil
	}
	var err error
	s.Addr, err = netip.ParseAddr(address)
	return s, err
}

func showExplanation(out io.Writer, e admin.Explanation) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tMATCHES\tWHY")
	for _, step := range e.Steps {
		matches := "no"
		if step.Matched {
			matches = "yes"
		}
		if step.Decides {
			matches = "decides"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", step.Rule, matches, step.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verdict := "denied"
	switch {
	case e.Allowed:
		verdict = "allowed"
	case e.Hidden:
		verdict = "hidden: answered as if the module did not exist"
	}
	_, err := fmt.Fprintf(out, "\n%s\n", verdict)
	return err
}
