// Package doctor finds out why the go command of this machine cannot fetch modules, and
// says what to do.
//
// It looks at the settings of the go command, at the folder it is run in, at the caches,
// and at everything that the settings lead to: each entry of GOPROXY, the checksum
// database, version control. What belongs together of this has a room below; here is told
// which checks there are, which of them wait for which, and how likely each finds the cause.
// The [Report] ranks the causes.
//
// What the go command would not do, the doctor does not do either: private modules are
// asked of no proxy and credentials go where the go command sends them, over https only.
// Nothing is changed before a fix is applied. No secret is in a report.
//
// Sources: the Go Modules Reference; go help environment; cmd/go/internal/modfetch,
// web, auth, vcs and toolchain.
package doctor

import (
	"cmp"
	"context"
	"os"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/caches"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/proxy"
	"github.com/goweir/weir/internal/client/doctor/repository"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/sums"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/client/doctor/walk"
)

// Options are what to look at, and for how long.
type Options struct {
	Target    Target                                     // whose way to follow; zero: none
	Timeout   time.Duration                              // of one check; default 5 s
	Getenv    func(string) string                        // default os.Getenv
	Dir       string                                     // default the current folder
	UserAgent string                                     // default "weir"
	Progress  func(done, of int, finished check.Finding) // called after each check, one at a time; may be nil
}

const (
	defaultTimeout = 5 * time.Second
	// overall is how many times the bound of one check all of them may take together.
	overall = 6
)

// A Report is what the doctor has found.
type Report struct {
	Healthy  bool               `json:"healthy"`
	Module   string             `json:"module,omitempty"`
	Causes   []check.Cause      `json:"causes"` // the likeliest first; of warnings, too
	Path     []walk.Hop         `json:"path,omitempty"`
	Settings []settings.Setting `json:"settings"`
	Findings []check.Finding    `json:"findings"`
	Took     check.Millis       `json:"took_ms"`
}

// Examine runs all checks that make sense here. It ends after six times the bound of
// one check at the latest.
func Examine(ctx context.Context, o Options) *Report {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.UserAgent = cmp.Or(o.UserAgent, "weir")
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Dir == "" {
		o.Dir = "."
	}
	ctx, cancel := context.WithTimeout(ctx, overall*o.Timeout)
	defer cancel()
	begun := time.Now()
	m := newMachine(ctx, o)
	defer m.visitor.Close()
	report := &Report{Module: o.Target.String(), Settings: m.settings.Shown()}
	report.Findings = catalogue.Run(ctx, m.checks(o.Target, &report.Path), o.Timeout, o.Progress)
	proxy.Mitigate(m.proxies, report.Findings)
	report.Healthy = check.Healthy(report.Findings)
	report.Causes = catalogue.Causes(report.Findings)
	report.Took = check.Millis(time.Since(begun))
	return report
}

// A machine is what the checks look at.
type machine struct {
	settings     *settings.Settings
	visitor      *visit.Visitor
	proxies      []*proxy.Proxy
	sums         *sums.Database
	repositories *repository.Finder
	walker       *walk.Walker
}

func newMachine(ctx context.Context, o Options) *machine {
	m := &machine{settings: settings.Read(ctx, o.Getenv, o.Dir), visitor: visit.New(o.UserAgent)}
	adviser := advice.New(m.settings, m.visitor)
	m.proxies = proxy.Open(m.settings, m.visitor, adviser)
	m.sums = sums.Open(m.settings, m.visitor, adviser, m.proxies)
	m.repositories = repository.New(m.settings, m.visitor, adviser)
	m.walker = walk.New(m.settings, m.proxies, m.sums, m.repositories)
	return m
}

// checks are all checks that make sense on this machine. Those for a target leave its steps in
// hops.
func (m *machine) checks(target Target, hops *[]walk.Hop) []*check.Check {
	all := m.settings.Checks()
	here := m.settings.Folder.Checks()
	if mod := check.Find(here, "go-mod"); mod != nil {
		here = append(here, m.settings.PrivateCheck(mod))
	}
	all = append(append(all, here...), caches.Checks(m.settings)...)
	var first []*check.Check // of the first proxy
	for i, p := range m.proxies {
		checks := p.Checks()
		if i == 0 {
			first = checks
		}
		all = append(all, checks...)
	}
	if m.settings.ListError == nil {
		all = append(all, m.walker.Requirements(target.Path, first)...)
	}
	all = append(all, m.sums.Checks(first)...)
	all = append(all, m.repositories.Checks(target.Path)...)
	if m.settings.ListError == nil && target.Path != "" {
		all = append(all, m.walker.To(module.Version{Path: target.Path, Version: target.Query}, hops))
	}
	return all
}
