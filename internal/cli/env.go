package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/envswitch"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/render"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/goenv"
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
		envEditCommand(), envSaveCommand(), envRemoveCommand(), envRenderCommand())
	return cmd
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
	screen.Table([][]term.Cell{{{Text: fmt.Sprintf("%-11s", s.Name), Style: term.Strong}, {Text: value}}})
	if s.From != "" && s.From != "default" {
		fmt.Fprintf(screen, "             %s\n", screen.Paint(term.Faint, "from "+s.From))
	}
	for _, h := range s.Hides {
		fmt.Fprintf(screen, "             %s\n", screen.Paint(term.Warn, "hides "+h.Value+" from "+h.From))
	}
}

func envDiffCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff NAME [NAME2]",
		Short: "Show what differs between a profile and what is in force, or between two profiles",
		Long: "Show what differs between what is in force now and a profile, or between two profiles.\n" +
			"It ends with 1 when something differs, so that scripts can tell.",
		Args: between(1, 2, "the names of one or two profiles"),
		RunE: func(cmd *cobra.Command, args []string) error {
			left, right, all, err := compare(cmd, args)
			if err != nil {
				return err
			}
			if err := showDifferences(cmd, left, right, all, asJSON); err != nil || len(all) == 0 {
				return err
			}
			return fmt.Errorf("%d of the settings differ", len(all))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// compare finds the differences, and what the two sides are called.
func compare(cmd *cobra.Command, args []string) (left, right string, all []profile.Difference, err error) {
	s, err := envSwitch()
	if err != nil {
		return "", "", nil, err
	}
	first, err := s.Folder.Load(args[0])
	if err != nil {
		return "", "", nil, err
	}
	if len(args) == 1 {
		_, now, err := inForce(cmd)
		return "now", args[0], profile.CompareNow(now, first), err
	}
	second, err := s.Folder.Load(args[1])
	return args[0], args[1], profile.Compare(first, second), err
}

func showDifferences(cmd *cobra.Command, left, right string, all []profile.Difference, asJSON bool) error {
	if asJSON {
		type difference struct {
			Name  string            `json:"name"`
			Sides map[string]string `json:"values"` // those that have none are missing
		}
		out := []difference{}
		for _, d := range all {
			sides := map[string]string{}
			for name, side := range map[string]profile.Side{left: d.Left, right: d.Right} {
				if side.Said && !side.Unset {
					sides[name] = govars.Redact(d.Name, side.Value)
				}
			}
			out = append(out, difference{d.Name, sides})
		}
		return sayJSON(cmd, out)
	}
	screen := screenOf(cmd.OutOrStdout())
	if len(all) == 0 {
		_, err := fmt.Fprintln(screen, "nothing differs")
		return err
	}
	for i, d := range all {
		if i > 0 {
			fmt.Fprintln(screen)
		}
		fmt.Fprintln(screen, screen.Paint(term.Strong, d.Name))
		screen.Table([][]term.Cell{
			{{Text: "  " + left, Style: term.Faint}, sideCell(d.Name, d.Left, term.Bad)},
			{{Text: "  " + right, Style: term.Faint}, sideCell(d.Name, d.Right, term.Good)},
		})
	}
	return nil
}

func sideCell(name string, side profile.Side, style term.Style) term.Cell {
	if !side.Said {
		return term.Cell{Text: "says nothing", Style: term.Faint}
	}
	cell := valueCell(name, side.Value, side.Unset && side.Value == "")
	if cell.Style == term.Plain {
		cell.Style = style
	}
	return cell
}

func envSaveCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "save NAME",
		Short: "Make a profile of what you have set now",
		Long:  "Make a profile of what is set now in the environment and with \"go env -w\".",
		Args:  exactly("the name of the new profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := envSwitch()
			if err != nil {
				return err
			}
			return saveNow(cmd, s.Folder, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a profile that has this name")
	return cmd
}

func saveNow(cmd *cobra.Command, folder profile.Folder, name string, force bool) error {
	if err := profile.CheckName(name); err != nil {
		return usageError{err}
	}
	if _, exists, err := folder.Text(name); err != nil || exists && !force {
		if err != nil {
			return err
		}
		return fmt.Errorf("there is a profile %s already; replace it with --force, or choose another name", name)
	}
	p, err := profile.FromNow(name, goenv.Load(os.Getenv))
	if err != nil {
		return err
	}
	if len(p.Settings) == 0 {
		return errors.New("nothing is set, neither in the environment nor with \"go env -w\"; write a profile with: weir env edit " + name)
	}
	if err := folder.Save(name, profile.Format(p)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "saved %d settings as %s\n", len(p.Settings), name)
	return err
}

func envRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a profile; one that is built in is then as it was",
		Args:  exactly("the name of a profile"),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := envSwitch()
			if err != nil {
				return err
			}
			return s.Folder.Remove(args[0])
		},
	}
}

func envRenderCommand() *cobra.Command {
	var name string
	var long strings.Builder
	var names []string
	for _, t := range render.Targets() {
		names = append(names, t.Name)
		fmt.Fprintf(&long, "  %-11s %s\n", t.Name, t.What)
	}
	cmd := &cobra.Command{
		Use:   "render " + strings.Join(names, "|"),
		Short: "Write a profile for a container, a pipeline, a shell or an editor",
		Long: "Write a profile for the place where it is needed, as a snippet that works as it is:\n\n" + long.String() +
			"\nWithout --profile, it is the one that is used or, if none is, what you have set now.\n" +
			"No snippet holds credentials: each says where it takes them from.",
		Args:      exactly("one of " + strings.Join(names, ", ")),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := renderInput(name)
			if err != nil {
				return err
			}
			text, err := render.Render(args[0], in)
			if err != nil {
				return usageError{err}
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "profile", "", "name of a profile, or path of the file of one")
	return cmd
}

// renderInput finds the profile of a name or, without one, what is used now.
func renderInput(name string) (render.Input, error) {
	s, err := envSwitch()
	if err != nil {
		return render.Input{}, err
	}
	if name == "" {
		if name, _, err = s.Current(); err != nil {
			return render.Input{}, err
		}
	}
	if name == profile.None {
		p, err := profile.FromNow("current", goenv.Load(os.Getenv))
		if err == nil && len(p.Settings) == 0 {
			err = errors.New("no profile is used and nothing is set; name a profile with --profile, such as one of \"weir env list\"")
		}
		return render.Input{Profile: p}, err
	}
	p, err := s.Folder.Load(name)
	in := render.Input{Profile: p}
	if p.Name != name { // it was the path of a file
		in.Path = name
	}
	return in, err
}
