package upstream

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// sumDB is the Source of one checksum database. Whether it may be asked here is
// a question to proxies that the database itself has no answer to.
func sumDB(name string, direct source.Source) source.Source {
	return source.Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		switch {
		case n.DB != name || !n.Kind.IsSum():
			return nil, artifact.NotFound("%s is not of the checksum database %s", n, name)
		case n.Kind == artifact.SumSupported:
			return blob.FromBytes(blob.Info{}, nil), nil
		}
		return direct.Fetch(ctx, n)
	})
}
