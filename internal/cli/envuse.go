package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/envswitch"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/term"
)

func envUseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME|-|none",
		Short: "Switch to a profile, with \"go env -w\"; \"-\" goes back",
		Long: "Switch to a profile: \"go env -w\" is run for what it sets, \"go env -u\" for what it unsets.\n" +
			"What was there before is remembered: \"weir env use -\" goes back, and once more there\n" +
			"again; \"weir env use none\" leaves all profiles. NAME may also be the path of a file.",
		Args: exactly("the name of a profile, or - to go back"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := envSwitch()
			if err != nil {
				return err
			}
			return switchProfile(cmd, s, args[0])
		},
	}
}

// switchProfile switches, and says what that has changed.
func switchProfile(cmd *cobra.Command, s envswitch.Switch, name string) error {
	switchTo := func() (envswitch.Change, error) { return s.Use(cmd.Context(), name) }
	if name == "-" {
		switchTo = func() (envswitch.Change, error) { return s.Back(cmd.Context()) }
	}
	change, err := switchTo()
	if err != nil {
		return err
	}
	showChange(screenOf(cmd.OutOrStdout()), change)
	warnExposed(cmd.ErrOrStderr(), change)
	warnOverridden(cmd.ErrOrStderr(), change.Overridden)
	return nil
}

func showChange(screen *term.Screen, c envswitch.Change) {
	head := "using " + c.To
	if c.To == profile.None {
		head = "using no profile"
	}
	if len(c.Settings) == 0 {
		head += "; no setting had to be changed"
	}
	fmt.Fprintln(screen, screen.Paint(term.Strong, head))
	for _, s := range c.Settings {
		now, note := s.Name+" unset", ""
		if s.Set {
			now = s.Name + "=" + govars.Redact(s.Name, s.Is)
		}
		if s.WasSet {
			note = "  (was " + govars.Redact(s.Name, s.Was) + ")"
		}
		fmt.Fprintf(screen, "  %s%s\n", now, screen.Paint(term.Faint, note))
	}
}

// warnExposed tells which modules others may hear of from now on.
func warnExposed(out io.Writer, c envswitch.Change) {
	if len(c.Exposed) == 0 {
		return
	}
	screen := screenOf(out)
	fmt.Fprintln(screen, screen.Paint(term.Warn, "No longer private: "+strings.Join(c.Exposed, ", ")))
	fmt.Fprintf(screen, "Proxies and the checksum database may hear of these modules now. To keep them\nprivate, set GOPRIVATE in this profile as well%s\n", editHint(c.To))
}

// editHint says how to edit a profile, if that is known.
func editHint(name string) string {
	if profile.CheckName(name) != nil {
		return "."
	}
	return ": weir env edit " + name
}

// warnOverridden tells what does not come into force, and how to let it.
func warnOverridden(out io.Writer, all []envswitch.Override) {
	if len(all) == 0 {
		return
	}
	screen := screenOf(out)
	fmt.Fprintln(screen, screen.Paint(term.Warn, "The environment of this shell wins over the profile:"))
	var names []string
	for _, o := range all {
		wanted := "the default"
		if !o.Unset {
			wanted = govars.Redact(o.Name, o.Profile)
		}
		fmt.Fprintf(screen, "  %s is %s there, not %s\n", o.Name, govars.Redact(o.Name, o.Environment), wanted)
		names = append(names, o.Name)
	}
	fmt.Fprintf(screen, "To let the profile count here: %s\nand take it out of where the shell gets it, such as its startup file.\n", unsetCommand(os.Getenv, names))
}

// unsetCommand is how variables are unset in the shell of the user.
func unsetCommand(getenv func(string) string, names []string) string {
	shell := filepath.Base(getenv("SHELL"))
	switch {
	case shell == "fish":
		return "set -e " + strings.Join(names, " ")
	case shell == "csh" || shell == "tcsh":
		return "unsetenv " + strings.Join(names, "; unsetenv ")
	case runtime.GOOS == "windows" && getenv("SHELL") == "":
		return "Remove-Item Env:" + strings.Join(names, ", Env:")
	default:
		return "unset " + strings.Join(names, " ")
	}
}
