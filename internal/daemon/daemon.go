// Package daemon builds the server from its configuration and runs it: the only
// place that knows every room of the house.
//
// It promises that nothing is served before the configuration has been found
// good, that a configuration that turns out bad at a reload changes nothing,
// and that the end is orderly: unready first, then no new connections, then
// what is under way is answered and stored, within a bound.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/audit"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/prefetch"
	"github.com/goweir/weir/internal/server"
	"github.com/goweir/weir/internal/source/pool"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/disk"
	"github.com/goweir/weir/internal/store/mem"
	"github.com/goweir/weir/internal/store/tier"
	"github.com/goweir/weir/internal/telemetry"
)

// Options are what a daemon gets from its command line.
type Options struct {
	Load    func(context.Context) (*config.Config, error) // reads the configuration, now and at each reload
	Reload  <-chan os.Signal                              // asks to read the configuration again
	Log     io.Writer                                     // where log lines go
	Version string
}

// Run serves until ctx ends, drains, and returns nil; or it returns why it could
// not serve.
func Run(ctx context.Context, o Options) error {
	cfg, err := o.Load(ctx)
	if err != nil {
		return err
	}
	tuneMemory()
	lines := telemetry.NewWriter(o.Log)
	defer lines.Close(time.Second)
	d := &daemon{version: o.Version, load: o.Load, metrics: telemetry.NewMetrics(o.Version)}
	d.level.Set(level(cfg))
	d.log = telemetry.NewLogger(lines, cfg.Log.Format == "json", &d.level)
	log.SetOutput(slog.NewLogLogger(d.log.Handler(), slog.LevelDebug).Writer()) // of net/http, about misbehaving upstreams
	d.metrics.Gauge("weir_log_lines_dropped", "Log lines dropped because nobody took them.", func() float64 { return float64(lines.Dropped()) })
	return d.run(ctx, cfg, o.Reload)
}

// daemon is a running server.
type daemon struct {
	version string
	load    func(context.Context) (*config.Config, error)
	level   slog.LevelVar
	log     *slog.Logger
	metrics *telemetry.Metrics

	disk     *disk.Store
	store    store.Store // of all artifacts: the disk, and small ones in memory
	cache    *cache.Cache
	prefetch *prefetch.Prefetcher
	pool     *pool.Pool
	vcs      *versionControl // nil: this machine cannot read it
	noVCS    string          // why not
	door     *door
	audit    *audit.Log // nil: nothing is recorded
	graph    atomic.Pointer[graph]
	cfg      atomic.Pointer[config.Config]

	encryption encryption
	databases  databases

	draining     atomic.Bool
	keepsNothing atomic.Bool // the store takes nothing new at the moment
}

// tuneMemory trades a few megabytes for fewer garbage collections: the live heap
// is small and bounded. An operator's GOGC has the last word.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

func level(cfg *config.Config) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return slog.LevelInfo // validation has refused others
	}
	return l
}

func (d *daemon) run(ctx context.Context, cfg *config.Config, reload <-chan os.Signal) error {
	files := newWatcher(d.files(cfg)) // before they are read, so that no change after that is missed
	// The listener comes first: a second server on the same address must not
	// sweep the temporary files of the first.
	inner, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", cfg.Listen, err)
	}
	defer inner.Close()
	if err := d.open(cfg); err != nil {
		return err
	}
	defer d.close()

	front, err := d.serve(ctx, cfg, inner)
	if err != nil {
		return err
	}
	defer front.close()
	d.log.Info("weir is ready", "version", d.version, "url", d.encryption.scheme()+"://"+inner.Addr().String()+cfg.PathPrefix,
		"data", cfg.Data, "upstream", d.graph.Load().upstream, "sumdb", d.graph.Load().sumdb)

	look := time.NewTicker(watchEvery)
	defer look.Stop()
	for {
		select {
		case err := <-front.served:
			return fmt.Errorf("serving: %w", err)
		case <-reload:
			d.reload(ctx)
		case <-look.C:
			if cfg := d.cfg.Load(); cfg.Reload.Watch && files.changed(d.files(cfg)) {
				d.reload(ctx)
			}
		case <-ctx.Done():
			return d.drain(front)
		}
	}
}

// files are those whose change asks for a reload.
func (d *daemon) files(cfg *config.Config) []string { return append(cfg.Files(), TokensFile(cfg)) }

// open brings up what lives as long as the process, and the first graph.
func (d *daemon) open(cfg *config.Config) error {
	var err error
	if d.disk, err = disk.Open(filepath.Join(cfg.Data, "modules"), disk.Options{OnChange: d.storeChanged}); err != nil {
		return fmt.Errorf("cannot keep modules in %s: %w; choose another directory with --data", cfg.Data, err)
	}
	d.store = d.disk
	if cfg.Store.Memory > 0 {
		d.store = tier.New(mem.New(int64(cfg.Store.Memory)), d.disk, tierOptions)
	}
	if err := d.openDirect(cfg); err != nil {
		return errors.Join(err, d.disk.Close())
	}
	if err := d.openDoor(cfg); err != nil {
		return errors.Join(err, d.disk.Close())
	}
	d.pool = pool.New(pool.Options{OnChange: d.upstreamChanged, Patience: time.Duration(cfg.Fetch.Patience)})
	g, err := d.build(cfg)
	if err != nil {
		return errors.Join(err, d.pool.Close(), d.closeDoor(), d.disk.Close())
	}
	d.cfg.Store(cfg)
	d.graph.Store(g)
	d.cache = cache.New(d.store, g.source, d.cacheOptions(cfg, g))
	d.prefetch = prefetch.New(d.cache, d.prefetchOptions(cfg, g))
	d.beginDirect(cfg)
	g.start()
	return nil
}

// upstreamChanged tells when an upstream turns out to be out of order, and when it
// is well again.
func (d *daemon) upstreamChanged(c pool.Change) {
	d.metrics.UpstreamChanged(c.Upstream, string(c.To))
	attrs := []slog.Attr{slog.String("upstream", c.Upstream), slog.String("from", string(c.From)), slog.String("to", string(c.To))}
	level := slog.LevelInfo
	if c.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", artifact.Clean(c.Err.Error(), 1000)))
	}
	d.log.LogAttrs(context.Background(), level, "upstream", attrs...)
}

// storeChanged tells when the store stops keeping what is new, and when it does
// so again.
func (d *daemon) storeChanged(err error) {
	d.keepsNothing.Store(err != nil)
	if err == nil {
		d.log.Info("the store keeps what is new again")
		return
	}
	d.log.Error("the store keeps nothing new; what it has is served, the rest is passed on", "error", err)
}

func (d *daemon) close() {
	d.prefetch.Close()
	d.cache.Close()
	d.graph.Load().stop()
	d.databases.close()
	d.pool.Close()
	if err := d.vcs.close(); err != nil {
		d.log.Error("leaving version control", "error", err)
	}
	if err := d.closeDoor(); err != nil {
		d.log.Error("closing the audit log", "error", err)
	}
	if err := d.disk.Close(); err != nil {
		d.log.Error("closing the store", "error", err)
	}
}

func (d *daemon) watch(f *front) {
	d.metrics.Gauge("weir_connections", "Open connections of clients.", func() float64 { return float64(f.connections()) })
	d.metrics.Gauge("weir_in_flight", "Requests being answered from the store.", func() float64 { return float64(d.door.inFlight.Open()) })
	d.metrics.Gauge("weir_waiting", "Requests that wait for what is being fetched, or did and are being answered.", func() float64 { return float64(d.door.waiting.Open()) })
	d.metrics.Gauge("weir_certificate_expiry_seconds", "When the first certificate of the server expires, in Unix seconds; 0 without one.", d.encryption.expiry)
	d.metrics.Gauge("weir_audit_dropped", "Entries that the audit log has lost.", func() float64 {
		if d.audit == nil {
			return 0
		}
		return float64(d.audit.Dropped())
	})
	d.metrics.Gauge("weir_connections_refused", "Connections refused since the start, because of a limit.", func() float64 { return float64(f.refused()) })
	d.watchUpstreams()
	d.metrics.Gauge("weir_fills", "Artifacts being fetched.", func() float64 { return float64(d.cache.Load().Fills) })
	d.metrics.Gauge("weir_flights", "Artifacts being fetched or waiting for their turn.", func() float64 { return float64(d.cache.Load().Flights) })
}

// watchUpstreams shows how upstreams fare and what fetching ahead is good for.
func (d *daemon) watchUpstreams() {
	status := func(value func(pool.Status) float64) func(func(float64, ...string)) {
		return func(emit func(float64, ...string)) {
			for _, s := range d.pool.Status() {
				emit(value(s), s.Name)
			}
		}
	}
	label := []string{"upstream"}
	d.metrics.Table("weir_upstream_up", "1 unless an upstream is out of order or has asked for a rest.", label, status(func(s pool.Status) float64 {
		if s.State == pool.Healthy {
			return 1
		}
		return 0
	}))
	d.metrics.Table("weir_upstream_error_rate", "Share of the requests to an upstream that failed of late, from 0 to 1.", label, status(func(s pool.Status) float64 { return s.ErrorRate }))
	d.metrics.Table("weir_upstream_in_flight", "Requests to an upstream under way.", label, status(func(s pool.Status) float64 { return float64(s.InFlight) }))
	d.metrics.Table("weir_upstream_hedges_total", "Requests to others because an upstream was silent.", label, status(func(s pool.Status) float64 { return float64(s.Hedges) }))
	d.metrics.Table("weir_prefetch_total", "Artifacts fetched ahead, by the ground for it and what became of them.", []string{"ground", "outcome"}, func(emit func(float64, ...string)) {
		for _, s := range d.prefetch.Stats() {
			emit(float64(s.Fetched), s.Ground, "fetched")
			emit(float64(s.Used), s.Ground, "used")
			emit(float64(s.Wasted), s.Ground, "wasted")
		}
	})
}

// reload reads the configuration again and puts it in force, as far as a running
// server can: everything but where it listens, where data lies and the bounds of
// connections and memory. A bad one changes nothing.
func (d *daemon) reload(ctx context.Context) {
	cfg, err := d.load(ctx)
	if err != nil {
		d.log.Error("the new configuration is refused, the old one stays in force", "error", err)
		return
	}
	before := d.door.rules.Load()
	rules, err := newRules(cfg, before, d.door.mayTry)
	if err != nil {
		d.log.Error("the new configuration is refused, the old one stays in force", "error", err)
		return
	}
	credentials, err := newCredentials(cfg)
	if err != nil {
		rules.leave(before)
		d.log.Error("the new configuration is refused, the old one stays in force", "error", err)
		return
	}
	g, err := d.build(cfg)
	if err != nil {
		rules.leave(before)
		d.pool.Keep(d.graph.Load().upstreams) // and none that were only tried
		d.log.Error("the new configuration is refused, the old one stays in force", "error", err)
		return
	}
	if lasting(cfg) != lasting(d.cfg.Load()) {
		d.log.Warn("what the next start only can change has changed: listen, data, path_prefix, store, limits, cache.max_fills, log.format, tls, admin.listen, audit and direct")
	}
	d.door.rules.Swap(rules).leave(rules)
	d.vcs.use(credentials)
	d.reopenAudit(ctx)
	d.level.Set(level(cfg))
	d.cfg.Store(cfg)
	d.pool.SetPatience(time.Duration(cfg.Fetch.Patience))
	d.cache.Reconfigure(g.source, d.cacheOptions(cfg, g))
	d.prefetch.Reconfigure(d.prefetchOptions(cfg, g))
	d.beginDirect(cfg)
	g.start()
	d.graph.Swap(g).stop()
	d.pool.Keep(g.upstreams)
	d.log.Info("the configuration has been reloaded", "upstream", g.upstream, "sumdb", g.sumdb)
}

// lasting is what a reload cannot change.
func lasting(cfg *config.Config) string {
	return fmt.Sprint(cfg.Listen, cfg.Data, cfg.PathPrefix, cfg.Limits, cfg.Store, cfg.Cache.MaxFills, cfg.Log.Format, cfg.TLS, cfg.Admin.Listen, cfg.Audit, cfg.Direct)
}

// drain ends the server: unready, then closed to new connections, then done.
func (d *daemon) drain(front *front) error {
	cfg := d.cfg.Load()
	d.draining.Store(true)
	d.log.Info("ending", "drain", time.Duration(cfg.Shutdown.Drain))
	time.Sleep(time.Duration(cfg.Shutdown.Delay)) // balancers see the unreadiness meanwhile
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(cfg.Shutdown.Drain))
	defer cancel()
	if err := front.shutdown(ctx); err != nil {
		d.log.Warn("some requests were cut", "error", err)
	}
	d.prefetch.Close() // what nobody waits for is not begun any more
	if err := d.cache.Drain(ctx); err != nil {
		d.log.Warn("some fetches were given up", "error", err)
	}
	d.log.Info("ended")
	return nil
}

// done counts a request and logs it, unless it is one of the many that were
// answered from the store and nobody wants to read of.
func (d *daemon) done(r *http.Request, out server.Outcome) {
	d.metrics.Request(out.Kind, out.Result, out.Status, out.Bytes, out.Duration)
	if d.audit != nil {
		record(d.audit, r, out)
	}
	switch d.cfg.Load().Log.Access {
	case config.AccessOff:
		return
	case config.AccessMisses:
		if out.Result == cache.Hit && out.Err == nil {
			return
		}
	}
	telemetry.Access{
		ID: out.ID, Request: r, Kind: out.Kind, Result: out.Result, Status: out.Status,
		Bytes: out.Bytes, Duration: out.Duration, Err: out.Err,
	}.Log(d.log)
}
