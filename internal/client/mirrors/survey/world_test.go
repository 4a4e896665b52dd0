package survey

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
)

// A world has hosts that are reached without a network: within a bubble of testing/synctest
// nothing takes time there but what a test has planted.
type world struct {
	hosts map[string]http.Handler
	mu    sync.Mutex
	dials map[string]int
	open  sync.WaitGroup
	conns []net.Conn
}

func newWorld(t *testing.T, hosts map[string]http.Handler) *world {
	w := &world{hosts: hosts, dials: map[string]int{}}
	t.Cleanup(w.close)
	return w
}

// close ends all connections and waits for those who serve them.
func (w *world) close() {
	w.mu.Lock()
	for _, c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.open.Wait()
}

func (w *world) transport() *http.Transport {
	return &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		host, _, _ := strings.Cut(address, ":")
		h, ok := w.hosts[host]
		if !ok {
			return nil, errors.New("connection refused")
		}
		near, far := net.Pipe()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dials[host]++
		w.conns = append(w.conns, near, far)
		w.open.Go(func() { serve(far, h) })
		return near, nil
	}}
}

// serve answers the requests of one connection until that is closed.
func serve(c net.Conn, h http.Handler) {
	l := &oneConn{conn: c, closed: make(chan struct{})}
	srv := &http.Server{Handler: h, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed || s == http.StateHijacked {
			l.Close()
		}
	}}
	srv.Serve(l)
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	end    sync.Once
	closed chan struct{}
}

func (l *oneConn) Accept() (c net.Conn, err error) {
	l.once.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.end.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// module is a module that is older than the clock of a bubble.
func module(path, version string) modtest.Module {
	return modtest.Module{
		Path: path, Version: version, Mod: "module " + path + "\n", Time: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		Files: map[string]string{"m.go": "package m\n\nconst Version = \"" + version + "\"\n"},
	}
}

// another is the same version with other bytes.
func another(m modtest.Module) modtest.Module {
	m.Files = map[string]string{"m.go": "package m\n\nfunc init() { println(\"gotcha\") }\n"}
	return m
}

var threeModules = []modtest.Module{module("example.com/a", "v1.0.0"), module("example.com/b", "v1.1.0"), module("example.com/c", "v0.3.0")}

// records are the modules with their hashes, made without the code that is tested.
func records(t *testing.T, mods ...modtest.Module) []Module {
	t.Helper()
	p := modtest.New(mods...)
	var all []Module
	for _, m := range mods {
		get := func(kind string) []byte {
			rec := httptest.NewRecorder()
			p.ServeHTTP(rec, httptest.NewRequest("GET", "/"+m.Path+"/@v/"+m.Version+kind, nil))
			return rec.Body.Bytes()
		}
		all = append(all, Module{Path: m.Path, Version: m.Version, Zip: zipHash(t, get(".zip")), Mod: modHash(t, get(".mod"))})
	}
	return all
}

func modHash(t *testing.T, data []byte) string {
	t.Helper()
	h, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// mirrorsAt are mirrors at http URLs of these hosts.
func mirrorsAt(hosts ...string) []Mirror {
	var all []Mirror
	for _, h := range hosts {
		all = append(all, Mirror{Entry: source.Entry{URL: "http://" + h}})
	}
	return all
}

// late answers after a time.
func late(d time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(d)
		h.ServeHTTP(w, r)
	})
}

// lossy answers every n-th request with an error of the server.
func lossy(n int, h http.Handler) http.Handler {
	var mu sync.Mutex
	seen := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen++
		fail := seen%n == 0
		mu.Unlock()
		if fail {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// counted counts requests and bytes.
type counted struct {
	http.Handler
	mu       sync.Mutex
	requests int
	bytes    int64
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests++
	c.mu.Unlock()
	c.Handler.ServeHTTP(&countedWriter{w, c}, r)
}

type countedWriter struct {
	http.ResponseWriter
	c *counted
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.c.mu.Lock()
	w.c.bytes += int64(n)
	w.c.mu.Unlock()
	return n, err
}

func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// measure measures hosts of a world with three modules.
func measure(t *testing.T, hosts map[string]http.Handler, change func(*Options)) mirrors.Report {
	t.Helper()
	w := newWorld(t, hosts)
	var names []string
	for name := range hosts {
		names = append(names, name)
	}
	slices.Sort(names)
	o := Options{Mirrors: mirrorsAt(names...), Modules: records(t, threeModules...), Transport: w.transport(), SumDB: "sum.example.com"}
	if change != nil {
		change(&o)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.close()
	return r
}

// only is the one result of a report.
func only(t *testing.T, r mirrors.Report) mirrors.Result {
	t.Helper()
	if len(r.Mirrors) != 1 {
		t.Fatalf("there are %d results", len(r.Mirrors))
	}
	return r.Mirrors[0]
}

func names(r mirrors.Report) []string {
	var all []string
	for _, m := range r.Mirrors {
		all = append(all, strings.TrimPrefix(m.Name, "http://"))
	}
	return all
}
