package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/client/verify"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/goenv"
)

// maxSameRule is how many findings of one rule people get to see. Machines get them all.
const maxSameRule = 10

// verifying is what was asked for.
type verifying struct {
	failOn   string
	offline  bool
	bytes    bool
	sumsOnly bool
	asJSON   bool
	asSARIF  bool
}

func verifyCommand() *cobra.Command {
	var v verifying
	cmd := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Check that a project is locked, and its go.sum true",
		Long: "Check that a module or workspace is locked: every line of go.sum and go.work.sum against\n" +
			"the checksum database and the module cache, missing and unused lines, replacements that\n" +
			"others do not have, vendor, settings that leave go.sum unproven. Nothing in DIR is changed.\n\n" +
			"It ends with 1 when something of the severity of --fail-on or worse was found; what could\n" +
			"not be checked is an error, too.",
		Example: "  weir verify\n" +
			"  weir verify --bytes              download and hash every module, too\n" +
			"  weir verify --offline            ask nobody: go.sum, module cache and vendor only\n" +
			"  weir verify --sarif >weir.sarif  for code hosts that show it beside the code",
		Args: atMostOne("the folder of a project"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.run(cmd, cmp.Or(strings.Join(args, ""), "."))
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.failOn, "fail-on", "error", "the least severity that fails: error, warning or note")
	f.BoolVar(&v.offline, "offline", false, "ask nobody: compare with the module cache only")
	f.BoolVar(&v.bytes, "bytes", false, "compare with the bytes that proxies and version control serve now, too")
	f.BoolVar(&v.sumsOnly, "sums-only", false, "check the lines of go.sum only, without running the go command")
	f.BoolVar(&v.asJSON, "json", false, "print JSON")
	f.BoolVar(&v.asSARIF, "sarif", false, "print SARIF 2.1.0")
	return cmd
}

// atMostOne refuses more than one argument.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("%s wants %s, or nothing\nsee: %s --help", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}

func (v *verifying) run(cmd *cobra.Command, dir string) error {
	var failOn finding.Severity
	if err := failOn.UnmarshalText([]byte(v.failOn)); err != nil {
		return usageError{fmt.Errorf("--fail-on: %w", err)}
	}
	switch {
	case v.asJSON && v.asSARIF:
		return usageError{errors.New("choose one of --json and --sarif")}
	case v.offline && v.bytes:
		return usageError{errors.New("--bytes asks proxies, --offline does not: choose one")}
	}
	live := term.New(cmd.ErrOrStderr(), os.Getenv)
	report, err := v.look(cmd.Context(), dir, live.Progress)
	live.Done()
	if errors.Is(err, mainmod.ErrNone) || errors.Is(err, os.ErrNotExist) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	place := placer(report.Dir)
	screen := term.New(cmd.OutOrStdout(), os.Getenv)
	switch {
	case v.asJSON:
		err = writeJSON(screen, report)
	case v.asSARIF:
		err = writeJSON(screen, finding.ToSARIF(report.Findings, readBuild().Version, place))
	default:
		v.show(screen, report, place)
	}
	return cmp.Or(err, verdict(report, failOn))
}

// look verifies with all that this machine has.
func (v *verifying) look(ctx context.Context, dir string, progress func(string)) (*verify.Report, error) {
	env := goenv.Load(os.Getenv)
	o := verify.Options{Dir: dir, Env: env, Bytes: v.bytes, SumsOnly: v.sumsOnly, Progress: progress}
	cache, _, err := moduleCache(ctx, env)
	if err != nil {
		return nil, err
	}
	if cache != nil {
		defer cache.Close()
		o.Cache = cache
	}
	if !v.offline {
		modules, err := modsource.Open(ctx, env, modsource.Options{UserAgent: "weir/" + readBuild().Version})
		if err != nil {
			return nil, fmt.Errorf("%w; with --offline nobody is asked", err)
		}
		defer modules.Close()
		o.Modules = modules
	}
	return verify.Run(ctx, o)
}

// placer turns names of files that are relative to a project into names that are
// relative to the current folder, where the project is in it or the other way round.
func placer(project string) func(string) string {
	prefix := ""
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, project); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			prefix = filepath.ToSlash(rel) + "/"
		}
	}
	prefix = strings.TrimPrefix(prefix, "./")
	return func(name string) string { return prefix + name }
}

// verdict is an error if there is a finding that is bad enough.
func verdict(r *verify.Report, failOn finding.Severity) error {
	if r.Worst() < failOn {
		return nil
	}
	return fmt.Errorf("%s: %s", r.Dir, strings.Join(counts(r), ", "))
}

// counts says how many findings there are of each severity.
func counts(r *verify.Report) []string {
	number := map[finding.Severity]int{}
	for _, f := range r.Findings {
		number[f.Severity]++
	}
	var all []string
	for s := finding.Error; s > finding.None; s-- {
		switch n := number[s]; n {
		case 0:
		case 1:
			all = append(all, "1 "+s.String())
		default:
			all = append(all, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return all
}

var severityStyles = map[finding.Severity]term.Style{finding.Error: term.Bad, finding.Warning: term.Warn, finding.Note: term.Faint}

func (v *verifying) show(s *term.Screen, r *verify.Report, place func(string) string) {
	shown := map[string]int{}
	for _, f := range r.Findings {
		shown[f.Rule]++
		switch n := shown[f.Rule]; {
		case n <= maxSameRule:
			showFinding(s, f, place, n == 1)
		case n == maxSameRule+1:
			fmt.Fprintf(s, "         … and more of %s; --json has all\n", f.Rule)
		}
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(s)
	}
	showLines(s, r)
	if len(r.Findings) == 0 {
		fmt.Fprintln(s, s.Paint(term.Good, "Everything is locked, and as it should be."))
	}
}

func showFinding(s *term.Screen, f finding.Finding, place func(string) string, withHint bool) {
	const indent = "         "
	fmt.Fprintf(s, "%s%s:%d  %s\n", s.Paint(severityStyles[f.Severity], fmt.Sprintf("%-9s", f.Severity)), place(f.File), f.Line, s.Paint(term.Faint, f.Rule))
	indented(s, indent, f.Message, term.Plain)
	if withHint && f.Hint != "" {
		indented(s, indent, "what to do: "+f.Hint, term.Strong)
	}
}

// indented prints a text below what it belongs to. Only for those who look on it is
// broken into lines, so that it can be searched.
func indented(s *term.Screen, indent, text string, style term.Style) {
	lines := []string{text}
	if s.IsTerminal() {
		lines = term.Wrap(text, max(s.Width()-len(indent), 40))
	}
	for _, line := range lines {
		fmt.Fprintln(s, indent+s.Paint(style, line))
	}
}

// showLines says what was compared with what.
func showLines(s *term.Screen, r *verify.Report) {
	fmt.Fprintf(s, "%d lines in %s\n", r.Lines, strings.Join(r.Files, ", "))
	if r.Database != "" {
		fmt.Fprintf(s, "%6d as in the checksum database %s\n", r.Proven, r.Database)
	}
	fmt.Fprintf(s, "%6d as in the module cache\n", r.Cached)
	if r.Fetched > 0 {
		fmt.Fprintf(s, "%6d as served by proxies or version control now\n", r.Fetched)
	}
}
