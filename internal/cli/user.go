package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/auth/accounts"
)

func userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add and remove users who log in with a password",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("user needs one of set, remove")}
		},
	}
	cmd.AddCommand(userSetCommand(), userRemoveCommand())
	return cmd
}

func userSetCommand() *cobra.Command {
	var s settings
	var user accounts.User
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Add a user, or give one another password and other groups",
		Long: "Add a user, or give one another password and other groups. The password is read from\n" +
			"standard input; what is kept of it cannot be turned back into it.",
		Args: exactly("the name of a user"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensFile(cmd, &s)
			if err != nil {
				return err
			}
			user.Name = args[0]
			password, err := readSecret(cmd, "password for "+user.Name)
			if err != nil {
				return err
			}
			return accounts.SetUser(path, user, password)
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().StringSliceVar(&user.Groups, "group", nil, "`group` that they belong to; may be repeated")
	return cmd
}

func userRemoveCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user",
		Args:  exactly("the name of a user"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensFile(cmd, &s)
			if err != nil {
				return err
			}
			return accounts.RemoveUser(path, args[0])
		},
	}
	s.register(cmd.Flags())
	return cmd
}
