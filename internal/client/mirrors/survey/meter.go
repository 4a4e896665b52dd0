package survey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/mirrors/probe"
	"github.com/goweir/weir/internal/source"
)

// When a mirror is left alone: after so many failures in a row, or refusals of so many
// modules. One refused module may be a matter of policy.
const (
	maxInARow  = 5
	maxRefused = 2
)

// A meter measures one mirror. It is used by one goroutine at a time.
type meter struct {
	prober  *probe.Prober
	sumDB   string
	modules int // that there are to ask for
	result  mirrors.Result

	left    int64                 // bytes
	stopped bool                  // it is not asked any more
	inARow  int                   // failures since the last answer
	refused map[string]bool       // modules
	missing map[string]bool       // modules
	zips    spent                 // on zips, those that broke off included
	rounds  map[int]time.Duration // what the zip of a round took
	newest  map[string]newest
}

// spent is what fetching took.
type spent struct {
	bytes int64
	time  time.Duration
}

// newest is what a mirror says is the newest version of a module.
type newest struct {
	latest string // the answer to @latest; empty: there was none
	listed string // the highest of the list; empty: there was none
}

func newMeter(m Mirror, o Options) *meter {
	return &meter{
		prober: probe.New(m.Entry.URL, m.Header, o.UserAgent, o.Transport), sumDB: o.SumDB, modules: min(len(o.Modules), maxRounds), left: o.Bytes,
		refused: map[string]bool{}, missing: map[string]bool{}, rounds: map[int]time.Duration{}, newest: map[string]newest{},
		result: mirrors.Result{
			Name: m.Entry.Redacted(), Listed: m.Listed, SumDB: mirrors.Unknown, Behind: []mirrors.Lag{}, Wrong: []mirrors.Wrong{}, Entry: m.Entry,
		},
	}
}

func (m *meter) close() { m.prober.Close() }

// asking reports whether the mirror is still asked.
func (m *meter) asking() bool { return !m.stopped && m.left > 0 }

// stop leaves the mirror alone from now on.
func (m *meter) stop(s mirrors.State) { m.result.State, m.stopped = s, true }

// passedOver reports whether a module is not asked for any more, since the mirror does
// not have it or does not give it.
func (m *meter) passedOver(module string) bool { return m.refused[module] || m.missing[module] }

// ask fetches an artifact and counts what came of it. check says what is wrong with a
// body. It returns true if all is well.
func (m *meter) ask(ctx context.Context, n artifact.Name, check func(body []byte) error) (probe.Answer, bool) {
	if !m.asking() || ctx.Err() != nil || m.passedOver(n.Module) {
		return probe.Answer{}, false
	}
	a := m.prober.Ask(ctx, n, m.left)
	m.left -= int64(len(a.Body))
	m.result.Bytes += int64(len(a.Body))
	if errors.Is(a.Err, probe.ErrBudget) && n.Kind != artifact.Zip {
		m.left = 0 // smaller files than these there are none
	}
	if errors.Is(a.Err, errTimeIsOver) || errors.Is(a.Err, probe.ErrBudget) || ctx.Err() != nil {
		return a, false // which says nothing about the mirror
	}
	m.result.Requests++
	if a.Status != 0 {
		m.result.Protocol = a.Proto
	}
	if n.Kind.IsSum() {
		return a, a.Err == nil && a.Status == http.StatusOK
	}
	return a, m.count(n, a, check)
}

// count sorts an answer to where it belongs.
func (m *meter) count(n artifact.Name, a probe.Answer, check func([]byte) error) bool {
	switch {
	case a.Err != nil:
		m.failed(n, a.Err)
		if errors.Is(a.Err, probe.ErrHangs) || errors.Is(a.Err, probe.ErrSlow) && n.Kind != artifact.Zip {
			m.stop(mirrors.Hangs)
		}
		return false
	case a.Status != http.StatusOK:
		m.declined(n, a.Status)
		return false
	}
	err := check(a.Body)
	if a.HTML && err != nil {
		err = errPage
	}
	if wrong, ok := errors.AsType[*wrongBytes](err); ok {
		m.result.Wrong = append(m.result.Wrong, wrong.Wrong)
		m.result.Problem = wrong.Error()
		m.stop(mirrors.Lies)
	}
	if err != nil {
		m.failed(n, err)
		return false
	}
	m.result.Succeeded++
	m.inARow = 0
	return true
}

var errPage = errors.New("a web page came in its place, such as a login page")

// declined counts an answer other than 200.
func (m *meter) declined(n artifact.Name, status int) {
	err := fmt.Errorf("answered %d %s", status, http.StatusText(status))
	switch status {
	case http.StatusNotFound, http.StatusGone:
		m.result.Absent++
		m.inARow = 0
		if n.Kind != artifact.Latest { // some mirrors have no such file where there is a list
			m.missing[n.Module] = true
		}
	case http.StatusTooManyRequests:
		m.failed(n, err)
		m.stop(mirrors.Limits)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		m.failed(n, err)
		m.refused[n.Module] = true
		if len(m.refused) >= min(maxRefused, m.modules) {
			m.stop(mirrors.Refuses)
		}
	default:
		m.failed(n, err)
	}
}

// failed counts a failure.
func (m *meter) failed(n artifact.Name, err error) {
	m.result.Failed++
	m.inARow++
	if m.result.State != mirrors.Lies {
		m.result.Problem = fmt.Sprintf("%s: %s", n, artifact.Clean(err.Error(), 200))
	}
	if m.inARow >= maxInARow && !m.stopped {
		m.stop(mirrors.Fails)
	}
}

// fresh asks for a file over a new connection.
func (m *meter) fresh(ctx context.Context, n artifact.Name) {
	m.prober.Renew()
	a, _ := m.ask(ctx, n, infoCheck(n))
	if a.Status == 0 || !a.Phases.Fresh {
		return
	}
	r := &m.result
	addTo(&r.DNS, a.Phases.DNS)
	addTo(&r.TLS, a.Phases.TLS)
	r.Connect = append(r.Connect, a.Phases.Connect)
	r.FirstByte = append(r.FirstByte, a.Phases.FirstByte)
}

// addTo adds a duration, unless there was nothing to take time.
func addTo(l *mirrors.Latency, d time.Duration) {
	if d > 0 {
		*l = append(*l, d)
	}
}

// askSumDB finds out whether the mirror leads to the checksum database. It is for the go
// command to prove what comes from there.
func (m *meter) askSumDB(ctx context.Context, mod Module) {
	a, ok := m.ask(ctx, artifact.Name{Kind: artifact.SumSupported, DB: m.sumDB}, nil)
	switch {
	case a.Status == http.StatusNotFound || a.Status == http.StatusGone || a.Status == http.StatusForbidden:
		m.result.SumDB = mirrors.No
	case ok && !a.HTML:
		lookup := artifact.Name{Kind: artifact.SumLookup, DB: m.sumDB, Module: mod.Path, Version: mod.Version}
		if b, ok := m.ask(ctx, lookup, nil); ok && holdsRecord(b.Body, mod) {
			m.result.SumDB = mirrors.Yes
		}
	}
}

func (m *meter) list(ctx context.Context, mod Module) {
	a, ok := m.ask(ctx, mod.name(artifact.List), source.CheckList)
	if !ok {
		return
	}
	m.result.List = append(m.result.List, a.Duration)
	if versions := source.Versions(mod.Path, a.Body); len(versions) > 0 {
		known := m.newest[mod.Path]
		known.listed = highest(versions)
		m.newest[mod.Path] = known
	}
}

func (m *meter) latest(ctx context.Context, mod Module) {
	n := mod.name(artifact.Latest)
	a, ok := m.ask(ctx, n, infoCheck(n))
	if !ok {
		return
	}
	m.result.Latest = append(m.result.Latest, a.Duration)
	if info, err := source.ParseInfo(n, a.Body); err == nil {
		known := m.newest[mod.Path]
		known.latest = info.Version
		m.newest[mod.Path] = known
	}
}

func (m *meter) info(ctx context.Context, mod Module) {
	n := mod.name(artifact.Info)
	if a, ok := m.ask(ctx, n, infoCheck(n)); ok {
		m.result.Info = append(m.result.Info, a.Duration)
	}
}

func (m *meter) mod(ctx context.Context, mod Module) {
	if a, ok := m.ask(ctx, mod.name(artifact.Mod), func(body []byte) error { return m.prove(mod, artifact.Mod, body) }); ok {
		m.result.Mod = append(m.result.Mod, a.Duration)
	}
}

func (m *meter) zip(ctx context.Context, mod Module, round int) {
	a, ok := m.ask(ctx, mod.name(artifact.Zip), func(body []byte) error { return m.prove(mod, artifact.Zip, body) })
	if a.Status == http.StatusOK && len(a.Body) > 0 {
		m.zips.bytes += int64(len(a.Body))
		m.zips.time += a.Duration
	}
	if ok {
		m.result.Zip = append(m.result.Zip, a.Duration)
		m.rounds[round] = a.Duration
	}
}

// prove compares a body with its record, where there is one.
func (m *meter) prove(mod Module, kind artifact.Kind, body []byte) error {
	proven, err := prove(mod, kind, body)
	if proven {
		m.result.Proven++
	}
	return err
}

func infoCheck(n artifact.Name) func([]byte) error {
	return func(body []byte) error {
		_, err := source.ParseInfo(n, body)
		return err
	}
}

// highest is the version that the go command takes for the newest: a release, if there
// is one. The versions are sorted.
func highest(versions []string) string {
	for i := len(versions) - 1; i >= 0; i-- {
		if semver.Prerelease(versions[i]) == "" {
			return versions[i]
		}
	}
	return versions[len(versions)-1]
}
