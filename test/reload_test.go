package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source/pool"
)

// replace puts another text in the place of a configuration file, as an editor
// or an orchestrator does.
func replace(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

const (
	reloaded = "the configuration has been reloaded"
	refused  = "the new configuration is refused"
)

// awaitLog waits until a text is in the log so many times.
func (w *weir) awaitLog(t *testing.T, within time.Duration, text string, times int) {
	t.Helper()
	eventually(t, within, fmt.Sprintf("%q is in the log %d times", text, times), func() bool {
		return strings.Count(w.log.String(), text) >= times
	})
}

// A configuration file that changes is in force within seconds: the new upstream
// is asked, and what is known of the health of the old ones is not lost. A file
// with a mistake is refused with its line and a reason, and changes nothing.
func TestAChangedConfigurationFileIsInForceWithinSeconds(t *testing.T) {
	t.Parallel()
	first, second := modtest.New(simple("example.com/first", "v1.0.0")), modtest.New(simple("example.com/second", "v1.0.0"))
	dead, err := modtest.NewMachine(t, first)
	if err != nil {
		t.Fatal(err)
	}
	dead.Kill()
	const text = `
upstream: dead|first
upstreams:
  dead: {url: "%s"}
  first: {url: "%s"}
`
	config := fmt.Sprintf(text, dead.URL, first.Start(t))
	variable, name := configFile(t, config)
	w := startWeir(t, variable)
	for _, path := range files("example.com/first", "v1.0.0") {
		w.want(t, path, truth(t, first, path))
	}
	for i := range 5 {
		w.get(t, fmt.Sprintf("/example.com/none%d/@v/list", i))
	}
	before := w.upstreams(t)["dead"]
	if before.State != pool.Broken {
		t.Fatalf("the dead upstream is %s", before.State)
	}
	path := "/example.com/second/@v/v1.0.0.mod"
	if r := w.get(t, path); r.whole() {
		t.Fatalf("GET %s before there is its upstream: %v", path, r)
	}

	replace(t, name, strings.Replace(config, "dead|first", "dead|first|second", 1)+fmt.Sprintf("  second: {url: %q}\n", second.Start(t)))
	w.awaitLog(t, 8*time.Second, reloaded, 1)
	eventually(t, 15*time.Second, "the new upstream is asked", func() bool { return w.get(t, path).whole() }) // "not found" holds 10 s
	after := w.upstreams(t)
	if s := after["dead"]; s.State == pool.Healthy || !s.Since.Equal(before.Since) || s.Requests < before.Requests {
		t.Errorf("the dead upstream was %+v and is after the reload %+v", before, s)
	}
	if len(after) != 3 {
		t.Errorf("there are %d upstreams: %v", len(after), after)
	}

	replace(t, name, strings.Replace(config, "url:", "ulr:", 1))
	w.awaitLog(t, 8*time.Second, refused, 1)
	log := w.log.String()
	log = log[strings.Index(log, refused):]
	if !strings.Contains(log, name+":4:") || !strings.Contains(log, "unknown key") {
		t.Errorf("the log does not say where and why: %s", log)
	}
	if now := w.upstreams(t); len(now) != 3 {
		t.Errorf("a file with a mistake has changed the upstreams to %v", now)
	}
	w.want(t, path, truth(t, second, path))
}

// SIGHUP does the same where nobody watches the file, and not before.
func TestSIGHUPReloadsTheConfiguration(t *testing.T) {
	t.Parallel()
	first, second := modtest.New(), modtest.New(simple("example.com/second", "v1.0.0"))
	variable, name := configFile(t, "upstream: "+first.Start(t)+"\nreload: {watch: false}\n")
	w := startWeir(t, variable)
	replace(t, name, "upstream: "+second.Start(t)+"\nreload: {watch: false}\n")
	path := "/example.com/second/@v/v1.0.0.mod"
	if r := w.get(t, path); r.whole() {
		t.Fatalf("GET %s before the reload: %v", path, r)
	}
	w.hup(t)
	w.awaitLog(t, 5*time.Second, reloaded, 1)
	path = "/example.com/second/@v/v1.0.0.zip"
	w.want(t, path, truth(t, second, path))
}

// hup asks weir to read its configuration again.
func (w *weir) hup(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// While the configuration is reloaded again and again, with other upstreams each
// time, no request fails: no hit, no miss, and none that is under way.
func TestNoRequestFailsDuringReloads(t *testing.T) {
	t.Parallel()
	const reloads, clients = 20, 6
	modules, _ := graph(400)
	held, large := simple("example.com/held", "v1.0.0"), modtest.BigModule("example.com/large", "v1.0.0", 8<<20)
	modules = append(modules, held, large)
	a, b := modtest.New(modules...), modtest.New(modules...)
	config := "upstreams:\n  a: {url: " + a.Start(t) + "}\n  b: {url: " + b.Start(t) + "}\nupstream: "
	variable, name := configFile(t, config+"a|b\n")
	w := startWeir(t, variable, "WEIR_RELOAD_WATCH=false", "WEIR_PREFETCH_ENABLED=false", "WEIR_LOG_ACCESS=off")
	for _, path := range files(held.Path, "v1.0.0") {
		w.want(t, path, truth(t, a, path))
	}
	for _, p := range []*modtest.Proxy{a, b} {
		p.Break("large/@v/v1.0.0.zip", modtest.Slow(1<<20))
	}
	slow := ask(t.Context(), w.request(t, "/example.com/large/@v/v1.0.0.zip"))

	var next atomic.Int64
	var over atomic.Bool
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; !over.Load(); i = int(next.Add(1)) - 1 {
				paths := files(held.Path, "v1.0.0")
				if i < 3*400 {
					paths = append(paths, files(modules[i/3].Path, "v1.0.0")[i%3], "/"+modules[i/3].Path+"/@v/list")
				}
				for _, path := range paths {
					if r := w.get(t, path); !r.whole() {
						t.Errorf("GET %s during reloads: %v", path, r)
						return
					}
				}
			}
		})
	}
	for i := range reloads {
		replace(t, name, config+[]string{"b\n", "a|b\n", "b|a\n", "a\n"}[i%4])
		w.hup(t)
		w.awaitLog(t, 10*time.Second, reloaded, i+1)
	}
	over.Store(true)
	all.Wait()
	t.Logf("%d rounds of requests during %d reloads", next.Load(), reloads)
	a.Heal()
	b.Heal()
	if r := <-slow; !r.whole() || !bytes.Equal(r.body, truthOf(t, large, "/@v/v1.0.0.zip")) {
		t.Errorf("a large zip that was under way during the reloads: %v", r)
	}
	w.checkStore(t, a)
}
