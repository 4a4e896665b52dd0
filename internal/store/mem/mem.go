// Package mem is a bounded store in memory.
//
// It promises what package store does, but that it forgets: when its entries
// outweigh its bound, those that are asked for least go (W-TinyLFU). It takes
// what another store knows of an entry, too, which makes it the hot side of a
// tier ([Store.Admit]).
//
// Get returns the one blob that all readers share. It copies and allocates
// nothing.
package mem

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

var _ store.Store = (*Store)(nil)

// overhead is about what an entry weighs beside its key and bytes: the blob, its
// tag, and the nodes of the cache.
const overhead = 400

// Store is a bounded store in memory. It is safe for concurrent use.
type Store struct {
	max     int64
	entries *otter.Cache[string, *blob.Blob]
}

// New returns an empty store that holds up to max bytes, keys and overhead
// included. It may exceed that for moments.
func New(max int64) *Store {
	return &Store{max: max, entries: otter.Must(&otter.Options[string, *blob.Blob]{
		MaximumWeight: uint64(max),
		Weigher:       weight,
	})}
}

func weight(key string, b *blob.Blob) uint32 {
	return uint32(min(len(key)+len(b.Data)+len(b.Gzip)+overhead, math.MaxUint32))
}

// Get implements store.Store. The blob has Data; it is shared and must not be
// changed.
func (s *Store) Get(ctx context.Context, key string) (*blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b, ok := s.entries.GetIfPresent(key); ok {
		return b, nil
	}
	return nil, &fs.PathError{Op: "mem: get", Path: key, Err: fs.ErrNotExist}
}

// Put implements store.Store. A body that outweighs the whole store is
// blob.ErrTooLarge. Expires is errors.ErrUnsupported.
func (s *Store) Put(ctx context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	if o.Expires != 0 {
		return blob.Info{}, fmt.Errorf("mem: entries that expire: %w", errors.ErrUnsupported)
	}
	if err := checkKey(key); err != nil {
		return blob.Info{}, err
	}
	data, err := s.read(ctx, body)
	if err != nil {
		return blob.Info{}, fmt.Errorf("mem: cannot store %s: %w", key, err)
	}
	b := blob.FromBytes(blob.Info{Key: key, Time: time.Now(), ETag: etag(data)}, data)
	if err := s.swap(key, b, o); err != nil {
		return blob.Info{}, fmt.Errorf("mem: cannot store %s: %w", key, err)
	}
	return b.Info, nil
}

func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("mem: %q is no key: %w", key, fs.ErrInvalid)
	}
	return nil
}

// etag is the same for the same bytes only.
func etag(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// read returns all of body, from its start.
func (s *Store) read(ctx context.Context, body io.ReadSeeker) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(&bodyReader{ctx, body}, s.max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > s.max {
		return nil, blob.ErrTooLarge
	}
	return bytes.Clone(data), nil // without the room to grow
}

// A bodyReader reads a body until its context ends.
type bodyReader struct {
	ctx context.Context
	r   io.Reader
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// swap makes b the entry of key, on the conditions of a Put.
func (s *Store) swap(key string, b *blob.Blob, o store.PutOptions) error {
	var err error
	s.entries.Compute(key, func(old *blob.Blob, found bool) (*blob.Blob, otter.ComputeOp) {
		if o.IfAbsent && found || o.IfMatch != "" && (!found || old.ETag != o.IfMatch) {
			err = store.ErrConflict
			return old, otter.CancelOp
		}
		return b, otter.WriteOp
	})
	return err
}

// Admit makes the entry of b.Key a blob that another store holds, with the time
// and tag it has there, and its compressed form where it has one. The blob has
// Data. It is given away: nobody changes it any more.
func (s *Store) Admit(b *blob.Blob) { s.entries.Set(b.Key, b) }

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.entries.Invalidate(key)
	return nil
}

// List implements store.Store. It lists what there was at some moment.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for _, info := range s.snapshot(prefix) {
			if err := ctx.Err(); err != nil {
				yield(blob.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *Store) snapshot(prefix string) []blob.Info {
	var infos []blob.Info
	for key, b := range s.entries.All() {
		if strings.HasPrefix(key, prefix) {
			infos = append(infos, b.Info)
		}
	}
	slices.SortFunc(infos, func(a, b blob.Info) int { return cmp.Compare(a.Key, b.Key) })
	return infos
}
