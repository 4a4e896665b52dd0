package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source/pool"
)

// upstreams asks weir how its upstreams fare.
func (w *weir) upstreams(t *testing.T) map[string]pool.Status {
	t.Helper()
	r := w.get(t, admin.Prefix+"upstreams")
	var u admin.Upstreams
	if err := json.Unmarshal(r.body, &u); err != nil || !r.whole() {
		t.Fatalf("upstreams: %v, %v", r, err)
	}
	byName := map[string]pool.Status{}
	for _, s := range u.Upstreams {
		byName[s.Name] = s
	}
	return byName
}

// awaitState waits until an upstream is in one of some states.
func (w *weir) awaitState(t *testing.T, within time.Duration, upstream string, states ...pool.State) {
	t.Helper()
	eventually(t, within, fmt.Sprintf("%s is %v", upstream, states), func() bool {
		return slices.Contains(states, w.upstreams(t)[upstream].State)
	})
}

// outages are the ways in which the only upstream may be away, and the statuses
// of what is not held meanwhile.
var outages = []struct {
	name     string
	begin    func(*modtest.Proxy, *modtest.Machine)
	statuses []int
}{
	{"refused", func(_ *modtest.Proxy, m *modtest.Machine) { m.Kill() }, []int{502}},
	{"hang", ill(modtest.Hang), []int{504}},
	{"hang in body", ill(modtest.HangBody), []int{502, 504}},
	{"500", ill(modtest.Status(500, 0)), []int{502}},
	{"503", ill(modtest.Status(503, 5*time.Second)), []int{503}},
}

// F14, F15: the only upstream is away, in any way. What was ever served is served
// on, and what is not fresh says so; all else is refused in time, honestly, with a
// text. Once the upstream is back, the first one who asks is served, and all is well
// without a restart.
func TestF14WithoutAnyUpstreamAllThatWasEverServedIsServed(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for _, o := range outages {
		all.Go(func() {
			t.Run(o.name, func(t *testing.T) {
				const deadline = slowness * time.Second
				held := simple("example.com/held", "v1.0.0")
				absent := []modtest.Module{simple("example.com/absent", "v1.0.0"), simple("example.com/absent/too", "v1.0.0")}
				p := modtest.New(append(absent, held)...)
				p.Branch(held.Path, "main", "v1.0.0")
				db := modtest.NewSumDB("sum.example.org", p)
				machine, err := modtest.NewMachine(t, p)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(p.Heal)
				// Fresh is no more than a moment, so that all that may be stale is.
				w := startWeir(t, "WEIR_UPSTREAM="+machine.URL, "WEIR_SUMDB="+db.Key(), "WEIR_CACHE_FRESH=1s",
					"WEIR_FETCH_FIRST_BYTE="+deadline.String(), "WEIR_FETCH_STALL="+deadline.String(), "WEIR_FETCH_TOTAL="+(2*deadline).String())
				answers := w.hold(t, held.Path)
				o.begin(p, machine)
				time.Sleep(1200 * time.Millisecond) // what was fresh is stale then

				checkHeld(t, w, answers)
				var asked []string
				for _, m := range absent {
					asked = append(append(asked, files(m.Path, m.Version)...), "/"+m.Path+"/@v/list", "/"+m.Path+"/@latest")
				}
				checkRefused(t, w, asked, o.statuses, 2*deadline+2*time.Second)
				w.awaitState(t, 20*time.Second, machine.URL, pool.Broken, pool.Probing, pool.Resting)
				checkHeld(t, w, answers)

				p.Heal()
				if err := machine.Start(); err != nil {
					t.Fatal(err)
				}
				for _, path := range files(absent[0].Path, "v1.0.0") {
					w.want(t, path, truth(t, p, path))
				}
				w.awaitState(t, 10*time.Second, machine.URL, pool.Healthy)
			})
		})
	}
}

// F14: a list is not empty because nobody could be asked: one .mod says nothing of
// the versions that there are.
func TestF14NoListIsEmptyForWantOfAnUpstream(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/m", "v1.0.0"))
	machine, err := modtest.NewMachine(t, p)
	if err != nil {
		t.Fatal(err)
	}
	w := startWeir(t, "WEIR_UPSTREAM="+machine.URL)
	path := "/example.com/m/@v/v1.0.0.mod"
	w.want(t, path, truth(t, p, path))
	machine.Kill()
	checkRefused(t, w, []string{"/example.com/m/@v/list", "/example.com/m/@latest"}, []int{502}, 5*time.Second)
}

// F14: an upstream that is back is noticed although nobody asks for anything, by
// probes that cost it next to nothing.
func TestF14AnUpstreamThatIsBackIsNoticedWithoutRequests(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/m", "v1.0.0"))
	machine, err := modtest.NewMachine(t, p)
	if err != nil {
		t.Fatal(err)
	}
	w := startWeir(t, "WEIR_UPSTREAM="+machine.URL)
	machine.Kill()
	for i := range 6 {
		w.get(t, fmt.Sprintf("/example.com/m/@v/v1.%d.0.mod", i))
	}
	w.awaitState(t, 5*time.Second, machine.URL, pool.Broken, pool.Probing)
	if err := machine.Start(); err != nil {
		t.Fatal(err)
	}
	w.awaitState(t, 10*time.Second, machine.URL, pool.Healthy)
	probes := 0
	for _, n := range p.Requests() {
		probes += n
	}
	if probes != 1 {
		t.Errorf("it took %d requests to notice: %v", probes, p.Requests())
	}
	path := "/example.com/m/@v/v1.0.0.zip"
	w.want(t, path, truth(t, p, path))
}

// hold asks for one of everything, and returns what came.
func (w *weir) hold(t *testing.T, module string) map[string][]byte {
	t.Helper()
	const db = "/sumdb/sum.example.org/"
	held := map[string][]byte{}
	for _, path := range append(files(module, "v1.0.0"), "/"+module+"/@v/list", "/"+module+"/@latest", "/"+module+"/@v/main.info",
		db+"supported", db+"latest", db+"lookup/"+module+"@v1.0.0", db+"tile/8/0/000.p/1") {
		r := w.getAgain(t, path)
		if !r.whole() {
			t.Fatalf("GET %s: %v", path, r)
		}
		held[path] = r.body
	}
	return held
}

// checkHeld checks that all that is held is served as it was, that what may have
// changed meanwhile is marked and has its age, and that nobody waits long.
func checkHeld(t *testing.T, w *weir, held map[string][]byte) {
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	for path, want := range held {
		req := w.request(t, path)
		all.Go(func() {
			watch := startStopwatch()
			r := do(req)
			if watch.exceeds(5 * time.Second) {
				t.Errorf("GET %s, which is held, took %v", path, watch.took())
			}
			if !r.whole() || !bytes.Equal(r.body, want) {
				t.Errorf("GET %s, which is held: %v", path, r)
				return
			}
			if strings.HasSuffix(path, "/list") || strings.HasSuffix(path, "@latest") || strings.HasSuffix(path, "/main.info") {
				checkStale(t, path, r)
			}
		})
	}
}

func checkStale(t *testing.T, path string, r response) {
	t.Helper()
	age, err := strconv.Atoi(r.header.Get("Age"))
	if err != nil || age < 1 || r.header.Get("Weir-Cache") != "stale" || !strings.HasPrefix(r.header.Get("Warning"), "110 ") {
		t.Errorf("GET %s: Age %q, Weir-Cache %q, Warning %q; want that it is stale, and since when",
			path, r.header.Get("Age"), r.header.Get("Weir-Cache"), r.header.Get("Warning"))
	}
}

// checkRefused asks for what is not held, all at once and then again, and checks
// that each is refused in time, with one of the statuses and a text.
func checkRefused(t *testing.T, w *weir, paths []string, statuses []int, within time.Duration) {
	t.Helper()
	for range 2 {
		var all sync.WaitGroup
		for _, path := range paths {
			req := w.request(t, path)
			all.Go(func() {
				watch := startStopwatch()
				r := do(req)
				if watch.exceeds(within) {
					t.Errorf("GET %s took %v; want at most %v", path, watch.took(), within)
				}
				if r.err != nil || !slices.Contains(watch.orLate(statuses), r.status) {
					t.Errorf("GET %s: %v; want a status of %v", path, r, statuses)
					return
				}
				checkRefusal(t, path, r)
			})
		}
		all.Wait()
	}
}

// F14, F15: an upstream that is dead costs the first requests of its life, and
// then a probe now and then, but not each request: with a good one beside it,
// whether clients come one by one or many at a time.
func TestF14ADeadUpstreamIsLeftAlone(t *testing.T) {
	t.Parallel()
	const misses = 200
	var all sync.WaitGroup
	defer all.Wait()
	for _, c := range []struct {
		name    string
		begin   func(*modtest.Proxy, *modtest.Machine)
		clients int
		most    int
	}{
		{"refused", func(_ *modtest.Proxy, m *modtest.Machine) { m.Kill() }, 1, 12},
		{"reset", ill(modtest.Reset), 1, 12},
		{"hang", ill(modtest.Hang), 8, 24},
		{"refused, many clients", func(_ *modtest.Proxy, m *modtest.Machine) { m.Kill() }, 20, 40},
	} {
		all.Go(func() {
			t.Run(c.name, func(t *testing.T) {
				w := newTwins(t, misses/2)
				c.begin(w.bad, w.machine)
				server := startWeir(t, "WEIR_UPSTREAM="+w.machine.URL+"|"+w.goodURL, "WEIR_PREFETCH_ENABLED=false")
				paths := make(chan string)
				var clients sync.WaitGroup
				for range c.clients {
					clients.Go(func() {
						for path := range paths {
							if r := server.get(t, path); !r.whole() {
								t.Errorf("GET %s: %v", path, r)
							}
						}
					})
				}
				for _, m := range w.modules {
					paths <- "/" + m.Path + "/@v/v1.0.0.info"
					paths <- "/" + m.Path + "/@v/v1.0.0.mod"
				}
				close(paths)
				clients.Wait()
				fares := server.upstreams(t)[w.machine.URL]
				if fares.State != pool.Broken && fares.State != pool.Probing {
					t.Errorf("the dead upstream is said to be %s", fares.State)
				}
				seen := server.upstreamRequests(t, w.machine.URL)
				t.Logf("the dead upstream was asked %d times, because of %d misses", seen, misses)
				if seen > c.most {
					t.Errorf("the dead upstream was asked %d times, because of %d misses; want at most %d", seen, misses, c.most)
				}
			})
		})
	}
}

// upstreamRequests is how often weir has asked an upstream, probes included.
func (w *weir) upstreamRequests(t *testing.T, upstream string) int {
	t.Helper()
	return int(w.sum(t, "weir_upstream_requests_total", `upstream="`+upstream+`"`))
}

// sum adds up the series of a metric that have these labels.
func (w *weir) sum(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	total := 0.0
	for line := range strings.Lines(string(w.get(t, "/metrics").body)) {
		series, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "} ")
		if !strings.HasPrefix(series, name+"{") || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(series, l) }) {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		total += v
	}
	return total
}
