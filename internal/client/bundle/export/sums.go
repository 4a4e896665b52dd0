package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/source"
)

// maxAsked is how many files of the checksum database are asked for at one time.
const maxAsked = 16

// tileHeight is the height of the tiles that clients ask for.
const tileHeight = 8

// sums collects what a client of a checksum database needs that knows no other tree
// than the newest: the records, all under its head, and the tiles that prove them.
//
// The database answers each lookup with the head of that moment. With the same head for
// all, a client needs the tiles of one tree and not of many.
type sums struct {
	db     string
	mirror source.Source // of proven records and tiles

	mu      sync.Mutex
	records map[module.Version]entry
	files   map[string][]byte // by path
}

// entry is a record in the log.
type entry struct {
	id   int64
	text []byte // lines of go.sum
}

// collectSums asks for the records of modules and what proves them, and that the trees
// of some older sizes are the beginning of it.
func collectSums(ctx context.Context, db string, mirror source.Source, modules []module.Version, since []int64) (*sums, *bundle.SumDB, error) {
	s := &sums{db: db, mirror: mirror, records: map[module.Version]entry{}, files: map[string][]byte{}}
	if err := s.lookUp(ctx, modules); err != nil {
		return nil, nil, err
	}
	head, err := s.read(ctx, artifact.Name{Kind: artifact.SumLatest, DB: db})
	if err != nil {
		return nil, nil, fmt.Errorf("the newest tree head of %s: %w", db, err)
	}
	tree, err := parseHead(head)
	if err != nil {
		return nil, nil, fmt.Errorf("the newest tree head of %s: %w", db, err)
	}
	if err := s.prove(ctx, tree, since); err != nil {
		return nil, nil, err
	}
	for v, e := range s.records {
		text, err := tlog.FormatRecord(e.id, e.text)
		if err != nil {
			return nil, nil, err
		}
		s.files[artifact.Name{Kind: artifact.SumLookup, DB: db, Module: v.Path, Version: v.Version}.Key()] = append(text, head...)
	}
	s.files[artifact.Name{Kind: artifact.SumLatest, DB: db}.Key()] = head
	s.files[artifact.Name{Kind: artifact.SumSupported, DB: db}.Key()] = []byte{}
	return s, &bundle.SumDB{Name: db, Head: string(head), Since: since}, nil
}

// parseHead reads a signed tree head whose signature is of no interest.
func parseHead(head []byte) (tlog.Tree, error) {
	text, _, _ := bytes.Cut(head, []byte("\n\n"))
	return tlog.ParseTree(append(text[:len(text):len(text)], '\n'))
}

func (s *sums) read(ctx context.Context, n artifact.Name) ([]byte, error) {
	b, err := s.mirror.Fetch(ctx, n)
	if err != nil {
		return nil, err
	}
	return b.ReadAll(n.Kind.MaxSize())
}

// lookUp asks for the records of modules.
func (s *sums) lookUp(ctx context.Context, modules []module.Version) error {
	lookups, ctx := errgroup.WithContext(ctx)
	lookups.SetLimit(maxAsked)
	for _, v := range modules {
		lookups.Go(func() error {
			raw, err := s.read(ctx, artifact.Name{Kind: artifact.SumLookup, DB: s.db, Module: v.Path, Version: v.Version})
			if err != nil {
				return fmt.Errorf("the record of %s: %w", v, err)
			}
			id, text, _, err := tlog.ParseRecord(raw)
			if err != nil {
				return fmt.Errorf("the record of %s: %w", v, err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.records[v] = entry{id, text}
			return nil
		})
	}
	return lookups.Wait()
}

// prove reads the tiles that prove the records, and older trees, in this tree.
func (s *sums) prove(ctx context.Context, tree tlog.Tree, since []int64) error {
	reader := tlog.TileHashReader(tree, &tileReader{sums: s, ctx: ctx})
	var indexes []int64
	for _, e := range s.records {
		if e.id >= tree.N {
			return fmt.Errorf("the newest tree head of %s is older than a record", s.db)
		}
		indexes = append(indexes, tlog.StoredHashIndex(0, e.id))
	}
	slices.Sort(indexes)
	hashes, err := reader.ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("the tiles of %s: %w", s.db, err)
	}
	for i, e := range slices.SortedFunc(maps.Values(s.records), func(a, b entry) int { return int(a.id - b.id) }) {
		if hashes[i] != tlog.RecordHash(e.text) {
			return fmt.Errorf("the tiles of %s do not prove its record number %d", s.db, e.id)
		}
	}
	for _, size := range since {
		if size > tree.N {
			return fmt.Errorf("%s has %d records now, and had %d in what --since names", s.db, tree.N, size)
		}
		if _, err := tlog.TreeHash(size, reader); err != nil {
			return fmt.Errorf("the tiles of %s for its tree of %d records: %w", s.db, size, err)
		}
	}
	return nil
}

// hash is the hash that the records have for a line of go.sum.
func (s *sums) hash(v module.Version, line string) string {
	prefix := v.Path + " " + line + " "
	for text := range strings.Lines(string(s.records[v].text)) {
		if hash, ok := strings.CutPrefix(text, prefix); ok {
			return strings.TrimSuffix(hash, "\n")
		}
	}
	return ""
}

// tileReader is a tlog.TileReader that keeps what was proven.
type tileReader struct {
	*sums
	ctx context.Context
}

// Height implements tlog.TileReader.
func (t *tileReader) Height() int { return tileHeight }

// ReadTiles implements tlog.TileReader.
func (t *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data, errs := make([][]byte, len(tiles)), make([]error, len(tiles))
	var reads errgroup.Group
	reads.SetLimit(maxAsked)
	for i, tile := range tiles {
		reads.Go(func() error {
			data[i], errs[i] = t.read(t.ctx, t.name(tile))
			return nil
		})
	}
	reads.Wait()
	return data, errors.Join(errs...)
}

// SaveTiles implements tlog.TileReader.
func (t *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, tile := range tiles {
		t.files[t.name(tile).Key()] = data[i]
	}
}

func (t *tileReader) name(tile tlog.Tile) artifact.Name {
	return artifact.Name{Kind: artifact.SumTile, DB: t.db, Tile: tile.Path()}
}
