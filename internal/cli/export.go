package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/client/bundle/export"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/fileurl"
	"github.com/goweir/weir/internal/goenv"
)

func exportCommand() *cobra.Command {
	var e exporting
	cmd := &cobra.Command{
		Use:   "export [DIR|LIST|-] --out DIR|FILE.tar|-",
		Short: "Pack all that a project needs, for where there is no network",
		Long: "Pack all that a project needs into a folder or a tar, with the records of the\n" +
			"checksum database. A folder works as a proxy, GOPROXY=file:///DIR; both can be taken\n" +
			"into a Weir with \"weir import\". What was begun is completed by the same command.\n\n" + aboutWanted,
		Example: "  weir export --out deps.tar\n" +
			"  weir export --out deps.tar.zst --platform linux/amd64,windows/amd64 ~/src/project\n" +
			"  weir export --out second.tar --since first.tar",
		Args: atMostOne("a folder, a list or -"),
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd, args) },
	}
	e.register(cmd.Flags())
	cmd.Flags().StringVar(&e.out, "out", "", "a `folder`, a file *.tar, *.tar.gz or *.tar.zst, or - (a tar)")
	cmd.Flags().StringVar(&e.since, "since", "", "`bundle` or tree head that the other side has already")
	cmd.Flags().BoolVar(&e.asJSON, "json", false, "print JSON (with --out - on standard error)")
	return cmd
}

type exporting struct {
	wanted
	out    string
	since  string
	asJSON bool
}

// exportedHaul is what is said of a bundle, for machines.
type exportedHaul struct {
	Path     string   `json:"path"`
	Bytes    int64    `json:"bytes"`
	SumDB    string   `json:"sumdb,omitempty"`
	Proven   int      `json:"proven"`
	Unproven []string `json:"unproven"`
}

func (e *exporting) run(cmd *cobra.Command, args []string) (err error) {
	ctx := cmd.Context()
	if e.out == "" {
		return usageError{errors.New("say where to with --out: a folder, a file such as deps.tar, or -")}
	}
	x := &export.Job{Weir: readBuild().Version}
	if e.since != "" {
		if x.Since, err = export.Since(e.since); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	if x.Dir, err = e.folder(); err != nil {
		return err
	}
	screen := newHaulScreen(cmd, e.asJSON)
	if e.out == "-" {
		screen.out = screen.screen
		defer os.RemoveAll(x.Dir)
	}
	env := goenv.Load(os.Getenv)
	if x.Modules, err = modsource.Open(ctx, env, modsource.Options{UserAgent: userAgent()}); err != nil {
		return err
	}
	defer x.Modules.Close()
	screen.say("finding out what is needed")
	x.Closure, err = e.closure(ctx, cmd, args, closure.Options{Source: x.Modules.Verified(), Settings: mainmod.SettingsOf(env)})
	if err != nil {
		return screen.interrupted(err)
	}
	report, err := x.Fetch(ctx, screen.progress)
	if err != nil || len(report.Failures)+len(x.Closure.Failures) > 0 {
		return screen.end(e.out, x.Closure, report, err)
	}
	m, err := e.complete(cmd, x, screen)
	if err != nil {
		return screen.failedWhole(e.out, err)
	}
	return e.print(screen, x.Closure, report, m)
}

// complete makes a bundle of files that have all been fetched.
func (e *exporting) complete(cmd *cobra.Command, x *export.Job, screen *haulScreen) (*bundle.Manifest, error) {
	screen.say("asking for the records of the checksum database")
	m, err := x.Seal(cmd.Context())
	if err != nil || x.Dir == e.out {
		return m, err
	}
	screen.say("packing " + e.out)
	return m, e.pack(cmd, x.Dir, m)
}

// folder is where the bundle is made: in its place, or beside the tar it becomes.
func (e *exporting) folder() (string, error) {
	if e.out == "-" {
		return os.MkdirTemp("", "weir-export-*")
	}
	if _, isTar := bundle.CompressionOf(e.out); isTar {
		dir := e.out + ".part"
		return dir, export.CheckDir(dir)
	}
	if bundle.IsOtherArchive(e.out) {
		return "", usageError{fmt.Errorf("--out: %s is no archive that can be made: take a folder, or a name that ends in .tar, .tar.gz, .tgz or .tar.zst", e.out)}
	}
	if info, err := os.Stat(e.out); err == nil && !info.IsDir() {
		return "", usageError{fmt.Errorf("--out: %s is a file whose name does not end in .tar, .tar.gz or .tar.zst", e.out)}
	}
	if err := export.CheckDir(e.out); err != nil {
		return "", usageError{fmt.Errorf("--out: %w", err)}
	}
	return e.out, nil
}

// pack makes the tar, which is whole or not there, and removes the folder.
func (e *exporting) pack(cmd *cobra.Command, dir string, m *bundle.Manifest) error {
	if e.out == "-" {
		return bundle.Pack(cmd.Context(), dir, m, cmd.OutOrStdout(), bundle.None)
	}
	compression, _ := bundle.CompressionOf(e.out)
	f, err := os.CreateTemp(filepath.Dir(e.out), filepath.Base(e.out)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = bundle.Pack(cmd.Context(), dir, m, f, compression)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), e.out); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func (e *exporting) print(s *haulScreen, c *closure.Closure, r closure.Report, m *bundle.Manifest) error {
	s.screen.Done()
	h := newHaul(e.out, c, r)
	h.Bundle = &exportedHaul{Path: e.out, Bytes: m.Bytes(), Unproven: []string{}, Proven: len(m.Modules) - len(m.Unproven())}
	for _, mod := range m.Unproven() {
		h.Bundle.Unproven = append(h.Bundle.Unproven, mod.Path+"@"+mod.Version)
	}
	if m.SumDB != nil {
		h.Bundle.SumDB = m.SumDB.Name
	}
	if s.asJSON {
		return writeJSON(s.out, h)
	}
	s.print(h)
	fmt.Fprintf(s.out, "%s: %d modules, %d files, %s: %d fetched, %d were there\n", e.out, h.Modules, len(m.Files), term.Size(m.Bytes()), h.Fetched, h.Present)
	s.printProof(h.Bundle)
	return e.printUse(s.out, h.Bundle)
}

// printProof says what is proven.
func (s *haulScreen) printProof(b *exportedHaul) {
	if b.SumDB != "" {
		fmt.Fprintf(s.out, "proven by %s: %d modules\n", b.SumDB, b.Proven)
	}
	if len(b.Unproven) > 0 {
		fmt.Fprintf(s.out, "%s no checksum database knows these: %s\n", s.out.Paint(term.Warn, "note:"), firstFew(b.Unproven))
	}
}

// firstFew are names for people, the first few of many.
func firstFew(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:few], ", "), len(names)-few)
}

// printUse says what to do with the bundle.
func (e *exporting) printUse(out io.Writer, b *exportedHaul) error {
	if e.out == "-" {
		return nil
	}
	_, err := fmt.Fprintf(out, "into a Weir:     weir import %s\n", e.out)
	if _, isTar := bundle.CompressionOf(e.out); isTar {
		return err
	}
	abs, absErr := filepath.Abs(e.out)
	use := "GOPROXY=" + fileurl.Of(abs).String()
	if len(b.Unproven) > 0 {
		use += " GONOSUMDB=" + strings.Join(pathsOf(b.Unproven), ",")
	}
	_, err = fmt.Fprintf(out, "without a Weir:  %s go build ./...\n", use)
	return errors.Join(err, absErr)
}

// pathsOf are the module paths of versions, each once.
func pathsOf(versions []string) []string {
	var paths []string
	for _, v := range versions {
		path, _, _ := strings.Cut(v, "@")
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
