package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/client/warm"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

const aboutWanted = "DIR is a folder of a module or workspace (default: the current one): what its\n" +
	"go.sum files know is brought, and the toolchain of its go line. LIST is a file, and\n" +
	"- is standard input, with lines such as\n\n" +
	"  module@version         the module, with what it requires\n" +
	"  go1.26.8               a toolchain\n" +
	"  module version h1:…    a line of go.sum: that module alone"

func warmCommand() *cobra.Command {
	var w warming
	cmd := &cobra.Command{
		Use:   "warm [DIR|LIST|-]",
		Short: "Bring all that a project needs into a Weir, or into the module cache",
		Long: "Bring all that a project needs to where its builds look for it: into a proxy, or\n" +
			"with --modcache into the module cache of this machine. What is there is not fetched\n" +
			"again: interrupt it, and run it again. It ends with 1 when something is missing.\n\n" + aboutWanted,
		Example: "  weir warm --to https://weir.example.com\n" +
			"  weir warm --modcache --platform linux/amd64,darwin/arm64\n" +
			"  echo golang.org/x/tools/gopls@v0.20.0 | weir warm --to http://localhost:3000 -",
		Args: atMostOne("a folder, a list or -"),
		RunE: func(cmd *cobra.Command, args []string) error { return w.run(cmd, args) },
	}
	w.register(cmd.Flags())
	cmd.Flags().StringVar(&w.to, "to", "", "`URL` of the proxy (default: the first in GOPROXY, if it is a Weir)")
	cmd.Flags().BoolVar(&w.modcache, "modcache", false, "fill the module cache (GOMODCACHE)")
	cmd.Flags().BoolVar(&w.asJSON, "json", false, "print JSON")
	return cmd
}

// wanted is what a person says of what is wanted.
type wanted struct{ platforms string }

func (w *wanted) register(flags *pflag.FlagSet) {
	flags.StringVar(&w.platforms, "platform", runtime.GOOS+"/"+runtime.GOARCH, "`list` of os/arch to bring toolchains for, or none")
}

// closure finds out what is needed.
func (w *wanted) closure(ctx context.Context, cmd *cobra.Command, args []string, o closure.Options) (c *closure.Closure, err error) {
	if o.Platforms, err = closure.ParsePlatforms(w.platforms); err != nil {
		return nil, usageError{err}
	}
	name := "."
	if len(args) > 0 {
		name = args[0]
	}
	if name == "-" {
		return fromList(ctx, "standard input", cmd.InOrStdin(), o)
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("%s is neither a folder nor a file; for a module write: echo %[1]s | %s -", name, cmd.CommandPath())}
	}
	if err != nil {
		return nil, err
	}
	switch base := filepath.Base(name); {
	case info.IsDir():
		return closure.OfProject(ctx, name, o)
	case base == "go.mod", base == "go.work":
		return closure.OfProject(ctx, filepath.Dir(name), o)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return fromList(ctx, name, f, o)
}

func fromList(ctx context.Context, name string, r io.Reader, o closure.Options) (*closure.Closure, error) {
	c, err := closure.OfList(ctx, r, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

type warming struct {
	wanted
	to       string
	modcache bool
	asJSON   bool
}

func (w *warming) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	env, err := w.settings(ctx)
	if err != nil {
		return err
	}
	modules, err := modsource.Open(ctx, env, modsource.Options{UserAgent: userAgent()})
	if err != nil {
		return err
	}
	defer modules.Close()
	o := closure.Options{Source: modules.Verified(), Settings: mainmod.SettingsOf(env)}
	if w.modcache {
		o.AtHand = env.Value("GOVERSION")
	}
	screen := newHaulScreen(cmd, w.asJSON)
	screen.say("finding out what is needed")
	c, err := w.closure(ctx, cmd, args, o)
	if err != nil {
		return screen.interrupted(err)
	}
	if w.modcache {
		cache := warm.ModCache{Dir: env.Value("GOMODCACHE"), Writable: env.Switch("modcacherw")}
		report, err := cache.Fill(ctx, c, screen.progress)
		return screen.end(cache.Dir, c, report, err)
	}
	c.Leave(modules.Private, "GONOPROXY keeps them from proxies")
	report, err := warm.Proxy(ctx, c, modules, screen.progress)
	return screen.end(govars.RedactURL(w.to), c, report, err)
}

// settings are those of the go command, with the proxy to warm for GOPROXY.
func (w *warming) settings(ctx context.Context) (*goenv.Env, error) {
	env := goenv.Load(os.Getenv)
	switch {
	case w.modcache && w.to != "":
		return nil, usageError{errors.New("--to and --modcache are two targets; name one")}
	case w.modcache:
		return env, env.Ask(ctx, "GOMODCACHE", "GOVERSION")
	}
	target, err := w.target(ctx, env)
	if err != nil {
		return nil, err
	}
	w.to = target
	return goenv.Load(func(name string) string {
		if name == "GOPROXY" {
			return target
		}
		return os.Getenv(name)
	}), nil
}

// target is the proxy to warm.
func (w *warming) target(ctx context.Context, env *goenv.Env) (string, error) {
	given, from := w.to, "--to"
	if given == "" {
		given, from = env.Value("GOPROXY"), "GOPROXY"
	}
	entries, err := source.ParseList(cmp.Or(given, "direct"))
	switch {
	case err != nil:
		return "", usageError{fmt.Errorf("%s: %w", from, err)}
	case from == "--to" && (len(entries) != 1 || entries[0].URL == ""):
		return "", usageError{errors.New("--to must be the URL of one proxy, such as http://localhost:3000")}
	case from == "--to" || entries[0].URL != "" && isWeir(ctx, env, entries[0].URL):
		return entries[0].URL, nil
	}
	return "", usageError{fmt.Errorf("the first entry of GOPROXY, %s, is no Weir; say what to warm: --to URL, or --modcache", entries[0].Redacted())}
}

// isWeir reports whether a Weir answers at a URL. One that wants to know who asks
// answers, too.
func isWeir(ctx context.Context, env *goenv.Env, rawURL string) bool {
	base, err := url.Parse(rawURL)
	if err != nil || base.Scheme != "https" && base.Scheme != "http" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(admin.WhoAmI).String(), nil)
	if err != nil {
		return false
	}
	if h, _, _ := goauth.Header(ctx, env, base); h != nil {
		req.Header = h
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var me map[string]any
	err = json.NewDecoder(io.LimitReader(resp.Body, maxMe)).Decode(&me)
	_, named := me["name"]
	return err == nil && named && resp.StatusCode == http.StatusOK
}

// A haulScreen tells how the work goes on, and what has come of it.
type haulScreen struct {
	screen *term.Screen // for people, while it goes on
	out    *term.Screen // for what has come of it
	asJSON bool
	failed string // what to call a file that was not brought
	last   time.Time
}

func newHaulScreen(cmd *cobra.Command, asJSON bool) *haulScreen {
	return &haulScreen{
		screen: term.New(cmd.ErrOrStderr(), os.Getenv), out: term.New(cmd.OutOrStdout(), os.Getenv),
		asJSON: asJSON, failed: "missing:",
	}
}

// say shows what is being done.
func (s *haulScreen) say(text string) { s.screen.Progress(text + " …") }

// redraw is how often the line of progress changes.
const redraw = 50 * time.Millisecond

// progress shows how far the work has come. It is called by one goroutine at a time.
func (s *haulScreen) progress(p closure.Progress) {
	if now := time.Now(); now.Sub(s.last) >= redraw {
		s.last = now
		s.screen.Progress(fmt.Sprintf("%*d/%d files  %s  %s", len(fmt.Sprint(p.Total)), p.Done, p.Total, term.Size(p.Bytes), p.Last))
	}
}

// interrupted is the error of work that was ended by a signal, or err.
func (s *haulScreen) interrupted(err error) error {
	s.screen.Done()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; what has come stays: run the same command again, and it goes on from there")
	}
	return err
}

// A haul is what has come of bringing a closure, for machines.
type haul struct {
	Target   string        `json:"target"`
	Modules  int           `json:"modules"`
	Files    int           `json:"files"`
	Fetched  int           `json:"fetched"`
	Present  int           `json:"present"`
	Bytes    int64         `json:"bytes"`
	Notes    []string      `json:"notes"`
	Failures []haulFailure `json:"failures"`
	Bundle   *exportedHaul `json:"bundle,omitempty"`
	Import   *importedHaul `json:"import,omitempty"`
}

// A haulFailure is a file that is missing, and why.
type haulFailure struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	File    string `json:"file"` // kind
	Error   string `json:"error"`
	Hint    string `json:"hint,omitempty"`
}

// end prints what has come of it.
func (s *haulScreen) end(target string, c *closure.Closure, r closure.Report, err error) error {
	h := newHaul(target, c, r)
	if err := s.interrupted(err); err != nil {
		return err
	}
	if s.asJSON {
		err = writeJSON(s.out, h)
	} else {
		s.print(h)
		fmt.Fprintln(s.out, h.summary())
	}
	return errors.Join(err, h.missing())
}

// summary is a line about the whole. A proxy does not say what it had already.
func (h haul) summary() string {
	what := fmt.Sprintf("%d fetched (%s), %d were there", h.Fetched, term.Size(h.Bytes), h.Present)
	if strings.Contains(h.Target, "://") {
		what = fmt.Sprintf("%d came whole (%s)", h.Fetched, term.Size(h.Bytes))
	}
	return fmt.Sprintf("%s: %d modules, %d files: %s", h.Target, h.Modules, h.Files, what)
}

func newHaul(target string, c *closure.Closure, r closure.Report) haul {
	h := haul{Target: target, Modules: len(c.Modules), Fetched: r.Fetched, Present: r.Present, Bytes: r.Bytes, Notes: append([]string{}, c.Notes...), Failures: []haulFailure{}}
	seen := map[artifact.Name]bool{}
	for _, f := range closure.Sorted(r.Failures, c.Failures) {
		if !seen[f.Name] {
			h.Failures = append(h.Failures, newFailure(f))
			seen[f.Name] = true
		}
	}
	h.Files = h.Fetched + h.Present + len(r.Failures)
	return h
}

// missing is an error if something is missing.
func (h haul) missing() error {
	if len(h.Failures) == 0 {
		return nil
	}
	return fmt.Errorf("%d files are missing; what has come stays: run the same command again when the causes are mended", len(h.Failures))
}

func newFailure(f closure.Failure) haulFailure {
	reason, hint := whyMissing(f.Err)
	return haulFailure{Module: f.Name.Module, Version: f.Name.Version, File: f.Name.Kind.String(), Error: reason, Hint: hint}
}

// whyMissing says what went wrong without secrets, with the cause that the system names.
func whyMissing(err error) (reason, hint string) {
	e, ok := errors.AsType[*artifact.Error](err)
	if !ok {
		return artifact.Clean(err.Error(), 600), ""
	}
	reason = e.Reason
	if op, ok := errors.AsType[*net.OpError](err); ok {
		reason += ": " + op.Error()
	}
	return reason, e.Hint
}

// print prints what is missing: each module once, with all its files.
func (s *haulScreen) print(h haul) {
	for _, note := range h.Notes {
		fmt.Fprintf(s.out, "%s %s\n", s.out.Paint(term.Warn, "note:"), note)
	}
	for i := 0; i < len(h.Failures); {
		i += s.printModule(h.Failures[i:])
	}
}

// printModule prints the failures of the first module, and returns how many they are.
func (s *haulScreen) printModule(failures []haulFailure) int {
	first := failures[0]
	files := []string{}
	for _, f := range failures {
		if f.Module != first.Module || f.Version != first.Version {
			break
		}
		files = append(files, f.File)
	}
	fmt.Fprintf(s.out, "%s %s@%s (%s)\n", s.out.Paint(term.Bad, s.failed), first.Module, first.Version, strings.Join(files, ", "))
	indented(s.out, "    ", first.Error, term.Plain)
	if first.Hint != "" {
		indented(s.out, "    ", first.Hint, term.Faint)
	}
	return len(files)
}

// userAgent is how the tools present themselves to servers.
func userAgent() string { return strings.TrimSuffix("weir/"+readBuild().Version, "/") }
