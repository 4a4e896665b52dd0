package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/envswitch"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/goenv"
)

// shown is one variable for machines.
type shown struct {
	Name  string  `json:"name"`
	Value string  `json:"value"`
	Unset bool    `json:"unset,omitempty"`
	From  string  `json:"from,omitempty"`
	Hides []hides `json:"hides,omitempty"`
}

type hides struct {
	Value string `json:"value"`
	From  string `json:"from"`
}

func envShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show a profile, or what is in force now and where it comes from",
		Args:  between(0, 1, "at most the name of one profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := envSwitch()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return showProfile(cmd, s.Folder, args[0], asJSON)
			}
			return showNow(cmd, s, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showProfile(cmd *cobra.Command, folder profile.Folder, name string, asJSON bool) error {
	p, err := folder.Load(name)
	if err != nil {
		return err
	}
	if asJSON {
		settings := []shown{}
		for _, s := range p.Settings {
			settings = append(settings, shown{Name: s.Name, Value: s.Value, Unset: s.Unset})
		}
		return sayJSON(cmd, struct {
			Name        string  `json:"name"`
			Description string  `json:"description"`
			File        string  `json:"file,omitempty"`
			Settings    []shown `json:"settings"`
		}{p.Name, p.Description, p.File, settings})
	}
	screen := screenOf(cmd.OutOrStdout())
	about := p.Name
	if p.Description != "" {
		about += ": " + p.Description
	}
	from := "built in; \"weir env edit " + p.Name + "\" makes a file of it"
	if p.File != "" {
		from = p.File
	}
	fmt.Fprintf(screen, "%s\n%s\n\n", screen.Paint(term.Strong, about), screen.Paint(term.Faint, from))
	rows := [][]term.Cell{term.Head("VARIABLE", "VALUE")}
	for _, s := range p.Settings {
		rows = append(rows, []term.Cell{{Text: s.Name}, valueCell(s.Name, s.Value, s.Unset)})
	}
	screen.Table(rows)
	return nil
}

// valueCell is a value as it may be shown.
func valueCell(name, value string, unset bool) term.Cell {
	switch {
	case unset:
		return term.Cell{Text: "default", Style: term.Faint}
	case value == "":
		return term.Cell{Text: "empty", Style: term.Faint}
	}
	return term.Cell{Text: govars.Redact(name, value)}
}

// inForce are the settings in force now; the go command is asked for defaults, if there
// is one.
func inForce(cmd *cobra.Command) (env *goenv.Env, now []profile.Now, err error) {
	env = goenv.Load(os.Getenv)
	if err := env.Ask(cmd.Context(), govars.Names()...); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "weir: defaults are not known: %v\n", err)
	}
	return env, profile.InForce(env), cmd.Context().Err()
}

func showNow(cmd *cobra.Command, s envswitch.Switch, asJSON bool) error {
	used, changed, err := s.Current()
	if err != nil {
		return err
	}
	_, now, err := inForce(cmd)
	if err != nil {
		return err
	}
	all := []shown{}
	for _, n := range now {
		all = append(all, shownNow(n))
	}
	if asJSON {
		return sayJSON(cmd, struct {
			Profile  string   `json:"profile"`
			Changed  []string `json:"changed,omitempty"`
			Settings []shown  `json:"settings"`
		}{used, changed, all})
	}
	screen := screenOf(cmd.OutOrStdout())
	fmt.Fprintf(screen, "%s\n", screen.Paint(term.Strong, "profile: "+used))
	if len(changed) > 0 {
		fmt.Fprintf(screen, "%s\n", screen.Paint(term.Warn, "changed since by other means: "+strings.Join(changed, ", ")))
	}
	fmt.Fprintln(screen)
	for _, n := range all {
		showVariable(screen, n)
	}
	return nil
}

// shownNow is a variable as it is now, without secrets.
func shownNow(n profile.Now) shown {
	s := shown{Name: n.Name, Value: govars.Redact(n.Name, n.Value)}
	for i, layer := range n.Layers {
		if i == 0 {
			s.From = placeOf(layer)
			continue
		}
		s.Hides = append(s.Hides, hides{govars.Redact(n.Name, layer.Value), placeOf(layer)})
	}
	return s
}

// placeOf says where a setting comes from.
func placeOf(s goenv.Setting) string {
	switch s.Layer {
	case goenv.Environment:
		return "environment"
	case goenv.UserFile, goenv.Installation:
		return s.File
	default:
		return "default"
	}
}

// showVariable prints a variable on a line of its own, and below where it comes from:
// paths and values are long.
func showVariable(screen *term.Screen, s shown) {
	value := s.Value
	if value == "" {
		value = screen.Paint(term.Faint, "not set")
	}
	screen.Table([][]term.Cell{{{Text: fmt.Sprintf("%*s", -nameWidth, s.Name), Style: term.Strong}, {Text: value}}})
	if s.From != "" && s.From != "default" {
		showBelow(screen, "from "+s.From)
	}
	for _, h := range s.Hides {
		showBelow(screen, "hides "+h.Value+" from "+h.From)
	}
}

// nameWidth is how many columns the longest name of a variable takes.
const nameWidth = len("GOTOOLCHAIN")

// showBelow prints more of a variable below its value.
func showBelow(screen *term.Screen, text string) {
	screen.Table([][]term.Cell{{{Text: strings.Repeat(" ", nameWidth)}, {Text: text, Style: term.Faint}}})
}
