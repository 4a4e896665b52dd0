package sumdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/store"
)

// quarantine is where bytes go that turn out to be wrong after they were let
// pass. Nobody is served from there.
const quarantine = ".weir/quarantine/"

func (d *Database) pending() string { return d.own() + "pending/" }

// postpone lets an artifact pass and notes that it is to be proven. Without the
// note it does not pass: nobody would ever come back to it.
func (d *Database) postpone(ctx context.Context, n artifact.Name) error {
	note := []byte(time.Now().UTC().Format(time.RFC3339) + "\n")
	if _, err := d.o.Store.Put(ctx, d.pending()+n.Key(), bytes.NewReader(note), store.PutOptions{}); err != nil {
		return d.unreachable(fmt.Errorf("and that %s is to be proven later cannot be noted: %w", n, err))
	}
	d.postponed.Store(true)
	return nil
}

// nudge lets Run have a look soon.
func (d *Database) nudge() {
	if !d.postponed.Load() {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// recheck is how often Run looks for what is to be proven.
const recheck = time.Minute

// Run proves what was let pass while the database could not be reached, until
// ctx ends. What fails is withdrawn from the store.
func (d *Database) Run(ctx context.Context) {
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	for {
		d.prune(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.wake:
		}
	}
}

// prune goes through the notes once, as long as the database can be reached.
func (d *Database) prune(ctx context.Context) {
	for info, err := range d.o.Store.List(ctx, d.pending()) {
		if err != nil {
			return
		}
		n, err := artifact.Parse(strings.TrimPrefix(info.Key, d.pending()))
		if err == nil {
			err = d.settle(ctx, n)
		} else {
			err = nil // no note of ours
		}
		if err != nil {
			return // another time
		}
		if d.o.Store.Delete(ctx, info.Key) != nil {
			return
		}
	}
}

// settle proves or withdraws one stored artifact.
func (d *Database) settle(ctx context.Context, n artifact.Name) error {
	b, err := d.o.Store.Get(ctx, n.Key())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was not stored after all
	}
	if err != nil {
		return err
	}
	defer b.Close()
	r, err := d.lookup(ctx, n.Module, n.Version)
	if artifact.Class(err) == artifact.ErrNotFound {
		err = d.unknown(n)
		d.alarm(LateMismatch, n.Module, n.Version, "the database does not know the version")
	}
	if err == nil {
		var got string
		if got, err = hashOf(n, b); err != nil {
			return err
		}
		err = d.compareHash(n, r, got, LateMismatch)
	}
	switch artifact.Class(err) {
	case nil:
		return err
	case artifact.ErrIntegrity, artifact.ErrForbidden:
		return d.withdraw(ctx, n, b)
	}
	return err
}

func hashOf(n artifact.Name, b *blob.Blob) (string, error) {
	if b.Body == nil {
		return h1.Hash(n, bytes.NewReader(b.Data), b.Size)
	}
	at, ok := b.Body.(io.ReaderAt)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return h1.Hash(n, at, b.Size)
}

// withdraw moves an artifact out of reach.
func (d *Database) withdraw(ctx context.Context, n artifact.Name, b *blob.Blob) error {
	var body io.ReadSeeker = bytes.NewReader(b.Data)
	if b.Body != nil {
		seeker, ok := b.Body.(io.ReadSeeker)
		if !ok {
			return errors.ErrUnsupported
		}
		body = seeker
	}
	if _, err := d.o.Store.Put(ctx, quarantine+n.Key(), body, store.PutOptions{}); err != nil {
		return err
	}
	return d.o.Store.Delete(ctx, n.Key())
}
