// Package admin is the administration interface over HTTP: JSON for machines and
// for the commands of the command line, below /-/api/v1/.
//
// It shows and changes nothing that is not asked for, and what it shows holds no
// secret. Who may ask is decided in front of it.
package admin

import (
	"encoding/json"
	"net/http"

	"github.com/goweir/weir/internal/source/pool"
)

// Prefix is the path that everything here begins with.
const Prefix = "/-/api/v1/"

// Options are what there is to show.
type Options struct {
	Upstreams func() []pool.Status
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
