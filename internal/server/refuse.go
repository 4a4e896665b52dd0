package server

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/policy"
)

// maxText is how much of an error body the go command shows.
const maxText = 648

var textPlain = []string{"text/plain; charset=utf-8"}

// refuse answers with an error in plain text that the go command prints: what
// was refused and why, what to do next, and the request id.
func refuse(w http.ResponseWriter, r *http.Request, out *Outcome, subject string, status int, err error) {
	out.Status, out.Err = status, err
	h := w.Header()
	h["Content-Type"] = textPlain
	h["X-Content-Type-Options"] = nosniff
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = errorControl(status, out.personal())
	}
	if status == http.StatusUnauthorized {
		h["Www-Authenticate"] = challenges
	}
	h["Vary"] = varyText
	if d := retryAfter(status, err); d > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)}
	}
	text := refusal(subject, status, out.ID, err)
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	n, _ := w.Write([]byte(text)) // a client that has gone needs no reason
	out.Bytes = int64(n)
}

// Refuse answers a request of somebody that is not for the protocol with an error,
// in the same form.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, who policy.Subject, err error) {
	out := s.begin(w, r)
	defer s.end(w, r, &out, time.Now())
	out.Subject = who
	refuse(w, r, &out, "", artifact.Status(err), err)
}

// errorControl lets others keep "not found" for as long as it is believed here
// at least, unless it depends on who asked, and nothing else.
func errorControl(status int, personal bool) []string {
	if status == http.StatusNotFound && !personal {
		return notFoundControl
	}
	return noStore
}

// challenges are the ways to say who asks.
//
// Source: RFC 9110, section 11.6.1.
var challenges = []string{`Basic realm="weir"`, `Bearer realm="weir"`}

var notFoundControl = []string{"public, max-age=10"}

// defaultRetry is when to try again where nobody knows better.
const defaultRetry = 5 * time.Second

func retryAfter(status int, err error) time.Duration {
	if d := artifact.RetryAfter(err); d > 0 {
		return d
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return defaultRetry
	}
	return 0
}

// refusal is the text of an error answer, within what the go command shows: at
// most 8 lines and 648 bytes of graphic characters.
func refusal(subject string, status int, id string, err error) string {
	reason, hint := artifact.Explain(err)
	var b strings.Builder
	if status == http.StatusNotFound {
		reason = strings.TrimPrefix(reason, "not found: ")
		b.WriteString("not found: ")
	} else {
		b.WriteString("weir: ")
	}
	if subject != "" && !strings.HasPrefix(reason, subject) {
		b.WriteString(artifact.Clean(subject, 200) + ": ")
	}
	b.WriteString(artifact.Clean(reason, 300) + "\n")
	tail := "request id: " + id + "\n"
	if hint != "" {
		if room := maxText - b.Len() - len(tail) - len("what to do: \n"); room > 20 {
			b.WriteString("what to do: " + artifact.Clean(hint, room) + "\n")
		}
	}
	return b.String() + tail
}

// ids makes request ids: unique in the process, and by their random beginning
// between processes too.
type ids struct {
	prefix string
	next   *atomic.Uint64
}

func newIDs() ids {
	var seed [5]byte
	rand.Read(seed[:])
	return ids{prefix: hex.EncodeToString(seed[:]) + "-", next: new(atomic.Uint64)}
}

// of returns the id of a request: the client's or its proxy's, if it is one
// that can be shown and logged, else a new one.
func (i ids) of(r *http.Request) string {
	if v := r.Header[headerRequestID]; len(v) > 0 && fit(v[0]) {
		return v[0]
	}
	return i.prefix + strconv.FormatUint(i.next.Add(1), 36)
}

func fit(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
