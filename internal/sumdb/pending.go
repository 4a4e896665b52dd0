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

// nudge lets Run have a look soon, once after something was postponed: it is not to
// ask again and again for what cannot be had.
func (d *Database) nudge() {
	if !d.postponed.Swap(false) {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// recheck is how often Run looks for what is to be proven.
const recheck = time.Minute

// mayBeStored is how long an artifact that was let pass is waited for: the check of
// its bytes comes before they are stored. No fetch may take nearly as long.
const mayBeStored = 24 * time.Hour

// maxFailures is after how many failures in a row Run takes it that the database
// cannot be reached.
const maxFailures = 3

// Run proves what was let pass while the database could not be reached, until
// ctx ends. What fails is withdrawn from the store.
func (d *Database) Run(ctx context.Context) {
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	last := ""
	for {
		last = d.prune(ctx, last)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.wake:
		}
	}
}

// prune goes through the notes behind the one that was the last, as long as the
// database can be reached. It returns the one that is the last now, empty at the
// end: those that fail for good must not keep the others from their turn.
func (d *Database) prune(ctx context.Context, last string) string {
	failures := 0
	for note, err := range d.o.Store.List(ctx, d.pending()) {
		if err != nil {
			return ""
		}
		if note.Key <= last {
			continue
		}
		last = note.Key
		if d.settle(ctx, note) == nil {
			failures = 0
			continue
		}
		if failures++; failures == maxFailures {
			return last
		}
	}
	return ""
}

// settle proves or withdraws the artifact of a note, and removes the note. One
// whose artifact may still be on its way to the store stays.
func (d *Database) settle(ctx context.Context, note blob.Info) error {
	n, err := artifact.Parse(strings.TrimPrefix(note.Key, d.pending()))
	if err != nil { // no note of ours
		return d.o.Store.Delete(ctx, note.Key)
	}
	b, err := d.o.Store.Get(ctx, n.Key())
	if errors.Is(err, fs.ErrNotExist) {
		if time.Since(note.Time) < mayBeStored {
			return nil
		}
		return d.o.Store.Delete(ctx, note.Key)
	}
	if err != nil {
		return err
	}
	defer b.Close()
	wrong, err := d.contradicts(ctx, n, b)
	if err != nil {
		return err
	}
	if wrong {
		if err := d.withdraw(ctx, n, b); err != nil {
			return err
		}
	}
	return d.o.Store.Delete(ctx, note.Key)
}

// contradicts reports whether the database has another hash for an artifact that is
// stored, or none. An answer that cannot be proven says something of the remote,
// and nothing of the artifact.
func (d *Database) contradicts(ctx context.Context, n artifact.Name, b *blob.Blob) (bool, error) {
	r, err := d.lookup(ctx, n.Module, n.Version)
	if artifact.Class(err) == artifact.ErrNotFound {
		d.alarm(LateMismatch, n.Module, n.Version, "the database does not know the version")
		return true, nil
	}
	if err != nil {
		return false, err
	}
	got, err := hashOf(n, b)
	if err != nil {
		return false, err
	}
	return d.compareHash(n, r, got, LateMismatch) != nil, nil
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
