// Package compare compares the lines of go.sum and go.work.sum with all who know better: the
// checksum database, the module cache, and the bytes that proxies and version control
// serve.
//
// It promises to tell of every line that could not be compared, and why, and that no
// checksum database hears of a module that the settings of the go command keep from it.
//
// Sources: the Go Modules Reference, "go.sum files" and "Checksum database".
package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
	"github.com/goweir/weir/internal/h1"
)

// Bounds of the work at one time.
const (
	maxVersions = 16 // that are looked up
	maxZips     = 4  // that are fetched, each into a file of at most 500 MB
)

// maxSilence is how many failures in a row, without any answer, are taken to mean that
// there will be none.
const maxSilence = 5

// With are those whom lines are compared with.
type With struct {
	Modules *modsource.Modules // nil: nothing is asked of the network
	Cache   *modcache.Cache    // nil: there is none
	Bytes   bool               // compare with what proxies serve, also where others know the version

	Progress func(what string) // hears what is going on
}

// A Tally is what has come of comparing lines.
type Tally struct {
	Database string // the checksum database; empty: there is none
	Proven   int    // lines that equal it
	Cached   int    // lines that equal the module cache
	Fetched  int    // lines that equal what was fetched
	Findings []finding.Finding
}

// A comparison compares all lines with everything that knows better.
type comparison struct {
	With
	lines int
	zips  chan struct{}

	mu       sync.Mutex
	tally    Tally
	database outlet
	proxies  outlet
	nobody   gap // lines that nothing could be compared with
	done     int

	contradicted map[modfiles.Line]string // what the database has instead of the hash of a line
}

// add notes a finding.
func (c *comparison) add(f finding.Finding) { c.tally.Findings = append(c.tally.Findings, f) }

// An outlet is somebody who is asked for many things.
type outlet struct {
	answered bool
	failed   int // before any answer
	gap      gap
}

// silent reports whether it is not worth asking.
func (o *outlet) silent() bool { return !o.answered && o.failed >= maxSilence }

// A gap is what could not be compared, and why.
type gap struct {
	lines []modfiles.Line
	cause error // the first one
}

func (g *gap) add(cause error, lines ...modfiles.Line) {
	g.lines = append(g.lines, lines...)
	if g.cause == nil {
		g.cause = cause
	}
}

// Lines compares each line with the checksum database and the module cache, and with
// what proxies serve if that was asked for, or where nobody else knows the version. The
// error is the cause of the end of ctx.
func Lines(ctx context.Context, lines []modfiles.Line, with With) (Tally, error) {
	c := &comparison{With: with, lines: len(lines), zips: make(chan struct{}, maxZips), contradicted: map[modfiles.Line]string{}}
	versions := map[module.Version][]modfiles.Line{}
	var order []module.Version
	for _, l := range lines {
		if versions[l.Module] == nil {
			order = append(order, l.Module)
		}
		versions[l.Module] = append(versions[l.Module], l)
	}
	if c.Modules != nil && c.Modules.Sums() != nil {
		c.tally.Database = c.Modules.Sums().Name()
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxVersions)
	for _, m := range order {
		group.Go(func() error {
			if err := c.version(groupCtx, m, versions[m]); err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.done++
			c.Progress(fmt.Sprintf("comparing %d of %d versions", c.done, len(order)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Tally{}, err
	}
	c.reportGaps()
	return c.tally, nil
}

// version compares the lines of one version.
func (c *comparison) version(ctx context.Context, m module.Version, lines []modfiles.Line) error {
	open := slices.Clone(lines) // with these, nothing has been compared yet
	if c.Modules != nil && !c.Modules.Unproven(m.Path) {
		c.askDatabase(ctx, m, lines) // which notes what it could not prove
		open = nil
	}
	open = c.askCache(m, lines, open)
	if c.Modules != nil && c.Bytes {
		open = lines
	}
	for _, l := range open {
		c.fetch(ctx, l)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// askDatabase compares lines with the record of their version.
func (c *comparison) askDatabase(ctx context.Context, m module.Version, lines []modfiles.Line) {
	c.mu.Lock()
	silent := c.database.silent()
	c.mu.Unlock()
	var hashes map[string]string
	err := errors.New("it did not answer before")
	if !silent {
		hashes, err = c.record(ctx, m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch artifact.Class(err) {
	case artifact.ErrNotFound:
		c.database.answered = true
		c.add(lines[0].Found(finding.GosumUnknown, "%s does not know %s", c.tally.Database, m))
		return
	case artifact.ErrIntegrity:
		c.add(lines[0].Found(finding.GosumDatabase, "%s cannot be proven: %s", m, reason(err)))
		return
	}
	if err != nil {
		c.database.failed++
		c.database.gap.add(err, lines...)
		return
	}
	c.database.answered = true
	for _, l := range lines {
		want := hashes[lineKey(l)]
		if want == l.Hash {
			c.tally.Proven++
			continue
		}
		c.contradicted[l] = want
		want = cmp.Or(want, "nothing of it")
		c.add(l.Found(finding.GosumDatabase, "%s %s: %s has %s, %s has %s", m, l.What(), l.File, l.Hash, c.tally.Database, want))
	}
}

// lineKey is what stands before the hash in a line.
func lineKey(l modfiles.Line) string {
	if l.IsMod {
		return l.Module.Path + " " + l.Module.Version + "/go.mod"
	}
	return l.Module.Path + " " + l.Module.Version
}

// record is what the checksum database says of a version: hashes by what stands before
// them in a line.
func (c *comparison) record(ctx context.Context, m module.Version) (map[string]string, error) {
	db := c.Modules.Sums()
	data, err := modsource.Read(ctx, db.Mirror(), artifact.Name{Kind: artifact.SumLookup, DB: db.Name(), Module: m.Path, Version: m.Version})
	if err != nil {
		return nil, err
	}
	_, text, _, err := tlog.ParseRecord(data)
	if err != nil {
		return nil, err
	}
	hashes := map[string]string{}
	for row := range strings.Lines(string(text)) {
		if key, hash, ok := cutLast(strings.TrimSpace(row)); ok {
			hashes[key] = hash
		}
	}
	return hashes, nil
}

func cutLast(row string) (before, last string, ok bool) {
	i := strings.LastIndexByte(row, ' ')
	if i < 0 {
		return "", "", false
	}
	return row[:i], row[i+1:], true
}

// askCache compares lines with the hashes of what the module cache holds. It returns
// those of the open lines that are open still.
func (c *comparison) askCache(m module.Version, lines, open []modfiles.Line) []modfiles.Line {
	if c.Cache == nil {
		return open
	}
	entry, err := c.Cache.Lookup(m)
	for _, l := range lines {
		var hash string
		if err == nil {
			hash, err = c.cached(entry, l)
		}
		if err != nil {
			c.cacheFailed(l, err)
			return open
		}
		if hash == "" {
			continue
		}
		open = slices.DeleteFunc(open, func(o modfiles.Line) bool { return o == l })
		c.compareCached(l, hash)
	}
	return open
}

// cacheFailed notes that something in the module cache cannot be read.
func (c *comparison) cacheFailed(l modfiles.Line, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(l.Found(finding.NotChecked, "%s in the module cache: %v", l.Module, err))
}

// compareCached compares a line with the hash of what the module cache holds. Where that
// is what the database has, too, all has been said.
func (c *comparison) compareCached(l modfiles.Line, hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch hash {
	case l.Hash:
		c.tally.Cached++
	case c.contradicted[l]:
	default:
		c.add(l.Found(finding.GosumCache, "%s %s: %s has %s, the module cache has %s", l.Module, l.What(), l.File, l.Hash, hash))
	}
}

func (c *comparison) cached(entry modcache.Entry, l modfiles.Line) (string, error) {
	if l.IsMod {
		return c.Cache.HashMod(entry)
	}
	return c.Cache.Hash(entry)
}

// fetch compares a line with what the proxies, or version control, bring now.
func (c *comparison) fetch(ctx context.Context, l modfiles.Line) {
	c.mu.Lock()
	skip := c.Modules == nil || c.proxies.silent()
	if c.Modules == nil {
		c.nobody.add(errors.New("the module cache does not have them"), l)
	} else if skip {
		c.proxies.gap.add(nil, l)
	}
	c.mu.Unlock()
	if skip {
		return
	}
	hash, err := c.hashOf(ctx, l)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil && hash == l.Hash:
		c.tally.Fetched++
	case err == nil:
		c.add(l.Found(finding.GosumProxy, "%s %s: %s has %s, the bytes that are served hash to %s", l.Module, l.What(), l.File, l.Hash, hash))
	case artifact.Class(err) == artifact.ErrNotFound:
		c.add(l.Found(finding.GosumProxy, "%s %s cannot be had any more: %s", l.Module, l.What(), reason(err)))
	case artifact.Class(err) == artifact.ErrIntegrity:
		c.add(l.Found(finding.GosumProxy, "%s %s: %s", l.Module, l.What(), reason(err)))
	default:
		c.proxies.failed++
		c.proxies.gap.add(err, l)
		return
	}
	c.proxies.answered = true
}

// hashOf fetches what a line is of, and hashes it.
func (c *comparison) hashOf(ctx context.Context, l modfiles.Line) (string, error) {
	n := artifact.Name{Kind: artifact.Mod, Module: l.Module.Path, Version: l.Module.Version}
	if l.IsMod {
		data, err := modsource.Read(ctx, c.Modules.Source(), n)
		if err != nil {
			return "", err
		}
		return h1.GoMod(data), nil
	}
	select {
	case c.zips <- struct{}{}:
		defer func() { <-c.zips }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	f, err := os.CreateTemp("", "weir-verify-*.zip")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	zip := n.Sibling(artifact.Zip)
	size, err := modsource.Save(ctx, c.Modules.Source(), zip, f)
	if err != nil {
		return "", err
	}
	return h1.Hash(zip, f, size)
}

// reason is an error as people should read it.
func reason(err error) string {
	if e, ok := errors.AsType[*artifact.Error](err); ok {
		return finding.Shown(e.Reason)
	}
	return finding.Shown(err.Error())
}

// reportGaps says what could not be compared.
func (c *comparison) reportGaps() {
	c.reportGap(c.database.gap, finding.Error, "the checksum database "+c.tally.Database)
	c.reportGap(c.proxies.gap, finding.Error, "what proxies and version control serve")
	c.reportGap(c.nobody, finding.Warning, "anything")
}

func (c *comparison) reportGap(g gap, severity finding.Severity, with string) {
	if len(g.lines) == 0 {
		return
	}
	first := slices.MinFunc(g.lines, func(a, b modfiles.Line) int { return a.At - b.At })
	f := finding.New(finding.NotChecked, first.File, first.At, "%d of %d lines could not be compared with %s: %s", len(g.lines), c.lines, with, reason(g.cause))
	f.Severity = severity
	c.add(f)
}
