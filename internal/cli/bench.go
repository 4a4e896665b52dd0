package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/mirrors/plan"
	"github.com/goweir/weir/internal/client/mirrors/report"
	"github.com/goweir/weir/internal/client/mirrors/survey"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

// benchFlags are what a measurement can be told.
type benchFlags struct {
	public bool
	bytes  config.Size
	time   time.Duration
	asJSON bool
	html   string
}

func benchCommand() *cobra.Command {
	f := benchFlags{bytes: 20 << 20}
	cmd := &cobra.Command{
		Use:   "bench [URL…]",
		Short: "Measure module proxies side by side, and pick the best",
		Long: "Measure module proxies from where this machine stands: those that GOPROXY names, or those\n" +
			"at the URLs. All are asked for the same public modules, those in the go.sum of this folder\n" +
			"or popular ones, and what they send is compared with the checksum database. No module that\n" +
			"GOPRIVATE, GONOPROXY or GONOSUMDB match is asked for. It ends with 1 when no mirror works\n" +
			"or one of them served wrong bytes.\n\nThe public mirrors are\n  " + hosts(plan.Public()),
		Example: "  weir bench --public\n  weir bench https://goproxy.cn https://goproxy.io --html report.html",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return plan.Public(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&f.public, "public", false, "measure well-known public mirrors, too")
	cmd.Flags().TextVar(&f.bytes, "bytes", f.bytes, "how many `bytes` each mirror may send at most, such as 5MiB")
	cmd.Flags().DurationVar(&f.time, "time", 30*time.Second, "`duration` that it may take at most")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&f.html, "html", "", "write a report with charts to a `file`")
	return cmd
}

// hosts are URLs without what they have in common, in lines.
func hosts(urls []string) string {
	return strings.ReplaceAll(strings.Join(urls, "\n  "), "https://", "")
}

func (f benchFlags) run(cmd *cobra.Command, args []string) error {
	request, err := f.request(args)
	if err != nil {
		return err
	}
	env := goenv.Load(os.Getenv)
	o, err := plan.Make(cmd.Context(), env, request)
	if err != nil {
		return err
	}
	if len(o.Mirrors) == 0 {
		return usageError{fmt.Errorf("GOPROXY=%s names no proxy to measure; name one, or use --public\nsee: %s --help", source.RedactList(env.Value("GOPROXY")), cmd.CommandPath())}
	}
	o.Bytes, o.Time = int64(f.bytes), f.time
	progress := term.New(cmd.ErrOrStderr(), os.Getenv)
	o.Progress = func(p survey.Progress) { progress.Progress(progressText(p)) }
	r, err := survey.Run(cmd.Context(), o)
	progress.Done()
	if err != nil {
		return err
	}
	if err := f.show(cmd.OutOrStdout(), r, env); err != nil {
		return err
	}
	return unwell(r)
}

// request is what the command line asks for.
func (f benchFlags) request(args []string) (plan.Request, error) {
	r := plan.Request{Public: f.public, UserAgent: "weir-bench"}
	for _, arg := range args {
		entry, err := plan.ParseURL(arg)
		if err != nil {
			return r, usageError{err}
		}
		r.URLs = append(r.URLs, entry)
	}
	if f.bytes <= 0 || f.time <= 0 {
		return r, usageError{errors.New("--bytes and --time must be more than nothing")}
	}
	dir, err := os.Getwd()
	if err != nil {
		return r, err
	}
	r.Dir = dir
	return r, nil
}

func progressText(p survey.Progress) string {
	text := fmt.Sprintf("round %d of at most %d", p.Round, p.Rounds)
	if p.Mirror != "" {
		text += ": zip from " + bare(p.Mirror)
	}
	return text
}

// bare is a URL as it is shown in tables.
func bare(url string) string { return strings.TrimPrefix(url, "https://") }

// show prints a report, and writes the page if there is to be one.
func (f benchFlags) show(out io.Writer, r mirrors.Report, env *goenv.Env) error {
	if f.asJSON {
		if err := json.NewEncoder(out).Encode(benchJSON(r)); err != nil {
			return err
		}
	} else {
		screen := term.New(out, os.Getenv)
		showMirrors(screen, r)
		showRecommendation(screen, r, env)
	}
	if f.html == "" {
		return nil
	}
	return os.WriteFile(f.html, report.HTML(r), 0o644)
}

// benchJSON is a report with what it recommends.
func benchJSON(r mirrors.Report) any {
	goproxy, reason := r.Recommend()
	return struct {
		mirrors.Report
		GOPROXY string `json:"recommended_goproxy"`
		Reason  string `json:"reason"`
	}{r, source.RedactList(goproxy), reason}
}

// unwell is an error if no mirror works, or one served wrong bytes.
func unwell(r mirrors.Report) error {
	works := false
	for _, m := range r.Mirrors {
		switch m.State {
		case mirrors.Lies:
			return fmt.Errorf("%s served wrong bytes", m.Name)
		case mirrors.Works:
			works = true
		}
	}
	if !works {
		return errors.New("no mirror works")
	}
	return nil
}
