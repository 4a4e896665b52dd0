package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modsource"
)

// Bounds of the work at one time.
const (
	maxVersions = 16 // that are looked up
	maxZips     = 4  // that are fetched, each into a file of at most 500 MB
)

// maxSilence is how many failures in a row, without any answer, are taken to mean that
// there will be none.
const maxSilence = 5

// A comparison compares all lines with everything that knows better.
type comparison struct {
	*run
	zips chan struct{}

	mu       sync.Mutex
	database outlet
	proxies  outlet
	nobody   gap // lines that nothing could be compared with
	done     int

	contradicted map[line]string // what the database has instead of the hash of a line
}

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
	lines []line
	cause error // the first one
}

func (g *gap) add(cause error, lines ...line) {
	g.lines = append(g.lines, lines...)
	if g.cause == nil {
		g.cause = cause
	}
}

// compareLines compares each line with the checksum database and the module cache, and
// with what proxies serve if that was asked for, or where nobody else knows the version.
func (r *run) compareLines(ctx context.Context) error {
	c := &comparison{run: r, zips: make(chan struct{}, maxZips), contradicted: map[line]string{}}
	versions := map[module.Version][]line{}
	var order []module.Version
	for _, l := range r.lines {
		if versions[l.mod] == nil {
			order = append(order, l.mod)
		}
		versions[l.mod] = append(versions[l.mod], l)
	}
	if r.Modules != nil && r.Modules.Sums() != nil {
		r.report.Database = r.Modules.Sums().Name()
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
			r.Progress(fmt.Sprintf("comparing %d of %d versions", c.done, len(order)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.reportGaps()
	return nil
}

// version compares the lines of one version.
func (c *comparison) version(ctx context.Context, m module.Version, lines []line) error {
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
func (c *comparison) askDatabase(ctx context.Context, m module.Version, lines []line) {
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
		c.add(lines[0].found(GosumUnknown, "%s does not know %s", c.report.Database, m))
		return
	case artifact.ErrIntegrity:
		c.add(lines[0].found(GosumDatabase, "%s cannot be proven: %s", m, reason(err)))
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
		if want == l.hash {
			c.report.Proven++
			continue
		}
		c.contradicted[l] = want
		want = cmp.Or(want, "nothing of it")
		c.add(l.found(GosumDatabase, "%s %s: %s has %s, %s has %s", m, l.what(), l.file, l.hash, c.report.Database, want))
	}
}

// lineKey is what stands before the hash in a line.
func lineKey(l line) string {
	if l.isMod {
		return l.mod.Path + " " + l.mod.Version + "/go.mod"
	}
	return l.mod.Path + " " + l.mod.Version
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
func (c *comparison) askCache(m module.Version, lines, open []line) []line {
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
		open = slices.DeleteFunc(open, func(o line) bool { return o == l })
		c.compareCached(l, hash)
	}
	return open
}

// cacheFailed notes that something in the module cache cannot be read.
func (c *comparison) cacheFailed(l line, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(l.found(NotChecked, "%s in the module cache: %v", l.mod, err))
}

// compareCached compares a line with the hash of what the module cache holds. Where that
// is what the database has, too, all has been said.
func (c *comparison) compareCached(l line, hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch hash {
	case l.hash:
		c.report.Cached++
	case c.contradicted[l]:
	default:
		c.add(l.found(GosumCache, "%s %s: %s has %s, the module cache has %s", l.mod, l.what(), l.file, l.hash, hash))
	}
}

func (c *comparison) cached(entry modcache.Entry, l line) (string, error) {
	if l.isMod {
		return c.Cache.HashMod(entry)
	}
	return c.Cache.Hash(entry)
}

// fetch compares a line with what the proxies, or version control, bring now.
func (c *comparison) fetch(ctx context.Context, l line) {
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
	case err == nil && hash == l.hash:
		c.report.Fetched++
	case err == nil:
		c.add(l.found(GosumProxy, "%s %s: %s has %s, the bytes that are served hash to %s", l.mod, l.what(), l.file, l.hash, hash))
	case artifact.Class(err) == artifact.ErrNotFound:
		c.add(l.found(GosumProxy, "%s %s cannot be had any more: %s", l.mod, l.what(), reason(err)))
	case artifact.Class(err) == artifact.ErrIntegrity:
		c.add(l.found(GosumProxy, "%s %s: %s", l.mod, l.what(), reason(err)))
	default:
		c.proxies.failed++
		c.proxies.gap.add(err, l)
		return
	}
	c.proxies.answered = true
}

// hashOf fetches what a line is of, and hashes it.
func (c *comparison) hashOf(ctx context.Context, l line) (string, error) {
	n := artifact.Name{Kind: artifact.Mod, Module: l.mod.Path, Version: l.mod.Version}
	if l.isMod {
		data, err := modsource.Read(ctx, c.Modules.Source(), n)
		if err != nil {
			return "", err
		}
		return modcache.HashMod(data)
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
	if _, err := modsource.Save(ctx, c.Modules.Source(), n.Sibling(artifact.Zip), f); err != nil {
		return "", err
	}
	return dirhash.HashZip(f.Name(), dirhash.DefaultHash)
}

// reason is an error as people should read it.
func reason(err error) string {
	if e, ok := errors.AsType[*artifact.Error](err); ok {
		return shown(e.Reason)
	}
	return shown(err.Error())
}

// shown is a text of somebody else as it may be shown: one line, not too long, and
// without the secrets that URLs may have before the host.
func shown(text string) string {
	return artifact.Clean(userinfo.ReplaceAllString(text, "://"), 400)
}

var userinfo = regexp.MustCompile(`://[^/\s@]+@`)

// reportGaps says what could not be compared.
func (c *comparison) reportGaps() {
	c.reportGap(c.database.gap, Error, "the checksum database "+c.report.Database)
	c.reportGap(c.proxies.gap, Error, "what proxies and version control serve")
	c.reportGap(c.nobody, Warning, "anything")
}

func (c *comparison) reportGap(g gap, severity Severity, with string) {
	if len(g.lines) == 0 {
		return
	}
	first := slices.MinFunc(g.lines, func(a, b line) int { return a.at - b.at })
	f := found(NotChecked, first.file, first.at, "%d of %d lines could not be compared with %s: %s", len(g.lines), len(c.lines), with, reason(g.cause))
	f.Severity = severity
	c.add(f)
}

// checkCache looks whether the module cache still holds what the go command has once
// proven, for all versions that builds take files from.
func (r *run) checkCache(ctx context.Context) error {
	if r.Cache == nil {
		return nil
	}
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxZips)
	done := map[module.Version]bool{}
	for _, l := range r.lines {
		if l.isMod || done[l.mod] {
			continue
		}
		done[l.mod] = true
		r.Progress(fmt.Sprintf("looking at %s in the module cache", l.mod))
		group.Go(func() error {
			findings, err := r.cacheFindings(groupCtx, l)
			mu.Lock()
			defer mu.Unlock()
			r.add(findings...)
			return err
		})
	}
	return group.Wait()
}

func (r *run) cacheFindings(ctx context.Context, l line) ([]Finding, error) {
	entry, err := r.Cache.Lookup(l.mod)
	if err != nil {
		return nil, err
	}
	problems, err := r.Cache.Check(ctx, entry)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, modcache.ErrInUse):
		f := l.found(NotChecked, "%s in the module cache: a go command is at work on it", l.mod)
		f.Severity = Warning
		return []Finding{f}, nil
	case err != nil:
		return []Finding{l.found(NotChecked, "%s in the module cache: %v", l.mod, err)}, nil
	}
	var findings []Finding
	for _, problem := range problems {
		findings = append(findings, l.found(CacheDamaged, "%s in the module cache: %s", l.mod, problem))
	}
	return findings, nil
}
