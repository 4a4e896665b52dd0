package source

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// Public is a Source of public modules that answers ErrNotFound at once, without
// asking inner, for paths that no public module can have. The go command asks
// for them in great number when it looks for the module of a package.
func Public(inner Source) Source {
	return Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		if n.Impossible() {
			return nil, artifact.NotFound("%s cannot be a module: on its host repositories are two levels below", n.Module)
		}
		return inner.Fetch(ctx, n)
	})
}
