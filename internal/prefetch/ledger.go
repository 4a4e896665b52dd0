package prefetch

import (
	"errors"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
)

// A ground is a reason to believe that an artifact will be asked for.
type ground uint8

// The grounds, as told in the package comment. What is known, since a client has
// asked for it, is no guess, and neither is the graph.
const (
	known ground = iota
	graph
	shared
	single
	twin
	twinZip
	seriesInfo
	seriesZip
	seriesList
	imports
	grounds
)

var groundNames = [grounds]string{"known", "graph", "shared", "single", "twin", "twin-zip", "series-info", "series-zip", "series-list", "imports"}

// credits are how many fetches a new session may spend on each ground before the
// first of them has proven right, and the most that right ones may add up to.
var credits = [grounds]struct{ first, most float64 }{
	shared:     {16, 256},
	single:     {4, 32},
	twin:       {16, 256},
	twinZip:    {2, 16},
	seriesInfo: {8, 256},
	seriesZip:  {4, 64},
	seriesList: {8, 256},
	imports:    {2, 32},
}

// What a fetch that was asked for gives back, each step through a series in order,
// and every other request of the client, so that no ground is given up for ever.
const (
	reward     = 2
	stepReward = 8
	alms       = 0.02
)

// A fetch is an artifact that is fetched ahead, until a client asks for it.
type fetch struct {
	name    artifact.Name
	on      ground
	session *session
	study   bool // what it brings leads on
	closure bool // to everything it requires, and they in turn
	begun   time.Time
	state   state
}

type state uint8

const (
	waiting state = iota
	dropped       // while it waited, since a client came first
	running       // a source may have been asked by now
	wanted        // and a client has asked meanwhile
	fetched       // a source has brought it
)

// A ledger has what was fetched ahead and not been asked for yet.
type ledger struct {
	open  map[artifact.Name]*fetch
	stats [grounds]Stats
}

const (
	maxOpen  = 16 << 10
	lifetime = 5 * time.Minute // after which a fetch is taken for wasted
)

func newLedger() ledger {
	l := ledger{open: map[artifact.Name]*fetch{}}
	for g, name := range groundNames {
		l.stats[g].Ground = name
	}
	return l
}

// writeOff counts as wasted what nobody has asked for in time.
func (l *ledger) writeOff(now time.Time) {
	for name, f := range l.open {
		if f.state == fetched && now.Sub(f.begun) > lifetime {
			delete(l.open, name)
			l.stats[f.on].Wasted++
		}
	}
}

// used takes note that a client asks for an artifact now.
func (l *ledger) used(n artifact.Name) {
	f, ok := l.open[n]
	if !ok {
		return
	}
	delete(l.open, n)
	switch f.state {
	case waiting:
		f.state = dropped // the client fetches it itself
		f.session.earn(f.on, 1)
	case running:
		f.state = wanted
	case fetched:
		l.right(f)
	}
}

// right rewards a guess that has proven right.
func (l *ledger) right(f *fetch) {
	l.stats[f.on].Used++
	f.session.cold = true
	f.session.earn(f.on, reward)
}

// settle enters how a fetch has ended. What was stored already has cost no
// request, but no credit is given back either: there is nothing to gain here.
func (l *ledger) settle(f *fetch, r cache.Result, err error) {
	if f.on == known {
		return
	}
	asked := f.state == wanted
	if !asked {
		delete(l.open, f.name)
	}
	switch {
	case err == nil && r != cache.Miss:
	case errors.Is(err, artifact.ErrTooMany) || errors.Is(err, errPaused): // no source was asked
		f.session.earn(f.on, 1)
	case err != nil:
		l.stats[f.on].Fetched++
		l.stats[f.on].Wasted++
	case asked:
		l.stats[f.on].Fetched++
		l.right(f)
	default:
		l.stats[f.on].Fetched++
		f.state = fetched
		l.open[f.name] = f
	}
}
