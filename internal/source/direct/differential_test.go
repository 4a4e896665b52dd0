//go:build !race

package direct

import (
	"sync"
	"testing"
)

// What takes its time here are the commands of others, whose races are not ours.
func TestResultsAreThoseOfThePlainGoCommand(t *testing.T) {
	f := newForge(t)
	all := build(t, f)
	if len(all) < 40 {
		t.Fatalf("only %d shapes", len(all))
	}
	p := newPlain(t, f)
	downloads, lists := p.downloads(t, all), p.lists(t, all)
	s := open(t, f)
	var wg sync.WaitGroup
	limit := make(chan bool, 4)
	for _, sh := range all {
		wg.Go(func() {
			limit <- true
			defer func() { <-limit }()
			t.Run(sh.name, func(t *testing.T) {
				if len(sh.ask) > 1 {
					compareList(t, s, sh.module, lists[sh.module])
				}
				for _, q := range sh.ask {
					want, ok := downloads[sh.module+"@"+q]
					if !ok {
						t.Errorf("the go command has said nothing of %s@%s", sh.module, q)
					}
					compare(t, s, sh.module, q, want)
				}
			})
		})
	}
	wg.Wait()
}
