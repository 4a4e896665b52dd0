package sumdb

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// Mirror is a Source of the paths of the database, for clients that reach it
// through this server.
//
// It answers "supported" whatever state the remotes are in: a client that were
// told otherwise would ask the database itself, and tell it what it looks for.
func (d *Database) Mirror() source.Source {
	return source.Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		data, err := d.mirror(ctx, n)
		if err != nil {
			return nil, err
		}
		return blob.FromBytes(blob.Info{}, data), nil
	})
}

func (d *Database) mirror(ctx context.Context, n artifact.Name) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	switch n.Kind {
	case artifact.SumSupported:
		return nil, nil
	case artifact.SumLatest:
		return d.latest(ctx)
	case artifact.SumLookup:
		return d.mirrorLookup(ctx, n)
	case artifact.SumTile:
		return d.mirrorTile(ctx, n)
	}
	return nil, artifact.NotFound("%s is no path of a checksum database", n)
}

func (d *Database) mirrorLookup(ctx context.Context, n artifact.Name) ([]byte, error) {
	if d.o.Private(n.Module) {
		return nil, refusePrivate(n)
	}
	r, err := d.lookup(ctx, n.Module, n.Version)
	return r.raw, err
}

func (d *Database) mirrorTile(ctx context.Context, n artifact.Name) ([]byte, error) {
	t, err := tlog.ParseTilePath(n.Tile)
	if err != nil || t.H != height {
		return nil, artifact.NotFound("tiles have the height %d", height)
	}
	if t.L == -1 {
		return d.ask(ctx, n) // of records, which auditors prove as they read them
	}
	return d.tile(ctx, t)
}

func refusePrivate(n artifact.Name) error {
	return &artifact.Error{
		Class:  artifact.ErrForbidden,
		Reason: fmt.Sprintf("%s is private here, so that %s must not hear of it", n.Module, n.DB),
		Hint:   "set GONOSUMDB on the client to a pattern that matches the module",
	}
}

// Withheld is a Source of the paths of databases that are not mirrored, for a server
// that knows private modules. It answers "supported" and refuses all else: a client
// that were told otherwise would ask such a database itself, for private modules, too.
func Withheld(private func(module string) bool) source.Source {
	return source.Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		switch {
		case n.Kind == artifact.SumSupported:
			return blob.FromBytes(blob.Info{}, nil), nil
		case n.Kind == artifact.SumLookup && private(n.Module):
			return nil, refusePrivate(n)
		}
		return nil, &artifact.Error{
			Class:  artifact.ErrForbidden,
			Reason: fmt.Sprintf("%s is not mirrored here, and nobody is sent to it, who might ask it for what is private", n.DB),
			Hint:   "set GONOSUMDB on the client to what is private, and GOSUMDB to the key of the database and its URL, so that it is asked directly; or name it as sumdb of this server",
		}
	})
}
