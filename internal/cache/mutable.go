package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

// patience is how long a request waits for news of an artifact of which an old
// answer is held, and rest how long after a failure nobody asks again.
const (
	patience = 3 * time.Second
	rest     = 10 * time.Second
)

// An entry is the newest known state of a mutable artifact. Entries are never
// changed, only replaced.
type entry struct {
	blob    *blob.Blob
	fetched time.Time // when a source last vouched for it
	local   bool      // a list made from the store alone
	dirty   bool      // a version has been stored since
	rest    time.Time // no source is asked before
}

func (e *entry) age() time.Duration {
	if e.fetched.IsZero() {
		return 0
	}
	return max(time.Since(e.fetched), 0)
}

func (c *Cache) openMutable(ctx context.Context, r Request) (Answer, error) {
	if c.offline(r.Name) {
		return c.openStored(ctx, r.Name, nil)
	}
	key, landed := r.Name.Key(), c.landed.count.Load()
	e := c.held(ctx, r.Name, key)
	if r.StoredOnly {
		return c.openStored(ctx, r.Name, e)
	}
	times := c.times(r.Name)
	if e != nil && e.current(times) {
		if e.age() > times.Fresh/2 && time.Now().After(e.rest) {
			c.refresh(r.Name, key, landed)
		}
		return e.answer(Hit, times), nil
	}
	usable := e != nil && (times.Stale == 0 || e.age() <= times.Stale)
	if usable && time.Now().Before(e.rest) {
		return e.answer(Stale, times), nil
	}
	if e == nil {
		if err := c.absent(key); err != nil {
			return Answer{}, err
		}
	}
	return c.ask(ctx, r, key, landed, e, usable)
}

// offline reports whether an artifact is made from what is stored, since there is no
// source for its module.
func (c *Cache) offline(n artifact.Name) bool {
	offline := c.options().Offline
	return (n.Kind == artifact.List || n.Kind == artifact.Latest) && offline != nil && offline(n.Module)
}

// ask waits for a source's word, for a short while only where there is an old
// answer to fall back on.
func (c *Cache) ask(ctx context.Context, r Request, key string, landed uint64, e *entry, usable bool) (Answer, error) {
	if err := r.wait(); err != nil {
		return c.fallback(ctx, r.Name, e, usable, err)
	}
	waiting := ctx
	if usable {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	a, err := c.join(waiting, r, key, landed)
	switch {
	case err == nil:
		a.Fresh = c.times(r.Name).Fresh
		return a, nil
	case errors.Is(err, errLanded):
		return Answer{}, err
	case ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case usable:
		c.pause(key)
	}
	return c.fallback(ctx, r.Name, e, usable, err)
}

// fallback answers from what is held where there is no news of an artifact, for a
// reason.
func (c *Cache) fallback(ctx context.Context, n artifact.Name, e *entry, usable bool, reason error) (Answer, error) {
	if usable {
		return e.answer(Stale, c.times(n)), nil
	}
	b, err := c.local(ctx, n)
	if err == nil {
		return Answer{Blob: b, Result: Stale}, nil
	}
	if artifact.Class(reason) == artifact.ErrNotFound && artifact.Class(err) != artifact.ErrNotFound {
		return Answer{}, err // the store may have what the source has not
	}
	return Answer{}, reason
}

// openStored answers from what is held, however old it is.
func (c *Cache) openStored(ctx context.Context, n artifact.Name, e *entry) (Answer, error) {
	if e != nil {
		return e.answer(Hit, c.times(n)), nil
	}
	b, err := c.local(ctx, n)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Blob: b, Result: Hit}, nil
}

func (e *entry) answer(res Result, t *Times) Answer {
	age := e.age()
	return Answer{Blob: e.blob, Result: res, Age: age, Fresh: max(t.Fresh-age, 0)}
}

// current reports whether an entry may be given out without asking anybody. A
// clock that was set back makes an entry old, not new.
func (e *entry) current(t *Times) bool {
	return !e.fetched.IsZero() && !e.fetched.After(time.Now()) && e.age() < t.Fresh
}

// held returns what is known of a mutable artifact, from memory or the store,
// or nil.
func (c *Cache) held(ctx context.Context, n artifact.Name, key string) *entry {
	e, ok := c.mutable.GetIfPresent(key)
	if !ok {
		e = c.load(ctx, n, key)
	}
	if e != nil && e.dirty {
		return c.merged(ctx, n, key, e)
	}
	return e
}

func (c *Cache) load(ctx context.Context, n artifact.Name, key string) *entry {
	b, err := c.store.Get(ctx, key)
	if err != nil {
		return nil
	}
	data, err := b.ReadAll(n.Kind.MaxSize())
	if err != nil {
		c.emit(Event{Op: OpGet, Name: n, Err: err})
		return nil
	}
	fetched := b.Time
	if fetched.After(time.Now()) {
		fetched = time.Time{} // the clock was set back: old, of unknown age
	}
	// What a flight has brought meanwhile is newer.
	e, _ := c.mutable.SetIfAbsent(key, &entry{blob: text(key, data, fetched), fetched: fetched, dirty: true})
	return e
}

// refresh begins a fetch that nobody waits for. Under pressure there is none.
func (c *Cache) refresh(n artifact.Name, key string, landed uint64) {
	if f, err := c.board(Request{Name: n, Ahead: true}, key, landed); err == nil {
		c.leave(f)
	}
}

// pause lets nobody ask a source for a while after it failed.
func (c *Cache) pause(key string) {
	c.change(key, func(e *entry) { e.rest = time.Now().Add(rest) })
}

// change replaces the entry of a key, if there is one, by one that differs.
func (c *Cache) change(key string, how func(*entry)) {
	c.mutable.ComputeIfPresent(key, func(e *entry) (*entry, otter.ComputeOp) {
		changed := *e
		how(&changed)
		return &changed, otter.WriteOp
	})
}

// keep makes data the newest state of a mutable artifact and stores it, so that
// it outlives the process. That the store cannot take it changes nothing now.
func (c *Cache) keep(ctx context.Context, f *flight, data []byte, local bool) {
	now := time.Now()
	b := text(f.key, data, now)
	c.mutable.Set(f.key, &entry{blob: b, fetched: now, local: local})
	if c.arrivedSince(f) { // which may have been after the store was asked
		c.soil(f.key)
	}
	c.missing.Invalidate(f.key)
	f.result = b
	if local {
		return
	}
	if _, err := c.store.Put(ctx, f.key, bytesReader(data), store.PutOptions{}); err != nil {
		c.emit(Event{Op: OpPut, Name: f.name, Err: err})
	}
}

// text is a blob of a mutable artifact: its entity tag comes from its bytes,
// which often are the same after a refresh.
func text(key string, data []byte, at time.Time) *blob.Blob {
	sum := sha256.Sum256(data)
	b := blob.FromBytes(blob.Info{Key: key, Time: at, ETag: `"` + hex.EncodeToString(sum[:12]) + `"`}, data)
	b.Gzip = blob.Compress(data)
	return b
}

// finishMutable makes the state of a mutable artifact from the body of its
// flight, or from what is held where the sources say that there is none.
func (c *Cache) finishMutable(ctx context.Context, f *flight, err error) error {
	if err != nil && artifact.Class(err) != artifact.ErrNotFound {
		c.pause(f.key)
		return err
	}
	switch f.name.Kind {
	case artifact.List:
		return c.finishList(ctx, f, err)
	case artifact.Latest:
		return c.finishLatest(ctx, f, err)
	}
	if err != nil {
		c.pause(f.key)
		return err
	}
	c.keep(ctx, f, f.spool.Bytes(), false)
	return nil
}
