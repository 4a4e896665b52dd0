package diagram

import "slices"

// Focus is the part of a graph that leads to a node, and that the node leads to. Nothing
// is left where there is no such node.
func Focus(g *Graph, name string) *Graph {
	center := slices.IndexFunc(g.Nodes, func(n Node) bool { return n.Name == name })
	if center < 0 {
		return only(g, nil)
	}
	turned := slices.Clone(g.Edges)
	for i, e := range turned {
		turned[i].From, turned[i].To = e.To, e.From
	}
	keep := reach(center, adjacency(len(g.Nodes), turned))
	for n := range reach(center, adjacency(len(g.Nodes), g.Edges)) {
		keep[n] = true
	}
	return only(g, keep)
}

func reach(from int, next [][]int) map[int]bool {
	seen := map[int]bool{from: true}
	for queue := []int{from}; len(queue) > 0; {
		n := queue[0]
		queue = queue[1:]
		for _, m := range next[n] {
			if !seen[m] {
				seen[m] = true
				queue = append(queue, m)
			}
		}
	}
	return seen
}

// only is the part of a picture that has some of its nodes.
func only(g *Graph, keep map[int]bool) *Graph {
	part := &Graph{Title: g.Title, Facts: g.Facts, Columns: g.Columns, Names: g.Names, Weak: g.Weak}
	place := map[int]int{}
	for i, n := range g.Nodes {
		if keep[i] {
			place[i] = len(part.Nodes)
			part.Nodes = append(part.Nodes, n)
		}
	}
	for _, e := range g.Edges {
		if keep[e.From] && keep[e.To] {
			e.From, e.To = place[e.From], place[e.To]
			part.Edges = append(part.Edges, e)
		}
	}
	return part
}
