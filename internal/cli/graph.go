package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/diagram"
	"github.com/goweir/weir/internal/client/gomod"
	"github.com/goweir/weir/internal/client/graphview"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modgraph"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/pkggraph"
	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/goenv"
)

func graphCommand() *cobra.Command {
	var o graphOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "graph [DIR]",
		Short: "Show what a project requires, and why",
		Long: "Show the modules that a project requires, as the go command would find them: what is in\n" +
			"force, what brings it, what is there in several major versions, replaced, excluded or\n" +
			"unknown. It reads go.mod files from the module cache and through GOPROXY, builds nothing\n" +
			"and changes nothing. It ends with 1 when the graph has holes.",
		Example: "  weir graph                                   a tree\n" +
			"  weir graph --why golang.org/x/sys            why a module is there\n" +
			"  weir graph --without github.com/spf13/cobra  what would go with a requirement\n" +
			"  weir graph --updates --sizes                 newer, retracted, deprecated; how large\n" +
			"  weir graph --format html >graph.html         a page to search in, for a browser\n" +
			"  weir graph --packages                        the project's own packages, in layers",
		Args: oneGraphFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = "."
			if len(args) > 0 {
				o.dir = args[0]
			}
			if asJSON && cmd.Flags().Changed("format") && o.format != "json" {
				return usageError{errors.New("--json and --format ask for different things; leave one out")}
			}
			if asJSON {
				o.format = "json"
			}
			if err := o.check(); err != nil {
				return usageError{err}
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), term.New(cmd.ErrOrStderr(), os.Getenv))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.format, "format", "text", strings.Join(graphFormats, ", "))
	flags.BoolVar(&asJSON, "json", false, "the same as --format json")
	flags.StringVar(&o.why, "why", "", "show why the `module` is there")
	flags.StringVar(&o.without, "without", "", "show what would go if the `module` were not required")
	flags.BoolVar(&o.sizes, "sizes", false, "find out the sizes of the zips")
	flags.BoolVar(&o.updates, "updates", false, "ask for newer versions, retractions and deprecations")
	flags.BoolVar(&o.packages, "packages", false, "show the packages of the project instead of modules")
	return cmd
}

func oneGraphFolder(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("%s wants one folder at most\nsee: %s --help", cmd.CommandPath(), cmd.CommandPath())}
	}
	return nil
}

var graphFormats = []string{"text", "dot", "mermaid", "json", "html", "svg"}

// graphOptions are what was asked of weir graph.
type graphOptions struct {
	dir, format              string
	why, without             string
	sizes, updates, packages bool
}

func (o graphOptions) check() error {
	switch {
	case !slices.Contains(graphFormats, o.format):
		return fmt.Errorf("--format is one of %s", strings.Join(graphFormats, ", "))
	case o.packages && (o.why != "" || o.without != "" || o.sizes || o.updates):
		return errors.New("--packages is about packages: --why, --without, --sizes and --updates are about modules")
	case o.why != "" && o.without != "":
		return errors.New("--why and --without are two questions; ask one at a time")
	case o.without != "" && o.format != "text" && o.format != "json":
		return errors.New("--without answers with --format text or json")
	}
	return nil
}

func (o graphOptions) run(ctx context.Context, out io.Writer, progress *term.Screen) error {
	defer progress.Done()
	env := goenv.Load(os.Getenv)
	if env.Value("GOMODCACHE") == "" {
		_ = env.Ask(ctx, "GOMODCACHE", "GOROOT") // without a go command there is no module cache
	}
	found, err := project.Find(o.dir, mainmod.SettingsOf(env))
	if err != nil {
		return err
	}
	if o.packages {
		return o.showPackages(ctx, out, progress, found, env)
	}
	return o.showModules(ctx, out, progress, found, env)
}

func (o graphOptions) showModules(ctx context.Context, out io.Writer, progress *term.Screen, p *project.Project, env *goenv.Env) error {
	modules, err := modsource.Open(ctx, env, modsource.Options{})
	if err != nil {
		return err
	}
	defer modules.Close()
	files := gomod.Files{Cache: env.Value("GOMODCACHE"), Source: modules.Source()}
	loader := modgraph.NewLoader(p, files, graphCounter(progress, "go.mod files read"))
	graph, err := loader.Load(ctx)
	if err != nil {
		return err
	}
	report, err := o.report(ctx, loader, graph, files, progress)
	if err != nil {
		return err
	}
	progress.Done()
	if err := o.write(out, report); err != nil {
		return err
	}
	return graphHoles(graph)
}

// graphCounter shows how far something has come.
func graphCounter(progress *term.Screen, what string) func(int) {
	return func(n int) { progress.Progress(fmt.Sprintf("%d %s", n, what)) }
}

// report finds out all that was asked for.
func (o graphOptions) report(ctx context.Context, loader *modgraph.Loader, graph *modgraph.Graph, files gomod.Files, progress *term.Screen) (*graphview.Report, error) {
	var extras graphview.Extras
	if o.updates {
		extras.News = files.Updates(ctx, graph.Project(), graph.BuildList(), graphCounter(progress, "modules asked for news"))
	}
	if o.sizes {
		extras.Sizes = files.Sizes(ctx, graph.Project(), graph.BuildList(), graphCounter(progress, "zips measured"))
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	report := graphview.NewReport(graph, extras)
	if path := withoutVersion(o.why); path != "" {
		why, ok := graph.Why(path)
		if !ok {
			return nil, notInGraph(graph, path)
		}
		report.AddWhy(why)
	}
	if path := withoutVersion(o.without); path != "" {
		removal, ok, err := loader.Without(ctx, graph, path)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("no go.mod of this project requires %s; what does is told by: weir graph --why %[1]s", path)
		}
		report.AddWithout(removal, extras)
	}
	return report, nil
}

// withoutVersion is the path of a module that is named as the graph prints it.
func withoutVersion(module string) string {
	path, _, _ := strings.Cut(module, "@")
	return path
}

// notInGraph is the error for a module that nothing requires.
func notInGraph(graph *modgraph.Graph, path string) error {
	var similar []string
	for _, m := range graph.BuildList() {
		if strings.Contains(m.Path, path) || strings.HasPrefix(path, m.Path+"/") {
			similar = append(similar, m.Path)
		}
	}
	if len(similar) == 0 {
		return fmt.Errorf("nothing requires the module %s", path)
	}
	return fmt.Errorf("nothing requires the module %s; did you mean %s?", path, strings.Join(similar[:min(3, len(similar))], " or "))
}

// graphHoles is an error if something of the graph is unknown.
func graphHoles(graph *modgraph.Graph) error {
	failures := graph.Failures()
	if len(failures) == 0 {
		return nil
	}
	f := failures[0]
	chain := make([]string, 0, len(f.Chain))
	for _, m := range f.Chain {
		chain = append(chain, project.Format(m))
	}
	return fmt.Errorf("the graph has holes: %d of its go.mod files could not be read, so that versions may be wrong\n%s\n%w%s",
		len(failures), strings.Join(chain, " → "), f.Err, graphWayOut(f))
}

// graphWayOut is what to do about a module that could not be fetched.
func graphWayOut(f modgraph.Failure) string {
	e, ok := errors.AsType[*artifact.Error](f.Err)
	switch {
	case !ok:
		return ""
	case e.Hint != "":
		return "\n" + e.Hint
	}
	return "\nto find out why: weir doctor " + project.Format(f.Module)
}

func (o graphOptions) write(out io.Writer, r *graphview.Report) error {
	switch {
	case o.format == "json":
		return printGraphJSON(out, r)
	case o.format != "text":
		return o.draw(out, r.Picture())
	}
	screen := term.New(out, os.Getenv)
	switch {
	case r.Why != nil:
		r.PrintWhy(screen)
	case r.Without != nil:
		r.PrintWithout(screen)
	default:
		r.Tree(screen)
	}
	return nil
}

// draw draws a graph, or what of it leads to and from what was asked for.
func (o graphOptions) draw(out io.Writer, g *diagram.Graph) error {
	if o.why != "" {
		g = diagram.Focus(g, o.why)
	}
	draw := map[string]func(io.Writer, *diagram.Graph) error{"dot": diagram.DOT, "mermaid": diagram.Mermaid, "html": diagram.HTML, "svg": diagram.SVG}
	return draw[o.format](out, g)
}

func printGraphJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (o graphOptions) showPackages(ctx context.Context, out io.Writer, progress *term.Screen, p *project.Project, env *goenv.Env) error {
	var main []string
	var modules []pkggraph.Module
	for _, m := range p.Mains {
		main = append(main, m.Path)
		modules = append(modules, pkggraph.Module{Path: m.Path, Dir: m.Dir})
	}
	progress.Progress("reading Go files")
	graph, err := pkggraph.Load(ctx, modules, buildTags(env))
	if err != nil {
		return err
	}
	progress.Done()
	report := graphview.NewPackages(main, graph)
	switch o.format {
	case "json":
		err = printGraphJSON(out, report)
	case "text":
		report.Print(term.New(out, os.Getenv))
	default:
		err = o.draw(out, report.Picture())
	}
	if err == nil && len(report.Cycles) > 0 {
		err = fmt.Errorf("packages import each other: %s", report.Cycles[0])
	}
	return err
}

// buildTags are those that GOFLAGS gives to every build.
func buildTags(env *goenv.Env) []string {
	if tags, ok := env.Flag("tags"); ok {
		return strings.Split(tags, ",")
	}
	return nil
}
