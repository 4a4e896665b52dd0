package sumdb

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/goweir/weir/internal/artifact"
)

// height is the height of the tiles that clients ask for.
const height = 8

// width is how many hashes a full tile has.
const width = 1 << height

// tiles reads the tiles of the log for package tlog, which proves them, and
// stores them when it has.
type tiles struct {
	*Database
	ctx context.Context

	mu     sync.Mutex
	proven map[tlog.Tile][]byte
}

func (d *Database) tiles(ctx context.Context) *tiles {
	return &tiles{Database: d, ctx: ctx, proven: map[tlog.Tile][]byte{}}
}

// Height implements tlog.TileReader.
func (t *tiles) Height() int { return height }

// ReadTiles implements tlog.TileReader. Tiles are read at one time: there are few,
// and they may be far away.
func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data, errs := make([][]byte, len(wanted)), make([]error, len(wanted))
	var reads sync.WaitGroup
	for i, tile := range wanted {
		reads.Go(func() { data[i], errs[i] = t.read(tile) })
	}
	reads.Wait()
	return data, errors.Join(errs...)
}

func (t *tiles) read(tile tlog.Tile) ([]byte, error) {
	if data, err := t.cut(t.ctx, tile); err == nil {
		return data, nil
	}
	data, err := t.ask(t.ctx, t.name(tile))
	if artifact.Class(err) != artifact.ErrNotFound || tile.W == width {
		return data, err
	}
	// The database has completed the tile since and dropped the partial one.
	full := tile
	full.W = width
	data, err = t.ask(t.ctx, t.name(full))
	if err != nil || len(data) != width*tlog.HashSize {
		return nil, errors.Join(err, errors.New("no such tile"))
	}
	return data[:tile.W*tlog.HashSize], nil
}

// SaveTiles implements tlog.TileReader.
func (t *tiles) SaveTiles(saved []tlog.Tile, data [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, tile := range saved {
		t.proven[tile] = data[i]
		if _, err := t.stored(t.ctx, t.name(tile).Key()); err != nil {
			t.keep(t.ctx, t.name(tile).Key(), data[i])
		}
	}
}

func (d *Database) name(t tlog.Tile) artifact.Name {
	return artifact.Name{Kind: artifact.SumTile, DB: d.config.Name, Tile: t.Path()}
}

// cut returns a tile from the store, or the beginning of the full one.
func (d *Database) cut(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	full := tile
	full.W = width
	for _, t := range []tlog.Tile{tile, full} {
		if data, err := d.stored(ctx, d.name(t).Key()); err == nil && len(data) == t.W*tlog.HashSize {
			return data[:tile.W*tlog.HashSize], nil
		}
	}
	return nil, artifact.NotFound("the tile is not stored")
}

// tile returns a proven tile. A partial one is cut from the widest that the
// newest head proves.
func (d *Database) tile(ctx context.Context, wanted tlog.Tile) ([]byte, error) {
	if data, err := d.cut(ctx, wanted); err == nil {
		return data, nil
	}
	tree, err := d.treeWith(ctx, wanted)
	if err != nil {
		return nil, err
	}
	widest := wanted
	widest.W = int(min(width, tree.N>>(wanted.L*height)-wanted.N*width))
	reader := d.tiles(ctx)
	if _, err := tlog.TileHashReader(tree, reader).ReadHashes([]int64{tlog.StoredHashIndex(wanted.L*height, wanted.N*width)}); err != nil {
		if class := artifact.Class(err); class != nil {
			return nil, err
		}
		d.alarm(Forged, "", "", fmt.Sprintf("%s: %v", wanted.Path(), err))
		d.distrust()
		return nil, d.refusal("was answered for with a tile that its signed head does not prove", err)
	}
	data, ok := reader.proven[widest]
	if !ok {
		return nil, fmt.Errorf("%s: %s was not read", d.config.Name, widest.Path())
	}
	return data[:wanted.W*tlog.HashSize], nil
}

// treeWith returns the newest tree, if it has the tile. A client may have seen a
// newer head elsewhere, so that the database is asked once.
func (d *Database) treeWith(ctx context.Context, wanted tlog.Tile) (tlog.Tree, error) {
	has := func(t tlog.Tree) bool { return wanted.N*width+int64(wanted.W) <= t.N>>(wanted.L*height) }
	tree, err := d.tree(d.newest())
	if err != nil || has(tree) {
		return tree, err
	}
	if _, err := d.latest(ctx); err != nil {
		return tlog.Tree{}, err
	}
	if tree, err = d.tree(d.newest()); err != nil || has(tree) {
		return tree, err
	}
	return tlog.Tree{}, artifact.NotFound("%s lies beyond the end of the log", wanted.Path())
}

// complete stores the tiles that a client needs who knows no other head than the
// one in this record, so that it can prove the record here when everything
// upstream is down. Failing that costs nothing now.
func (d *Database) complete(ctx context.Context, raw []byte) {
	id, _, head, err := tlog.ParseRecord(raw)
	if err != nil {
		return
	}
	n, err := note.Open(head, d.verifiers)
	if err != nil {
		return
	}
	tree, err := tlog.ParseTree([]byte(n.Text))
	if err != nil || id >= tree.N {
		return
	}
	tlog.TileHashReader(tree, d.tiles(ctx)).ReadHashes([]int64{tlog.StoredHashIndex(0, id)})
}
