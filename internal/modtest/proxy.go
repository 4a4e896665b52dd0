// Package modtest has what tests of a module proxy need from the outside world:
// an upstream proxy and a checksum database, in memory, that can be broken in
// every way that real ones break.
//
// A [Proxy] serves modules as the GOPROXY protocol says: correct zips, lists
// without pseudo-versions, @latest, branches. It counts every request, and a
// [Fault] makes it hang, lie, cut or slow down its answers until it is healed.
// A [SumDB] is a checksum database with a key of its own.
//
// It shares no parser with the product, so that a mistake in one is not
// repeated in the other. It refuses modules that are not well-formed, except
// where a test asks for bad bytes by name.
package modtest

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A Cleaner runs functions when a test ends, as testing.TB does.
type Cleaner interface{ Cleanup(func()) }

// Proxy is a GOPROXY in memory. It is safe for concurrent use, and everything
// about it may be changed while it serves.
type Proxy struct {
	mu       sync.Mutex
	modules  map[string]map[string]*version // by path and version
	branches map[string]map[string]string   // by path and name: the version
	sumdbs   []*SumDB
	faults   []fault
	latency  time.Duration
	down     bool
	healed   chan struct{} // closed when faults are healed
	counts   map[string]int
	counted  chan struct{} // closed at the next request
}

// New returns a Proxy of modules. It panics if one of them is not well-formed.
func New(modules ...Module) *Proxy {
	p := &Proxy{
		modules:  map[string]map[string]*version{},
		branches: map[string]map[string]string{},
		healed:   make(chan struct{}),
		counts:   map[string]int{},
		counted:  make(chan struct{}),
	}
	for _, m := range modules {
		if err := p.Add(m); err != nil {
			panic(err)
		}
	}
	return p
}

// Add adds a version of a module, or replaces it as a tag that moved.
func (p *Proxy) Add(m Module) error {
	v, err := m.build()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.modules[m.Path] == nil {
		p.modules[m.Path] = map[string]*version{}
	}
	p.modules[m.Path][m.Version] = v
	return nil
}

// Remove takes a version away, as an origin that deleted a tag.
func (p *Proxy) Remove(path, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.modules[path], version)
}

// Branch lets the name of a branch, or of anything else that is no version,
// stand for a version of a module, from now on.
func (p *Proxy) Branch(path, name, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.branches[path] == nil {
		p.branches[path] = map[string]string{}
	}
	p.branches[path][name] = version
}

// Start serves the proxy on a loopback address until the test ends, and
// returns its URL.
func (p *Proxy) Start(t Cleaner) string {
	return start(t, p, p.Heal)
}

func start(t Cleaner, h http.Handler, heal func()) string {
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		heal()
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// SetDown makes the proxy cut every connection without an answer, or stop that.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// SetLatency lets every answer begin this much later.
func (p *Proxy) SetLatency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = d
}

// Break answers requests for paths that end in suffix with a fault, until the
// proxy is healed. An empty suffix is every path. The newest fault counts.
func (p *Proxy) Break(suffix string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fault{suffix: suffix, Fault: f})
}

// Heal ends all faults, latency and being down. Answers that hang go on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.latency, p.down = nil, 0, false
	close(p.healed)
	p.healed = make(chan struct{})
}

// Requests returns how often each path was asked for. Paths are decoded, and
// begin with a slash.
func (p *Proxy) Requests() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Count returns how often a path was asked for.
func (p *Proxy) Count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[path]
}

// ResetCounts forgets all requests so far.
func (p *Proxy) ResetCounts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.counts)
}

// Await waits until a path has been asked for n times.
func (p *Proxy) Await(ctx context.Context, path string, n int) error {
	for {
		p.mu.Lock()
		seen, counted := p.counts[path], p.counted
		p.mu.Unlock()
		if seen >= n {
			return nil
		}
		select {
		case <-counted:
		case <-ctx.Done():
			return fmt.Errorf("%s was asked for %d times, not %d: %w", path, seen, n, context.Cause(ctx))
		}
	}
}

// ServeHTTP answers one request, well or as the faults demand.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, state := p.arrive(r.URL.Path)
	if state.down {
		cut(w)
	}
	if state.latency > 0 && !pause(r.Context(), state.latency) {
		return
	}
	if d, rest := p.database(r.URL.Path); d != nil {
		d.serve(w, r, rest, f, state)
		return
	}
	f.play(w, r, p.answer(r.URL.Path), state)
}

// state is how the proxy is when a request arrives.
type state struct {
	down    bool
	latency time.Duration
	healed  <-chan struct{}
}

func (p *Proxy) arrive(path string) (Fault, state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[path]++
	close(p.counted)
	p.counted = make(chan struct{})
	f := Fault{}
	for _, candidate := range slices.Backward(p.faults) {
		if strings.HasSuffix(path, candidate.suffix) {
			f = candidate.Fault
			break
		}
	}
	return f, state{down: p.down, latency: p.latency, healed: p.healed}
}

// An answer is a response before anything happens to it.
type answer struct {
	status int
	kind   string // content type
	body   []byte
}

const (
	textKind = "text/plain; charset=utf-8"
	jsonKind = "application/json"
	zipKind  = "application/zip"
)

func notFound(format string, args ...any) answer {
	return answer{http.StatusNotFound, textKind, fmt.Appendf(nil, "not found: "+format+"\n", args...)}
}

// answer finds what the protocol has for a path.
func (p *Proxy) answer(path string) answer {
	mod, file, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/@")
	if !ok {
		return notFound("%q is no file of the protocol", path)
	}
	mod, err := module.UnescapePath(mod)
	if err != nil {
		return notFound("%v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	versions, known := p.modules[mod]
	if !known {
		return notFound("module %s", mod)
	}
	switch file {
	case "latest":
		return p.latest(mod)
	case "v/list":
		return answer{http.StatusOK, textKind, list(versions)}
	}
	return p.file(mod, strings.TrimPrefix(file, "v/"))
}

func (p *Proxy) file(mod, name string) answer {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return notFound("%s has no file %q", mod, name)
	}
	query, err := module.UnescapeVersion(name[:dot])
	if err != nil {
		return notFound("%v", err)
	}
	v := p.modules[mod][query]
	if v == nil && name[dot:] == ".info" {
		v = p.modules[mod][p.branches[mod][query]]
	}
	if v == nil {
		return notFound("%s@%s: unknown revision", mod, query)
	}
	switch name[dot:] {
	case ".info":
		return answer{http.StatusOK, jsonKind, v.info}
	case ".mod":
		return answer{http.StatusOK, textKind, v.mod}
	case ".zip":
		return answer{http.StatusOK, zipKind, v.zip}
	}
	return notFound("%s has no file %q", mod, name)
}

func (p *Proxy) latest(mod string) answer {
	best := ""
	for v := range p.modules[mod] {
		if best == "" || later(v, best) {
			best = v
		}
	}
	if best == "" {
		return notFound("%s has no versions", mod)
	}
	return answer{http.StatusOK, jsonKind, p.modules[mod][best].info}
}

// later reports whether a is a better answer to "latest" than b: releases come
// before pre-releases, and those before pseudo-versions.
func later(a, b string) bool {
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra > rb
	}
	return semver.Compare(a, b) > 0
}

func rank(v string) int {
	switch {
	case module.IsPseudoVersion(v):
		return 0
	case semver.Prerelease(v) != "":
		return 1
	}
	return 2
}

func list(versions map[string]*version) []byte {
	tagged := slices.DeleteFunc(slices.Collect(maps.Keys(versions)), module.IsPseudoVersion)
	semver.Sort(tagged)
	var b bytes.Buffer
	for _, v := range tagged {
		b.WriteString(v + "\n")
	}
	return b.Bytes()
}

// serve writes an answer as it is; zips with an entity tag and ranges.
func (a answer) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	if a.status == http.StatusOK && a.kind == zipKind {
		w.Header().Set("ETag", fmt.Sprintf(`"%08x"`, crc32.ChecksumIEEE(a.body)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	io.Copy(w, bytes.NewReader(a.body)) // a client that has gone is no matter
}
