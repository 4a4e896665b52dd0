// Package diagram draws directed graphs, whatever their nodes stand for: as DOT for
// Graphviz, as Mermaid for Markdown, as SVG, and as an HTML page to search in.
//
// What it writes depends on nothing but the graph, needs nothing from elsewhere, runs no
// script of others and can be looked at offline. Texts may be of strangers: they are
// escaped by the rules of each format.
//
// Mermaid, SVG and the picture of the page leave out edges that a longer way between the
// same nodes implies, Mermaid only where there are too many: hundreds of lines show
// nothing. DOT and the lists of the page have all of them.
package diagram

import "cmp"

// A Graph is what is to be drawn.
type Graph struct {
	Title   string
	Facts   []string         // what is to be said of it as a whole, each a short sentence
	Columns []string         // the names of what is known of each node
	Names   map[Group]string // what the groups are called; those without a name by the word they are
	Weak    string           // what weak edges are called
	Nodes   []Node
	Edges   []Edge
}

// A Group says what a node is to the reader, and how it looks.
type Group string

// The groups.
const (
	Main     Group = "main"     // what the graph is about
	Direct   Group = "direct"   // wanted by it
	Indirect Group = "indirect" // there because of others
	Test     Group = "test"     // wanted by tests only
)

// called is the name of a group.
func (g *Graph) called(group Group) string { return cmp.Or(g.Names[group], string(group)) }

// A Node is one node. Its name is its identity.
type Node struct {
	Name   string
	Sub    string // below the name: a version
	Group  Group
	Notes  []Note
	Values []string // by column; may be shorter
}

// A Note is something to mind about a node.
type Note struct {
	Text string // short: a word or two
	More string // the whole of it; may be empty
	Bad  bool
}

// An Edge leads from one node to another, by their places in Nodes.
type Edge struct {
	From, To int
	Label    string // may be empty
	Weak     bool   // explains nothing: it was only written down, or is for tests
}

// adjacency are the places that each node leads to.
func adjacency(nodes int, edges []Edge) [][]int {
	out := make([][]int, nodes)
	for _, e := range edges {
		out[e.From] = append(out[e.From], e.To)
	}
	return out
}

// reduced are the edges without those that a longer way implies. Edges within a cycle
// imply each other, so all of them stay. The nodes of more than maxReduced are too many
// for it to be found out: their edges stay.
func reduced(g *Graph) []Edge {
	if len(g.Nodes) > maxReduced {
		return g.Edges
	}
	forward, backward := split(len(g.Nodes), g.Edges)
	out := adjacency(len(g.Nodes), forward)
	reach := reachable(out)
	kept := backward
	for _, e := range forward {
		if !implied(e, out, reach) {
			kept = append(kept, e)
		}
	}
	return kept
}

const maxReduced = 5000

func implied(e Edge, out [][]int, reach []bits) bool {
	for _, n := range out[e.From] {
		if n != e.To && reach[n].has(e.To) {
			return true
		}
	}
	return false
}

// split separates the edges that close a cycle from the others.
func split(nodes int, edges []Edge) (forward, backward []Edge) {
	order := topological(adjacency(nodes, edges))
	for _, e := range edges {
		if order[e.From] < order[e.To] {
			forward = append(forward, e)
		} else {
			backward = append(backward, e)
		}
	}
	return forward, backward
}

// topological numbers nodes so that edges lead to higher numbers, but for those that
// close a cycle when the nodes are walked through in their order.
func topological(out [][]int) []int {
	order := make([]int, len(out))
	seen := make([]bool, len(out))
	number := len(out)
	var visit func(int)
	visit = func(n int) {
		seen[n] = true
		for _, m := range out[n] {
			if !seen[m] {
				visit(m)
			}
		}
		number--
		order[n] = number
	}
	for n := range out {
		if !seen[n] {
			visit(n)
		}
	}
	return order
}

// reachable are the nodes that each node leads to, of a graph without cycles.
func reachable(out [][]int) []bits {
	reach := make([]bits, len(out))
	var visit func(int)
	visit = func(n int) {
		reach[n] = newBits(len(out))
		for _, m := range out[n] {
			if reach[m] == nil {
				visit(m)
			}
			reach[n].add(m)
			reach[n].unite(reach[m])
		}
	}
	for n := range out {
		if reach[n] == nil {
			visit(n)
		}
	}
	return reach
}

// bits are a set of small numbers.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (b bits) add(n int)      { b[n/64] |= 1 << (n % 64) }
func (b bits) has(n int) bool { return b[n/64]&(1<<(n%64)) != 0 }

func (b bits) unite(other bits) {
	for i := range b {
		b[i] |= other[i]
	}
}
