package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/doctor"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/term"
)

func doctorCommand() *cobra.Command {
	var d doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [MODULE[@VERSION]]",
		Short: "Find out why the go command cannot fetch, and what to do",
		Long: "Find out why the go command of this machine cannot fetch modules, and what to do: it looks\n" +
			"at the settings and where they come from, every entry of GOPROXY, the checksum database,\n" +
			"version control, caches and this folder. With a module it follows the way of that module\n" +
			"and shows where it breaks. It ends with 1 when something does not work.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{errors.New("weir doctor wants one module at most\nsee: weir doctor --help")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&d.json, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&d.verbose, "verbose", "v", false, "show every check, and where every setting comes from")
	cmd.Flags().BoolVar(&d.fix, "fix", false, "apply what is safe to apply, after asking")
	cmd.Flags().BoolVar(&d.yes, "yes", false, "with --fix: do not ask")
	cmd.Flags().DurationVar(&d.timeout, "timeout", 5*time.Second, "how long one check may take")
	return cmd
}

type doctorFlags struct {
	json, verbose, fix, yes bool
	timeout                 time.Duration
}

func (d doctorFlags) run(cmd *cobra.Command, args []string) error {
	o := doctor.Options{Timeout: d.timeout, UserAgent: "weir/" + readBuild().Version}
	if len(args) > 0 {
		target, err := doctor.ParseTarget(args[0])
		if err != nil {
			return usageError{err}
		}
		o.Target = target
	}
	switch {
	case d.timeout <= 0:
		return usageError{errors.New("--timeout must be above 0, such as 10s")}
	case d.yes && !d.fix:
		return usageError{errors.New("--yes is for --fix")}
	case d.fix && d.json:
		return usageError{errors.New("--fix talks to a person and --json to a program; say one of them")}
	case d.fix && !d.yes && !isTerminal(cmd.InOrStdin()):
		return usageError{errors.New("--fix asks, and this is no terminal; say --yes, too, if all that is safe may be applied")}
	}
	report := d.examine(cmd, o)
	if d.fix {
		applied, err := d.apply(cmd, report)
		if err != nil {
			return err
		}
		if applied {
			fmt.Fprintln(cmd.OutOrStdout(), "\nOnce more:")
			report = d.examine(cmd, o)
		}
	}
	if err := cmd.Context().Err(); err != nil {
		return context.Cause(cmd.Context())
	}
	if !report.Healthy {
		return errors.New("something does not work on this machine")
	}
	return nil
}

// examine runs the checks and prints what they find.
func (d doctorFlags) examine(cmd *cobra.Command, o doctor.Options) *doctor.Report {
	if d.json {
		report := doctor.Examine(cmd.Context(), o)
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		encoder.Encode(report) // who does not read on does not need to know
		return report
	}
	p := doctorPrinter{term.New(cmd.OutOrStdout(), os.Getenv), d.verbose}
	o.Progress = func(done, of int, f check.Finding) {
		p.Progress(fmt.Sprintf("%d of %d checks: %s %s", done, of, f.Title, f.Subject))
	}
	report := doctor.Examine(cmd.Context(), o)
	p.Done()
	p.report(report)
	return report
}

// apply applies what is safe, after asking, and reports whether anything was.
func (d doctorFlags) apply(cmd *cobra.Command, report *doctor.Report) (applied bool, err error) {
	answers := bufio.NewReader(cmd.InOrStdin())
	for _, c := range report.Causes {
		for _, fix := range c.Fixes {
			if !fix.Safe || !d.yes && !agreed(cmd.OutOrStdout(), answers, fix.Command) {
				continue
			}
			if err := fix.Apply(cmd.Context()); err != nil {
				return applied, err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "done: %s\n", fix.Command)
			applied = true
		}
	}
	if !applied {
		fmt.Fprintln(cmd.OutOrStdout(), "\nNothing was changed.")
	}
	return applied, nil
}

// agreed asks a person.
func agreed(out io.Writer, answers *bufio.Reader, command string) bool {
	fmt.Fprintf(out, "\n%s\nDo that? [y/N] ", command)
	line, err := answers.ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(line), "y")
}

// A doctorPrinter shows a report to a person.
type doctorPrinter struct {
	*term.Screen
	verbose bool
}

func (p doctorPrinter) report(r *doctor.Report) {
	if p.verbose {
		p.settings(r)
	}
	p.findings(r.Findings)
	if len(r.Path) > 0 {
		p.way(r)
	}
	p.verdict(r)
}

func (p doctorPrinter) settings(r *doctor.Report) {
	rows := [][]term.Cell{term.Head("SETTING", "FROM", "VALUE")}
	for _, s := range r.Settings {
		from := s.Layer
		if s.File != "" {
			from += " " + s.File
		}
		rows = append(rows, term.Row(s.Name, from, s.Value))
		for _, hidden := range s.Hides {
			rows = append(rows, []term.Cell{{Text: ""}, {Text: "hides " + hidden.Layer, Style: term.Faint}, {Text: hidden.Value, Style: term.Faint}})
		}
	}
	p.Table(rows)
	fmt.Fprintln(p)
}

// stateCells are how states look.
var stateCells = map[check.State]term.Cell{
	check.OK: {Text: "ok", Style: term.Good}, check.Warn: {Text: "warn", Style: term.Warn}, check.Bad: {Text: "BAD", Style: term.Bad}, check.Skipped: {Text: "-", Style: term.Faint},
}

// findings are shown one by one where they are not well, and else as one line for all
// that belong together.
func (p doctorPrinter) findings(all []check.Finding) {
	var rows [][]term.Cell
	for len(all) > 0 {
		n := 1
		for n < len(all) && together(all[0], all[n]) {
			n++
		}
		rows = append(rows, p.group(all[:n])...)
		all = all[n:]
	}
	p.Table(rows)
}

// together reports whether two findings belong together: they are of one group, and of
// one proxy.
func together(a, b check.Finding) bool {
	return a.Group == b.Group && (a.Group != doctor.GroupProxy || a.Subject == b.Subject)
}

func (p doctorPrinter) group(findings []check.Finding) [][]term.Cell {
	var rows [][]term.Cell
	var well []string
	for _, f := range findings {
		if f.State == check.OK {
			well = append(well, f.Title)
		}
		if p.verbose || f.State == check.Bad || f.State == check.Warn {
			rows = append(rows, p.finding(f)...)
		}
	}
	if p.verbose || len(well) == 0 {
		return rows
	}
	text := strings.Join(well, ", ")
	if findings[0].Group == doctor.GroupProxy {
		text = findings[0].Subject + ": " + text
	}
	return append([][]term.Cell{{stateCells[check.OK], {Text: findings[0].Group}, {Text: text}}}, rows...)
}

func (p doctorPrinter) finding(f check.Finding) [][]term.Cell {
	text := f.Summary
	if f.Group == doctor.GroupModule && f.State == check.Bad {
		text = "it breaks, as the picture below shows"
	}
	if f.Group == doctor.GroupProxy && f.State != check.Bad && p.verbose {
		text = strings.TrimSuffix(f.Subject+": "+text, ": ")
	}
	rows := [][]term.Cell{{stateCells[f.State], {Text: f.Group + ": " + f.Title}, {Text: text, Style: stateStyle(f.State)}}}
	for _, line := range f.Evidence {
		rows = append(rows, []term.Cell{{}, {}, {Text: line, Style: term.Faint}})
	}
	return rows
}

// stateStyle is how the text of a finding looks.
func stateStyle(s check.State) term.Style {
	if s == check.Skipped {
		return term.Faint
	}
	return term.Plain
}

// way draws the steps to a module.
func (p doctorPrinter) way(r *doctor.Report) {
	fmt.Fprintf(p, "\nThe way to %s:\n", p.Paint(term.Strong, r.Module))
	rows := [][]term.Cell{}
	for i, hop := range r.Path {
		line := "├─"
		if i == len(r.Path)-1 {
			line = "└─"
		}
		state := stateCells[hop.State]
		if hop.State == check.Skipped {
			state.Text = "next"
		}
		rows = append(rows, []term.Cell{{Text: line, Style: term.Faint}, {Text: hop.Where}, {Text: hop.What}, state, {Text: hop.Text}})
	}
	p.Table(rows)
}

func (p doctorPrinter) verdict(r *doctor.Report) {
	switch {
	case r.Healthy && r.Module != "":
		fmt.Fprintf(p, "\n%s %s can be fetched.\n", p.Paint(term.Good, "Healthy:"), r.Module)
	case r.Healthy:
		fmt.Fprintf(p, "\n%s the go command can fetch modules as its settings say.\n", p.Paint(term.Good, "Healthy:"))
	default:
		fmt.Fprintf(p, "\n%s The likeliest cause first:\n", p.Paint(term.Bad, "Not healthy."))
	}
	for i, c := range r.Causes {
		if c.State == check.Warn && (i == 0 || r.Causes[i-1].State == check.Bad) {
			fmt.Fprintf(p, "\n%s\n", p.Paint(term.Warn, "Worth a look:"))
		}
		p.cause(i+1, c)
	}
	if !p.verbose && len(r.Causes) > 0 {
		fmt.Fprintf(p, "\n%s\n", p.Paint(term.Faint, "All checks, and where each setting comes from: weir doctor --verbose"))
	}
}

// causeIndent stands before the lines of a cause, below its number.
const causeIndent = "     "

func (p doctorPrinter) cause(number int, c check.Cause) {
	for i, line := range p.lines(c.Summary) {
		lead := causeIndent
		if i == 0 {
			lead = fmt.Sprintf("%3d. ", number)
		}
		fmt.Fprintf(p, "%s%s\n", lead, p.Paint(term.Strong, line))
	}
	if c.Hint != "" {
		for _, line := range p.lines(c.Hint) {
			fmt.Fprintf(p, "%s%s\n", causeIndent, line)
		}
	}
	for _, fix := range c.Fixes {
		fmt.Fprintf(p, "%s%s\n", causeIndent, p.Paint(term.Good, "$ "+fix.Command))
	}
}

// lines are the lines of a text below a number: more than one on a terminal only.
func (p doctorPrinter) lines(text string) []string {
	if !p.IsTerminal() {
		return []string{text}
	}
	return term.Wrap(text, p.Width()-len(causeIndent))
}
