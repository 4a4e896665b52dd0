// Package verify finds out whether a Go project is locked: whether everybody who builds
// it gets the same bytes of every module, and whether these are the bytes that the rest
// of the world has.
//
// It reads go.mod, go.sum, go.work, go.work.sum and vendor, and compares each line of
// the sums with the checksum database, with the module cache and, where asked for or
// where nothing else can be compared, with the bytes that proxies or version control
// bring. What go.mod and go.sum should say is not judged here but by the go command.
// Packages modfiles, compare and drift do these things; this one puts them together, and
// looks at replacements, settings and the module cache.
//
// It promises that the project is never changed, that no checksum database hears of a
// module that the settings of the go command keep from it, and that whatever could not be
// compared is reported: a [Report] without findings means that all of it was done.
//
// Sources: the Go Modules Reference, "go.sum files", "Workspaces" and "Vendoring";
// cmd/go/internal/modfetch/fetch.go, readGoSum; cmd/go/internal/modload/vendor.go.
package verify

import (
	"cmp"
	"context"
	"slices"

	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/client/verify/compare"
	"github.com/goweir/weir/internal/client/verify/drift"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
	"github.com/goweir/weir/internal/goenv"
)

// Options are what Run works with.
type Options struct {
	Dir     string             // of the project, or below it
	Env     *goenv.Env         // the settings of the go command
	Modules *modsource.Modules // nil: nothing is asked of the network
	Cache   *modcache.Cache    // nil: there is none

	Bytes    bool // compare with what proxies serve now, too
	SumsOnly bool // only compare lines, and leave the go command and vendor alone

	Progress func(what string) // hears what is going on; nil: nobody
}

// A Report is what was found.
type Report struct {
	Dir      string            `json:"dir"`                // names of files are relative to it
	Files    []string          `json:"files"`              // that were read
	Lines    int               `json:"lines"`              // of go.sum and go.work.sum
	Database string            `json:"database,omitempty"` // the checksum database
	Proven   int               `json:"proven"`             // lines that equal the checksum database
	Cached   int               `json:"cached"`             // lines that equal the module cache
	Fetched  int               `json:"fetched"`            // lines that equal what was fetched
	Findings []finding.Finding `json:"findings"`           // the worst first
}

// Worst is the severity of the worst finding; none where there is none.
func (r *Report) Worst() finding.Severity {
	if len(r.Findings) == 0 {
		return finding.None
	}
	return r.Findings[0].Severity
}

// A run is one look at a project.
type run struct {
	Options
	*modfiles.Project
	report *Report
	lines  []modfiles.Line
}

// Run looks at the project that a folder is in. The error is mainmod.ErrNone, one of
// the disk, or the cause of the end of ctx; everything else is a finding.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	files := mainmod.SettingsOf(o.Env)
	files.ModFile = "" // what is locked for everybody is not what one of them works with
	p, err := modfiles.Open(o.Dir, files)
	if err != nil {
		return nil, err
	}
	r := &run{Options: o, Project: p, report: &Report{Dir: p.Root, Files: p.Names(), Findings: []finding.Finding{}}}
	r.add(p.Findings...)
	lines, findings := p.Lines()
	r.lines, r.report.Lines = lines, len(lines)
	r.add(findings...)
	r.checkSettings()
	if err := r.compare(ctx); err != nil {
		return nil, err
	}
	if !o.SumsOnly {
		r.checkReplacements()
		if err := r.askGo(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.checkCache(ctx); err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.report.Findings, func(a, b finding.Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return r.report, nil
}

func (r *run) add(findings ...finding.Finding) {
	r.report.Findings = append(r.report.Findings, findings...)
}

// compare compares all sums with those who know better.
func (r *run) compare(ctx context.Context) error {
	tally, err := compare.Lines(ctx, r.lines, compare.With{Modules: r.Modules, Cache: r.Cache, Bytes: r.Bytes, Progress: r.Progress})
	if err != nil {
		return err
	}
	r.report.Database, r.report.Proven, r.report.Cached, r.report.Fetched = tally.Database, tally.Proven, tally.Cached, tally.Fetched
	r.add(tally.Findings...)
	return nil
}

// askGo has the go command judge the project, unless a line of go.sum is wrong: at the
// first of these it stops.
func (r *run) askGo(ctx context.Context) error {
	if len(r.Project.Findings) > 0 || r.has(finding.MergeConflict, finding.GosumMalformed, finding.GosumConflict, finding.GosumDatabase, finding.GosumCache) {
		f := finding.New(finding.NotChecked, r.Main(), 1, "what go mod tidy and go mod vendor would change: they fail while there are the errors above")
		f.Severity, f.Hint = finding.Note, "mend the errors, then run this again"
		r.add(f)
		return nil
	}
	findings, err := drift.Find(ctx, r.Project, drift.Options{Env: r.Env, Offline: r.Modules == nil, Progress: r.Progress})
	r.add(findings...)
	return err
}

// has reports whether there is a finding of one of these rules.
func (r *run) has(rules ...string) bool {
	return slices.ContainsFunc(r.report.Findings, func(f finding.Finding) bool { return slices.Contains(rules, f.Rule) })
}
