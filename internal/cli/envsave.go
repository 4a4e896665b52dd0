package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/goenv"
)

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
