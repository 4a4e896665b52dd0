package sumdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/store"
)

// tree reads a signed head; an empty one is that of an empty tree.
func (d *Database) tree(head []byte) (tlog.Tree, error) {
	if len(head) == 0 {
		return tlog.Tree{}, nil
	}
	n, err := note.Open(head, d.verifiers)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("tree head: %w", err)
	}
	return tlog.ParseTree([]byte(n.Text))
}

// loadHead reads the newest head that was ever seen from the store.
func (d *Database) loadHead(ctx context.Context) error {
	head, tag, err := d.storedHead(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.head, d.headTag = head, tag
	return nil
}

// storedHead returns the head in the store, with its ETag.
func (d *Database) storedHead(ctx context.Context) (head []byte, tag string, err error) {
	b, err := d.o.Store.Get(ctx, d.own()+"latest")
	if err != nil {
		return nil, "", err
	}
	head, err = b.ReadAll(artifact.SumLatest.MaxSize())
	if err != nil {
		return nil, "", err
	}
	_, err = d.tree(head)
	return head, b.ETag, err
}

// newest returns the newest signed head, empty when none was seen.
func (d *Database) newest() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.head
}

// advance replaces the head old by the head next, which the caller has proven to
// be of the same log. It reports false when the head is not old any more. A store
// that cannot be written costs the memory of the head over a restart, no more.
func (d *Database) advance(ctx context.Context, old, next []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !bytes.Equal(d.head, old) {
		return false
	}
	info, err := d.o.Store.Put(ctx, d.own()+"latest", bytes.NewReader(next), store.PutOptions{IfAbsent: d.headTag == "", IfMatch: d.headTag})
	if errors.Is(err, store.ErrConflict) && d.adopt(ctx) {
		return false
	}
	d.head = next
	if err == nil {
		d.headTag = info.ETag
	}
	return true
}

// adopt takes over what is stored in place of the head that was known there: that of
// another process, or none. d.mu is held. It reports false when nothing can be taken
// over; another attempt to write would meet the same again.
func (d *Database) adopt(ctx context.Context) bool {
	head, tag, err := d.storedHead(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		head, tag, err = d.head, "", nil
	}
	if err != nil || tag == d.headTag {
		return false
	}
	d.head, d.headTag = head, tag
	return true
}

// latest asks for the newest head and returns the newest that is known.
func (d *Database) latest(ctx context.Context) ([]byte, error) {
	data, err := d.ask(ctx, artifact.Name{Kind: artifact.SumLatest, DB: d.config.Name})
	if err != nil {
		return nil, err
	}
	for {
		known := d.newest()
		newer, err := d.compare(ctx, known, data)
		if err != nil {
			return nil, err
		}
		if !newer {
			return known, nil
		}
		if d.advance(ctx, known, data) {
			return data, nil
		}
	}
}

// compare reports whether the head offered is newer than the one known, both of
// one log. An older one is an alarm: it may be meant to hide something.
func (d *Database) compare(ctx context.Context, known, offered []byte) (newer bool, err error) {
	old, err := d.tree(known)
	if err != nil {
		return false, err
	}
	next, err := d.tree(offered)
	if err != nil {
		d.alarm(Forged, "", "", artifact.Clean(err.Error(), 500))
		d.distrust()
		return false, d.refusal("was answered for with a tree head that it has not signed", err)
	}
	if next.N < old.N {
		d.alarm(OlderHead, "", "", fmt.Sprintf("a tree of %d records was shown after one of %d", next.N, old.N))
		d.distrust()
		return false, nil
	}
	hash, err := tlog.TreeHash(old.N, tlog.TileHashReader(next, d.tiles(ctx)))
	if err != nil {
		return false, fmt.Errorf("comparing tree heads: %w", err)
	}
	if hash != old.Hash && old.N > 0 {
		d.alarm(Fork, "", "", artifact.Clean(fmt.Sprintf("known head: %s offered head: %s", known, offered), 1000))
		d.distrust()
		return false, d.refusal("shows two histories that contradict each other", nil)
	}
	return next.N > old.N, nil
}
