package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modcache/prune"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/goenv"
)

// maxRows is how many rows of a long table people get to see. Machines get them all.
const maxRows = 25

// exactTo is how exactly file systems note when a file was last read: most do it once a
// day.
const exactTo = 24 * time.Hour

// cleaning is what was asked for.
type cleaning struct {
	olderThan  string
	keepLatest int
	unusedBy   []string
	vcs        bool
	toolchains bool
	repair     bool
	yes        bool
	asJSON     bool
}

func cleanCommand() *cobra.Command {
	var c cleaning
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Show, prune and repair the module cache",
		Long: "Show what lies in the module cache of the go command (GOMODCACHE), how big it is and when\n" +
			"it was last used; say what could go; find what is broken. Nothing is removed without --yes.\n\n" +
			"Versions go when all of --older-than, --keep-latest and --unused-by that are given agree.\n" +
			"It ends with 1 when something is broken and was not repaired.",
		Example: "  weir clean                                    what is there\n" +
			"  weir clean --older-than 90d                   what would go\n" +
			"  weir clean --older-than 90d --vcs --yes       remove it\n" +
			"  weir clean --unused-by ~/src --keep-latest 1  what no project needs, but the newest\n" +
			"  weir clean --repair --yes                     remove what is broken, to be fetched again",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&c.olderThan, "older-than", "", "prune what has not been used for this long, such as 90d")
	f.IntVar(&c.keepLatest, "keep-latest", 0, "prune all but so many newest versions of each module")
	f.StringArrayVar(&c.unusedBy, "unused-by", nil, "prune what no project in and below this folder needs (repeatable)")
	f.BoolVar(&c.vcs, "vcs", false, "prune clones of repositories, too")
	f.BoolVar(&c.toolchains, "toolchains", false, "prune Go toolchains, too, but not the one in use")
	f.BoolVar(&c.repair, "repair", false, "find what is broken, instead of pruning")
	f.BoolVar(&c.yes, "yes", false, "remove it")
	f.BoolVar(&c.asJSON, "json", false, "print JSON")
	return cmd
}

// rules are the rules for pruning; pruning is false when none was given.
func (c *cleaning) rules(ctx context.Context, env *goenv.Env) (rules prune.Rules, pruning bool, err error) {
	rules = prune.Rules{KeepLatest: c.keepLatest, VCS: c.vcs, Toolchains: c.toolchains, Now: time.Now()}
	if c.olderThan != "" {
		var d config.Duration
		if err := d.UnmarshalText([]byte(c.olderThan)); err != nil || time.Duration(d) < exactTo {
			return rules, false, usageError{fmt.Errorf("--older-than: %q is not a time of a day or more, such as 90d", c.olderThan)}
		}
		rules.OlderThan = time.Duration(d)
	}
	pruning = c.olderThan != "" || c.keepLatest != 0 || len(c.unusedBy) > 0 || c.vcs || c.toolchains
	switch {
	case c.keepLatest < 0:
		return rules, false, usageError{errors.New("--keep-latest must be at least 1")}
	case pruning && c.repair:
		return rules, false, usageError{errors.New("--repair and pruning are two things: do one after the other")}
	case c.yes && !pruning && !c.repair:
		return rules, false, usageError{errors.New("--yes to what? Say what may go, such as --older-than 90d, or --repair")}
	}
	if len(c.unusedBy) > 0 {
		if rules.Needed, err = prune.ReadNeeds(ctx, mainmod.SettingsOf(env), c.unusedBy...); err != nil {
			return rules, false, err
		}
	}
	if c.toolchains {
		rules.InUse, err = toolchainsInUse(ctx, env)
	}
	return rules, pruning, err
}

// toolchainsInUse are the toolchains that the go command of this machine runs.
func toolchainsInUse(ctx context.Context, env *goenv.Env) ([]string, error) {
	if err := env.Ask(ctx, "GOVERSION"); err != nil {
		return nil, fmt.Errorf("which toolchain is in use cannot be known: %w", err)
	}
	set, _, _ := strings.Cut(env.Value("GOTOOLCHAIN"), "+")
	return []string{env.Value("GOVERSION"), set}, nil
}

// moduleCache opens the module cache of the go command; nil: there is none yet.
func moduleCache(ctx context.Context, env *goenv.Env) (*modcache.Cache, string, error) {
	if env.Value("GOMODCACHE") == "" {
		if err := env.Ask(ctx, "GOMODCACHE"); err != nil {
			return nil, "", fmt.Errorf("where the module cache is cannot be known: %w; set GOMODCACHE", err)
		}
	}
	dir := env.Value("GOMODCACHE")
	cache, err := modcache.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, dir, nil
	}
	if err != nil {
		return nil, dir, fmt.Errorf("GOMODCACHE: %w", err)
	}
	return cache, dir, nil
}

// cleaned is what a run found and did. It is printed as JSON.
type cleaned struct {
	Dir     string         `json:"dir"`
	UsedBy  string         `json:"used_by,omitempty"` // what times of last use rest on: atime or mtime
	Size    int64          `json:"size"`
	Entries []cleanEntry   `json:"entries"`
	Plan    []cleanRemoval `json:"plan,omitempty"`
	Damages []cleanDamage  `json:"damages,omitempty"`
	Busy    []string       `json:"busy,omitempty"` // not looked at
	Freed   int64          `json:"freed"`
}

type cleanEntry struct {
	Kind    modcache.Kind `json:"kind"`
	Name    string        `json:"name"`
	Version string        `json:"version,omitempty"`
	Size    int64         `json:"size"`
	Zip     int64         `json:"zip,omitempty"`
	Tree    int64         `json:"tree,omitempty"`
	Used    time.Time     `json:"used"`
}

type cleanRemoval struct {
	Kind    modcache.Kind `json:"kind"`
	Name    string        `json:"name"`
	Version string        `json:"version,omitempty"`
	Frees   int64         `json:"frees"`
	KeepMod bool          `json:"keep_mod,omitempty"`
	Reason  string        `json:"reason"`
	Removed bool          `json:"removed"`
	Error   string        `json:"error,omitempty"`
}

type cleanDamage struct {
	Name     string `json:"name"`
	Problem  string `json:"problem"`
	Repaired bool   `json:"repaired"`
	Error    string `json:"error,omitempty"`
}

func (c *cleaning) run(cmd *cobra.Command) error {
	ctx, env := cmd.Context(), goenv.Load(os.Getenv)
	rules, pruning, err := c.rules(ctx, env)
	if err != nil {
		return err
	}
	cache, dir, err := moduleCache(ctx, env)
	if err != nil {
		return err
	}
	screen, live := term.New(cmd.OutOrStdout(), os.Getenv), term.New(cmd.ErrOrStderr(), os.Getenv)
	defer live.Done()
	done := &cleaned{Dir: dir, Entries: []cleanEntry{}}
	if cache != nil {
		defer cache.Close()
		done.UsedBy = cache.UsedBy()
		contents, err := cache.Scan(ctx, progress(live, "measuring"))
		if err != nil {
			return err
		}
		done.add(contents)
		switch {
		case pruning:
			err = c.prune(ctx, cache, rules.Plan(contents.Entries), done, live)
		case c.repair:
			err = c.mend(ctx, cache, contents, done, live)
		}
		if err != nil {
			return err
		}
	}
	live.Done()
	if c.asJSON {
		err = writeJSON(screen, done)
	} else {
		c.show(screen, done, pruning)
	}
	return cmp.Or(err, done.failure())
}

// progress shows how far a work is, as in "measuring 12 of 300".
func progress(live *term.Screen, what string) func(done, total int) {
	return func(done, total int) { live.Progress(fmt.Sprintf("%s %d of %d", what, done, total)) }
}

func writeJSON(screen *term.Screen, value any) error {
	enc := json.NewEncoder(screen)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// add takes over what was found, the largest first.
func (d *cleaned) add(contents *modcache.Contents) {
	for _, e := range contents.Entries {
		d.Size += e.Size()
		d.Entries = append(d.Entries, cleanEntry{e.Kind, e.Name, e.Version, e.Size(), e.Zip, e.Tree, e.Used})
	}
	slices.SortFunc(d.Entries, func(a, b cleanEntry) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
}

func (c *cleaning) prune(ctx context.Context, cache *modcache.Cache, plan []prune.Removal, done *cleaned, live *term.Screen) error {
	for i, r := range plan {
		row := cleanRemoval{Kind: r.Entry.Kind, Name: r.Entry.Name, Version: r.Entry.Version, Frees: r.Freed(), KeepMod: r.KeepMod, Reason: r.Reason}
		if c.yes {
			progress(live, "removing")(i, len(plan))
			err := r.Do(ctx, cache)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			row.Removed, row.Error = err == nil, errorText(err)
		}
		if row.Removed {
			done.Freed += row.Frees
		}
		done.Plan = append(done.Plan, row)
	}
	return nil
}

func (c *cleaning) mend(ctx context.Context, cache *modcache.Cache, contents *modcache.Contents, done *cleaned, live *term.Screen) error {
	damages, busy, err := cache.Damages(ctx, contents, time.Now(), progress(live, "looking at"))
	if err != nil {
		return err
	}
	done.Busy = busy
	for _, d := range damages {
		row := cleanDamage{Name: d.Name, Problem: d.Problem}
		if c.yes {
			err := cache.Repair(ctx, d)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			row.Repaired, row.Error = err == nil, errorText(err)
		}
		done.Damages = append(done.Damages, row)
	}
	return nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// failure is an error if something that was to be done was not, or is broken.
func (d *cleaned) failure() error {
	failed, broken := 0, 0
	for _, r := range d.Plan {
		if r.Error != "" {
			failed++
		}
	}
	for _, r := range d.Damages {
		switch {
		case r.Error != "":
			failed++
		case !r.Repaired:
			broken++
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d of what was to be removed is still there; try again when no go command runs", failed)
	case broken > 0:
		return fmt.Errorf("%d broken; remove them, so that the next go command fetches them again, with: weir clean --repair --yes", broken)
	}
	return nil
}

func (c *cleaning) show(s *term.Screen, d *cleaned, pruning bool) {
	switch {
	case len(d.Entries) == 0 && len(d.Damages) == 0:
		fmt.Fprintf(s, "%s: nothing is there\n", d.Dir)
	case pruning:
		c.showPlan(s, d)
	case c.repair:
		c.showDamages(s, d)
	default:
		showEntries(s, d)
	}
}

func showEntries(s *term.Screen, d *cleaned) {
	rows := [][]term.Cell{headOfSizes(3, "SIZE", "ZIP", "TREE", "LAST USED", "WHAT")}
	for _, e := range d.Entries[:min(len(d.Entries), maxRows)] {
		rows = append(rows, []term.Cell{
			{Text: term.Size(e.Size), Right: true}, {Text: sizeOrNone(e.Zip), Right: true}, {Text: sizeOrNone(e.Tree), Right: true},
			{Text: e.Used.Format(time.DateOnly)}, {Text: nameOf(e.Kind, e.Name, e.Version)},
		})
	}
	s.Table(rows)
	more(s, len(d.Entries))
	fmt.Fprintln(s)
	totals(s, d)
}

// headOfSizes is the head of a table whose first n columns are sizes.
func headOfSizes(n int, names ...string) []term.Cell {
	head := term.Head(names...)
	for i := range n {
		head[i].Right = true
	}
	return head
}

// totals prints the sums of each kind.
func totals(s *term.Screen, d *cleaned) {
	sizes, counts := map[modcache.Kind]int64{}, map[modcache.Kind]int{}
	for _, e := range d.Entries {
		sizes[e.Kind] += e.Size
		counts[e.Kind]++
	}
	for _, kind := range []struct {
		kind      modcache.Kind
		one, many string
	}{
		{modcache.Module, "version of a module", "versions of modules"},
		{modcache.Toolchain, "toolchain", "toolchains"},
		{modcache.VCS, "clone of a repository", "clones of repositories"},
		{modcache.SumDB, "checksum database", "checksum databases"},
		{modcache.Unknown, "file or folder of unknown origin", "files and folders of unknown origin"},
	} {
		switch n := counts[kind.kind]; n {
		case 0:
		case 1:
			fmt.Fprintf(s, "%8s  in 1 %s\n", term.Size(sizes[kind.kind]), kind.one)
		default:
			fmt.Fprintf(s, "%8s  in %d %s\n", term.Size(sizes[kind.kind]), n, kind.many)
		}
	}
	fmt.Fprintf(s, "%8s  in %s\n", term.Size(d.Size), d.Dir)
	if d.UsedBy == "mtime" {
		fmt.Fprintln(s, "LAST USED is when it was downloaded: the file system does not note when files are read.")
	}
}

func sizeOrNone(size int64) string {
	if size == 0 {
		return "-"
	}
	return term.Size(size)
}

func nameOf(kind modcache.Kind, name, version string) string {
	switch kind {
	case modcache.Module, modcache.Toolchain:
		return name + "@" + version
	}
	return name + " (" + string(kind) + ")"
}

func more(s *term.Screen, n int) {
	if n > maxRows {
		fmt.Fprintln(s, s.Paint(term.Faint, fmt.Sprintf("… and %d more; --json has all", n-maxRows)))
	}
}

func (c *cleaning) showPlan(s *term.Screen, d *cleaned) {
	if len(d.Plan) == 0 {
		fmt.Fprintln(s, "Nothing may go by these rules.")
		return
	}
	freed := int64(0)
	rows := [][]term.Cell{headOfSizes(1, "FREES", "WHY", "WHAT")}
	for i, r := range d.Plan {
		freed += r.Frees
		if i < maxRows || r.Error != "" {
			why := term.Cell{Text: r.Reason}
			if r.Error != "" {
				why = term.Cell{Text: "still there: " + r.Error, Style: term.Bad}
			}
			rows = append(rows, []term.Cell{{Text: term.Size(r.Frees), Right: true}, why, {Text: nameOf(r.Kind, r.Name, r.Version)}})
		}
	}
	s.Table(rows)
	more(s, len(d.Plan))
	if c.yes {
		fmt.Fprintf(s, "\n%s of %s freed.\n", term.Size(d.Freed), term.Size(d.Size))
		return
	}
	fmt.Fprintf(s, "\n%s of %s would be freed. Nothing was removed: add --yes to do it.\n", term.Size(freed), term.Size(d.Size))
}

func (c *cleaning) showDamages(s *term.Screen, d *cleaned) {
	for _, r := range d.Damages {
		mark := s.Paint(term.Bad, "broken   ")
		switch {
		case r.Repaired:
			mark = s.Paint(term.Good, "repaired ")
		case r.Error != "":
			mark = s.Paint(term.Bad, "left     ")
		}
		fmt.Fprintf(s, "%s%s\n", mark, r.Name)
		indented(s, "         ", strings.TrimSuffix(r.Problem+"; "+r.Error, "; "), term.Plain)
	}
	for _, name := range d.Busy {
		fmt.Fprintf(s, "%s%s\n         a go command is at work on it\n", s.Paint(term.Warn, "skipped  "), name)
	}
	if len(d.Damages) == 0 {
		fmt.Fprintf(s, "Nothing is broken: looked at %d of %d entries, %s.\n", len(d.Entries)-len(d.Busy), len(d.Entries), term.Size(d.Size))
	}
}
