// Package admin is the administration interface over HTTP: JSON for machines and
// for the commands of the command line, below /-/api/v1/, and profiles of the process
// below /-/debug/pprof/.
//
// It shows and changes nothing that is not asked for, and what it shows holds no
// secret. Who may ask is decided in front of it.
package admin

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/goweir/weir/internal/policy"
	"github.com/goweir/weir/internal/source/pool"
)

// Prefix is the path that everything here begins with.
const Prefix = "/-/api/v1/"

// Options are what there is to show.
type Options struct {
	Upstreams func() []pool.Status
	Explain   func(Question) Explanation
}

// A Question is whether somebody may do something with a module.
type Question struct {
	Module  string   `json:"module"`
	Action  string   `json:"action"`
	Subject string   `json:"subject"`
	Groups  []string `json:"groups,omitempty"`
}

// An Explanation is the answer to a Question, with what each rule says.
type Explanation struct {
	Question
	Allowed bool   `json:"allowed"`
	Hidden  bool   `json:"hidden"` // it is answered as if the module did not exist
	Rule    string `json:"rule,omitempty"`
	Why     string `json:"why"`
	Steps   []Step `json:"steps"`
}

// A Step is what one rule says.
type Step struct {
	Rule    string `json:"rule"`
	Matched bool   `json:"matched"`
	Decides bool   `json:"decides"`
	Why     string `json:"why"`
}

// Explain answers a Question about a subject by a policy.
func Explain(p *policy.Policy, q Question, s policy.Subject) Explanation {
	d := p.Decide(s, policy.Action(q.Action), q.Module)
	e := Explanation{Question: q, Allowed: d.Allowed, Hidden: d.Hide, Rule: d.Rule, Why: d.Why}
	for _, step := range p.Explain(s, policy.Action(q.Action), q.Module) {
		e.Steps = append(e.Steps, Step(step))
	}
	return e
}

// WhoAmI is the path at which a client learns whom it is taken for.
const WhoAmI = "/-/whoami"

// Me is the answer at WhoAmI.
type Me struct {
	Name   string   `json:"name"` // empty: nobody in particular
	Method string   `json:"method,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Names
}

// Names are patterns of modules that a client must know about, to set up the go command.
type Names struct {
	Private []string `json:"private,omitempty"`  // nobody but this server may hear of these
	NoSumdb []string `json:"no_sumdb,omitempty"` // no checksum database may hear of these, either
}

// AnswerMe tells a client whom it is taken for, and the patterns that it may know.
func AnswerMe(w http.ResponseWriter, s policy.Subject, n Names) {
	answer(w, http.StatusOK, Me{s.Name, s.Method, s.Groups, n})
}

// Upstreams is the answer at upstreams: how they fare, by name.
type Upstreams struct {
	Upstreams []pool.Status `json:"upstreams"`
}

// Problem is the answer to what cannot be answered.
type Problem struct {
	Error string `json:"error"`
}

// New returns the handler of all paths below Prefix.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(Prefix, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, Problem{"there is nothing here; try " + Prefix + "upstreams"})
	})
	mux.HandleFunc(Prefix+"upstreams", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, Upstreams{append([]pool.Status{}, o.Upstreams()...)})
	})
	mux.HandleFunc(Prefix+"access", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		question := Question{Module: q.Get("module"), Action: cmp.Or(q.Get("action"), string(policy.Read)), Subject: q.Get("subject"), Groups: q["group"]}
		answer(w, http.StatusOK, o.Explain(question))
	})
	return readOnly(mux)
}

// readOnly refuses what is not a question.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			answer(w, http.StatusMethodNotAllowed, Problem{"only GET and HEAD are answered here"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that has left hears nothing
}
