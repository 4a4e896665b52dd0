// Package digraph has what is asked of directed graphs, whatever their nodes stand for:
// where they go round in circles, and in which layers they lie.
//
// Nodes are names, and a function tells what each leads to. Results depend on nothing
// but the graph, so that the same graph always looks the same.
package digraph

import (
	"cmp"
	"slices"
)

// Cycles are the groups of nodes that lead to each other, each sorted, in the order of
// their first members. A node that leads to itself is one.
//
// Source: Tarjan, "Depth-first search and linear graph algorithms", 1972.
func Cycles(nodes []string, next func(string) []string) [][]string {
	var cycles [][]string
	for _, c := range components(nodes, next) {
		if len(c) > 1 || slices.Contains(next(c[0]), c[0]) {
			slices.Sort(c)
			cycles = append(cycles, c)
		}
	}
	slices.SortFunc(cycles, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return cycles
}

// Layers puts nodes into layers, so that each leads to nodes of lower layers only,
// except for those of its own cycle, which share a layer. The lowest layer is 0, and no
// node is higher than it has to be. What nodes lead to that is not among them counts
// for nothing.
func Layers(nodes []string, next func(string) []string) map[string]int {
	layer := map[string]int{}
	for _, c := range components(nodes, next) { // what a component leads to comes before it
		height := 0
		for _, n := range c {
			for _, m := range next(n) {
				if below, ok := layer[m]; ok {
					height = max(height, below+1)
				}
			}
		}
		for _, n := range c {
			layer[n] = height
		}
	}
	return layer
}

// components are the strongly connected components, each after those it leads to.
func components(nodes []string, next func(string) []string) [][]string {
	t := tarjan{next: next, index: map[string]int{}, low: map[string]int{}, open: map[string]bool{}, known: map[string]bool{}}
	for _, n := range nodes {
		t.known[n] = true
	}
	for _, n := range nodes {
		if _, seen := t.index[n]; !seen {
			t.visit(n)
		}
	}
	return t.found
}

type tarjan struct {
	next  func(string) []string
	known map[string]bool
	index map[string]int  // in the order of visits
	low   map[string]int  // the lowest index that can be reached among the open ones
	open  map[string]bool // those on the stack
	stack []string
	found [][]string
}

func (t *tarjan) visit(n string) {
	t.index[n] = len(t.index)
	t.low[n] = t.index[n]
	t.stack = append(t.stack, n)
	t.open[n] = true
	for _, m := range t.next(n) {
		if !t.known[m] {
			continue
		}
		if _, seen := t.index[m]; !seen {
			t.visit(m)
			t.low[n] = min(t.low[n], t.low[m])
		} else if t.open[m] {
			t.low[n] = min(t.low[n], t.index[m])
		}
	}
	if t.low[n] == t.index[n] {
		t.close(n)
	}
}

// close takes the component that began with n off the stack.
func (t *tarjan) close(n string) {
	i := slices.Index(t.stack, n)
	component := slices.Clone(t.stack[i:])
	t.stack = t.stack[:i]
	for _, m := range component {
		delete(t.open, m)
	}
	t.found = append(t.found, component)
}

// Round is a shortest way from a node back to itself: the nodes on it, once each and
// beginning with this one; nil: there is none.
func Round(node string, next func(string) []string) []string {
	from := map[string]string{}
	queue := []string{node}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, m := range next(n) {
			if m == node {
				return back(n, node, from)
			}
			if _, seen := from[m]; !seen {
				from[m] = n
				queue = append(queue, m)
			}
		}
	}
	return nil
}

// back is the way from one node to another, given where each was come to from.
func back(to, start string, from map[string]string) []string {
	way := []string{to}
	for n := to; n != start; {
		n = from[n]
		way = append(way, n)
	}
	slices.Reverse(way)
	return way
}
