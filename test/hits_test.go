//go:build !race

package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// F14, F15: cached answers take as long as ever while the upstream hangs and
// many clients wait for it. Rounds of hits with all well and rounds with the
// upstream hanging take turns, so that what else the machine does meets both.
//
// It does not run beside other tests. The bound leaves room for noise; a hit
// that waits for anything that a miss holds would take a second or more.
func TestF15CachedAnswersDoNotFeelAHangingUpstream(t *testing.T) {
	const (
		rounds = 7
		misses = 50
		slower = 3
	)
	modules, _ := graph(20)
	p := modtest.New(modules...)
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_CACHE_FRESH=1h", "WEIR_LOG_ACCESS=off")
	var held []string
	for _, m := range modules {
		held = append(append(held, files(m.Path, m.Version)...), "/"+m.Path+"/@v/list", "/"+m.Path+"/@latest")
	}
	for _, path := range held {
		w.want(t, path, truth(t, p, path))
	}
	var well, hanging []time.Duration
	w.hits(t, held) // to warm up
	for round := range rounds {
		well = append(well, w.hits(t, held))
		leave := w.hang(t, p, misses, round)
		hanging = append(hanging, w.hits(t, held))
		leave()
	}
	a, b := median(well), median(hanging)
	t.Logf("p99 of cached answers: %v with all well, %v while the upstream hangs and %d misses wait (%+.0f %%)", a, b, misses, 100*(float64(b)/float64(a)-1))
	if b > slower*a+2*time.Millisecond {
		t.Errorf("the p99 is more than %d times as long: with all well %v, while the upstream hangs %v", slower, well, hanging)
	}
}

// hits asks for all that is held, several times by several clients, and returns
// the p99 of the time that it takes.
func (w *weir) hits(t *testing.T, paths []string) time.Duration {
	t.Helper()
	const clients, times = 1, 8
	took := make([][]time.Duration, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for range times {
				for _, path := range paths {
					begun := time.Now()
					r := w.get(t, path)
					took[c] = append(took[c], time.Since(begun))
					if !r.whole() || r.header.Get("Weir-Cache") != "hit" {
						t.Errorf("GET %s, which is held: %v, Weir-Cache %q", path, r, r.header.Get("Weir-Cache"))
					}
				}
			}
		})
	}
	all.Wait()
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	return sorted[len(sorted)*99/100]
}

// hang lets the upstream hang and many clients wait for what is not held, until
// leave is called.
func (w *weir) hang(t *testing.T, p *modtest.Proxy, clients, round int) (leave func()) {
	t.Helper()
	p.Break("", modtest.Hang)
	ctx, cancel := context.WithCancel(t.Context())
	var waiting []<-chan response
	for i := range clients {
		waiting = append(waiting, ask(ctx, w.request(t, fmt.Sprintf("/example.com/graph/m%03d/@v/v1.%d.0.mod", i%20, 1+round*clients+i))))
	}
	eventually(t, 10*time.Second, "all misses wait for the upstream", func() bool { return w.metric(t, "weir_flights") >= float64(clients) })
	return func() {
		t.Helper()
		cancel()
		p.Heal()
		for _, answer := range waiting {
			<-answer
		}
		w.idle(t)
	}
}

func median(d []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(d))[len(d)/2]
}
