package pool

import (
	"context"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// A Strategy is the order in which the members of a Group are asked.
type Strategy string

// The strategies. Any other text means Ordered.
const (
	Ordered Strategy = "ordered"
	Fastest Strategy = "fastest"
	Shared  Strategy = "weighted"
)

// Weighted is a member of a Group.
type Weighted struct {
	*Upstream
	Weight int // its share, if that is the strategy; at least 1
}

// A Group is a Source of upstreams that have the same artifacts.
type Group struct {
	name    string
	members []Weighted
}

// NewGroup returns a Group of at least one member.
func NewGroup(name string, s Strategy, members []Weighted) *Group {
	return &Group{name: name, members: members}
}

// Fetch implements source.Source.
func (g *Group) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	var links []source.Link
	for _, m := range g.members {
		links = append(links, m.Link(true))
	}
	return source.Chain(links...).Fetch(ctx, n)
}

// Down reports whether all members are out of order.
func (g *Group) Down() bool { return false }

// Link is the group as a link of a chain.
func (g *Group) Link(fallBack bool) source.Link {
	return source.Link{Name: g.name, Source: g, FallBackOnError: fallBack, Down: g.Down}
}
