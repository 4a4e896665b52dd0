package daemon

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// readyTimeout is how long the store may take to say how it is.
const readyTimeout = 2 * time.Second

func live(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

// ready tells whether requests should be sent here. It asks nothing but the
// store: upstreams may be down and cached modules are served all the same. A
// store that cannot be written makes the server degraded, not unready, since it
// goes on serving what it has and passes on what it has not.
func (d *daemon) ready(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if d.draining.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "draining: the server is ending")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := d.disk.Check(ctx); err != nil {
		fmt.Fprintf(w, "degraded: nothing new is stored: %s\n", artifact.Clean(err.Error(), 300))
		return
	}
	fmt.Fprintln(w, "ok")
}

// welcome tells a person who opens the address in a browser what this is.
func (d *daemon) welcome(w http.ResponseWriter, r *http.Request) {
	rules := d.door.rules.Load()
	url := rules.auth.Scheme(r) + "://" + artifact.Clean(r.Host, 200) + d.cfg.Load().PathPrefix
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "This is Weir %s, a Go module proxy.\n\nUse it:    go env -w GOPROXY=%s\n", d.version, url)
	if rules.known() {
		fmt.Fprintf(w, "Log in:    weir login %s\n", url)
	}
	fmt.Fprint(w, "Health:    /livez /readyz /startupz /healthz\nMetrics:   /metrics\n")
}
