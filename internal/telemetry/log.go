package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
)

// NewLogger returns a logger that writes lines of text or JSON to w.
func NewLogger(w io.Writer, json bool, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if json {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// Access is one line of the access log.
type Access struct {
	ID       string
	Request  *http.Request
	Kind     artifact.Kind
	Result   cache.Result
	Status   int
	Bytes    int64
	Duration time.Duration
	Err      error
}

// maxLogged is how much of a path or a client's own description is logged.
const maxLogged = 256

// Log writes the line: a failure of ours as an error, everything else as
// information. The handlers of slog escape what clients send.
func (a Access) Log(l *slog.Logger) {
	level := slog.LevelInfo
	if a.Status >= http.StatusInternalServerError || a.Status == http.StatusOK && a.Err != nil {
		level = slog.LevelWarn
	}
	ctx := a.Request.Context()
	if !l.Enabled(ctx, level) {
		return
	}
	attrs := [...]slog.Attr{
		slog.String("method", cut(a.Request.Method)),
		slog.String("path", cut(a.Request.URL.Path)),
		slog.Int("status", a.Status),
		slog.String("cache", a.Result.String()),
		slog.Int64("bytes", a.Bytes),
		slog.Duration("duration", a.Duration),
		slog.String("client", a.Request.RemoteAddr),
		slog.String("id", a.ID),
		{},
	}
	used := attrs[:len(attrs)-1]
	if a.Err != nil {
		attrs[len(attrs)-1] = slog.String("error", artifact.Clean(a.Err.Error(), 4*maxLogged))
		used = attrs[:]
	}
	l.LogAttrs(ctx, level, "request", used...)
}

func cut(s string) string { return s[:min(len(s), maxLogged)] }

// Writer is an io.Writer that never blocks: lines wait in a buffer of bounded
// size for a goroutine that passes them on, and are dropped when it is full. A
// log that is not read cannot stop a server.
type Writer struct {
	out     io.Writer
	dropped atomic.Int64

	mu     sync.Mutex
	buf    []byte
	closed bool
	wake   chan struct{}
	done   chan struct{}
}

// maxBuffered is how many bytes of lines may wait.
const maxBuffered = 1 << 20

// NewWriter returns a Writer to out. Close it to write what waits.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes a line. It never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.buf)+len(line) > maxBuffered {
		w.dropped.Add(1)
		return len(line), nil
	}
	w.buf = append(w.buf, line...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// Dropped is how many lines were dropped so far.
func (w *Writer) Dropped() int64 { return w.dropped.Load() }

// Close writes what waits, for at most the given time.
func (w *Writer) Close(patience time.Duration) {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.wake)
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-time.After(patience):
	}
}

// run passes lines on until the Writer is closed.
func (w *Writer) run() {
	defer close(w.done)
	var spare []byte
	for {
		_, open := <-w.wake
		w.mu.Lock()
		lines := w.buf
		w.buf = spare[:0]
		w.mu.Unlock()
		w.out.Write(lines) // nobody is left to tell
		spare = lines
		if !open {
			return
		}
	}
}
