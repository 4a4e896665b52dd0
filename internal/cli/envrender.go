package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/render"
	"github.com/goweir/weir/internal/goenv"
)

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
	_ = cmd.RegisterFlagCompletionFunc("profile", completeProfiles) // the flag is there
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
