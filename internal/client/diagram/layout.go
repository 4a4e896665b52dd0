package diagram

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Sizes in a picture, in pixels.
const (
	charWidth   = 6.7 // of the fixed-width font
	nodePadding = 8
	nodeHeight  = 34
	nodeGap     = 10
	laneHeight  = 6 // of an edge that passes a layer
	layerGap    = 72
	margin      = 20
	leastWidth  = 60
)

// A layout says where everything is. Layers lie side by side from left to right.
type layout struct {
	boxes         []box // by place of the node
	paths         []path
	width, height float64
}

// A box is where a node is.
type box struct{ x, y, w, h float64 }

// A path is where an edge passes: from the right side of a box to the left side of one,
// through points between them.
type path struct {
	Edge
	points []point
	back   bool // it closes a cycle, and leads to the left
}

type point struct{ x, y float64 }

// A slot is a place in a layer: a node, or where an edge passes.
type slot struct {
	node     int // -1: an edge passes
	layer    int
	y, h     float64
	in, out  []*slot
	position int // in its layer
}

// drawing is a layout in the making, in the steps of Sugiyama, Tagawa and Toda, "Methods
// for visual understanding of hierarchical system structures", 1981.
type drawing struct {
	graph  *Graph
	slots  []*slot   // of the nodes, by place
	layers [][]*slot // from left to right
	routes []route
}

// A route is an edge with the slots it goes through, from left to right.
type route struct {
	Edge
	slots []*slot
	back  bool
}

// lay lays out a graph with some of its edges.
func lay(g *Graph, edges []Edge) layout {
	d := &drawing{graph: g}
	forward, backward := split(len(g.Nodes), edges)
	d.placeInLayers(forward, backward)
	for _, e := range forward {
		d.connect(e, e.From, e.To, false)
	}
	for _, e := range backward {
		if e.From != e.To {
			d.connect(e, e.To, e.From, true)
		}
	}
	d.untangle()
	d.spread()
	return d.measure()
}

// placeInLayers puts each node one layer to the right of the last of those that lead to it.
func (d *drawing) placeInLayers(forward, backward []Edge) {
	nodes := len(d.graph.Nodes)
	turned := slices.Clone(forward)
	for _, e := range backward {
		if e.From != e.To {
			turned = append(turned, Edge{From: e.To, To: e.From})
		}
	}
	out := adjacency(nodes, turned)
	order := topological(out)
	byOrder := make([]int, nodes)
	for n, o := range order {
		byOrder[o] = n
	}
	layer := make([]int, nodes)
	for _, n := range byOrder {
		for _, m := range out[n] {
			layer[m] = max(layer[m], layer[n]+1)
		}
	}
	d.slots = make([]*slot, nodes)
	for _, n := range byOrder {
		d.slots[n] = d.add(&slot{node: n, layer: layer[n], h: nodeHeight})
	}
}

func (d *drawing) add(s *slot) *slot {
	for len(d.layers) <= s.layer {
		d.layers = append(d.layers, nil)
	}
	s.position = len(d.layers[s.layer])
	d.layers[s.layer] = append(d.layers[s.layer], s)
	return s
}

// connect leads an edge from a node to one on its right, through all layers between.
func (d *drawing) connect(e Edge, left, right int, back bool) {
	r := route{Edge: e, slots: []*slot{d.slots[left]}, back: back}
	for layer := d.slots[left].layer + 1; layer < d.slots[right].layer; layer++ {
		r.slots = append(r.slots, d.add(&slot{node: -1, layer: layer, h: laneHeight}))
	}
	r.slots = append(r.slots, d.slots[right])
	for i := 1; i < len(r.slots); i++ {
		r.slots[i-1].out = append(r.slots[i-1].out, r.slots[i])
		r.slots[i].in = append(r.slots[i].in, r.slots[i-1])
	}
	d.routes = append(d.routes, r)
}

// sweeps is how often the layers are gone through.
const sweeps = 12

// untangle orders the slots of each layer so that few edges cross: each goes to the mean
// position of those it is connected with, in the layer to its left and to its right in
// turn.
func (d *drawing) untangle() {
	best, fewest := d.positions(), d.crossings()
	for sweep := range sweeps {
		if sweep%2 == 0 {
			for _, layer := range d.layers {
				arrange(layer, func(s *slot) []*slot { return s.in })
			}
		} else {
			for _, layer := range slices.Backward(d.layers) {
				arrange(layer, func(s *slot) []*slot { return s.out })
			}
		}
		if n := d.crossings(); n < fewest {
			best, fewest = d.positions(), n
		}
	}
	for i, layer := range d.layers {
		copy(layer, best[i])
		number(layer)
	}
}

func (d *drawing) positions() [][]*slot {
	copied := make([][]*slot, len(d.layers))
	for i, layer := range d.layers {
		copied[i] = slices.Clone(layer)
	}
	return copied
}

func arrange(layer []*slot, neighbours func(*slot) []*slot) {
	mean := map[*slot]float64{}
	for _, s := range layer {
		mean[s] = float64(s.position)
		if list := neighbours(s); len(list) > 0 {
			sum := 0
			for _, n := range list {
				sum += n.position
			}
			mean[s] = float64(sum) / float64(len(list))
		}
	}
	slices.SortStableFunc(layer, func(a, b *slot) int { return cmp.Compare(mean[a], mean[b]) })
	number(layer)
}

func number(layer []*slot) {
	for i, s := range layer {
		s.position = i
	}
}

// crossings counts how often edges between neighbouring layers cross.
func (d *drawing) crossings() int {
	count := 0
	for i := 1; i < len(d.layers); i++ {
		tree := make([]int, len(d.layers[i])+1) // a Fenwick tree of the ends seen so far
		seen := 0
		for _, s := range d.layers[i-1] {
			for _, to := range s.out {
				count += seen - prefix(tree, to.position+1)
			}
			for _, to := range s.out {
				increase(tree, to.position+1)
				seen++
			}
		}
	}
	return count
}

func prefix(tree []int, i int) (sum int) {
	for ; i > 0; i -= i & -i {
		sum += tree[i]
	}
	return sum
}

func increase(tree []int, i int) {
	for ; i < len(tree); i += i & -i {
		tree[i]++
	}
}

// spread gives each slot its height, as near as may be to those it is connected with.
func (d *drawing) spread() {
	for _, layer := range d.layers {
		stack(layer)
	}
	for sweep := range sweeps {
		if sweep%2 == 0 {
			for _, layer := range d.layers {
				pull(layer, func(s *slot) []*slot { return s.in })
			}
		} else {
			for _, layer := range slices.Backward(d.layers) {
				pull(layer, func(s *slot) []*slot { return s.out })
			}
		}
	}
}

// stack puts the slots of a layer close to each other, around the middle.
func stack(layer []*slot) {
	y := 0.0
	for i, s := range layer {
		if i > 0 {
			y += apart(layer[i-1], s)
		}
		s.y = y
	}
	for _, s := range layer {
		s.y -= y / 2
	}
}

// apart is how far the middles of two neighbours must be from each other.
func apart(a, b *slot) float64 { return (a.h+b.h)/2 + nodeGap }

// pull moves the slots of a layer towards the means of those they are connected with,
// as far as their order and their distances allow, so that the sum of squared deviations
// is the least: isotonic regression by pooling those that push each other.
func pull(layer []*slot, neighbours func(*slot) []*slot) {
	type pool struct {
		sum   float64
		count int
	}
	mean := func(p pool) float64 { return p.sum / float64(p.count) }
	var pools []pool
	offsets := make([]float64, len(layer))
	for i, s := range layer {
		if i > 0 {
			offsets[i] = offsets[i-1] + apart(layer[i-1], s)
		}
		p := pool{wish(s, neighbours(s)) - offsets[i], 1}
		for len(pools) > 0 && mean(pools[len(pools)-1]) > mean(p) {
			last := pools[len(pools)-1]
			pools = pools[:len(pools)-1]
			p = pool{p.sum + last.sum, p.count + last.count}
		}
		pools = append(pools, p)
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			layer[i].y = mean(p) + offsets[i]
			i++
		}
	}
}

// wish is where a slot would like to be.
func wish(s *slot, neighbours []*slot) float64 {
	if len(neighbours) == 0 {
		return s.y
	}
	sum := 0.0
	for _, n := range neighbours {
		sum += n.y
	}
	return sum / float64(len(neighbours))
}

// measure turns the drawing into pixels.
func (d *drawing) measure() layout {
	l := layout{boxes: make([]box, len(d.slots))}
	top, bottom := d.extent()
	x := float64(margin)
	left, right := make([]float64, len(d.layers)), make([]float64, len(d.layers))
	for i, layer := range d.layers {
		width := float64(leastWidth)
		for _, s := range layer {
			if s.node >= 0 {
				width = max(width, boxWidth(d.graph.Nodes[s.node]))
			}
		}
		left[i], right[i] = x, x+width
		x += width + layerGap
	}
	for n, s := range d.slots {
		l.boxes[n] = box{left[s.layer], s.y - top + margin - nodeHeight/2, boxWidth(d.graph.Nodes[n]), nodeHeight}
	}
	for _, r := range d.routes {
		l.paths = append(l.paths, r.measure(l.boxes, left, right, margin-top))
	}
	l.width, l.height = x-layerGap+margin, bottom-top+2*margin
	return l
}

// extent is the highest and the lowest point.
func (d *drawing) extent() (top, bottom float64) {
	for _, layer := range d.layers {
		if len(layer) > 0 {
			first, last := layer[0], layer[len(layer)-1]
			top, bottom = min(top, first.y-first.h/2), max(bottom, last.y+last.h/2)
		}
	}
	return top, bottom
}

// measure turns a route into pixels: it leaves the box on the left, passes each layer
// between in a straight line, and enters the box on the right.
func (r route) measure(boxes []box, left, right []float64, down float64) path {
	p := path{Edge: r.Edge, back: r.back}
	first, last := r.slots[0], r.slots[len(r.slots)-1]
	from := boxes[first.node]
	p.points = append(p.points, point{from.x + from.w, first.y + down})
	for _, s := range r.slots[1 : len(r.slots)-1] {
		p.points = append(p.points, point{left[s.layer], s.y + down}, point{right[s.layer], s.y + down})
	}
	p.points = append(p.points, point{left[last.layer], last.y + down})
	return p
}

func boxWidth(n Node) float64 {
	chars := max(utf8.RuneCountInString(n.Name), utf8.RuneCountInString(subtitle(n)))
	return max(leastWidth, float64(chars)*charWidth+2*nodePadding)
}

// subtitle is the second line of a box.
func subtitle(n Node) string {
	text := n.Sub
	for _, note := range n.Notes {
		if text != "" {
			text += " · "
		}
		text += note.Text
	}
	return text
}
