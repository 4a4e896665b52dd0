// Package source says where artifacts come from.
//
// A [Source] brings one artifact. Everything that a fetch passes through is a
// Source around another: the client of one upstream, a [Chain] of them by the
// rules of GOPROXY lists, the check against a checksum database, a [Split] of
// private and public modules. None of them caches or retries for itself what
// the next would do again.
//
// A Source promises an honest class of error (package artifact): ErrNotFound
// only where absence is proven, and never because of trouble on the way. It
// promises to return soon after its context has ended, whatever hangs: who asks
// several of them waits for all before passing on the answer of one. It
// does not promise good bytes: what must hold of them is in the blob's Check,
// which the caller runs on the complete body before anybody may rely on it.
package source

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// A Source brings artifacts. It is safe for concurrent use. The caller closes
// the blob; until then the context passed to Fetch must live, since it bounds
// the reading of the body too.
type Source interface {
	Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error)
}

// Func is a function that is a Source.
type Func func(ctx context.Context, n artifact.Name) (*blob.Blob, error)

// Fetch calls f.
func (f Func) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) { return f(ctx, n) }

// Refuse is a Source that answers everything with err.
func Refuse(err error) Source {
	return Func(func(context.Context, artifact.Name) (*blob.Blob, error) { return nil, err })
}

// Split sends each name to yes or to no. It is how private modules are kept
// away from public upstreams: the two sides never see each other's names.
func Split(match func(artifact.Name) bool, yes, no Source) Source {
	return Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		if match(n) {
			return yes.Fetch(ctx, n)
		}
		return no.Fetch(ctx, n)
	})
}
