// Package server speaks the GOPROXY protocol over HTTP.
//
// It turns a request into the name of an artifact, asks the cache for it, and
// answers with what the go command, other clients and shared caches understand:
// 200 for success only, 404 for what does not exist or cannot, another status
// with a reason in plain text for everything else, and a connection that is cut
// when a body breaks off, so that half a body never looks like a whole one.
//
// It promises that nothing of a request but who asks, its path, its method and the
// headers Range, If-*, Accept-Encoding and Disable-Module-Fetch decides what is
// answered, that no part of a request is ever written into a header, that a
// path that names no artifact costs no more than a look at it, and that the door
// is asked before anything else, whether an artifact is stored or not.
//
// Sources: the Go Modules Reference, "GOPROXY protocol"; RFC 9110, RFC 9111;
// cmd/go/internal/web for how answers are read.
package server

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/policy"
)

// A Door decides who comes in, and what they may read.
type Door interface {
	// Enter says who asks, or why they may not come in.
	Enter(*http.Request) (policy.Subject, Pass, error)
	// MayRead decides whether somebody may read a module; an empty one stands for
	// what belongs to no module.
	MayRead(s policy.Subject, module string) policy.Decision
}

// A Pass is what somebody who has come in has of the server.
type Pass interface {
	// Client is who has come in, as far as it can be told: those who are the same take
	// turns as one.
	Client() string
	cache.Waiter
	// Leave gives the pass back once its holder has been answered.
	Leave()
}

// Options configure a Server.
type Options struct {
	// Door stands in front of everything. nil: it is open.
	Door Door
	// PathPrefix is the URL path the protocol is served under, as in "/go".
	PathPrefix string
	// OnDone is told of every request after it has been answered. It must be
	// quick. nil: nobody wants to know.
	OnDone func(*http.Request, Outcome)
}

// An Outcome is how a request ended.
type Outcome struct {
	ID       string // request id, as sent to the client
	Kind     artifact.Kind
	Name     artifact.Name   // what was asked for; empty if it was no artifact
	Subject  policy.Subject  // who asked
	Decision policy.Decision // whether they may have it; empty if it did not come to that
	Result   cache.Result
	Status   int
	Bytes    int64 // of the body, as far as it was sent
	Duration time.Duration
	Err      error // why it was refused or broke off
}

// Opener is what the server needs of a cache.
type Opener interface {
	Open(context.Context, cache.Request) (cache.Answer, error)
}

// Server is an http.Handler. It is safe for concurrent use.
type Server struct {
	cache  Opener
	door   Door
	prefix string
	onDone func(*http.Request, Outcome)
	ids    ids
}

// New returns a Server that answers from a cache.
func New(c Opener, o Options) *Server {
	s := &Server{cache: c, door: o.Door, prefix: strings.TrimSuffix(o.PathPrefix, "/") + "/", onDone: o.OnDone, ids: newIDs()}
	if s.door == nil {
		s.door = openDoor{}
	}
	if s.onDone == nil {
		s.onDone = func(*http.Request, Outcome) {}
	}
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := s.begin(w, r)
	defer s.end(w, r, &out, time.Now())
	s.serve(w, r, &out)
}

// begin names a request.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) Outcome {
	out := Outcome{ID: s.ids.of(r)}
	w.Header()[headerRequestID] = []string{out.ID}
	return out
}

// end keeps a panic to its request and tells how the request ended. It must be
// deferred.
func (s *Server) end(w http.ResponseWriter, r *http.Request, out *Outcome, begun time.Time) {
	p := recover()
	cut := p != nil && contain(w, r, out, p)
	out.Duration = time.Since(begun)
	s.onDone(r, *out)
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// Behind answers requests that are not for the protocol, to whom the door lets in.
func (s *Server) Behind(answer func(http.ResponseWriter, policy.Subject)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := s.begin(w, r)
		defer s.end(w, r, &out, time.Now())
		subject, pass, err := s.door.Enter(r)
		out.Subject = subject
		if err != nil {
			refuse(w, r, &out, "", artifact.Status(err), err)
			return
		}
		defer pass.Leave()
		out.Status, out.Decision.Allowed = http.StatusOK, true
		answer(w, subject)
	})
}

// openDoor lets everybody in, and read everything.
type openDoor struct{}

// Enter implements Door.
func (openDoor) Enter(*http.Request) (policy.Subject, Pass, error) {
	return policy.Subject{}, openPass{}, nil
}

// MayRead implements Door.
func (openDoor) MayRead(policy.Subject, string) policy.Decision {
	return policy.Decision{Allowed: true}
}

// An openPass lets everybody have everything.
type openPass struct{}

// Client implements Pass.
func (openPass) Client() string { return "everybody" }

// Wait implements Pass.
func (openPass) Wait() error { return nil }

// Leave implements Pass.
func (openPass) Leave() {}

// contain keeps a panic to its request. It reports whether the connection must
// be cut, since an answer has begun that will not be whole.
func contain(w http.ResponseWriter, r *http.Request, out *Outcome, p any) (cut bool) {
	if p == http.ErrAbortHandler {
		return true
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if out.Status != 0 {
		out.Err = err
		return true
	}
	refuse(w, r, out, "", http.StatusInternalServerError, err)
	return false
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, out *Outcome) {
	if r.ContentLength != 0 {
		w.Header()["Connection"] = []string{"close"} // nobody reads what else is sent
	}
	subject, pass, err := s.door.Enter(r)
	out.Subject = subject
	if err != nil {
		refuse(w, r, out, "", artifact.Status(err), err)
		return
	}
	defer pass.Leave()
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header()["Allow"] = []string{"GET, HEAD"}
		refuse(w, r, out, "", http.StatusMethodNotAllowed, errMethod)
		return
	case r.ContentLength != 0:
		refuse(w, r, out, "", http.StatusRequestEntityTooLarge, errBody)
		return
	}
	n, err := s.name(r)
	if err != nil {
		refuse(w, r, out, "", artifact.Status(err), err)
		return
	}
	out.Kind, out.Name = n.Kind, n
	out.Decision = s.door.MayRead(subject, n.Module)
	if err := out.Decision.Err(); err != nil {
		refuse(w, r, out, about(n), artifact.Status(err), err)
		return
	}
	stored := storedOnly(r)
	a, err := s.cache.Open(r.Context(), cache.Request{Name: n, StoredOnly: stored, Client: pass.Client(), Waiter: pass})
	if err != nil {
		if stored {
			w.Header()["Cache-Control"] = noStore
		}
		refuse(w, r, out, about(n), artifact.Status(err), err)
		return
	}
	defer a.Close()
	out.Result = a.Result
	send(w, r, n, a, out)
}

// What is wrong with requests that are none of the protocol's.
var (
	errMethod = &artifact.Error{Class: artifact.ErrForbidden, Reason: "the protocol knows GET and HEAD only"}
	errBody   = &artifact.Error{Class: artifact.ErrForbidden, Reason: "requests of the protocol have no body"}
)

// name reads the artifact from the path. Slashes and backslashes that came
// encoded are no separators of the protocol, and r.URL.Path does not tell them
// from real ones.
func (s *Server) name(r *http.Request) (artifact.Name, error) {
	if raw := r.URL.RawPath; raw != "" {
		raw = strings.ToLower(raw)
		if strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") || strings.Contains(raw, "%00") {
			return artifact.Name{}, artifact.NotFound("the path holds an encoded slash, backslash or NUL")
		}
	}
	path, ok := strings.CutPrefix(r.URL.Path, s.prefix)
	if !ok {
		return artifact.Name{}, artifact.NotFound("modules are served under %s", s.prefix)
	}
	return artifact.Parse(path)
}

// storedOnly reports whether the client wants no upstream to be asked.
func storedOnly(r *http.Request) bool {
	v := r.Header["Disable-Module-Fetch"]
	return len(v) > 0 && strings.EqualFold(v[0], "true")
}

// about is what a refusal is about, in the words of the go command.
func about(n artifact.Name) string {
	switch {
	case n.Module == "":
		return n.DB
	case n.Version == "":
		return n.Module
	default:
		return n.Module + "@" + n.Version
	}
}
