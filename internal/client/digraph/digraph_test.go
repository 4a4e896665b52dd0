package digraph

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// graph reads lines as "a: b c".
func graph(lines ...string) (nodes []string, next func(string) []string) {
	to := map[string][]string{}
	for _, line := range lines {
		from, rest, _ := strings.Cut(line, ":")
		to[from] = strings.Fields(rest)
	}
	return slices.Sorted(maps.Keys(to)), func(n string) []string { return to[n] }
}

func TestCyclesAreFoundOnceEach(t *testing.T) {
	nodes, next := graph("a: b", "b: c x", "c: a", "d: e", "e: d f", "f: f", "g: a")
	want := [][]string{{"a", "b", "c"}, {"d", "e"}, {"f"}}
	if got := Cycles(nodes, next); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	nodes, next = graph("a: b c", "b: c", "c:")
	if got := Cycles(nodes, next); got != nil {
		t.Errorf("got %v in a graph without cycles", got)
	}
}

func TestLayersLieAboveWhatTheyLeadTo(t *testing.T) {
	nodes, next := graph("top: mid low outside", "mid: low ring1", "low:", "ring1: ring2", "ring2: ring1 low", "alone:")
	want := map[string]int{"top": 3, "mid": 2, "low": 0, "ring1": 1, "ring2": 1, "alone": 0}
	if got := Layers(nodes, next); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRoundIsTheShortestWayBack(t *testing.T) {
	_, next := graph("a: b c", "b: c d", "c: d", "d: a", "e: a")
	if got, want := Round("a", next), []string{"a", "b", "d"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Round("e", next); got != nil {
		t.Errorf("got %v where no way leads back", got)
	}
	_, next = graph("a: a")
	if got := Round("a", next); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %v of a node that leads to itself", got)
	}
}
