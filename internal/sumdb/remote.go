package sumdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source"
)

// remote is a Remote and whether it mirrors the database.
type remote struct {
	Remote

	mu    sync.Mutex
	says  bool      // the answer to "supported"
	until time.Time // how long it is believed
}

// How long a proxy is believed that it mirrors the database, and that it does not.
const (
	believeYes = 24 * time.Hour
	believeNo  = time.Minute
)

// supports reports whether the remote may be asked. Trouble is an error, which
// says nothing about the next time.
func (r *remote) supports(ctx context.Context, db string) (bool, error) {
	if !r.Proxy {
		return true, nil
	}
	r.mu.Lock()
	says, known := r.says, time.Now().Before(r.until)
	r.mu.Unlock()
	if known {
		return says, nil
	}
	b, err := r.Source.Fetch(ctx, artifact.Name{Kind: artifact.SumSupported, DB: db})
	if err == nil {
		b.Close()
	}
	if err != nil && artifact.Class(err) != artifact.ErrNotFound {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.says, r.until = err == nil, time.Now().Add(believeYes)
	if err != nil {
		r.until = time.Now().Add(believeNo)
	}
	return r.says, nil
}

// errNoMirror: a proxy does not mirror the database.
var errNoMirror = errors.New("it does not mirror the database")

// read asks one remote.
func (r *remote) read(ctx context.Context, n artifact.Name) ([]byte, error) {
	ok, err := r.supports(ctx, n.DB)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoMirror
	}
	b, err := r.Source.Fetch(ctx, n)
	if err != nil {
		return nil, err
	}
	return b.ReadAll(n.Kind.MaxSize())
}

// ask asks the remotes until one answers with the artifact, or the database itself
// with "not found". That a mirror has not found it proves nothing if another one
// cannot be asked. When nobody answers, the error has the class ErrUnavailable.
func (d *Database) ask(ctx context.Context, n artifact.Name) ([]byte, error) {
	order := d.order()
	var absent error    // "not found", by whomever
	final := false      // the database itself has said so
	mirrorsWell := true // those that were asked have answered
	trouble := errNoMirror
	relay := source.Relay[[]byte]{
		Ask: func(ctx context.Context, i int) ([]byte, error) { return d.remotes[order[i]].read(ctx, n) },
		Failed: func(i int, err error) (goOn bool) {
			mirror := d.remotes[order[i]].Proxy
			switch {
			case artifact.Class(err) == artifact.ErrNotFound:
				absent, final = err, final || !mirror
			case !errors.Is(err, errNoMirror):
				trouble, mirrorsWell = err, mirrorsWell && !mirror
			}
			return !final
		},
		Patience: func(i int) source.Patience {
			if r := d.remotes[order[i]]; r.Patience != nil {
				return r.Patience(n)
			}
			return source.Patience{}
		},
	}
	i, data, release := relay.Run(ctx, len(order))
	release()
	switch {
	case i >= 0:
		d.prefer(order[i])
		return data, nil
	case ctx.Err() != nil:
		return nil, d.unreachable(ctx.Err())
	case final, absent != nil && mirrorsWell:
		return nil, absent
	}
	return nil, d.unreachable(trouble)
}

// order is that in which remotes are asked: from the one that answered last on,
// those that are known to be out of order last.
func (d *Database) order() []int {
	d.mu.Lock()
	first := d.last
	d.mu.Unlock()
	var well, down []int
	for i := range d.remotes {
		at := (first + i) % len(d.remotes)
		if r := d.remotes[at]; r.Down != nil && r.Down() {
			down = append(down, at)
		} else {
			well = append(well, at)
		}
	}
	return append(well, down...)
}

// unreachable has the class ErrUnavailable alone: that of its cause, such as a refusal
// or too many requests, would say something of one remote.
func (d *Database) unreachable(err error) error {
	why := "no way to it is configured"
	var cause error
	if err != nil {
		why, _ = artifact.Explain(err)
		cause = errors.New(err.Error())
	}
	return &artifact.Error{
		Class: artifact.ErrUnavailable, Err: cause, RetryAfter: 30 * time.Second,
		Reason: fmt.Sprintf("checksum database %s cannot be reached: %s", d.config.Name, why),
		Hint:   "try again later; to go on without it set sumdb_policy: when-available, or no_sumdb for modules that it does not hold",
	}
}

func (d *Database) prefer(at int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = at
}

// distrust lets another remote be asked first, after one has lied.
func (d *Database) distrust() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.remotes) > 0 {
		d.last = (d.last + 1) % len(d.remotes)
	}
}
