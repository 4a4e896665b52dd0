package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/bundle/intake"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/gosumdb"
)

func importCommand() *cobra.Command {
	var s settings
	i := importing{settings: &s}
	cmd := &cobra.Command{
		Use:   "import FILE|DIR|-",
		Short: "Take what \"weir export\" has packed into the folder of a Weir",
		Long: "Take what \"weir export\" has packed into the folder where a Weir keeps modules. The\n" +
			"Weir may be running. Every file is compared with the manifest, and every module that\n" +
			"the checksum database knows is proven once more, with the key that is trusted here.\n" +
			"Nothing that is stored is replaced, and what is there is passed over: interrupt it,\n" +
			"and run it again. It ends with 1 when something was refused.",
		Example: "  weir import deps.tar\n" +
			"  weir import --data /var/lib/weir --require-sums deps.tar.zst",
		Args: exactly("a file, a folder or -"),
		RunE: func(cmd *cobra.Command, args []string) error { return i.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	s.flags = flags
	flags.StringVar(&s.config, "config", "", "configuration `file` of the Weir (WEIR_CONFIG)")
	flags.StringVar(&s.data, "data", "", "`directory` of the Weir (WEIR_DATA)")
	flags.StringVar(&s.sumdb, "sumdb", "", "checksum `database` as in GOSUMDB (WEIR_SUMDB)")
	flags.BoolVar(&i.requireSums, "require-sums", false, "refuse modules that the checksum database does not know")
	flags.BoolVar(&i.asJSON, "json", false, "print JSON")
	return cmd
}

type importing struct {
	settings    *settings
	requireSums bool
	asJSON      bool
}

// importedHaul is what is said of an import, for machines.
type importedHaul struct {
	SumDB    string   `json:"sumdb,omitempty"`
	Kept     []string `json:"kept"`
	Unproven []string `json:"unproven"`
}

func (i *importing) run(cmd *cobra.Command, name string) error {
	cfg, _, err := i.settings.load(cmd.Context())
	if err != nil {
		return err
	}
	trusted, err := gosumdb.Parse(cfg.Sumdb.Reveal())
	if err != nil {
		return usageError{fmt.Errorf("--sumdb: %w", err)}
	}
	screen := newHaulScreen(cmd, i.asJSON)
	screen.failed = "refused:"
	importer := &intake.Importer{Dir: filepath.Join(cfg.Data, "modules"), SumDB: trusted, RequireSums: i.requireSums, Progress: screen.progress}
	var imported *intake.Imported
	if name == "-" {
		imported, err = importer.ImportTar(cmd.Context(), cmd.InOrStdin())
	} else {
		imported, err = importer.Import(cmd.Context(), name)
	}
	if errors.Is(err, os.ErrNotExist) && imported == nil {
		return usageError{err}
	}
	if err != nil {
		return screen.failedWhole(name, err)
	}
	return i.print(screen, cfg.Data, imported)
}

// failedWhole is the error of a bundle that was refused, or could not be made, as a whole.
func (s *haulScreen) failedWhole(name string, err error) error {
	reason, hint := whyMissing(s.interrupted(err))
	if hint != "" {
		reason += "\nhint: " + hint
	}
	return fmt.Errorf("%s: %s", name, reason)
}

func (i *importing) print(s *haulScreen, target string, imported *intake.Imported) error {
	s.screen.Done()
	h := newHaul(target, &closure.Closure{}, imported.Report)
	h.Modules = len(imported.Manifest.Modules)
	h.Import = &importedHaul{Kept: []string{}, Unproven: []string{}}
	for _, n := range imported.Kept {
		h.Import.Kept = append(h.Import.Kept, n.Key())
	}
	for _, v := range imported.Unproven {
		h.Import.Unproven = append(h.Import.Unproven, v.String())
	}
	if imported.Manifest.SumDB != nil {
		h.Import.SumDB = imported.Manifest.SumDB.Name
	}
	if i.asJSON {
		return errors.Join(writeJSON(s.out, h), h.refused())
	}
	s.print(h)
	fmt.Fprintf(s.out, "%s: %d modules, %d files: %d taken in (%s), %d were there\n", target, h.Modules, h.Files, h.Fetched, term.Size(h.Bytes), h.Present)
	if kept := h.Import.Kept; len(kept) > 0 {
		fmt.Fprintf(s.out, "kept as they were here, since they say the same: %s\n", firstFew(kept))
	}
	if unproven := h.Import.Unproven; len(unproven) > 0 {
		fmt.Fprintf(s.out, "%s no checksum database knows these, so that only the manifest vouches for them: %s\n", s.out.Paint(term.Warn, "note:"), firstFew(unproven))
	}
	return h.refused()
}

// refused is an error if files were refused.
func (h haul) refused() error {
	if len(h.Failures) == 0 {
		return nil
	}
	return fmt.Errorf("%d files were refused; nothing of them was stored", len(h.Failures))
}
