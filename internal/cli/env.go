package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/envswitch"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/term"
)

func envCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Keep settings of the go command as profiles, and switch between them",
		Long: "Keep settings of the go command (GOPROXY, GOPRIVATE, GOSUMDB …) as named profiles, such as\n" +
			"office, home and offline, switch between them as a whole, and write them for containers,\n" +
			"pipelines, shells and editors. A profile is a small YAML file.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(envListCommand(), envShowCommand(), envUseCommand(), envDiffCommand(),
		envEditCommand(), envSaveCommand(), envRemoveCommand(), envRenderCommand(), envBestCommand())
	for _, sub := range cmd.Commands() {
		if slices.Contains([]string{"show", "use", "diff", "edit", "remove"}, sub.Name()) {
			sub.ValidArgsFunction = completeProfiles
		}
	}
	return cmd
}

// completeProfiles completes the names of profiles.
func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, err := listProfiles()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, l := range all {
		names = append(names, cobra.CompletionWithDesc(l.Name, l.Description))
	}
	return names, cobra.ShellCompDirectiveDefault
}

// envSwitch is the switch of this user.
func envSwitch() (envswitch.Switch, error) {
	folder, err := profile.DefaultFolder()
	return envswitch.Switch{Folder: folder, Getenv: os.Getenv}, err
}

// screenOf is where a command prints for people.
func screenOf(out io.Writer) *term.Screen { return term.New(out, os.Getenv) }

// sayJSON prints for machines.
func sayJSON(cmd *cobra.Command, value any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// between refuses fewer and more arguments than a command has a use for.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError{fmt.Errorf("%s wants %s\nsee: %s --help", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}

// listed is one profile for machines.
type listed struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Origin      profile.Origin `json:"origin"`
	File        string         `json:"file,omitempty"`
	Used        bool           `json:"used"`
	Changed     []string       `json:"changed,omitempty"`
	Error       string         `json:"error,omitempty"`
}

func envListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the profiles, and which one is used",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := listProfiles()
			if err != nil {
				return err
			}
			if asJSON {
				return sayJSON(cmd, all)
			}
			showProfiles(screenOf(cmd.OutOrStdout()), all)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listProfiles() ([]listed, error) {
	s, err := envSwitch()
	if err != nil {
		return nil, err
	}
	used, changed, err := s.Current()
	if err != nil {
		return nil, err
	}
	entries, err := s.Folder.List()
	if err != nil {
		return nil, err
	}
	all, found := []listed{}, used == profile.None
	for _, e := range entries {
		l := listed{Name: e.Name, Description: e.Description, Origin: e.Origin, File: e.File}
		if e.Err != nil {
			l.Error = e.Err.Error()
		}
		if e.Name == used {
			l.Used, l.Changed, found = true, changed, true
		}
		all = append(all, l)
	}
	if !found { // a file of a project, or one that was removed since
		all = append(all, listed{Name: used, Origin: profile.Own, Used: true, Changed: changed})
	}
	return all, nil
}

func showProfiles(screen *term.Screen, all []listed) {
	rows := [][]term.Cell{term.Head("", "NAME", "FROM", "DESCRIPTION")}
	for _, l := range all {
		mark, style, text := "", term.Plain, l.Description
		if l.Used {
			mark, style = "*", term.Strong
		}
		if len(l.Changed) > 0 {
			text = strings.TrimPrefix(text+"; ", "; ") + "changed since by other means: " + strings.Join(l.Changed, ", ")
		}
		if l.Error != "" {
			style, text = term.Bad, "cannot be used; see: weir env show "+l.Name
		}
		rows = append(rows, []term.Cell{{Text: mark}, {Text: l.Name, Style: style}, {Text: string(l.Origin)}, {Text: text}})
	}
	screen.Table(rows)
}
