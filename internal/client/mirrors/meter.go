package mirrors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
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
	prober  *prober
	sumDB   string
	modules int // that there are to ask for
	result  Result

	left    int64                 // bytes
	stopped bool                  // it is not asked any more
	inARow  int                   // failures since the last answer
	refused map[string]bool       // modules
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
		prober: newProber(m, o), sumDB: o.SumDB, modules: min(len(o.Modules), maxRounds), left: o.Bytes,
		refused: map[string]bool{}, rounds: map[int]time.Duration{}, newest: map[string]newest{},
		result: Result{Name: m.Entry.Redacted(), Listed: m.Listed, SumDB: Unknown, Behind: []Lag{}, Wrong: []Wrong{}, entry: m.Entry, missing: map[string]bool{}},
	}
}

func (m *meter) close() { m.prober.close() }

// asking reports whether the mirror is still asked.
func (m *meter) asking() bool { return !m.stopped && m.left > 0 }

// stop leaves the mirror alone from now on.
func (m *meter) stop(s State) { m.result.State, m.stopped = s, true }

// passedOver reports whether a module is not asked for any more, since the mirror does
// not have it or does not give it.
func (m *meter) passedOver(module string) bool { return m.refused[module] || m.result.missing[module] }

// ask fetches an artifact and counts what came of it. check says what is wrong with a
// body. It returns true if all is well.
func (m *meter) ask(ctx context.Context, n artifact.Name, check func(body []byte) error) (answer, bool) {
	if !m.asking() || ctx.Err() != nil || m.passedOver(n.Module) {
		return answer{}, false
	}
	a := m.prober.ask(ctx, n, m.left)
	m.left -= int64(len(a.body))
	m.result.Bytes += int64(len(a.body))
	if errors.Is(a.err, errBudget) && n.Kind != artifact.Zip {
		m.left = 0 // smaller files than these there are none
	}
	if errors.Is(a.err, errTimeIsOver) || errors.Is(a.err, errBudget) || ctx.Err() != nil {
		return a, false // which says nothing about the mirror
	}
	m.result.Requests++
	if a.status != 0 {
		m.result.Protocol = a.proto
	}
	if n.Kind.IsSum() {
		return a, a.err == nil && a.status == http.StatusOK
	}
	return a, m.count(n, a, check)
}

// count sorts an answer to where it belongs.
func (m *meter) count(n artifact.Name, a answer, check func([]byte) error) bool {
	switch {
	case a.err != nil:
		m.failed(n, a.err)
		if errors.Is(a.err, errHangs) || errors.Is(a.err, errSlow) && n.Kind != artifact.Zip {
			m.stop(Hangs)
		}
		return false
	case a.status != http.StatusOK:
		m.declined(n, a.status)
		return false
	}
	err := check(a.body)
	if a.html && err != nil {
		err = errPage
	}
	if wrong, ok := errors.AsType[*wrongBytes](err); ok {
		m.result.Wrong = append(m.result.Wrong, wrong.Wrong)
		m.result.Problem = wrong.Error()
		m.stop(Lies)
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
			m.result.missing[n.Module] = true
		}
	case http.StatusTooManyRequests:
		m.failed(n, err)
		m.stop(Limits)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		m.failed(n, err)
		m.refused[n.Module] = true
		if len(m.refused) >= min(maxRefused, m.modules) {
			m.stop(Refuses)
		}
	default:
		m.failed(n, err)
	}
}

// failed counts a failure.
func (m *meter) failed(n artifact.Name, err error) {
	m.result.Failed++
	m.inARow++
	if m.result.State != Lies {
		m.result.Problem = fmt.Sprintf("%s: %s", n, artifact.Clean(err.Error(), 200))
	}
	if m.inARow >= maxInARow && !m.stopped {
		m.stop(Fails)
	}
}

// fresh asks for a file over a new connection.
func (m *meter) fresh(ctx context.Context, n artifact.Name) {
	m.prober.renew()
	a, _ := m.ask(ctx, n, infoCheck(n))
	if a.status == 0 || !a.phases.fresh {
		return
	}
	r := &m.result
	addTo(&r.DNS, a.phases.dns)
	addTo(&r.TLS, a.phases.tls)
	r.Connect = append(r.Connect, a.phases.connect)
	r.FirstByte = append(r.FirstByte, a.phases.firstByte)
}

// addTo adds a duration, unless there was nothing to take time.
func addTo(l *Latency, d time.Duration) {
	if d > 0 {
		*l = append(*l, d)
	}
}

// askSumDB finds out whether the mirror leads to the checksum database. It is for the go
// command to prove what comes from there.
func (m *meter) askSumDB(ctx context.Context, mod Module) {
	a, ok := m.ask(ctx, artifact.Name{Kind: artifact.SumSupported, DB: m.sumDB}, nil)
	switch {
	case a.status == http.StatusNotFound || a.status == http.StatusGone || a.status == http.StatusForbidden:
		m.result.SumDB = No
	case ok && !a.html:
		lookup := artifact.Name{Kind: artifact.SumLookup, DB: m.sumDB, Module: mod.Path, Version: mod.Version}
		if b, ok := m.ask(ctx, lookup, nil); ok && holdsRecord(b.body, mod) {
			m.result.SumDB = Yes
		}
	}
}

func (m *meter) list(ctx context.Context, mod Module) {
	a, ok := m.ask(ctx, mod.name(artifact.List), source.CheckList)
	if !ok {
		return
	}
	m.result.List = append(m.result.List, a.duration)
	if versions := source.Versions(mod.Path, a.body); len(versions) > 0 {
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
	m.result.Latest = append(m.result.Latest, a.duration)
	if info, err := source.ParseInfo(n, a.body); err == nil {
		known := m.newest[mod.Path]
		known.latest = info.Version
		m.newest[mod.Path] = known
	}
}

func (m *meter) info(ctx context.Context, mod Module) {
	n := mod.name(artifact.Info)
	if a, ok := m.ask(ctx, n, infoCheck(n)); ok {
		m.result.Info = append(m.result.Info, a.duration)
	}
}

func (m *meter) mod(ctx context.Context, mod Module) {
	if a, ok := m.ask(ctx, mod.name(artifact.Mod), func(body []byte) error { return m.prove(mod, artifact.Mod, body) }); ok {
		m.result.Mod = append(m.result.Mod, a.duration)
	}
}

func (m *meter) zip(ctx context.Context, mod Module, round int) {
	a, ok := m.ask(ctx, mod.name(artifact.Zip), func(body []byte) error { return m.prove(mod, artifact.Zip, body) })
	if a.status == http.StatusOK && len(a.body) > 0 {
		m.zips.bytes += int64(len(a.body))
		m.zips.time += a.duration
	}
	if ok {
		m.result.Zip = append(m.result.Zip, a.duration)
		m.rounds[round] = a.duration
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
