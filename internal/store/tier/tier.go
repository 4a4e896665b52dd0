// Package tier is a store made of a hot one in memory and a cold one.
//
// The cold store is the truth: what it promises, the tier promises. The hot one
// holds copies of small entries as they are read, and a hit of it touches
// nothing else. Several readers of an entry without a copy may each read the cold
// store; that an entry is absent is not remembered.
//
// There is no copy of an entry while it is written, so that nobody reads the old
// one after the new one. The tier knows of its own writes only: keys that others
// write in the same cold store must be kept out with [Options.Admit].
package tier

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"sync"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/mem"
)

// Options say what is held in the hot store.
type Options struct {
	MaxItem  int64                 // the largest entry, in bytes
	Admit    func(key string) bool // which keys; nil: all
	Compress func(key string) bool // of which keys a compressed form is held too; nil: of none
}

// New returns a store of two tiers. It is a store.Spooler and a store.Checker
// where cold is one. Nobody else may use hot.
func New(hot *mem.Store, cold store.Store, o Options) store.Store {
	t := &tier{hot: hot, cold: cold, o: o, seed: maphash.MakeSeed()}
	spooler, spools := cold.(store.Spooler)
	checker, checks := cold.(store.Checker)
	switch {
	case spools && checks:
		return struct {
			*tier
			store.Spooler
			store.Checker
		}{t, spooler, checker}
	case spools:
		return struct {
			*tier
			store.Spooler
		}{t, spooler}
	case checks:
		return struct {
			*tier
			store.Checker
		}{t, checker}
	}
	return t
}

type tier struct {
	hot     *mem.Store
	cold    store.Store
	o       Options
	seed    maphash.Seed
	stripes [256]stripe
}

// A stripe keeps copies of its keys from being older than the entries.
type stripe struct {
	mu      sync.Mutex
	writing int    // writes under way
	moves   uint64 // beginnings and ends of writes, ever
}

func (t *tier) stripe(key string) *stripe {
	return &t.stripes[maphash.String(t.seed, key)%uint64(len(t.stripes))]
}

// Get implements store.Store. Blobs of small entries have Data and are shared.
func (t *tier) Get(ctx context.Context, key string) (*blob.Blob, error) {
	if b, err := t.hot.Get(ctx, key); err == nil {
		return b, nil
	}
	if t.o.Admit != nil && !t.o.Admit(key) {
		return t.cold.Get(ctx, key)
	}
	seen := t.stripe(key).seen()
	b, err := t.cold.Get(ctx, key)
	if err != nil || b.Size < 0 || b.Size > t.o.MaxItem {
		return b, err
	}
	if b, err = load(b); err != nil {
		return nil, fmt.Errorf("tier: cannot read %s: %w", key, err)
	}
	if t.o.Compress != nil && t.o.Compress(key) {
		b.Gzip = blob.Compress(b.Data)
	}
	t.admit(b, seen)
	return b, nil
}

// load returns a blob of the bytes of b, which it closes.
func load(b *blob.Blob) (*blob.Blob, error) {
	defer b.Close()
	data := make([]byte, b.Size)
	if _, err := io.ReadFull(b.Reader(), data); err != nil {
		return nil, err
	}
	return blob.FromBytes(b.Info, data), nil
}

// admit makes b the copy of its entry, unless that is written, or may have been
// between what was seen before it was read and now.
func (t *tier) admit(b *blob.Blob, seen uint64) {
	s := t.stripe(b.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing == 0 && s.moves == seen {
		t.hot.Admit(b)
	}
}

func (s *stripe) seen() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moves
}

// beginWrite drops the copy of key and keeps others out until endWrite.
func (t *tier) beginWrite(ctx context.Context, key string) *stripe {
	s := t.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing++
	s.moves++
	_ = t.hot.Delete(context.WithoutCancel(ctx), key) // fails for cancelled contexts only
	return s
}

func (s *stripe) endWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing--
	s.moves++
}

// Put implements store.Store.
func (t *tier) Put(ctx context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	defer t.beginWrite(ctx, key).endWrite()
	return t.cold.Put(ctx, key, body, o)
}

// Delete implements store.Store.
func (t *tier) Delete(ctx context.Context, key string) error {
	defer t.beginWrite(ctx, key).endWrite()
	return t.cold.Delete(ctx, key)
}

// List implements store.Store.
func (t *tier) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return t.cold.List(ctx, prefix)
}
