package upstream

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// sumDB is the client of one checksum database. Whether it may be asked here is
// a question to proxies that the database itself has no answer to.
type sumDB struct {
	Client
	name string
}

// Fetch implements source.Source.
func (s sumDB) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	switch {
	case n.DB != s.name || !n.Kind.IsSum():
		return nil, artifact.NotFound("%s is not of the checksum database %s", n, s.name)
	case n.Kind == artifact.SumSupported:
		return blob.FromBytes(blob.Info{}, nil), nil
	}
	return s.Client.Fetch(ctx, n)
}
