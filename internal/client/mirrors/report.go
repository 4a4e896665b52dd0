package mirrors

import (
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/source"
)

// A Report is what a measurement found. It holds no secrets but in what Recommend
// returns, and may be written as JSON.
type Report struct {
	Began   time.Time `json:"began"`
	Took    Millis    `json:"took_ms"`
	Rounds  int       `json:"rounds"`
	SumDB   string    `json:"checksum_database"`
	Modules []string  `json:"modules"` // MODULE@VERSION
	Mirrors []Result  `json:"mirrors"` // the best first
	Notes   []string  `json:"notes"`

	current []source.Entry
	private []string
}

// A State is how a mirror fared.
type State string

// The states of a mirror.
const (
	Works    State = "works"
	Lies     State = "lies"     // it served bytes that are not those of the checksum database
	Lacks    State = "lacks"    // it has none of the modules
	Refuses  State = "refuses"  // it wants credentials, or others
	Limits   State = "limits"   // it said that it was asked too much
	Hangs    State = "hangs"    // it kept a request waiting for too long
	Fails    State = "fails"    // nothing, or nothing any more, came from it
	Untested State = "untested" // the time or the bytes were over before
)

// An Answer is one to a question that may stay open.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// A Result is what was found about one mirror.
type Result struct {
	Name    string `json:"name"` // its URL, without secrets
	Listed  bool   `json:"in_goproxy"`
	State   State  `json:"state"`
	Problem string `json:"problem,omitempty"` // the last one, or what the State comes from

	Requests  int   `json:"requests"`  // that were answered or failed, those to the checksum database included
	Succeeded int   `json:"succeeded"` // with a body that is well
	Absent    int   `json:"absent"`    // with 404 or 410
	Failed    int   `json:"failed"`
	Bytes     int64 `json:"bytes"` // of all bodies

	Protocol string `json:"protocol,omitempty"` // HTTP/1.1 or HTTP/2.0
	SumDB    Answer `json:"checksum_database"`  // does it lead to the checksum database

	// Of requests over a new connection: to look up the name, to connect, to agree on
	// TLS, and from the request to the first byte of the answer.
	DNS       Latency `json:"dns"`
	Connect   Latency `json:"connect"`
	TLS       Latency `json:"tls"`
	FirstByte Latency `json:"first_byte"`
	// Of requests over a connection that is kept, to the end of the body.
	List   Latency `json:"list"`
	Latest Latency `json:"latest"`
	Info   Latency `json:"info"`
	Mod    Latency `json:"mod"`
	Zip    Latency `json:"zip"`

	Throughput float64 `json:"bytes_per_second"` // of zips, one after the other, from request to last byte; zero: there was none
	PerModule  Millis  `json:"module_ms"`        // what one module takes: medians of .info and .mod, average of the .zip that all sent; zero: not known

	Compared int   `json:"compared"` // modules whose newest version another mirror told, too
	Behind   []Lag `json:"behind"`   // those of which another one has a newer version

	Modules int      `json:"modules"` // that were asked for
	Proven  int      `json:"proven"`  // .mod and .zip that are what the checksum database has
	Wrong   []Wrong  `json:"wrong"`   // those that are not
	Missing []string `json:"missing"` // modules it does not have

	entry    source.Entry
	position int // in the order of Options
	missing  map[string]bool
}

// A Lag is a module of which a mirror does not have the newest version.
type Lag struct {
	Module string `json:"module"`
	Has    string `json:"has"`
	Newest string `json:"newest"`
}

// Wrong are bytes that are not those of the checksum database.
type Wrong struct {
	File string `json:"file"` // MODULE@VERSION.KIND
	Got  string `json:"got"`  // hash
	Want string `json:"want"` // hash
}

// Small are the samples of all small files over connections that are kept.
func (r Result) Small() Latency {
	all := append(Latency{}, r.List...)
	all = append(append(all, r.Latest...), r.Info...)
	return append(all, r.Mod...)
}

// SuccessRate is the share of requests that were answered well, from 0 to 1, without
// those for what is absent; ok is false where there was none.
func (r Result) SuccessRate() (rate float64, ok bool) {
	if r.Succeeded+r.Failed == 0 {
		return 0, false
	}
	return float64(r.Succeeded) / float64(r.Succeeded+r.Failed), true
}

// report draws the conclusions.
func (s *survey) report(began time.Time, rounds int) Report {
	r := Report{
		Began: began, Took: Millis(time.Since(began)), Rounds: rounds, SumDB: s.o.SumDB,
		Modules: []string{}, Notes: append([]string{}, s.o.Notes...), current: s.o.Current, private: s.o.Private,
	}
	for i, mod := range s.o.Modules {
		if i < rounds {
			r.Modules = append(r.Modules, mod.Path+"@"+mod.Version)
		}
	}
	s.compare()
	shared := s.sharedRounds(rounds)
	for _, m := range s.meters {
		r.Mirrors = append(r.Mirrors, m.conclude(len(r.Modules), shared))
	}
	rank(r.Mirrors)
	return r
}

// sharedRounds are the rounds whose zip came from all mirrors that sent any and were asked
// to the end. Zips are of different sizes, so that only the same ones can be compared.
func (s *survey) sharedRounds(rounds int) []int {
	var shared []int
	for round := range rounds {
		lacking := func(m *meter) bool {
			_, sent := m.rounds[round]
			return !sent && !m.stopped && len(m.rounds) > 0
		}
		if !slices.ContainsFunc(s.meters, lacking) {
			shared = append(shared, round)
		}
	}
	return shared
}

// zipCost is what a zip takes on average, of those that are shared or, if the mirror sent
// none of them, of all.
func (m *meter) zipCost(shared []int) time.Duration {
	var sample Latency
	for _, round := range shared {
		if took, sent := m.rounds[round]; sent {
			sample = append(sample, took)
		}
	}
	if len(sample) == 0 {
		sample = m.result.Zip
	}
	return sample.mean()
}

// conclude completes the result of one mirror, given how many modules there were, and the
// rounds that can be compared.
func (m *meter) conclude(modules int, shared []int) Result {
	r := m.result
	r.Modules = modules
	r.Missing = slices.AppendSeq([]string{}, maps.Keys(r.missing))
	slices.Sort(r.Missing)
	if r.State == "" {
		r.State = r.settled()
	}
	if m.zips.time > 0 {
		r.Throughput = math.Round(float64(m.zips.bytes) / m.zips.time.Seconds())
	}
	info, hasInfo := r.Info.Percentile(50)
	mod, hasMod := r.Mod.Percentile(50)
	if hasInfo && hasMod && len(r.Zip) > 0 {
		r.PerModule = Millis(info + mod + m.zipCost(shared))
	}
	return r
}

// settled is the state of a mirror that was asked to the end.
func (r Result) settled() State {
	switch {
	case len(r.Missing) > 0 && len(r.Missing) == r.Modules:
		return Lacks
	case r.Succeeded > 0:
		return Works
	case r.Failed > 0:
		return Fails
	}
	return Untested
}

// compare finds out which mirrors are behind others.
func (s *survey) compare() {
	for _, mod := range s.o.Modules {
		var best newest
		tellers := 0
		for _, m := range s.meters {
			known := m.newest[mod.Path]
			best.latest, best.listed = later(best.latest, known.latest), later(best.listed, known.listed)
			if known != (newest{}) {
				tellers++
			}
		}
		for _, m := range s.meters {
			if known := m.newest[mod.Path]; known != (newest{}) && tellers > 1 {
				m.compareWith(mod.Path, known, best)
			}
		}
	}
}

// later is the later one of two versions, either of which may be empty.
func later(a, b string) string {
	if semver.Compare(a, b) < 0 {
		return b
	}
	return a
}

// compareWith compares what a mirror says with the best that any of them says.
func (m *meter) compareWith(module string, known, best newest) {
	m.result.Compared++
	switch {
	case known.latest != "" && semver.Compare(known.latest, best.latest) < 0:
		m.result.Behind = append(m.result.Behind, Lag{module, known.latest, best.latest})
	case known.listed != "" && semver.Compare(known.listed, best.listed) < 0:
		m.result.Behind = append(m.result.Behind, Lag{module, known.listed, best.listed})
	}
}
