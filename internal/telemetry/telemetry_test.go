package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/telemetry"
)

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestWhatHappensIsCounted(t *testing.T) {
	m := telemetry.NewMetrics("v1")
	m.Request(artifact.Info, cache.Hit, 200, 50, time.Millisecond)
	m.Request(artifact.Info, cache.Hit, 200, 50, time.Millisecond)
	m.Request(artifact.Zip, cache.Failed, 502, 10, time.Second)
	m.Event(cache.Event{Op: cache.OpFill, Name: artifact.Name{Kind: artifact.Mod}, Bytes: 7})
	m.Event(cache.Event{Op: cache.OpFill, Name: artifact.Name{Kind: artifact.Mod}, Err: artifact.ErrIntegrity})
	m.Event(cache.Event{Op: cache.OpPut, Err: errors.New("full")})
	m.Alarm("mismatch")
	m.Gauge("weir_test", "A test.", func() float64 { return 42 })
	ok := source.Func(func(context.Context, artifact.Name) (*blob.Blob, error) { return blob.FromBytes(blob.Info{}, nil), nil })
	m.Source("https://proxy.example.com", ok).Fetch(t.Context(), artifact.Name{Kind: artifact.List})
	m.Source("https://proxy.example.com", source.Refuse(artifact.ErrTimeout)).Fetch(t.Context(), artifact.Name{Kind: artifact.List})
	got := scrape(t, m)
	for _, want := range []string{
		`weir_build_info{version="v1"} 1`,
		`weir_requests_total{kind="info",result="hit",status="200"} 2`,
		`weir_requests_total{kind="zip",result="none",status="502"} 1`,
		`weir_sent_bytes_total{kind="info"} 100`,
		`weir_request_duration_seconds_count{kind="info",result="hit"} 2`,
		`weir_fills_total{kind="mod",outcome="ok"} 1`,
		`weir_fills_total{kind="mod",outcome="integrity check failed"} 1`,
		`weir_received_bytes_total{kind="mod"} 7`,
		`weir_store_errors_total{op="put"} 1`,
		`weir_checksum_alarms_total{alarm="mismatch"} 1`,
		`weir_upstream_requests_total{kind="list",outcome="ok",upstream="https://proxy.example.com"} 1`,
		`weir_upstream_requests_total{kind="list",outcome="upstream timed out",upstream="https://proxy.example.com"} 1`,
		`weir_test 42`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}

func TestA22NamesOfModulesMakeNoSeries(t *testing.T) {
	m := telemetry.NewMetrics("v1")
	before := strings.Count(scrape(t, m), "\n")
	for _, k := range artifact.Kinds() {
		m.Event(cache.Event{Op: cache.OpFill, Name: artifact.Name{Kind: k, Module: "canary.example/" + k.String()}, Err: artifact.ErrNotFound})
	}
	got := scrape(t, m)
	if strings.Contains(got, "canary") {
		t.Error("a module's name is a label")
	}
	if grown := strings.Count(got, "\n") - before; grown > 1000 {
		t.Errorf("%d lines more", grown)
	}
}

func TestA19TheAccessLogKeepsToOneShortLine(t *testing.T) {
	for _, json := range []bool{false, true} {
		var buf strings.Builder
		l := telemetry.NewLogger(&buf, json, nil)
		r := httptest.NewRequest("GET", "/x", nil)
		r.Method = "GET\nfake"
		r.URL.Path = "/\x1b[31m\r\nlevel=ERROR \xff" + strings.Repeat("a", 1<<20)
		telemetry.Access{ID: "id-1", Request: r, Status: 502, Err: errors.New("a\nb\x1b" + strings.Repeat("c", 1<<20))}.Log(l)
		line := buf.String()
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\r") || len(line) > 4<<10 || !strings.Contains(line, "id-1") {
			t.Errorf("%d bytes: %.300q", len(line), line)
		}
	}
}

func TestTheAccessLogTellsTroubleFromTraffic(t *testing.T) {
	for _, tt := range []struct {
		access telemetry.Access
		level  string
	}{
		{telemetry.Access{Status: 200, Result: cache.Hit}, "INFO"},
		{telemetry.Access{Status: 404, Err: artifact.ErrNotFound}, "INFO"},
		{telemetry.Access{Status: 502, Err: artifact.ErrBadUpstream}, "WARN"},
		{telemetry.Access{Status: 200, Err: io.ErrUnexpectedEOF}, "WARN"},
	} {
		var buf strings.Builder
		tt.access.Request = httptest.NewRequest(http.MethodGet, "/x", nil)
		tt.access.Log(telemetry.NewLogger(&buf, false, nil))
		if !strings.Contains(buf.String(), "level="+tt.level) {
			t.Errorf("%+v: %s", tt.access, buf.String())
		}
	}
}

// blocked is a log that nobody reads until it is opened.
type blocked struct {
	open chan struct{}
	mu   sync.Mutex
	got  strings.Builder
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.open
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got.Write(p)
}

func TestF31ALogThatIsNotReadStopsNobodyAndIsBounded(t *testing.T) {
	out := &blocked{open: make(chan struct{})}
	w := telemetry.NewWriter(out)
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 4 << 10 { // 4 MiB
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	dropped := w.Dropped()
	if dropped < 1<<10 || dropped >= 4<<10 {
		t.Errorf("%d of 4096 lines dropped", dropped)
	}
	close(out.open)
	w.Close(10 * time.Second)
	if got := int64(strings.Count(out.got.String(), "\n")); got != 4<<10-dropped {
		t.Errorf("%d lines written, %d dropped", got, dropped)
	}
	w.Close(0)
	if w.Write(line); w.Dropped() != dropped+1 {
		t.Error("a line after the end is not counted as dropped")
	}
}
