package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/term"
)

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
