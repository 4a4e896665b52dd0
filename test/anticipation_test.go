//go:build !race

package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// distant is an upstream some way off, with the modules of a graph.
type distant struct {
	p       *modtest.Proxy
	url     string
	db      *modtest.SumDB
	modules []modtest.Module
	project string
	sums    string
}

func newDistant(t *testing.T, n int, latency time.Duration) *distant {
	t.Helper()
	modules, project := graph(n)
	d := &distant{p: modtest.New(modules...), modules: modules, project: project}
	d.db = modtest.NewSumDB("sum.example.org", d.p)
	d.sums = sums(t, d.db, modules)
	d.url = d.p.Start(t)
	d.p.SetLatency(latency)
	return d
}

// download lets the go command download all modules from a proxy into an empty
// cache, and returns how long that took.
func (d *distant) download(t *testing.T, goproxy string) time.Duration {
	t.Helper()
	m := newMachine(t, goproxy, d.db.Key(), d.project)
	out, took, err := m.run(t, "mod", "download", "all")
	if err != nil {
		t.Fatalf("go mod download: %v after %v\n%s", err, took, out)
	}
	if got := m.goSum(t); got != d.sums {
		t.Errorf("go.sum is\n%s\nwant\n%s", got, d.sums)
	}
	return took
}

// A download through an empty weir takes less time than one without it, since
// weir fetches what comes next while the client is busy with what came before.
// Next to nothing of that is fetched in vain.
//
// It does not run beside other tests.
func TestADownloadThroughAnEmptyWeirIsFasterThanWithoutIt(t *testing.T) {
	const (
		rounds  = 3
		modules = 30
		latency = 30 * time.Millisecond
		most    = 0.8 // of the time without weir
	)
	var direct, through, without []time.Duration
	for range rounds {
		d := newDistant(t, modules, latency)
		direct = append(direct, d.download(t, d.url))

		d.p.ResetCounts()
		w := startWeir(t, "WEIR_UPSTREAM="+d.url, "WEIR_SUMDB="+d.db.Key())
		through = append(through, d.download(t, w.url))
		w.checkAhead(t, d.p)

		w = startWeir(t, "WEIR_UPSTREAM="+d.url, "WEIR_SUMDB="+d.db.Key(), "WEIR_PREFETCH_ENABLED=false")
		without = append(without, d.download(t, w.url))
	}
	a, b, c := median(direct), median(through), median(without)
	ratio := float64(b) / float64(a)
	t.Logf("%d modules, %v away: %v directly, %v through an empty weir (%.2f), %v with prefetch off (%.2f)", modules, latency, a, b, ratio, c, float64(c)/float64(a))
	if ratio > most {
		t.Errorf("it takes %.2f of the time without weir; want at most %.2f", ratio, most)
	}
	if b > c*9/10 {
		t.Errorf("fetching ahead gains nothing: %v with it, %v without", b, c)
	}
}

// checkAhead checks that less than a tenth of the requests to an upstream were
// for what nobody has asked for.
func (w *weir) checkAhead(t *testing.T, p *modtest.Proxy) {
	t.Helper()
	w.idle(t)
	outcome := func(name string) int { return int(w.sum(t, "weir_prefetch_total", `outcome="`+name+`"`)) }
	ahead, used := outcome("fetched"), outcome("used")
	requests := 0
	for _, n := range p.Requests() {
		requests += n
	}
	t.Logf("%d requests to the upstream, %d of them ahead, %d of these in vain", requests, ahead, ahead-used)
	if used == 0 {
		t.Error("nothing was fetched ahead that was used")
	}
	if 10*(ahead-used) >= requests {
		t.Errorf("%d of %d requests to the upstream were in vain", ahead-used, requests)
	}
}

// With prefetch off, the upstream is asked for nothing that the client has not
// asked for, but for the files of the checksum database that prove it.
func TestWithPrefetchOffNothingIsFetchedThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	d := newDistant(t, 15, 0)
	w := startWeir(t, "WEIR_UPSTREAM="+d.url, "WEIR_SUMDB="+d.db.Key(), "WEIR_PREFETCH_ENABLED=false")
	spy, asked := newSpy(t, w.url)
	d.download(t, spy)
	w.idle(t)
	client := asked()
	upstream := d.p.Requests()
	for path, n := range upstream {
		switch {
		case strings.HasPrefix(path, "/sumdb/"):
		case !slices.Contains(client, path):
			t.Errorf("the upstream was asked for %s, and nobody has asked for it", path)
		case n > 1:
			t.Errorf("the upstream was asked %d times for %s", n, path)
		}
	}
	if len(upstream) < 3*len(d.modules) {
		t.Errorf("the upstream was asked for %d paths only: %v", len(upstream), slices.Sorted(maps.Keys(upstream)))
	}
}

// newSpy starts a proxy in front of a server, which remembers what is asked for.
func newSpy(t *testing.T, server string) (at string, asked func() []string) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var paths []string
	forward := httputil.NewSingleHostReverseProxy(target)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.URL.Path)
		mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(paths)
	}
}
