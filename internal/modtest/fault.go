package modtest

import (
	"bytes"
	"context"
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

// Slow sends bodies with this many bytes a second, until healed.
func Slow(bytesPerSecond int) Fault {
	const ticks = 20 // a second
	return ofBody(func(w http.ResponseWriter, r *http.Request, a answer, s state) {
		declare(w, a, len(a.body))
		for len(a.body) > 0 {
			n := min(max(bytesPerSecond/ticks, 1), len(a.body))
			if flush(w, a.body[:n]) != nil {
				return
			}
			a.body = a.body[n:]
			select {
			case <-time.After(max(time.Second/ticks, time.Second/time.Duration(bytesPerSecond))):
			case <-s.healed:
				flush(w, a.body)
				return
			case <-r.Context().Done():
				return
			}
		}
	})
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
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}
