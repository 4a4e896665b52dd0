// Package doctor finds out why the go command of this machine cannot fetch modules, and
// says what to do.
//
// It looks at the settings of the go command, at the folder it is run in, at the caches,
// and at everything that the settings lead to: each entry of GOPROXY, the checksum
// database, version control. Each [Check] is a value; they run at the same time, each
// within a bound, and one that would only repeat the trouble of another is passed over,
// so that one cause is one red line. The [Report] ranks the causes.
//
// What the go command would not do, the doctor does not do either: private modules are
// asked of no proxy and credentials go where the go command sends them, over https only.
// Nothing is changed before a [Fix] is applied. No secret is in a report.
//
// Sources: the Go Modules Reference; go help environment; cmd/go/internal/modfetch,
// web, auth, vcs and toolchain.
package doctor

import (
	"cmp"
	"context"
	"os"
	"time"

	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/goenv"
)

// Options are what to look at, and for how long.
type Options struct {
	Target    Target                               // whose way to follow; zero: none
	Timeout   time.Duration                        // of one check; default 5 s
	Getenv    func(string) string                  // default os.Getenv
	Dir       string                               // default the current folder
	UserAgent string                               // default "weir"
	Progress  func(done, of int, finished Finding) // called after each check, one at a time; may be nil
}

const (
	defaultTimeout = 5 * time.Second
	// overall is how many times the bound of one check all of them may take together.
	overall = 6
)

// A Report is what the doctor has found.
type Report struct {
	Healthy  bool      `json:"healthy"`
	Module   string    `json:"module,omitempty"`
	Causes   []Cause   `json:"causes"` // the likeliest first; of warnings, too
	Path     []Hop     `json:"path,omitempty"`
	Settings []Setting `json:"settings"`
	Findings []Finding `json:"findings"`
	Took     Millis    `json:"took_ms"`
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
	defer m.close()
	findings := run(ctx, m.checks(), o.Timeout, o.Progress)
	m.mitigate(findings)
	return &Report{
		Healthy:  healthy(findings),
		Module:   o.Target.String(),
		Causes:   causes(findings),
		Path:     m.path,
		Settings: m.settings(),
		Findings: findings,
		Took:     Millis(time.Since(begun)),
	}
}

// A machine is what the checks look at.
type machine struct {
	Options
	env       *goenv.Env
	askError  error // of go env
	container string
	folder    folder
	proxies   []*proxy
	listError error // of GOPROXY
	probe     probe
	sums      *sums
	visitor   *visit.Visitor
	path      []Hop
}

// asks is how often go env is tried, which a machine under load may keep waiting.
const asks = 2

func newMachine(ctx context.Context, o Options) *machine {
	m := &machine{Options: o, env: goenv.Load(o.Getenv), container: container(o.Getenv)}
	for range asks {
		if m.askError = m.env.Ask(ctx); m.askError == nil || ctx.Err() != nil {
			break
		}
	}
	m.visitor = visit.New(visit.Options{UserAgent: o.UserAgent})
	m.folder = openFolder(o.Dir, m.env.Value("GOWORK"))
	m.probe = m.chooseProbe()
	m.proxies, m.listError = m.openProxies()
	m.sums = newSums(m)
	return m
}

func (m *machine) close() { m.visitor.Close() }

// checks are all checks that make sense on this machine.
func (m *machine) checks() []*Check {
	all := m.settingChecks()
	all = append(all, m.folderChecks()...)
	all = append(all, m.cacheChecks()...)
	for _, p := range m.proxies {
		all = append(all, p.checks()...)
	}
	all = append(all, m.requirementChecks(all)...)
	all = append(all, m.sums.checks(all)...)
	all = append(all, m.versionControlChecks()...)
	return append(all, m.walkChecks()...)
}

// container says why this seems to be a container, or nothing.
func container(getenv func(string) string) string {
	if name := getenv("container"); name != "" {
		return "container=" + name
	}
	if getenv("KUBERNETES_SERVICE_HOST") != "" {
		return "KUBERNETES_SERVICE_HOST"
	}
	for _, file := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}
