package survey

import (
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/client/mirrors"
)

// report draws the conclusions.
func (s *survey) report(began time.Time, rounds int) mirrors.Report {
	r := mirrors.Report{
		Began: began, Took: mirrors.Millis(time.Since(began)), Rounds: rounds, SumDB: s.o.SumDB,
		Modules: []string{}, Notes: append([]string{}, s.o.Notes...), Current: s.o.Current, Private: s.o.Private,
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
	mirrors.Rank(r.Mirrors)
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
	var sample mirrors.Latency
	for _, round := range shared {
		if took, sent := m.rounds[round]; sent {
			sample = append(sample, took)
		}
	}
	if len(sample) == 0 {
		sample = m.result.Zip
	}
	return mean(sample)
}

// mean is the average; zero where there is nothing.
func mean(l mirrors.Latency) time.Duration {
	if len(l) == 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range l {
		sum += d
	}
	return sum / time.Duration(len(l))
}

// conclude completes the result of one mirror, given how many modules there were, and the
// rounds that can be compared.
func (m *meter) conclude(modules int, shared []int) mirrors.Result {
	r := m.result
	r.Modules = modules
	r.Missing = slices.AppendSeq([]string{}, maps.Keys(m.missing))
	slices.Sort(r.Missing)
	if r.State == "" {
		r.State = settled(r)
	}
	if m.zips.time > 0 {
		r.Throughput = math.Round(float64(m.zips.bytes) / m.zips.time.Seconds())
	}
	info, hasInfo := r.Info.Percentile(50)
	mod, hasMod := r.Mod.Percentile(50)
	if hasInfo && hasMod && len(r.Zip) > 0 {
		r.PerModule = mirrors.Millis(info + mod + m.zipCost(shared))
	}
	return r
}

// settled is the state of a mirror that was asked to the end.
func settled(r mirrors.Result) mirrors.State {
	switch {
	case len(r.Missing) > 0 && len(r.Missing) == r.Modules:
		return mirrors.Lacks
	case r.Succeeded > 0:
		return mirrors.Works
	case r.Failed > 0:
		return mirrors.Fails
	}
	return mirrors.Untested
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
		m.result.Behind = append(m.result.Behind, mirrors.Lag{Module: module, Has: known.latest, Newest: best.latest})
	case known.listed != "" && semver.Compare(known.listed, best.listed) < 0:
		m.result.Behind = append(m.result.Behind, mirrors.Lag{Module: module, Has: known.listed, Newest: best.listed})
	}
}
