package modtest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// A Fault is one way to answer badly. The zero Fault answers well.
type Fault struct {
	do func(w http.ResponseWriter, r *http.Request, a answer, s state)
}

type fault struct {
	suffix string
	Fault
}

func (f Fault) play(w http.ResponseWriter, r *http.Request, a answer, s state) {
	if f.do == nil {
		a.serve(w, r)
		return
	}
	f.do(w, r, a, s)
}

// Faults without parameters. Those that concern a body leave answers other
// than 200 as they are.
var (
	// Hang sends nothing until the proxy is healed, then the whole answer.
	Hang = Fault{func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		if s.awaitHealed(r.Context()) {
			a.serve(w, r)
		}
	}}
	// HangBody sends headers and half of the body, the rest when healed.
	HangBody = ofBody(func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		half := len(a.body) / 2
		declare(w, a, len(a.body))
		flush(w, a.body[:half])
		if s.awaitHealed(r.Context()) {
			flush(w, a.body[half:])
		}
	})
	// Truncate declares the whole length and cuts the connection after half.
	Truncate = ofBody(func(w http.ResponseWriter, _ *http.Request, a answer, _ state) {
		declare(w, a, len(a.body))
		flush(w, a.body[:len(a.body)/2])
		cut(w)
	})
	// TruncateChunked declares no length and cuts the connection after half.
	TruncateChunked = ofBody(func(w http.ResponseWriter, _ *http.Request, a answer, _ state) {
		w.Header().Set("Content-Type", a.kind)
		flush(w, a.body[:len(a.body)/2])
		cut(w)
	})
	// Short sends half of the body as if that were all.
	Short = ofBody(func(w http.ResponseWriter, _ *http.Request, a answer, _ state) {
		half := len(a.body) / 2
		declare(w, a, half)
		flush(w, a.body[:half])
	})
	// ShortChunked does so without a length.
	ShortChunked = ofBody(func(w http.ResponseWriter, _ *http.Request, a answer, _ state) {
		w.Header().Set("Content-Type", a.kind)
		flush(w, a.body[:len(a.body)/2])
	})
	// Corrupt changes one byte in the middle.
	Corrupt = ofBody(func(w http.ResponseWriter, r *http.Request, a answer, _ state) {
		a.body = bytes.Clone(a.body)
		if len(a.body) > 0 {
			a.body[len(a.body)/2] ^= 0x20
		}
		a.serve(w, r)
	})
	// HTML is a login page with status 200.
	HTML = Answer(http.StatusOK, "text/html; charset=utf-8", []byte("<!DOCTYPE html><html><title>Sign in</title><body>Please sign in to the network.</body></html>\n"))
	// Gone cuts the connection without an answer.
	Gone = Fault{func(w http.ResponseWriter, _ *http.Request, _ answer, _ state) { cut(w) }}
	// Reset does so with a reset, as a machine that knows nothing of the connection.
	Reset = Fault{func(w http.ResponseWriter, _ *http.Request, _ answer, _ state) { reset(w) }}
)

// ofBody is a fault that only answers with a body can have.
func ofBody(do func(http.ResponseWriter, *http.Request, answer, state)) Fault {
	return Fault{func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		if a.status != http.StatusOK {
			a.serve(w, r)
			return
		}
		do(w, r, a, s)
	}}
}

// Answer answers with this instead.
func Answer(status int, contentType string, body []byte) Fault {
	return Fault{func(w http.ResponseWriter, r *http.Request, _ answer, _ state) {
		answer{status, contentType, body}.serve(w, r)
	}}
}

// Status answers with an error and, unless it is zero, a Retry-After.
func Status(code int, retryAfter time.Duration) Fault {
	return Fault{func(w http.ResponseWriter, r *http.Request, _ answer, _ state) {
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		}
		answer{code, textKind, []byte(http.StatusText(code) + "\n")}.serve(w, r)
	}}
}

// Slow sends bodies with this many bytes a second, until healed. Ranges are
// obeyed.
func Slow(bytesPerSecond int) Fault {
	const ticks = 20 // a second
	return ofBody(func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		a.serve(&pacedWriter{
			ResponseWriter: w, ctx: r.Context(), healed: s.healed,
			part: max(bytesPerSecond/ticks, 1),
			tick: max(time.Second/ticks, time.Second/time.Duration(bytesPerSecond)),
		}, r)
	})
}

// pacedWriter sends a part of a body at each tick, and the rest at once when
// the proxy is healed.
type pacedWriter struct {
	http.ResponseWriter
	ctx    context.Context
	healed <-chan struct{}
	part   int // bytes
	tick   time.Duration
	room   int // bytes left of this tick
}

func (p *pacedWriter) Write(data []byte) (int, error) {
	sent := 0
	for sent < len(data) {
		if p.room == 0 && !p.await() {
			n, err := p.ResponseWriter.Write(data[sent:])
			return sent + n, err
		}
		n := min(p.room, len(data)-sent)
		if err := flush(p.ResponseWriter, data[sent:sent+n]); err != nil {
			return sent, err
		}
		sent, p.room = sent+n, p.room-n
	}
	return sent, p.ctx.Err()
}

// await waits for the next tick and reports whether there still are ticks.
func (p *pacedWriter) await() bool {
	p.room = p.part
	select {
	case <-time.After(p.tick):
		return true
	case <-p.healed:
	case <-p.ctx.Done():
	}
	return false
}

// ResetAfter sends so many bytes of a body and then resets the connection.
// Ranges are obeyed, so that a client that asks for the rest gets as much again.
func ResetAfter(n int) Fault {
	return ofBody(func(w http.ResponseWriter, r *http.Request, a answer, _ state) {
		a.serve(&resetWriter{w, n}, r)
	})
}

type resetWriter struct {
	http.ResponseWriter
	left int // bytes
}

func (w *resetWriter) Write(data []byte) (int, error) {
	n := min(w.left, len(data))
	if err := flush(w.ResponseWriter, data[:n]); err != nil {
		return 0, err
	}
	if w.left -= n; w.left == 0 {
		reset(w.ResponseWriter)
	}
	return n, nil
}

// First has the fault for n requests and is well after that.
func First(n int, f Fault) Fault {
	var seen atomic.Int64
	return Fault{func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		if seen.Add(1) > int64(n) {
			a.serve(w, r)
			return
		}
		f.play(w, r, a, s)
	}}
}

// Flap has the fault for the first request and for every other one after it.
func Flap(f Fault) Fault {
	var seen atomic.Int64
	return Fault{func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		if seen.Add(1)%2 == 0 {
			a.serve(w, r)
			return
		}
		f.play(w, r, a, s)
	}}
}

// awaitHealed reports whether the proxy was healed before the client left.
func (s state) awaitHealed(ctx context.Context) bool {
	select {
	case <-s.healed:
		return true
	case <-ctx.Done():
		return false
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func declare(w http.ResponseWriter, a answer, length int) {
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Content-Length", strconv.Itoa(length))
}

// flush sends a part of a body at once. Its error says that the client has gone.
func flush(w http.ResponseWriter, part []byte) error {
	if _, err := w.Write(part); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// cut ends the connection, and the handler with it.
func cut(w http.ResponseWriter) { end(w, net.Conn.Close) }

// reset does so with a reset: what is under way is lost.
func reset(w http.ResponseWriter) { end(w, resetConn) }

func end(w http.ResponseWriter, how func(net.Conn) error) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		how(conn)
	}
	panic(http.ErrAbortHandler)
}

func resetConn(conn net.Conn) error {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return conn.Close()
}
