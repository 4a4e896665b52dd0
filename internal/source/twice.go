package source

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// Twice is a Source that asks inner once more for an artifact when it is silent for
// longer than patience bears, which says how long that is for a name; the first good
// answer wins. It is for those whom nobody else can stand in for: one request of many
// gets lost or hangs, and a second one does not. An error is no silence: it is returned,
// unless the other request is under way and brings something better.
func Twice(inner Source, patience func(artifact.Name) Patience) Source {
	return &twice{link: Link{Source: inner}, patience: patience}
}

type twice struct {
	link     Link
	patience func(artifact.Name) Patience
}

// Fetch implements Source.
func (t *twice) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	p := t.patience(n)
	if p.endless() {
		return t.link.Source.Fetch(ctx, n)
	}
	var failure error
	relay := Relay[*blob.Blob]{
		Ask: func(ctx context.Context, _ int) (*blob.Blob, error) {
			b, err := t.link.Source.Fetch(ctx, n)
			if err != nil {
				return nil, err
			}
			return t.link.fetched(n, b)
		},
		Failed: func(_ int, err error) bool {
			failure = err
			return false
		},
		Patience: func(int) Patience { return p },
		Discard:  func(b *blob.Blob) { b.Close() },
	}
	winner, b, release := relay.Run(ctx, 2)
	switch {
	case winner >= 0:
		mine := *b // a copy: what came may be shared
		bind(&mine, release)
		return &mine, nil
	case failure == nil: // ctx had ended before anybody was asked
		return nil, context.Cause(ctx)
	}
	return nil, failure
}
