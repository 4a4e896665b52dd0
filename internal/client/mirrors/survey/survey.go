// Package survey measures module proxies side by side, from where this machine stands.
//
// [Run] asks all mirrors for the same files in rounds, so that a slow minute hits
// all alike, one request at a time of each, and compares the bytes with the records of
// the checksum database. It promises that
//
//   - what a mirror does wrong is a row of the report, never an error;
//   - a mirror never sends more than it was granted, in bytes and in time, and is left
//     alone once it hangs, keeps failing, refuses, or says that it is asked too much;
//   - no mirror is asked two things at once, and none for anything but the given modules.
//
// It measures as a client does that has nothing cached. It is no load test: how a mirror
// bears many requests at once stays unknown.
//
// Sources: the Go Modules Reference, "GOPROXY protocol"; cmd/go/internal/modfetch/proxy.go.
package survey

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/source"
)

// Options are what Run works with.
type Options struct {
	Mirrors []Mirror
	Modules []Module // what is asked for, in this order; not more than MaxModules of them

	// Current and Private are for the report, whose recommendation goes by them.
	Current []source.Entry // the GOPROXY in force
	Private []string       // patterns of private modules that come through its proxies
	// SumDB is the checksum database that mirrors are asked to support; empty:
	// sum.golang.org.
	SumDB string
	// Notes are for the report.
	Notes []string

	Bytes     int64         // of bodies, for each mirror; default 20 MiB
	Time      time.Duration // for all; default 30 s
	UserAgent string        // default "weir"

	Progress  func(Progress)  // told of each step, one at a time; nil: nobody
	Transport *http.Transport // a copy of it carries the requests to each mirror; nil: one that uses the proxy of the environment
}

// A Mirror is a module proxy that is to be measured.
type Mirror struct {
	Entry  source.Entry // its URL
	Header http.Header  // credentials
	Listed bool         // GOPROXY names it
}

// A Module is a version that is asked for, and what its files hash to.
type Module struct {
	Path, Version string
	Zip, Mod      string // "h1:" hashes, as in go.sum
}

// Progress is how far a measurement has come.
type Progress struct {
	Round, Rounds int
	Mirror        string // whose zip is fetched; empty: all are asked for small files
}

// The defaults of Options.
const (
	defaultBytes = 20 << 20
	defaultTime  = 30 * time.Second
	defaultSumDB = "sum.golang.org"
)

// maxRounds is how often all mirrors are asked at most. Four small files each make 100
// samples then, which is what a 99th percentile takes.
const maxRounds = 25

// MaxModules is how many modules are asked for at most: one in each round.
const MaxModules = maxRounds

// errTimeIsOver is why requests end when the time of Options has passed.
var errTimeIsOver = errors.New("the time for the measurement is over")

// Run measures mirrors. The only errors are that there is nothing to measure and that ctx
// has ended.
func Run(ctx context.Context, o Options) (mirrors.Report, error) {
	if len(o.Mirrors) == 0 || len(o.Modules) == 0 {
		return mirrors.Report{}, errors.New("there is no mirror, or no module, to measure with")
	}
	o.Bytes, o.Time = cmp.Or(o.Bytes, defaultBytes), cmp.Or(o.Time, defaultTime)
	o.SumDB, o.UserAgent = cmp.Or(o.SumDB, defaultSumDB), cmp.Or(o.UserAgent, "weir")
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	s := &survey{o: o}
	for _, m := range o.Mirrors {
		s.meters = append(s.meters, newMeter(m, o))
	}
	defer s.close()
	began := time.Now()
	timed, cancel := context.WithTimeoutCause(ctx, o.Time, errTimeIsOver)
	defer cancel()
	rounds := s.run(timed)
	if err := context.Cause(ctx); err != nil {
		return mirrors.Report{}, err
	}
	return s.report(began, rounds), nil
}

// A survey is one measurement.
type survey struct {
	o      Options
	meters []*meter
}

func (s *survey) close() {
	for _, m := range s.meters {
		m.close()
	}
}

// run asks all mirrors until there have been enough rounds, or nobody is left to ask, and
// returns how many rounds there were.
func (s *survey) run(ctx context.Context) (rounds int) {
	for rounds < maxRounds && ctx.Err() == nil && s.anyAsking() {
		s.round(ctx, rounds)
		rounds++
	}
	return rounds
}

func (s *survey) anyAsking() bool {
	for _, m := range s.meters {
		if m.asking() {
			return true
		}
	}
	return false
}

// round asks each mirror for the files of one module. Small files come from all mirrors
// at a time, which disturbs none of them; zips, which fill the line, from one after the
// other, in another order each time.
func (s *survey) round(ctx context.Context, number int) {
	mod := s.o.Modules[number%len(s.o.Modules)]
	before := s.o.Modules[max(number-1, 0)%len(s.o.Modules)]
	progress := Progress{Round: number + 1, Rounds: maxRounds}
	s.o.Progress(progress)
	var all sync.WaitGroup
	for _, m := range s.meters {
		all.Go(func() { m.small(ctx, before, mod, number == 0) })
	}
	all.Wait()
	for i := range s.meters {
		m := s.meters[(number+i)%len(s.meters)]
		progress.Mirror = m.result.Name
		s.o.Progress(progress)
		m.zip(ctx, mod, number)
	}
}

// small asks for the small files of a module. The first request has a connection of its
// own, for a file that the mirror has just sent: what it takes is the way, not the search
// for the file.
func (m *meter) small(ctx context.Context, before, mod Module, first bool) {
	m.fresh(ctx, before.name(artifact.Info))
	if first {
		m.askSumDB(ctx, mod)
	}
	m.list(ctx, mod)
	m.latest(ctx, mod)
	m.info(ctx, mod)
	m.mod(ctx, mod)
}

// name is the name of one of the module's files.
func (m Module) name(kind artifact.Kind) artifact.Name {
	n := artifact.Name{Kind: kind, Module: m.Path}
	if kind != artifact.List && kind != artifact.Latest {
		n.Version = m.Version
	}
	return n
}
