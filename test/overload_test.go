package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// What is too much is refused at once: whoever shares the server with those who ask
// too much, and they themselves, know in 50 ms where they stand. Of all refusals, one
// in twenty may take longer, since the machine has other things to do.
//
// It does not run beside other tests.
func TestOverloadIsShedWithin50Milliseconds(t *testing.T) {
	const stored, bound = "/example.com/m/@v/v1.0.0.mod", 50 * time.Millisecond
	absent := func(i int) string { return fmt.Sprintf("/example.com/m/@v/v1.%d.0.mod", 1+i) }
	for name, test := range map[string]struct {
		env     []string
		waiting int // requests that hang before
		path    func(i int) string
		shared  bool // what is stored is served nevertheless
	}{
		"too many wait":         {[]string{"WEIR_LIMITS_IN_FLIGHT=20"}, 20, absent, true},
		"one has too many wait": {[]string{"WEIR_LIMITS_IN_FLIGHT_PER_CLIENT=20"}, 20, absent, true},
		"too much is fetched":   {[]string{"WEIR_CACHE_MAX_FILLS=4", "WEIR_CACHE_MAX_WAITING=16"}, 20, absent, true},
		"one asks too often":    {[]string{"WEIR_LIMITS_RATE=1", "WEIR_LIMITS_BURST=1"}, 0, func(int) string { return stored }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := modtest.New(simple("example.com/m", "v1.0.0"))
			w := startWeir(t, append(test.env, "WEIR_UPSTREAM="+p.Start(t), "WEIR_PREFETCH_ENABLED=false")...)
			want := truth(t, p, stored)
			w.want(t, stored, want)
			p.Break("", modtest.Hang)
			ctx, leave := context.WithCancel(t.Context())
			var hang sync.WaitGroup
			for i := range test.waiting {
				req := w.request(t, absent(1000+i)).WithContext(ctx)
				hang.Go(func() { do(req) })
			}
			eventually(t, 20*time.Second, "all wait", func() bool { return w.metric(t, "weir_waiting") == float64(test.waiting) })

			took := w.shed(t, test.path)
			if p95 := took[len(took)*95/100]; p95 > slowness*bound {
				t.Errorf("of %d refusals, one in twenty takes longer than %v; want %v", len(took), p95, bound)
			}
			t.Logf("%d refusals: median %v, p95 %v, longest %v", len(took), took[len(took)/2], took[len(took)*95/100], took[len(took)-1])
			if test.shared {
				w.want(t, stored, want)
			}
			leave()
			p.Heal()
			hang.Wait()
		})
	}
}

// shed asks for more than there is room for and returns how long the refusals took,
// sorted.
func (w *weir) shed(t *testing.T, path func(i int) string) []time.Duration {
	t.Helper()
	const workers, each = 8, 50
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for i := range each {
				req := w.request(t, path(worker*each+i))
				watch := startStopwatch()
				r := do(req)
				d := watch.took()
				if r.status == http.StatusOK {
					continue // there was room
				}
				if r.err != nil || r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
					t.Errorf("GET %s: %v, Retry-After %q; want 429", req.URL.Path, r, r.header.Get("Retry-After"))
					return
				}
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(took) < workers*each/2 {
		t.Fatalf("only %d of %d are refused", len(took), workers*each)
	}
	slices.Sort(took)
	return took
}
