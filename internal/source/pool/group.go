package pool

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// A Strategy is how a [Group] chooses the member that is asked first. Which ones
// are out of order matters more than any strategy.
type Strategy string

// The strategies. Any other text means the first.
const (
	// Ordered asks the members as they are listed.
	Ordered Strategy = "ordered"
	// Fastest asks the one with the shortest usual time until the first
	// answer. It stays with one until another is better by a fifth, asks those
	// first of which nothing is known, and starts one fetch in 20 elsewhere.
	Fastest Strategy = "fastest"
	// ByWeight shares the fetches out by weight.
	ByWeight Strategy = "weighted"
)

// Weighted is a member of a Group.
type Weighted struct {
	*Upstream
	Weight int // its share where that is the strategy; less than 1 is 1
}

// A Group is a Source of upstreams that have the same artifacts. It asks one
// after the other, or beside it, until one has the artifact.
type Group struct {
	name     string
	strategy Strategy
	members  []Weighted
	links    []source.Link

	mu        sync.Mutex
	fetches   int   // of the strategy Fastest
	favourite int   // of the strategy Fastest: index of a member
	credit    []int // of the strategy ByWeight: what is due to each member
}

// NewGroup returns a Group with a name for people, of at least one member.
func NewGroup(name string, s Strategy, members []Weighted) *Group {
	g := &Group{name: name, strategy: s, members: slices.Clone(members), credit: make([]int, len(members))}
	for i := range g.members {
		g.members[i].Weight = max(g.members[i].Weight, 1)
		g.links = append(g.links, g.members[i].Link(true))
	}
	return g
}

// Fetch implements source.Source.
func (g *Group) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	links := make([]source.Link, 0, len(g.links))
	for _, i := range g.order() {
		links = append(links, g.links[i])
	}
	return source.Mirrors(links...).Fetch(ctx, n)
}

// Down reports whether all members are broken or resting.
func (g *Group) Down() bool {
	for _, m := range g.members {
		if !m.Down() {
			return false
		}
	}
	return true
}

// Link is the group as a link of a chain. fallBack says that others may be asked
// when there is trouble with all members.
func (g *Group) Link(fallBack bool) source.Link {
	return source.Link{Name: g.name, Source: g, FallBackOnError: fallBack, Down: g.Down, Patience: g.patience}
}

// patience is how long the silence of the group is borne: until it has lost
// patience with every member.
func (g *Group) patience(n artifact.Name) source.Patience {
	var sum time.Duration
	for _, m := range g.members {
		if !m.Down() {
			sum += m.patience(n).Limit
		}
	}
	return source.Patience{Limit: sum}
}

// order returns the members in the order in which they are to be asked: those
// that are out of order at the end.
func (g *Group) order() []int {
	order := make([]int, 0, len(g.members))
	for i, m := range g.members {
		if !m.Down() {
			order = append(order, i)
		}
	}
	up := len(order)
	for i := range g.members {
		if !slices.Contains(order[:up], i) {
			order = append(order, i)
		}
	}
	if up == 0 {
		up = len(order) // then they are all alike
	}
	switch g.strategy {
	case Fastest:
		g.byLatency(order[:up])
	case ByWeight:
		g.byWeight(order[:up])
	}
	return order
}

// overtakes is the part of the favourite's latency below which a rival takes its
// place, and exploreEvery how often another member is measured anew.
const (
	overtakes    = 0.8
	exploreEvery = 20
)

// byLatency brings members into the order of their latencies, with those that
// have none before all, and the favourite before the others.
func (g *Group) byLatency(order []int) {
	latency := make([]float64, len(g.members))
	for _, i := range order {
		latency[i] = g.members[i].usual()
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(latency[a], latency[b]) })
	unknown := 0
	for unknown < len(order) && latency[order[unknown]] == 0 {
		unknown++
	}
	known := order[unknown:]
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fetches++
	if len(known) == 0 {
		return
	}
	at := slices.Index(known, g.favourite)
	if at < 0 || latency[known[0]] < overtakes*latency[g.favourite] {
		at, g.favourite = 0, known[0]
	}
	toFront(known, at)
	if unknown == 0 && len(known) > 1 && g.fetches%exploreEvery == 0 {
		toFront(known, 1+g.fetches/exploreEvery%(len(known)-1))
	}
}

// toFront moves an element to the front.
func toFront(order []int, at int) {
	moved := order[at]
	copy(order[1:at+1], order[:at])
	order[0] = moved
}

// byWeight brings members into the order of what is due to them, which shares
// the first places out evenly over time: smooth weighted round robin.
func (g *Group) byWeight(order []int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	total := 0
	for _, i := range order {
		g.credit[i] += g.members[i].Weight
		total += g.members[i].Weight
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(g.credit[b], g.credit[a]) })
	g.credit[order[0]] -= total
}
