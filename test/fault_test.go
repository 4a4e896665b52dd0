package e2e

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// faults are the bad days of an upstream, and the statuses that they may turn
// into. None of them is "not found", for nothing proves that.
var faults = []struct {
	name     string
	fault    modtest.Fault
	statuses []int
	retry    string // Retry-After that has to be passed on
}{
	{"F14-gone", modtest.Gone, []int{502}, ""},
	{"F15-hang", modtest.Hang, []int{504}, ""},
	{"F15-hang-in-body", modtest.HangBody, []int{502, 504}, ""},
	{"F15-slow", modtest.Slow(50), []int{502, 504}, ""},
	{"F16-truncate", modtest.Truncate, []int{502}, ""},
	{"F16-truncate-chunked", modtest.TruncateChunked, []int{502}, ""},
	{"F16-short", modtest.Short, []int{502, 403}, ""},
	{"F16-short-chunked", modtest.ShortChunked, []int{502, 403}, ""},
	{"F16-corrupt", modtest.Corrupt, []int{502, 403}, ""},
	{"F16-html", modtest.HTML, []int{502}, ""},
	{"F16-empty", modtest.Answer(http.StatusOK, "text/plain", nil), []int{502, 403}, ""},
	{"F17-500", modtest.Status(500, 0), []int{502}, ""},
	{"F17-503", modtest.Status(503, 17*time.Second), []int{503}, "17"},
	{"F17-429", modtest.Status(429, 23*time.Second), []int{429, 503}, "23"},
	{"F17-401", modtest.Status(401, 0), []int{502}, ""},
}

// faultModule is the module of a fault: a small one, and one whose zip is sent
// while it arrives.
func faultModule(name string, big bool) modtest.Module {
	path := "example.com/" + strings.ToLower(name)
	if big {
		return modtest.BigModule(path+"/big", "v1.0.0", 300<<10)
	}
	return simple(path, "v1.0.0")
}

// faultyUpstream has the modules of all faults, and a checksum database that
// has none of them.
func faultyUpstream(t *testing.T) (p *modtest.Proxy, url string, db *modtest.SumDB) {
	p = modtest.New()
	for _, f := range faults {
		for _, big := range []bool{false, true} {
			if err := p.Add(faultModule(f.name, big)); err != nil {
				t.Fatal(err)
			}
		}
	}
	db = modtest.NewSumDB("sum.example.org", p)
	db.Start(t)
	return p, p.Start(t), db
}

// impatient makes weir give up on an upstream soon.
var impatient = slices.Clip([]string{"WEIR_FETCH_FIRST_BYTE=" + patience, "WEIR_FETCH_STALL=" + patience, "WEIR_FETCH_TOTAL=10s"})

// streaming lets zips of the big modules be sent while they arrive.
const streaming = "WEIR_CACHE_STREAM_ABOVE=100KiB"

func TestF14ToF17FaultsOfTheOnlyUpstream(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			p, url, db := faultyUpstream(t)
			w := startWeir(t, append(impatient, "WEIR_UPSTREAM="+url, "WEIR_SUMDB="+db.GOSUMDB(), streaming)...)
			for _, big := range []bool{false, true} {
				m := faultModule(f.name, big)
				for _, path := range append(files(m.Path, m.Version), "/"+m.Path+"/@v/list") {
					p.Break("", f.fault)
					watch := startStopwatch()
					r := w.get(t, path)
					p.Heal()
					want := truth(t, p, path)
					checkFailure(t, path, r, want, watch.orLate(f.statuses), f.retry)
					w.idle(t) // what was begun before may still have the fault
					w.want(t, path, want)
				}
			}
			w.checkStore(t, p)
		})
	}
}

// checkFailure checks that an answer is no wrong artifact, and no lie about
// what is the matter.
func checkFailure(t *testing.T, path string, r response, want []byte, statuses []int, retry string) {
	t.Helper()
	switch {
	case r.whole() && bytes.Equal(r.body, want):
		// It was got in spite of all. Nothing is wrong with that.
	case r.whole() && !(strings.HasSuffix(path, "/list") && subsetOfLines(r.body, want)):
		t.Errorf("GET %s: wrong bytes as a whole: %v", path, r)
	case r.status == http.StatusOK:
		// The connection was cut after the answer began, or a list came short
		// and nobody can tell.
	case r.err != nil:
		t.Errorf("GET %s: no answer at all: %v", path, r)
	case !slices.Contains(statuses, r.status):
		t.Errorf("GET %s: %v; want a status of %v", path, r, statuses)
	case retry != "" && r.status != http.StatusGatewayTimeout && r.header.Get("Retry-After") != retry:
		t.Errorf("GET %s: Retry-After is %q, not %q of the upstream", path, r.header.Get("Retry-After"), retry)
	default:
		checkRefusal(t, path, r)
	}
}

// subsetOfLines reports whether a list lacks lines but has no wrong ones.
func subsetOfLines(got, want []byte) bool {
	for line := range bytes.Lines(got) {
		if !bytes.Contains(want, line) {
			return false
		}
	}
	return true
}

// checkRefusal checks that the go command shows the text of a refusal.
func checkRefusal(t *testing.T, path string, r response) {
	t.Helper()
	text := string(r.body)
	switch {
	case r.header.Get("Content-Type") != "text/plain; charset=utf-8":
		t.Errorf("GET %s: the type of the refusal is %q", path, r.header.Get("Content-Type"))
	case len(text) > 648, strings.Count(text, "\n") > 8, strings.HasPrefix(text, "\n"), text == "":
		t.Errorf("GET %s: the go command does not show all of %q", path, text)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == '\x7f' || r == '\uFFFD' }):
		t.Errorf("GET %s: the go command hides %q, which has control characters", path, text)
	case !strings.Contains(text, "request id: "+r.header.Get("X-Request-Id")):
		t.Errorf("GET %s: no request id in %q", path, text)
	case r.status >= 500 && r.header.Get("Cache-Control") != "no-store":
		t.Errorf("GET %s: others may cache the trouble: %q", path, r.header.Get("Cache-Control"))
	}
}

func TestF14ToF17ASecondUpstreamHealsAll(t *testing.T) {
	t.Parallel()
	bad, badURL, db := faultyUpstream(t)
	_, goodURL, _ := faultyUpstream(t)
	w := startWeir(t, append(impatient, "WEIR_UPSTREAM="+badURL+"|"+goodURL, "WEIR_SUMDB="+db.GOSUMDB(), streaming)...)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			bad.Break("", f.fault)
			defer bad.Heal()
			for _, big := range []bool{false, true} {
				m := faultModule(f.name, big)
				for _, path := range files(m.Path, m.Version) {
					want := truthOf(t, m, strings.TrimPrefix(path, "/"+m.Path))
					r := w.getAgain(t, path)
					if big && (f.name == "F16-corrupt" || f.name == "F16-short") && strings.HasSuffix(path, ".zip") && !r.whole() {
						// Wrong bytes, or a wrong length, had left before it was
						// known. The next client does not hear of it.
						r = w.getAgain(t, path)
					}
					if !r.whole() || !bytes.Equal(r.body, want) {
						t.Errorf("GET %s: %v; want the %d right bytes of the second upstream", path, r, len(want))
					}
				}
			}
		})
	}
	w.checkStore(t, bad)
}

// What is stored is answered as ever while the upstream has any of its faults,
// and nothing of it waits for what hangs.
func TestF14HitsNeverWaitForMisses(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/held", "v1.0.0"), simple("example.com/new", "v1.0.0"))
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_CACHE_MAX_FILLS=4", "WEIR_CACHE_MAX_WAITING=4")
	held := map[string][]byte{}
	for _, path := range append(files("example.com/held", "v1.0.0"), "/example.com/held/@v/list") {
		held[path] = truth(t, p, path)
		w.want(t, path, held[path])
	}
	p.Break("", modtest.Hang)
	var misses sync.WaitGroup
	for i := range 8 {
		req := w.request(t, "/example.com/new/@v/v1.0."+strconv.Itoa(i)+".info")
		misses.Go(func() { do(req) })
	}
	eventually(t, 10*time.Second, "four fills hang and four wait", func() bool { return w.metric(t, "weir_flights") == 8 })
	for path, want := range held {
		watch := startStopwatch()
		w.want(t, path, want)
		if watch.exceeds(time.Second) {
			t.Errorf("GET %s took %v while misses hang", path, watch.took())
		}
	}
	// A ninth miss has no room, and is told so at once.
	r := w.get(t, "/example.com/new/@v/v1.0.8.info")
	if r.status != http.StatusServiceUnavailable && r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("a miss without room: %v, Retry-After %q", r, r.header.Get("Retry-After"))
	}
	p.Heal()
	misses.Wait()
}

// A 404 is believed only briefly, and never against something we hold.
func TestF17FlappingNotFound(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/m", "v1.0.0"), simple("example.com/m", "v1.1.0"))
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_CACHE_FRESH=1ms", "WEIR_CACHE_NOT_FOUND=1ms", "WEIR_CACHE_LIST_NOT_FOUND=1ms",
		"WEIR_PREFETCH_ENABLED=false") // so that only what was asked for is held
	for _, path := range files("example.com/m", "v1.0.0") {
		w.want(t, path, truth(t, p, path))
	}
	w.want(t, "/example.com/m/@v/list", []byte("v1.0.0\nv1.1.0\n"))
	p.Break("", modtest.Status(http.StatusNotFound, 0))
	for _, path := range files("example.com/m", "v1.0.0") {
		if r := w.get(t, path); !r.whole() {
			t.Errorf("GET %s, which is held: %v", path, r)
		}
	}
	for _, path := range []string{"/example.com/m/@v/list", "/example.com/m/@latest"} {
		if r := w.get(t, path); !r.whole() || !bytes.Contains(r.body, []byte("v1.0.0")) {
			t.Errorf("GET %s while the upstream denies a version that is held: %v", path, r)
		}
	}
	if r := w.get(t, "/example.com/m/@v/v1.1.0.mod"); r.status != http.StatusNotFound {
		t.Errorf("what is not held: %v", r)
	}
	p.Heal()
	eventually(t, 15*time.Second, "the version that came back is found", func() bool {
		return w.get(t, "/example.com/m/@v/v1.1.0.mod").whole()
	})
}
