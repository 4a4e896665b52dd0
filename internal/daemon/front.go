package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/limit"
	"github.com/goweir/weir/internal/policy"
	"github.com/goweir/weir/internal/server"
)

// front is what faces the world: the server of modules and, if the operation has
// an address of its own, a second one, and one for those who come by http. Each has
// the bounds of connections for itself, so that a flood at one address leaves the
// others open, that of the operation above all.
type front struct {
	bounds    limit.Bounds
	servers   []*http.Server
	listeners []*limit.Listener
	served    chan error // of each server, when it ends
	tasks     sync.WaitGroup
	cancel    context.CancelFunc // of what goes on beside them
}

// serve begins to serve.
func (d *daemon) serve(ctx context.Context, cfg *config.Config, listener net.Listener) (*front, error) {
	protocol := server.New(d.prefetch, server.Options{Door: d.door, PathPrefix: cfg.PathPrefix, OnDone: d.done})
	operation := d.operation(ctx, protocol)
	d.warnOfReaders(cfg, listener.Addr())
	f := newFront(cfg)
	if cfg.TLS.HTTPListen != "" {
		plain, err := listen(ctx, "tls.http_listen", cfg.TLS.HTTPListen)
		if err != nil {
			return nil, err
		}
		f.add(d.plainServer(cfg), plain)
	}
	if cfg.Admin.Listen == "" {
		f.add(d.httpServer(cfg, dispatch(protocol, d.public(protocol), operation)), listener)
		d.start(ctx, f)
		return f, nil
	}
	own, err := listen(ctx, "admin.listen", cfg.Admin.Listen)
	if err != nil {
		f.close()
		return nil, err
	}
	d.log.Info("the operation has an address of its own", "url", d.encryption.scheme()+"://"+own.Addr().String())
	f.add(d.httpServer(cfg, dispatch(protocol, d.public(protocol), nil)), listener)
	f.add(d.httpServer(cfg, dispatch(http.NotFoundHandler(), d.public(protocol), operation)), own)
	d.start(ctx, f)
	return f, nil
}

// start opens a front, and goes on with what goes on beside it.
func (d *daemon) start(ctx context.Context, f *front) {
	ctx, f.cancel = context.WithCancel(ctx)
	d.watch(f)
	f.tasks.Go(func() { d.watchCertificates(ctx) })
	f.start()
}

// listen listens on an address of the configuration.
func listen(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address for %s", address, err, key)
	}
	return l, nil
}

// plainServer answers those who come by http where there is https.
func (d *daemon) plainServer(cfg *config.Config) *http.Server {
	return &http.Server{
		Handler:        d.encryption.plain,
		ReadTimeout:    plainTimeout,
		WriteTimeout:   plainTimeout,
		MaxHeaderBytes: int(cfg.Limits.HeaderBytes),
		ErrorLog:       slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
}

// plainTimeout bounds a request by http and its answer, which are small.
const plainTimeout = 10 * time.Second

// warnOfReaders tells the operator when private modules can be read by everybody who
// can connect.
func (d *daemon) warnOfReaders(cfg *config.Config, at net.Addr) {
	private := len(cfg.Private) > 0 && d.vcs != nil || slices.ContainsFunc(cfg.Routes, func(r config.Route) bool { return r.Private })
	local := net.ParseIP(strings.Trim(hostOf(at.String()), "[]")).IsLoopback()
	if private && !local && cfg.Auth.Anonymous && len(cfg.Access) == 0 {
		d.log.Warn("everybody who can connect can read the private modules; set auth.anonymous to false, or write access rules")
	}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func newFront(cfg *config.Config) *front {
	return &front{cancel: func() {}, bounds: limit.Bounds{
		Connections: cfg.Limits.Connections,
		PerClient:   cfg.Limits.ConnectionsPerClient,
		WriteStall:  time.Duration(cfg.Limits.WriteStall),
	}}
}

// add has a server take the connections of a listener once the front is open.
func (f *front) add(srv *http.Server, l net.Listener) {
	f.servers, f.listeners = append(f.servers, srv), append(f.listeners, limit.NewListener(l, f.bounds))
}

// start opens the front.
func (f *front) start() {
	f.served = make(chan error, len(f.servers))
	for i, srv := range f.servers {
		f.tasks.Go(func() { f.served <- serve(srv, f.listeners[i]) })
	}
}

func serve(srv *http.Server, l net.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

// connections is how many are open.
func (f *front) connections() (n int) {
	for _, l := range f.listeners {
		n += l.Open()
	}
	return n
}

// refused is how many connections were refused so far.
func (f *front) refused() (n int64) {
	for _, l := range f.listeners {
		n += l.Refused()
	}
	return n
}

// shutdown lets no new requests in and waits for those under way, until ctx ends.
func (f *front) shutdown(ctx context.Context) error {
	var errs []error
	for _, srv := range f.servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, err)
			srv.Close()
		}
	}
	return errors.Join(errs...)
}

func (f *front) close() {
	f.cancel()
	for i, srv := range f.servers {
		srv.Close()
		f.listeners[i].Close() // which the server does not know if it was never begun
	}
	f.tasks.Wait()
}

// httpServer is a server with the bounds that keep slow and greedy clients
// from holding it.
func (d *daemon) httpServer(cfg *config.Config, h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(cfg.TLS.H2C)
	if d.encryption.config != nil {
		h = strictly(h)
	}
	return &http.Server{
		Handler:           h,
		TLSConfig:         d.encryption.config.Clone(), // a server adds to its own; nil stays nil
		ReadHeaderTimeout: time.Duration(cfg.Limits.HeaderTimeout),
		IdleTimeout:       time.Duration(cfg.Limits.IdleTimeout),
		MaxHeaderBytes:    int(cfg.Limits.HeaderBytes),
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 250},
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
}

// public are the paths that are open to all: by them others see whether the server
// lives and serves, and whom it takes them for.
func (d *daemon) public(protocol *server.Server) map[string]http.Handler {
	return map[string]http.Handler{
		"/livez":     http.HandlerFunc(live),
		"/startupz":  http.HandlerFunc(live), // nothing listens before the start is through
		"/readyz":    http.HandlerFunc(d.ready),
		"/healthz":   http.HandlerFunc(d.ready),
		"/":          http.HandlerFunc(d.welcome),
		admin.WhoAmI: protocol.Behind(func(w http.ResponseWriter, s policy.Subject) { admin.AnswerMe(w, s, d.namesFor(s)) }),
	}
}

// operation answers those who may see how the server fares.
func (d *daemon) operation(ctx context.Context, protocol *server.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", d.metrics.Handler())
	mux.Handle(admin.ProfilePrefix, admin.Profiles(ctx))
	mux.Handle(admin.Prefix, admin.New(admin.Options{Upstreams: d.pool.Status, Explain: d.explain}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, err := d.door.mayOperate(r); err != nil {
			protocol.Refuse(w, r, s, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// dispatch sends the paths of operation to their handlers and all others to the
// protocol. operation may be nil: then there are no such paths.
func dispatch(protocol http.Handler, public map[string]http.Handler, operation http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := public[r.URL.Path]
		switch {
		case ok:
			h.ServeHTTP(w, r)
		case operation != nil && (r.URL.Path == "/metrics" || strings.HasPrefix(r.URL.Path, "/-/")):
			operation.ServeHTTP(w, r)
		default:
			protocol.ServeHTTP(w, r)
		}
	})
}
