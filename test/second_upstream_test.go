package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// illnesses are the bad days of an upstream beside a good one, and how much
// longer than usual the go command may take for it: once for all that it asks.
var illnesses = []struct {
	name  string
	make  func(*modtest.Proxy, *modtest.Machine)
	added time.Duration
}{
	{"F14-refused", func(_ *modtest.Proxy, m *modtest.Machine) { m.Kill() }, 6 * time.Second},
	{"F14-reset", ill(modtest.Reset), 6 * time.Second},
	{"F15-hang-before-headers", ill(modtest.Hang), 10 * time.Second},
	{"F15-hang-in-body", ill(modtest.HangBody), 15 * time.Second},
	{"F15-one-byte-a-second", ill(modtest.Slow(1)), 15 * time.Second},
	{"F16-truncate", ill(modtest.Truncate), 6 * time.Second},
	{"F16-truncate-chunked", ill(modtest.TruncateChunked), 6 * time.Second},
	{"F16-corrupt", ill(modtest.Corrupt), 6 * time.Second},
	{"F16-html", ill(modtest.HTML), 6 * time.Second},
	{"F17-500", ill(modtest.Status(500, 0)), 6 * time.Second},
	{"F17-503", ill(modtest.Status(503, 0)), 6 * time.Second},
	{"F17-429-retry-after", ill(modtest.Status(429, 30*time.Second)), 6 * time.Second},
	{"F17-flapping-404", ill(modtest.Flap(modtest.Status(404, 0))), 6 * time.Second},
}

func ill(f modtest.Fault) func(*modtest.Proxy, *modtest.Machine) {
	return func(p *modtest.Proxy, _ *modtest.Machine) { p.Break("", f) }
}

// twins are two upstreams with the same modules, and the checksum database that
// both of them proxy.
type twins struct {
	modules   []modtest.Module
	project   string // go.mod that needs all of them
	sums      string // go.sum
	db        *modtest.SumDB
	bad, good *modtest.Proxy
	machine   *modtest.Machine // of the bad one
	goodURL   string
}

func newTwins(t *testing.T, n int) *twins {
	t.Helper()
	modules, project := graph(n)
	w := &twins{modules: modules, project: project, bad: modtest.New(modules...), good: modtest.New(modules...)}
	w.db = modtest.NewSumDB("sum.example.org", w.good)
	w.db.MirrorAt(w.bad)
	w.sums = sums(t, w.db, modules)
	var err error
	if w.machine, err = modtest.NewMachine(t, w.bad); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.bad.Heal)
	w.goodURL = w.good.Start(t)
	return w
}

// arrangements are the ways to have two upstreams.
var arrangements = map[string]func(t *testing.T, bad, good string) (variable string){
	"list":    func(_ *testing.T, bad, good string) string { return "WEIR_UPSTREAM=" + bad + "|" + good },
	"ordered": func(t *testing.T, bad, good string) string { return groupOf(t, "ordered", bad, good) },
	"fastest": func(t *testing.T, bad, good string) string { return groupOf(t, "fastest", bad, good) },
}

func groupOf(t *testing.T, strategy, bad, good string) string {
	variable, _ := configFile(t, `
upstream: both
upstreams:
  bad: {url: "`+bad+`"}
  good: {url: "`+good+`"}
groups:
  both: {strategy: `+strategy+`, members: [bad, good]}
`)
	return variable
}

// One of two upstreams is ill in any way, from the first request on, and nothing
// is set to be impatient. The go command does not notice: nothing fails, nothing
// is wrong, and all that it asks takes longer by a bounded time together.
func TestF14ToF17TheGoCommandDoesNotNoticeAnIllUpstreamBesideAGoodOne(t *testing.T) {
	t.Parallel()
	usual := map[string]time.Duration{}
	for name, arrange := range arrangements {
		usual[name] = downloadAll(t, newTwins(t, wide), arrange)
		t.Logf("%s, both well: %v", name, usual[name].Round(time.Millisecond))
	}
	slots := make(chan struct{}, 6) // most of them wait, most of the time
	var all sync.WaitGroup
	defer all.Wait()
	for _, illness := range illnesses {
		for name, arrange := range arrangements {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				t.Run(illness.name+"/"+name, func(t *testing.T) {
					w := newTwins(t, wide)
					illness.make(w.bad, w.machine)
					added := downloadAll(t, w, arrange) - usual[name]
					t.Logf("added: %v", added.Round(time.Millisecond))
					if added > slowness*illness.added {
						t.Errorf("it took %v longer than usual; want at most %v", added, slowness*illness.added)
					}
				})
			})
		}
	}
}

// downloadAll lets the go command download everything through a new weir, checks
// that all is right, and returns how long it took.
func downloadAll(t *testing.T, w *twins, arrange func(t *testing.T, bad, good string) string) time.Duration {
	t.Helper()
	server := startWeir(t, arrange(t, w.machine.URL, w.goodURL), "WEIR_SUMDB="+w.db.Key())
	m := newMachine(t, server.url, w.db.Key(), w.project)
	out, took, err := m.run(t, "mod", "download", "all")
	if err != nil {
		t.Errorf("go mod download: %v after %v\n%s", err, took, out)
	} else if got := m.goSum(t); got != w.sums {
		t.Errorf("go.sum is\n%s\nwant\n%s", got, w.sums)
	}
	server.checkStore(t, w.good)
	if n := len(server.stored(t)); n < 3*len(w.modules) {
		t.Errorf("%d files are stored, for %d modules", n, len(w.modules))
	}
	if strings.Contains(server.log.String(), "status=5") {
		t.Error("weir has failed a request")
	}
	return took
}
