package sumdb

import (
	"cmp"
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

// A page is what a remote says: an artifact, or that there is none.
type page struct {
	data   []byte
	absent error
}

// ask asks the remotes until one answers, with the artifact or with "not found".
// When none does, the error has the class ErrUnavailable.
func (d *Database) ask(ctx context.Context, n artifact.Name) ([]byte, error) {
	order := d.order()
	var trouble error
	relay := source.Relay[page]{
		Ask: func(ctx context.Context, i int) (page, error) {
			data, err := d.remotes[order[i]].read(ctx, n)
			if artifact.Class(err) == artifact.ErrNotFound {
				return page{absent: err}, nil
			}
			return page{data: data}, err
		},
		Failed: func(_ int, err error) bool {
			if trouble == nil || !errors.Is(err, errNoMirror) {
				trouble = err
			}
			return true
		},
		Patience: func(i int) source.Patience {
			if r := d.remotes[order[i]]; r.Patience != nil {
				return r.Patience(n)
			}
			return source.Patience{}
		},
	}
	i, answer, release := relay.Run(ctx, len(order))
	release()
	if i < 0 {
		return nil, d.unreachable(cmp.Or(ctx.Err(), trouble))
	}
	d.prefer(order[i])
	return answer.data, answer.absent
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

func (d *Database) unreachable(err error) error {
	why := "no way to it is configured"
	if err != nil {
		why, _ = artifact.Explain(err)
	}
	return &artifact.Error{
		Class: artifact.ErrUnavailable, Err: err, RetryAfter: 30 * time.Second,
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
