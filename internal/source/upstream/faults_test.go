package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/sourcetest"
)

const goodMod = "module example.com/M\n"

// hang holds a request until its client or the test leaves.
func hang(t *testing.T, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-t.Context().Done():
	}
}

// raw answers with these bytes and then closes the connection.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, answer)
		conn.Close()
	}
}

func TestF15HangBeforeTheAnswerIsATimeout(t *testing.T) {
	s := open(t, serve(t, func(_ http.ResponseWriter, r *http.Request) { hang(t, r) }), short)
	_, err := s.Fetch(bounded(t), modName)
	wantClass(t, "hang", err, artifact.ErrTimeout)
	if !strings.Contains(err.Error(), "fetch timed out") {
		t.Errorf("%v lacks the words that others look for", err)
	}
}

func TestF15HangInTheBodyIsATimeout(t *testing.T) {
	for _, length := range []string{"", strconv.Itoa(len(goodMod))} {
		s := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			io.WriteString(w, goodMod[:5])
			w.(http.Flusher).Flush()
			hang(t, r)
		}), short)
		got, err := get(t, s, modName)
		wantClass(t, "hang after 5 bytes of "+length, err, artifact.ErrTimeout)
		if got != "" {
			t.Errorf("got %q", got)
		}
	}
}

func TestF15HangInTheTextOfARefusalKeepsItsStatus(t *testing.T) {
	s := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "not found: no such tag")
		w.(http.Flusher).Flush()
		hang(t, r)
	}), Options{Timeouts: Timeouts{Stall: 100 * time.Millisecond}})
	_, err := s.Fetch(bounded(t), modName)
	wantClass(t, "404", err, artifact.ErrNotFound)
}

func TestF15TotalTimeIsBounded(t *testing.T) {
	block := bytes.Repeat([]byte("x"), 4<<10)
	s := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil { // fast enough to be no stall
			w.Write(block)
			w.(http.Flusher).Flush()
			select {
			case <-time.After(10 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
	}), Options{Timeouts: Timeouts{Total: 500 * time.Millisecond}})
	_, err := get(t, s, zipName)
	wantClass(t, "endless zip", err, artifact.ErrTimeout)
}

// trickle is a body of one byte a second.
type trickle struct {
	ctx  context.Context
	left int
}

func (b *trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	b.left--
	return copy(p, "x"), nil
}

func (b *trickle) Close() error { return nil }

func TestF15ATrickleIsAStall(t *testing.T) {
	for _, test := range []struct {
		bytes int
		class error
		took  time.Duration
	}{
		{20, nil, 21 * time.Second},
		{10_000, artifact.ErrTimeout, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatch(t.Context(), "upstream", Options{}.withDefaults().Timeouts)
			defer w.stop()
			w.answered()
			b := &body{in: &trickle{w.ctx, test.bytes}, name: modName, watch: w, size: -1, done: w.stop}
			begun := time.Now()
			_, err := io.Copy(io.Discard, b)
			if artifact.Class(err) != test.class || time.Since(begun) != test.took {
				t.Errorf("%d bytes at 1 B/s: %v after %v, want %v after %v", test.bytes, err, time.Since(begun), test.class, test.took)
			}
		})
	}
}

func TestF15ASlowReaderIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t.Context(), "upstream", Options{}.withDefaults().Timeouts)
		w.answered()
		b := &body{in: io.NopCloser(strings.NewReader("four")), name: modName, watch: w, size: 4, done: w.stop}
		defer b.Close()
		for range 4 {
			time.Sleep(time.Minute)
			if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
				t.Fatalf("after %v: %v", time.Minute, err)
			}
		}
	})
}

func TestF15OneHangingUpstreamHoldsUpNoOther(t *testing.T) {
	arrived := make(chan struct{}, 2)
	slow := open(t, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		hang(t, r)
	}), Options{MaxConcurrent: 2})
	ctx, cancel := context.WithCancel(bounded(t))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { slow.Fetch(ctx, modName) })
		<-arrived
	}
	waiting, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	_, err := slow.Fetch(waiting, modName)
	wantClass(t, "the third request to the one that hangs", err, artifact.ErrTimeout)

	other := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, goodMod) }), Options{MaxConcurrent: 2})
	if got, err := get(t, other, modName); err != nil || got != goodMod {
		t.Errorf("the other upstream: %q, %v", got, err)
	}
	cancel()
	wg.Wait()
}

func TestNoMoreRequestsThanAllowed(t *testing.T) {
	var now, most atomic.Int32
	s := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		io.WriteString(w, goodMod)
		now.Add(-1)
	}), Options{MaxConcurrent: 3})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := get(t, s, modName); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d requests at one time", most.Load())
	}
}

func TestAsManyRequestsAsAllowedAreUnderWay(t *testing.T) {
	const allowed = 100
	arrived := make(chan struct{}, allowed)
	s := open(t, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		hang(t, r)
	}), Options{MaxConcurrent: allowed})
	ctx, cancel := context.WithCancel(bounded(t))
	var wg sync.WaitGroup
	for range allowed {
		wg.Go(func() { s.Fetch(ctx, modName) })
	}
	for i := range allowed {
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatalf("over HTTP/1.1, %d of %d requests were sent; the others wait, and seem to be unanswered", i, allowed)
		}
	}
	cancel()
	wg.Wait()
}

// badAnswers are answers of broken, hostile and misplaced servers to any name.
func badAnswers(t *testing.T, n artifact.Name) map[string]http.HandlerFunc {
	page := "<!DOCTYPE html><html><body>log in</body></html>"
	good := map[artifact.Kind]string{
		artifact.Mod: goodMod, artifact.List: "v1.0.0\n", artifact.Info: `{"Version":"v1.2.3"}`,
		artifact.Zip: string(sourcetest.Zip(mod, version, 100<<10)),
	}[n.Kind]
	half := good[:len(good)/2]
	var zipped bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	io.WriteString(gz, good)
	gz.Close()
	answer := func(contentType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			io.WriteString(w, text)
		}
	}
	length := func(n int) string { return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", n) }
	return map[string]http.HandlerFunc{
		"page":                answer("text/html; charset=utf-8", page),
		"page that says html": answer("text/html", good),
		"page in disguise":    answer("application/octet-stream", page),
		"XML":                 answer("application/octet-stream", "<?xml version=\"1.0\"?><Error/>"),
		"zeros":               answer("application/octet-stream", strings.Repeat("\x00", len(good))),
		"too short":           raw(length(len(good)) + half),
		"nothing of it":       raw(length(len(good))),
		"length cuts it":      raw(length(len(good)/2) + good),
		"cut chunk":           raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n", len(good)) + half),
		"no last chunk":       raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(half), half)),
		"no end":              raw("HTTP/1.1 200 OK\r\n\r\n" + half),
		"no end, 1.0":         raw("HTTP/1.0 200 OK\r\n\r\n" + half),
		"too long":            raw(length(int(n.Kind.MaxSize())+1) + half),
		"unasked coding": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, good)
		},
		"broken gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped.Bytes()[:zipped.Len()-9])
		},
		"gzip unsaid": func(w http.ResponseWriter, _ *http.Request) { w.Write(zipped.Bytes()) },
		"204":         raw("HTTP/1.1 204 No Content\r\n\r\n"),
		"206":         raw("HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx"),
		"203":         raw("HTTP/1.1 203 Non-Authoritative Information\r\nContent-Length: 1\r\n\r\nx"),
		"304":         raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
		"no HTTP":     raw("SSH-2.0-OpenSSH\r\n"),
		"reset":       raw(""),
		"endless headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1<<10))
			}
			io.WriteString(w, good)
		},
	}
}

// cannotTell are bad answers that are good artifacts of their kind.
var cannotTell = map[artifact.Kind]string{
	artifact.List: "length cuts it", // a shorter list, or a blank one
	artifact.Mod:  "length cuts it", // left to the checksum database
}

// quiet silences what net/http says of servers that send too much.
func quiet(t *testing.T) {
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

func TestA10F16BadAnswersAreNeverTheArtifact(t *testing.T) {
	quiet(t)
	for _, n := range []artifact.Name{listName, infoName, modName, zipName} {
		for what, h := range badAnswers(t, n) {
			if cannotTell[n.Kind] == what {
				continue
			}
			got, err := get(t, open(t, serve(t, h), Options{}), n)
			wantClass(t, n.Kind.String()+": "+what, err, artifact.ErrBadUpstream)
			if got != "" {
				t.Errorf("%v, %s: got %q", n.Kind, what, got)
			}
		}
	}
}

func TestF16ASecondUpstreamMendsBadAnswers(t *testing.T) {
	quiet(t)
	good := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"Version":"v1.2.3"}`) })
	for what, h := range badAnswers(t, infoName) {
		ill := open(t, serve(t, h), Options{})
		s := source.Chain(
			source.Link{Name: "ill", Source: ill, FallBackOnError: true},
			source.Link{Name: "good", Source: open(t, good, Options{})},
		)
		b, err := s.Fetch(bounded(t), infoName)
		for err == nil {
			if _, err = sourcetest.Receive(t, infoName, b); err == nil {
				break
			}
			b, err = b.Next(bounded(t), err)
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestA10TooLargeBodiesEndWhereTheLimitIs(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		block := bytes.Repeat([]byte("v1.0.0\n"), 4<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	gzipped := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		gz := gzip.NewWriter(w)
		block := make([]byte, 1<<20)
		for r.Context().Err() == nil {
			if _, err := gz.Write(block); err != nil {
				return
			}
		}
	}
	for what, h := range map[string]http.HandlerFunc{"endless list": endless, "gzip bomb": gzipped} {
		b, err := open(t, serve(t, h), Options{}).Fetch(bounded(t), listName)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, b.Reader())
		b.Close()
		wantClass(t, what, err, artifact.ErrBadUpstream)
		if limit := listName.Kind.MaxSize(); n > limit+64<<10 {
			t.Errorf("%s: %d bytes came", what, n)
		}
	}
}

func TestA10ABodyAnnouncedAsTooLargeIsNotRead(t *testing.T) {
	for _, n := range []artifact.Name{listName, infoName, zipName} {
		s := open(t, serve(t, raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx", n.Kind.MaxSize()+1))), Options{})
		b, err := s.Fetch(bounded(t), n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.Copy(io.Discard, b.Reader())
		b.Close()
		wantClass(t, n.Kind.String(), err, artifact.ErrBadUpstream)
		if got != 0 || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("%v: %v after %d bytes", n.Kind, err, got)
		}
	}
}

func TestF17StatusesKeepTheirClass(t *testing.T) {
	for _, test := range []struct {
		status int
		class  error
	}{
		{400, artifact.ErrBadUpstream}, {401, artifact.ErrBadUpstream}, {402, artifact.ErrBadUpstream},
		{403, artifact.ErrForbidden}, {404, artifact.ErrNotFound}, {405, artifact.ErrBadUpstream},
		{407, artifact.ErrBadUpstream}, {408, artifact.ErrTimeout}, {410, artifact.ErrNotFound},
		{429, artifact.ErrUnavailable}, {451, artifact.ErrBadUpstream}, {500, artifact.ErrBadUpstream},
		{501, artifact.ErrBadUpstream}, {502, artifact.ErrBadUpstream}, {503, artifact.ErrUnavailable},
		{504, artifact.ErrTimeout}, {520, artifact.ErrBadUpstream}, {599, artifact.ErrBadUpstream},
	} {
		s := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.status) }), Options{})
		_, err := s.Fetch(bounded(t), listName)
		wantClass(t, strconv.Itoa(test.status), err, test.class)
	}
}

func TestF17RetryAfterIsRead(t *testing.T) {
	for _, test := range []struct {
		header   string
		min, max time.Duration
	}{
		{"", 0, 0},
		{"7", 7 * time.Second, 7 * time.Second},
		{"0", 0, 0},
		{"-5", 0, 0},
		{"soon", 0, 0},
		{"999999", time.Hour, time.Hour},
		{"99999999999999999999", 0, 0},
		{time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat), 9 * time.Minute, 10 * time.Minute},
		{time.Now().Add(-10 * time.Minute).UTC().Format(http.TimeFormat), 0, 0},
		{time.Now().Add(100 * time.Hour).UTC().Format(http.TimeFormat), time.Hour, time.Hour},
	} {
		for _, status := range []int{429, 503} {
			s := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", test.header)
				w.WriteHeader(status)
			}), Options{})
			_, err := s.Fetch(bounded(t), listName)
			wantClass(t, test.header, err, artifact.ErrUnavailable)
			if got := artifact.RetryAfter(err); got < test.min || got > test.max {
				t.Errorf("%q: %v, want %v to %v", test.header, got, test.min, test.max)
			}
		}
	}
}

func TestTheReasonOfARefusalIsPassedOn(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	for _, test := range []struct{ contentType, text, want, not string }{
		{"text/plain; charset=utf-8", "not found: unknown revision v9\n", "not found: unknown revision v9", ""},
		{"text/plain", long, "long long", strings.Repeat("long ", 100)},
		{"text/html", "<b>hidden</b>", "answered 404", "hidden"},
		{"", "", "answered 404", "\n"},
	} {
		s := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", test.contentType)
			w.WriteHeader(404)
			io.WriteString(w, test.text)
		}), Options{})
		_, err := s.Fetch(bounded(t), listName)
		wantClass(t, test.contentType, err, artifact.ErrNotFound)
		reason, _ := artifact.Explain(err)
		if !strings.Contains(reason, test.want) || test.not != "" && strings.Contains(reason, test.not) {
			t.Errorf("%s: %q", test.contentType, reason)
		}
	}
}

func TestF14AnUpstreamThatIsDownIsTrouble(t *testing.T) {
	address := modtest.Nobody(t)
	for _, url := range []string{"http://" + address, "https://" + address, "http://name.invalid"} {
		_, err := open(t, url, short).Fetch(bounded(t), modName)
		if class := artifact.Class(err); class != artifact.ErrBadUpstream && class != artifact.ErrTimeout {
			t.Errorf("%s: %v", url, err)
		}
	}
	plain := serve(t, serveFiles(t, nil))
	_, err := open(t, strings.Replace(plain, "http:", "https:", 1), Options{}).Fetch(bounded(t), modName)
	wantClass(t, "https to a plain port", err, artifact.ErrBadUpstream)
}

func TestALeavingCallerIsNoFaultOfTheUpstream(t *testing.T) {
	arrived := make(chan struct{})
	s := open(t, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		hang(t, r)
	}), Options{})
	ctx, cancel := context.WithCancel(bounded(t))
	go func() {
		<-arrived
		cancel()
	}()
	_, err := s.Fetch(ctx, modName)
	if !errors.Is(err, context.Canceled) || artifact.Class(err) != nil {
		t.Errorf("got %v", err)
	}
}

func TestHTTP2CarriesManyRequestsOverOneConnection(t *testing.T) {
	const streams = 40
	var connections, http2, waiting atomic.Int32
	together := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			http2.Add(1)
		}
		if strings.HasSuffix(r.URL.Path, ".info") {
			if waiting.Add(1) == streams {
				close(together)
			}
			<-together
			io.WriteString(w, `{"Version":"v1.2.3"}`)
			return
		}
		io.WriteString(w, goodMod)
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s := openTLS(t, server, "", Options{})
	if _, err := get(t, s, modName); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			if _, err := get(t, s, infoName); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if http2.Load() != streams+1 || connections.Load() != 1 {
		t.Errorf("%d requests by HTTP/2 over %d connections", http2.Load(), connections.Load())
	}
}

// openTLS starts a server and opens its URL with trust in its certificate.
func openTLS(t *testing.T, server *httptest.Server, path string, o Options) source.Source {
	t.Helper()
	server.StartTLS()
	t.Cleanup(server.Close)
	o.RootCAs = rootsOf(server)
	return open(t, server.URL+path, o)
}

func rootsOf(server *httptest.Server) *x509.CertPool {
	return server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}
