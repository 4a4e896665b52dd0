package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/envswitch"
	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/mirrors/plan"
	"github.com/goweir/weir/internal/client/mirrors/survey"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

// bestProfile is the profile that a measurement makes.
const bestProfile = "best"

func envBestCommand() *cobra.Command {
	var public, write bool
	cmd := &cobra.Command{
		Use:   "best",
		Short: "Choose GOPROXY from a measurement and your private patterns",
		Long: "Measure the proxies that GOPROXY names, and with --public the built-in public mirrors, as\n" +
			"\"weir bench\" does, and say what GOPROXY should be. No private module is asked for. Where\n" +
			"private modules come through the proxies (GONOPROXY), no public mirror takes their place.\n" +
			"With --write the profile \"" + bestProfile + "\" is made of it and of the profile that is used, and used.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := envSwitch()
			if err != nil {
				return err
			}
			goproxy, err := measureBest(cmd, goenv.Load(os.Getenv), public)
			if err != nil {
				return err
			}
			if write {
				return writeBest(cmd, s, goproxy)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "To make it so: weir env best --write")
			return err
		},
	}
	cmd.Flags().BoolVar(&public, "public", false, "measure the built-in public mirrors, too")
	cmd.Flags().BoolVar(&write, "write", false, "make a profile of it, and use it")
	return cmd
}

// measureBest measures, says what was found, and returns what GOPROXY should be.
func measureBest(cmd *cobra.Command, env *goenv.Env, public bool) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	o, err := plan.Make(cmd.Context(), env, plan.Request{Public: public, Dir: dir, UserAgent: "weir-env"})
	if err != nil {
		return "", err
	}
	if public && len(o.Private) > 0 {
		return "", usageError{fmt.Errorf("private modules (%s) come through your proxies, since GONOPROXY does not name them; public mirrors have not got them, and would learn their names; leave out --public", strings.Join(o.Private, ","))}
	}
	if len(o.Mirrors) == 0 {
		return "", usageError{fmt.Errorf("GOPROXY=%s names no proxy to measure; use --public\nsee: %s --help", source.RedactList(env.Value("GOPROXY")), cmd.CommandPath())}
	}
	progress := screenOf(cmd.ErrOrStderr())
	o.Progress = func(p survey.Progress) { progress.Progress(progressText(p)) }
	r, err := survey.Run(cmd.Context(), o)
	progress.Done()
	if err != nil {
		return "", err
	}
	goproxy, reason := r.Recommend()
	showBest(screenOf(cmd.OutOrStdout()), r, goproxy, reason, privateText(env, o.Private))
	if goproxy == "" {
		return "", errors.New("no mirror works")
	}
	return goproxy, nil
}

func showBest(screen *term.Screen, r mirrors.Report, goproxy, reason, private string) {
	rows := [][]term.Cell{term.Head("MIRROR", "RESULT")}
	for _, m := range r.Mirrors {
		rows = append(rows, []term.Cell{{Text: bare(m.Name)}, {Text: m.Verdict(), Style: toneStyles[m.Tone()]}})
	}
	screen.Table(rows)
	fmt.Fprintln(screen)
	if goproxy != "" {
		fmt.Fprintln(screen, screen.Paint(term.Strong, "GOPROXY="+source.RedactList(goproxy)))
	}
	showText(screen, term.Plain, reason)
	showText(screen, term.Plain, private)
}

// privateText says what becomes of private modules.
func privateText(env *goenv.Env, throughProxies []string) string {
	direct, _ := env.First("GONOPROXY", "GOPRIVATE")
	switch {
	case len(throughProxies) > 0:
		return "Private modules (" + strings.Join(throughProxies, ",") + ") come through these proxies, so that only those you have were measured."
	case direct.Value == "":
		return "No module is private here. If some of yours are, say so first, such as with: go env -w GOPRIVATE=git.example.com"
	default:
		return "Private modules (" + direct.Value + ") come from version control; no proxy hears of them."
	}
}

// writeBest makes a profile of what is used and of another GOPROXY, and uses it.
func writeBest(cmd *cobra.Command, s envswitch.Switch, goproxy string) error {
	used, _, err := s.Current()
	if err != nil {
		return err
	}
	p := profile.Profile{}
	if used != profile.None {
		if p, err = s.Folder.Load(used); err != nil {
			return err
		}
	}
	p.Description = "the best mirrors when they were measured"
	p.Settings = slices.DeleteFunc(p.Settings, func(s profile.Setting) bool { return s.Name == "GOPROXY" })
	p.Settings = append(p.Settings, profile.Setting{Name: "GOPROXY", Value: goproxy})
	if err := s.Folder.Save(bestProfile, profile.Format(p)); err != nil {
		return err
	}
	return switchProfile(cmd, s, bestProfile)
}
