package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

func TestA20SlowClientsAreCutAndOthersServed(t *testing.T) {
	t.Parallel()
	big := modtest.BigModule("example.com/big", "v1.0.0", 32<<20)
	p := modtest.New(simple("example.com/m", "v1.0.0"), big)
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_LIMITS_HEADER_TIMEOUT=1s", "WEIR_LIMITS_IDLE_TIMEOUT=1s", "WEIR_LIMITS_WRITE_STALL=1s")
	const path, zip = "/example.com/m/@v/v1.0.0.mod", "/example.com/big/@v/v1.0.0.zip"
	want := truth(t, p, path)
	w.want(t, path, want)
	if r := w.get(t, zip); !r.whole() {
		t.Fatal(r)
	}

	// Some send a byte now and then, some nothing, some take nothing.
	const each = 100
	var slow []net.Conn
	var drip sync.WaitGroup
	for range each {
		dripping, silent, deaf := w.dial(t), w.dial(t), w.dial(t)
		slow = append(slow, dripping, silent, deaf)
		drip.Go(func() {
			dripInto(dripping, "GET "+path+" HTTP/1.1\r\nHost: weir\r\nX-Slow: "+strings.Repeat("x", 1000))
		})
		io.WriteString(deaf, "GET "+zip+" HTTP/1.1\r\nHost: weir\r\n\r\n")
	}
	for range 50 {
		watch := startStopwatch()
		w.want(t, path, want)
		if watch.exceeds(2 * time.Second) {
			t.Errorf("a hit took %v beside slow clients", watch.took())
		}
	}
	drip.Wait()
	client.CloseIdleConnections()
	eventually(t, 20*time.Second, "all slow connections are cut", func() bool { return w.metric(t, "weir_connections") <= 3 })
	for i, conn := range slow {
		got, err := io.Copy(io.Discard, conn)
		if errors.Is(err, os.ErrDeadlineExceeded) || i%3 == 2 && got >= 32<<20 {
			t.Fatalf("slow connection %d was not cut: %d bytes, %v", i, got, err)
		}
	}
	w.want(t, path, want)
}

// dripInto sends a byte now and then until the other side hangs up.
func dripInto(conn net.Conn, text string) {
	for i := range len(text) {
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond) // being slow is what this is about
	}
}

func TestA21OversizedRequests(t *testing.T) {
	t.Parallel()
	m := simple("example.com/m", "v1.0.0")
	w, p := spied(t, m)
	const zip = "/example.com/m/@v/v1.0.0.zip"
	want := truth(t, p, zip)
	w.want(t, zip, want)
	head := "GET " + zip + " HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n"

	// A hundred ranges, small or all of it.
	for _, ranges := range []string{strings.Repeat("0-0,", 99) + "0-0", strings.Repeat("0-,", 99) + "0-", "bytes", "0-18446744073709551616", "5-2", "-0"} {
		r := w.raw(t, head+"Range: bytes="+ranges+"\r\n\r\n")
		if r.err != nil || len(r.body) > len(want)+1000 || r.status == http.StatusOK && !bytes.Equal(r.body, want) {
			t.Errorf("ranges %.20q: %v", ranges, r)
		}
		if r.status != http.StatusOK && r.status != http.StatusPartialContent && r.status != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("ranges %.20q: %v", ranges, r)
		}
	}

	// A mebibyte of headers, in one or in many.
	for _, headers := range []string{"X-Big: " + strings.Repeat("x", 1<<20) + "\r\n", strings.Repeat("X-Many: x\r\n", 100_000)} {
		r := w.raw(t, head+headers+"\r\n")
		if r.err == nil && r.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("1 MiB of headers: %v; want 431", r)
		}
	}

	// Uploads without end: the server does not take them.
	for _, method := range []string{"POST", "PUT", "GET", "DELETE", "BREW"} {
		conn := w.dial(t)
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\n\r\n", method, zip)
		sent := uploadWithoutEnd(conn)
		r := readResponse(conn)
		switch {
		case method == "GET":
			if r.err != nil || r.status != http.StatusRequestEntityTooLarge && !bytes.Equal(r.body, want) {
				t.Errorf("GET with a body: %v", r)
			}
		case r.err != nil || r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET, HEAD":
			t.Errorf("%s: %v, Allow %q; want 405", method, r, r.header.Get("Allow"))
		}
		if n := <-sent; n > 64<<20 {
			t.Errorf("%s: the server took %d bytes", method, n)
		}
	}
	w.want(t, zip, want)
}

// uploadWithoutEnd sends chunks until the other side hangs up, and tells how
// many bytes it took.
func uploadWithoutEnd(conn net.Conn) <-chan int {
	sent := make(chan int, 1)
	chunk := []byte("8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n")
	go func() {
		total := 0
		for {
			n, err := conn.Write(chunk)
			total += n
			if err != nil || total > 128<<20 {
				sent <- total
				return
			}
		}
	}()
	return sent
}

// frame is a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := make([]byte, 9)
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8)
	head[3], head[4] = kind, flags
	binary.BigEndian.PutUint32(head[5:], stream)
	return string(head) + payload
}

const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	headers      = 1
	reset        = 3
	settings     = 4
	continuation = 9
	endStream    = 1
	endHeaders   = 4
)

func TestA21HTTP2Floods(t *testing.T) {
	t.Parallel()
	w, p := spied(t, simple("example.com/m", "v1.0.0"))
	const mod = "/example.com/m/@v/v1.0.0.mod"
	want := truth(t, p, mod)
	w.want(t, mod, want)
	client.CloseIdleConnections()
	before := w.metric(t, "go_goroutines")
	// :method GET, :scheme http, :path mod, :authority weir
	block := "\x82\x86\x04" + string(rune(len(mod))) + mod + "\x41\x04weir"

	for name, flood := range map[string]func(i int) string{
		"rapid reset": func(i int) string {
			stream := uint32(2*i + 1)
			return frame(headers, endStream|endHeaders, stream, block) + frame(reset, 0, stream, "\x00\x00\x00\x08")
		},
		"continuation": func(i int) string {
			if i == 0 {
				return frame(headers, endStream, 1, block)
			}
			return frame(continuation, 0, 1, "\x40\x01x\x7f\x81\x01"+strings.Repeat("y", 256))
		},
		"settings": func(int) string { return frame(settings, 0, 0, "") },
	} {
		conn := w.dial(t)
		var taken atomic.Int64
		done := make(chan struct{})
		go func() { // what comes back is thrown away
			defer close(done)
			io.Copy(io.Discard, conn)
		}()
		io.WriteString(conn, preface+frame(settings, 0, 0, ""))
		for i := range floodFrames {
			if _, err := io.WriteString(conn, flood(i)); err != nil {
				break
			}
			taken.Add(1)
		}
		conn.Close()
		<-done
		t.Logf("%s: %d taken", name, taken.Load())
		watch := startStopwatch()
		w.want(t, mod, want)
		if watch.exceeds(2 * time.Second) {
			t.Errorf("%s: a hit took %v afterwards", name, watch.took())
		}
	}
	client.CloseIdleConnections()
	eventually(t, 20*time.Second, "the goroutines of the floods are gone", func() bool {
		return w.metric(t, "go_goroutines") <= before+20
	})
	if n := p.Count(mod); n != 2 { // ours, and that of the test itself
		t.Errorf("the upstream was asked %d times", n)
	}
}

// Names that nobody has ever heard of cost neither memory nor series of metrics.
func TestA22NamesWithoutEnd(t *testing.T) {
	t.Parallel()
	const names, workers = floodNames, 32
	w, _ := spied(t, simple("example.com/m", "v1.0.0"))
	path := func(i int) string {
		switch i % 5 {
		case 0:
			return fmt.Sprintf("/example.com/x%d/@v/list", i)
		case 1:
			return fmt.Sprintf("/example.com/x%d/@latest", i)
		case 2:
			return fmt.Sprintf("/example.com/m/@v/branch%d.info", i)
		case 3:
			return fmt.Sprintf("/example.com/m/@v/v1.%d.0.mod", i)
		}
		return fmt.Sprintf("/example%d.com/x/@v/v1.0.0.zip", i)
	}
	askFor := func(from, to int) {
		var next atomic.Int64
		next.Store(int64(from))
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for i := int(next.Add(1)) - 1; i < to; i = int(next.Add(1)) - 1 {
					if r := do(w.request(t, path(i))); r.err != nil || r.status != http.StatusNotFound && r.status != http.StatusTooManyRequests && r.status != http.StatusServiceUnavailable {
						t.Errorf("GET %s: %v", path(i), r)
						return
					}
				}
			})
		}
		all.Wait()
	}
	askFor(0, names/4)
	series, memory := w.series(t), w.memory(t)
	askFor(names/4, names)
	if now := w.series(t); now > series+5 {
		t.Errorf("series of metrics grew from %d to %d", series, now)
	}
	eventually(t, 30*time.Second, "memory is what it was, or half as much again", func() bool { return w.memory(t) <= memory*3/2+64<<20 })
	if stored := w.stored(t); len(stored) != 0 {
		t.Errorf("%d files were stored, such as %s", len(stored), stored[0])
	}
}

// series is how many series of metrics there are.
func (w *weir) series(t *testing.T) int {
	t.Helper()
	n := 0
	for line := range bytes.Lines(w.get(t, "/metrics").body) {
		if !bytes.HasPrefix(line, []byte("#")) {
			n++
		}
	}
	return n
}

// memory is what the process has of the machine's memory, in bytes.
func (w *weir) memory(t *testing.T) int64 {
	t.Helper()
	return int64(w.metric(t, "process_resident_memory_bytes"))
}
