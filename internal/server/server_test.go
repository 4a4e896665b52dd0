package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/policy"
	"github.com/goweir/weir/internal/server"
)

// answers is a cache with fixed answers, by key. It notes what it was asked.
type answers struct {
	byKey map[string]func() (cache.Answer, error)
	asked []cache.Request
}

func (a *answers) Open(_ context.Context, r cache.Request) (cache.Answer, error) {
	a.asked = append(a.asked, r)
	if f, ok := a.byKey[r.Name.Key()]; ok {
		return f()
	}
	return cache.Answer{}, artifact.NotFound("%s is unknown", r.Name)
}

func hit(data string) func() (cache.Answer, error) {
	return func() (cache.Answer, error) {
		b := blob.FromBytes(blob.Info{ETag: `"tag"`, Time: time.Unix(1e9, 0)}, []byte(data))
		b.Gzip = blob.Compress(b.Data)
		return cache.Answer{Blob: b, Result: cache.Hit}, nil
	}
}

func fails(err error) func() (cache.Answer, error) {
	return func() (cache.Answer, error) { return cache.Answer{}, err }
}

func ask(t *testing.T, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const versions = "golang.org/x/mod/@v/list"

func TestAnswersCarryTheHeadersOfTheirKind(t *testing.T) {
	a := &answers{byKey: map[string]func() (cache.Answer, error){
		versions:                          hit("v1.0.0\n"),
		"a.b/c/@v/v1.0.0.info":            hit(`{"Version":"v1.0.0"}`),
		"a.b/c/@v/v1.0.0.mod":             hit("module a.b/c\n"),
		"a.b/c/@v/v1.0.0.zip":             hit("zip"),
		"sumdb/sum.golang.org/tile/8/0/1": nil,
	}}
	s := server.New(a, server.Options{})
	for path, contentType := range map[string]string{
		versions:               "text/plain; charset=utf-8",
		"a.b/c/@v/v1.0.0.info": "application/json",
		"a.b/c/@v/v1.0.0.mod":  "text/plain; charset=utf-8",
		"a.b/c/@v/v1.0.0.zip":  "application/zip",
	} {
		w := ask(t, s, "GET", "/"+path)
		if w.Code != 200 || w.Header().Get("Content-Type") != contentType || w.Header().Get("Etag") != `"tag"` || w.Header().Get("Weir-Cache") != "hit" ||
			w.Header().Get("X-Request-Id") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		wantControl := "public, max-age=86400, immutable"
		if path == versions {
			wantControl = "no-cache" // nothing is known of its age
		}
		if got := w.Header().Get("Cache-Control"); got != wantControl {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		head := ask(t, s, "HEAD", "/"+path)
		if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") || w.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD %s: %d %v", path, head.Code, head.Header())
		}
	}
}

func TestMutableAnswersTellTheirAge(t *testing.T) {
	for _, tt := range []struct {
		answer                cache.Answer
		age, control, warning string
	}{
		{cache.Answer{Result: cache.Miss, Fresh: time.Minute}, "", "public, max-age=60", ""},
		{cache.Answer{Result: cache.Hit, Age: 20 * time.Second, Fresh: 40 * time.Second}, "20", "public, max-age=60", ""},
		{cache.Answer{Result: cache.Stale, Age: time.Hour}, "3600", "no-cache", `110 - "Response is Stale"`},
	} {
		tt.answer.Blob = blob.FromBytes(blob.Info{}, []byte("v1.0.0\n"))
		a := &answers{byKey: map[string]func() (cache.Answer, error){versions: func() (cache.Answer, error) { return tt.answer, nil }}}
		h := ask(t, server.New(a, server.Options{}), "GET", "/"+versions).Header()
		if h.Get("Age") != tt.age || h.Get("Cache-Control") != tt.control || h.Get("Warning") != tt.warning || h.Get("Weir-Cache") != tt.answer.Result.String() {
			t.Errorf("%+v: %v", tt.answer, h)
		}
	}
}

func TestOneNameUnderEverySpellingOfTheWire(t *testing.T) {
	a := &answers{byKey: map[string]func() (cache.Answer, error){"github.com/!azure/x/@v/list": hit("v1.0.0\n")}}
	s := server.New(a, server.Options{PathPrefix: "/a/b/"})
	for _, path := range []string{"/a/b/github.com/!azure/x/@v/list", "/a/b/github.com/%21azure/x/@v/list", "/a/b/github.com/!azure/x/@v/list?x=y", "http://other.example/a/b/github.com/!azure/x/@v/list"} {
		if w := ask(t, s, "GET", path); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(t, s, "GET", "/github.com/!azure/x/@v/list"); w.Code != 404 {
		t.Errorf("outside the prefix: %d", w.Code)
	}
}

func TestA1A2EncodedSeparatorsReachNoCache(t *testing.T) {
	a := &answers{byKey: map[string]func() (cache.Answer, error){}}
	s := server.New(a, server.Options{})
	for _, path := range []string{
		"/../etc/passwd/@v/list", "/%2e%2e/etc/@v/list", "/a.b%2fc/@v/list", "/a.b%2Fc/@v/list", "/a.b%5cc/@v/list", "/a.b/c%00/@v/list", "/a.b//c/@v/list", "//a.b/c/@v/list",
		"/%252e%252e/c/@v/list", "/github.com/Azure/x/@v/list", "/a.b/c/@v/v1.0.0%0d%0aX:1.info", "/a.b/c/@v/%2e%2e/x.info", "/x", "/@v/list",
	} {
		w := ask(t, s, "GET", path)
		if w.Code != 404 || !strings.HasPrefix(w.Body.String(), "not found: ") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if len(a.asked) != 0 {
		t.Errorf("the cache was asked for %v", a.asked)
	}
}

func TestOnlyGETAndHEADAreAllowed(t *testing.T) {
	a := &answers{}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"} {
		w := ask(t, server.New(a, server.Options{}), method, "/"+versions)
		if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	if len(a.asked) != 0 {
		t.Error("the cache was asked")
	}
}

func TestA21ABodyIsRefusedUnread(t *testing.T) {
	srv := httptest.NewServer(server.New(&answers{}, server.Options{}))
	defer srv.Close()
	for method, want := range map[string]int{"GET": 413, "POST": 405} {
		endless, w := io.Pipe() // chunked, and never ends
		defer w.Close()
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/"+versions, endless)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || !resp.Close {
			t.Errorf("%s: %d, close %v", method, resp.StatusCode, resp.Close)
		}
	}
}

func TestRefusalsFitWhatTheGoCommandShows(t *testing.T) {
	long := strings.Repeat("very long words ", 100)
	for name, err := range map[string]error{
		"checksum":  &artifact.Error{Class: artifact.ErrIntegrity, Reason: "checksum mismatch with sum.golang.org: " + long, Hint: long},
		"timeout":   &artifact.Error{Class: artifact.ErrTimeout, Reason: "https://proxy.example.com: fetch timed out"},
		"busy":      &artifact.Error{Class: artifact.ErrUnavailable, Reason: "busy", Hint: "wait", RetryAfter: 1500 * time.Millisecond},
		"hostile":   &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "\n\n\x1b[31m\r\nSet-Cookie: a=b"},
		"not found": artifact.NotFound("%s", long),
		"internal":  errors.New("open /secret: canary"),
	} {
		a := &answers{byKey: map[string]func() (cache.Answer, error){"github.com/x/y/@v/v1.2.3.zip": fails(err)}}
		w := ask(t, server.New(a, server.Options{}), "GET", "/github.com/x/y/@v/v1.2.3.zip", "X-Request-Id", "id-1")
		body := w.Body.String()
		lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
		if w.Code != artifact.Status(err) || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || len(body) > 648 || len(lines) > 8 || lines[0] == "" {
			t.Errorf("%s: %d, %d bytes:\n%s", name, w.Code, len(body), body)
		}
		if !strings.Contains(lines[0], "github.com/x/y@v1.2.3: ") || lines[len(lines)-1] != "request id: id-1" {
			t.Errorf("%s:\n%s", name, body)
		}
		if strings.ContainsAny(body, "\x1b\r") || strings.Contains(body, "canary") || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s gives away or injects:\n%q", name, body)
		}
		if got := w.Header().Get("Cache-Control"); (got == "no-store") == (w.Code == 404) {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if name == "busy" && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}

func TestDisableModuleFetchAsksTheStoreOnly(t *testing.T) {
	a := &answers{byKey: map[string]func() (cache.Answer, error){}}
	w := ask(t, server.New(a, server.Options{}), "GET", "/"+versions, "Disable-Module-Fetch", "true")
	if !a.asked[0].StoredOnly {
		t.Error("the cache was not told")
	}
	if w.Code != 404 || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Vary"), "Disable-Module-Fetch") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	ask(t, server.New(a, server.Options{}), "GET", "/"+versions, "Disable-Module-Fetch", "false")
	if a.asked[1].StoredOnly {
		t.Error("false is taken for true")
	}
}

func TestTextIsCompressedForThoseWhoAcceptIt(t *testing.T) {
	list := strings.Repeat("v1.0.0\n", 1000)
	a := &answers{byKey: map[string]func() (cache.Answer, error){versions: hit(list)}}
	s := server.New(a, server.Options{})
	for accept, want := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "": false, "br": false} {
		w := ask(t, s, "GET", "/"+versions, "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: %v", accept, w.Header())
		}
		if !strings.Contains(w.Header().Get("Vary"), "Accept-Encoding") {
			t.Errorf("Vary %q", w.Header().Get("Vary"))
		}
		if !want {
			if w.Body.String() != list || w.Header().Get("Etag") != `"tag"` {
				t.Errorf("Accept-Encoding %q: wrong body or tag", accept)
			}
			continue
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if data, _ := io.ReadAll(z); string(data) != list || w.Header().Get("Etag") != `"tag-gz"` {
			t.Errorf("Accept-Encoding %q: wrong body or tag %s", accept, w.Header().Get("Etag"))
		}
		if w := ask(t, s, "GET", "/"+versions, "Accept-Encoding", accept, "If-None-Match", `"tag-gz"`); w.Code != 304 {
			t.Errorf("If-None-Match of the compressed form: %d", w.Code)
		}
	}
}

func TestConditionalAndPartialRequests(t *testing.T) {
	file := func() (cache.Answer, error) {
		name := filepath.Join(t.TempDir(), "z")
		if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
			return cache.Answer{}, err
		}
		f, err := os.Open(name)
		return cache.Answer{Result: cache.Hit, Blob: &blob.Blob{Info: blob.Info{Size: 10, ETag: `"tag"`, Time: time.Unix(1e9, 0)}, Body: f}}, err
	}
	a := &answers{byKey: map[string]func() (cache.Answer, error){"a.b/c/@v/v1.0.0.zip": file, "a.b/c/@v/v1.0.0.mod": hit("0123456789")}}
	s := server.New(a, server.Options{})
	for _, path := range []string{"/a.b/c/@v/v1.0.0.zip", "/a.b/c/@v/v1.0.0.mod"} {
		for _, tt := range []struct {
			header []string
			status int
			body   string
		}{
			{nil, 200, "0123456789"},
			{[]string{"Range", "bytes=2-4"}, 206, "234"},
			{[]string{"Range", "bytes=-2"}, 206, "89"},
			{[]string{"Range", "bytes=2-4", "If-Range", `"tag"`}, 206, "234"},
			{[]string{"Range", "bytes=2-4", "If-Range", `"other"`}, 200, "0123456789"},
			{[]string{"Range", "bytes=0-0,2-2" + strings.Repeat(",4-4", 100)}, 200, "0123456789"}, // A21
			{[]string{"Range", "bytes=50-"}, 416, ""},
			{[]string{"If-None-Match", `"tag"`}, 304, ""},
			{[]string{"If-None-Match", `"other"`}, 200, "0123456789"},
			{[]string{"If-Modified-Since", time.Unix(1e9, 0).UTC().Format(http.TimeFormat)}, 304, ""},
		} {
			w := ask(t, s, "GET", path, tt.header...)
			if w.Code != tt.status || tt.status < 300 && w.Body.String() != tt.body {
				t.Errorf("%s %v: %d %q", path, tt.header, w.Code, w.Body)
			}
		}
	}
}

func TestABodyThatBreaksOffCutsTheConnection(t *testing.T) {
	broken := errors.New("upstream gone")
	for name, size := range map[string]int64{"known length": 1 << 20, "unknown length": -1} {
		a := &answers{byKey: map[string]func() (cache.Answer, error){"a.b/c/@v/v1.0.0.zip": func() (cache.Answer, error) {
			body := io.MultiReader(bytes.NewReader(make([]byte, 100<<10)), failing{broken})
			return cache.Answer{Result: cache.Miss, Blob: &blob.Blob{Info: blob.Info{Size: size}, Body: io.NopCloser(body)}}, nil
		}}}
		var out server.Outcome
		done := make(chan struct{})
		srv := httptest.NewServer(server.New(a, server.Options{OnDone: func(_ *http.Request, o server.Outcome) { out = o; close(done) }}))
		resp, err := http.Get(srv.URL + "/a.b/c/@v/v1.0.0.zip")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: the client takes half a body for a whole one", name)
		}
		resp.Body.Close()
		<-done
		if !errors.Is(out.Err, broken) || out.Status != 200 {
			t.Errorf("%s: outcome %+v", name, out)
		}
		srv.Close()
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAPanicEndsItsRequestOnly(t *testing.T) {
	a := &answers{byKey: map[string]func() (cache.Answer, error){
		versions:              func() (cache.Answer, error) { panic("canary") },
		"a.b/c/@v/v1.0.0.mod": hit("module a.b/c\n"),
	}}
	var outs []server.Outcome
	s := server.New(a, server.Options{OnDone: func(_ *http.Request, o server.Outcome) { outs = append(outs, o) }})
	w := ask(t, s, "GET", "/"+versions)
	if w.Code != 500 || strings.Contains(w.Body.String(), "canary") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if outs[0].Err == nil || !strings.Contains(outs[0].Err.Error(), "canary") || !strings.Contains(outs[0].Err.Error(), "server_test.go") {
		t.Errorf("the log would not tell what happened: %v", outs[0].Err)
	}
	if w := ask(t, s, "GET", "/a.b/c/@v/v1.0.0.mod"); w.Code != 200 {
		t.Errorf("the next request: %d", w.Code)
	}
}

func TestA19OnlyHarmlessRequestIDsAreEchoed(t *testing.T) {
	s := server.New(&answers{}, server.Options{})
	for id, echoed := range map[string]bool{"abc-123_X.y": true, "": false, "a b": false, "a\x1b[31m": false, strings.Repeat("a", 65): false, "ü": false, "<x>": false} {
		w := ask(t, s, "GET", "/x", "X-Request-Id", id)
		if got := w.Header().Get("X-Request-Id"); (got == id) != echoed || got == "" {
			t.Errorf("id %q: got %q", id, got)
		}
	}
	one, two := ask(t, s, "GET", "/x").Header().Get("X-Request-Id"), ask(t, s, "GET", "/x").Header().Get("X-Request-Id")
	if one == two {
		t.Error("two requests have one id")
	}
}

// BenchmarkHit shows what a cached .info costs above net/http.
func BenchmarkHit(b *testing.B) {
	answer, _ := hit(`{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}`)()
	s := server.New(fixed{answer}, server.Options{})
	r := httptest.NewRequest("GET", "/github.com/stretchr/testify/@v/v1.0.0.info", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		s.ServeHTTP(w, r)
	}
}

type fixed struct{ cache.Answer }

func (f fixed) Open(context.Context, cache.Request) (cache.Answer, error) { return f.Answer, nil }

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// doorman lets some in, and shows them some modules.
type doorman struct {
	enter func(*http.Request) (policy.Subject, error)
	read  func(s policy.Subject, module string) policy.Decision
	left  atomic.Int32
}

func (d *doorman) Enter(r *http.Request) (policy.Subject, server.Pass, error) {
	s, err := d.enter(r)
	return s, pass{d}, err
}

// pass is that of a doorman.
type pass struct{ *doorman }

func (pass) Client() string { return "somebody" }
func (pass) Wait() error    { return nil }
func (p pass) Leave()       { p.left.Add(1) }

func (d *doorman) MayRead(s policy.Subject, module string) policy.Decision {
	return d.read(s, module)
}

// A26: the door is asked on every way to a module, and before the cache.
func TestA26TheDoorIsAskedOnEveryWay(t *testing.T) {
	asked := map[string]bool{}
	d := &doorman{
		enter: func(*http.Request) (policy.Subject, error) { return policy.Subject{Name: "alice"}, nil },
		read: func(s policy.Subject, module string) policy.Decision {
			asked[module] = true
			return policy.Decision{Hide: true}
		},
	}
	a := &answers{}
	s := server.New(a, server.Options{Door: d})
	const module = "example.com/hidden"
	paths := []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip", "@v/main.info"}
	for i, path := range paths {
		paths[i] = "/" + module + "/" + path
	}
	paths = append(paths, "/sumdb/sum.golang.org/lookup/"+module+"@v1.0.0")
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			clear(asked)
			w := ask(t, s, method, path)
			if w.Code != http.StatusNotFound || !asked[module] || len(a.asked) > 0 {
				t.Errorf("%s %s: %d, the door was asked about %v, the cache for %v", method, path, w.Code, asked, a.asked)
			}
			if control := w.Header().Get("Cache-Control"); control != "no-store" {
				t.Errorf("%s: others may keep the refusal: %q", path, control)
			}
		}
	}
	if n := d.left.Load(); int(n) != 2*len(paths) {
		t.Errorf("%d of %d have left", n, 2*len(paths))
	}
}

func TestWhoIsNotLetInLearnsNothing(t *testing.T) {
	d := &doorman{enter: func(*http.Request) (policy.Subject, error) {
		return policy.Subject{}, &artifact.Error{Class: artifact.ErrUnauthorized, Reason: "who are you", Hint: "run: weir login"}
	}}
	a := &answers{}
	s := server.New(a, server.Options{Door: d})
	for _, path := range []string{"/example.com/a/@v/list", "/nonsense", "/sumdb/sum.golang.org/latest"} {
		w := ask(t, s, http.MethodGet, path)
		if w.Code != http.StatusUnauthorized || len(a.asked) > 0 || !strings.Contains(w.Body.String(), "weir login") || len(w.Header().Values("Www-Authenticate")) != 2 {
			t.Errorf("%s: %d %s %v", path, w.Code, w.Body, w.Header())
		}
	}
}
