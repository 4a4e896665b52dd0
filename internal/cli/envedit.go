package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/profile"
)

func envEditCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "edit NAME",
		Short: "Edit a profile, or write a new one, with $VISUAL or $EDITOR",
		Long: "Edit a profile with $VISUAL or $EDITOR. A new one starts with comments that say what can\n" +
			"be written. It is checked before it is kept.",
		Args: exactly("the name of a profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := envSwitch()
			if err != nil {
				return err
			}
			if err := profile.CheckName(args[0]); err != nil {
				return usageError{err}
			}
			saved, err := editProfile(cmd, s.Folder, args[0])
			if err != nil || !saved {
				return err
			}
			if used, _, err := s.Current(); err == nil && used == args[0] {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "it is in use; take the changes over with: weir env use %s\n", used)
				return err
			}
			return nil
		},
	}
}

// editProfile lets the user edit a copy until it is good, and keeps it then.
func editProfile(cmd *cobra.Command, folder profile.Folder, name string) (saved bool, err error) {
	text, exists, err := folder.Text(name)
	if err != nil {
		return false, err
	}
	if !exists {
		text = profile.Start
	}
	draft, err := writeDraft(name, text)
	if err != nil {
		return false, err
	}
	for {
		if err := runEditor(cmd, draft); err != nil {
			return false, errors.Join(err, os.RemoveAll(filepath.Dir(draft)))
		}
		data, err := os.ReadFile(draft)
		if err != nil {
			return false, err
		}
		if string(data) == text {
			fmt.Fprintln(cmd.OutOrStdout(), "nothing was changed")
			return false, os.RemoveAll(filepath.Dir(draft))
		}
		if err = folder.Save(name, string(data)); err == nil {
			fmt.Fprintf(cmd.OutOrStdout(), "saved %s\n", name)
			return true, os.RemoveAll(filepath.Dir(draft))
		}
		if !editAgain(cmd, err) {
			return false, fmt.Errorf("not saved: %w\nwhat you wrote is in %s", err, draft)
		}
	}
}

// writeDraft writes a text to a file in a folder of its own, which only the user can read.
func writeDraft(name, text string) (string, error) {
	dir, err := os.MkdirTemp("", "weir-env-")
	if err != nil {
		return "", err
	}
	draft := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return draft, nil
}

// editAgain asks whether the editor is to be started again; where nobody can answer, it
// is not.
func editAgain(cmd *cobra.Command, problem error) bool {
	if !isTerminal(cmd.InOrStdin()) {
		return false
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%v\nedit again? [Y/n] ", problem)
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "" || strings.HasPrefix(answer, "y"))
}

// runEditor runs the editor of the user for as long as that takes.
func runEditor(cmd *cobra.Command, file string) error {
	words, err := editor(os.Getenv)
	if err != nil {
		return err
	}
	run := exec.CommandContext(cmd.Context(), words[0], append(words[1:], file)...)
	run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := run.Run(); err != nil {
		return fmt.Errorf("the editor %s failed: %w; set VISUAL or EDITOR to another one", words[0], err)
	}
	return nil
}

// editor is the command line of the user's editor. It may have arguments, and its path
// blanks.
func editor(getenv func(string) string) ([]string, error) {
	usual := "vi"
	if runtime.GOOS == "windows" {
		usual = "notepad"
	}
	line := cmp.Or(strings.TrimSpace(getenv("VISUAL")), strings.TrimSpace(getenv("EDITOR")), usual)
	if _, err := exec.LookPath(line); err == nil {
		return []string{line}, nil
	}
	words := strings.Fields(line)
	if _, err := exec.LookPath(words[0]); err != nil {
		return nil, fmt.Errorf("there is no editor %s; set VISUAL or EDITOR", words[0])
	}
	return words, nil
}
