package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/limit"
	"github.com/goweir/weir/internal/prefetch"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/pool"
	"github.com/goweir/weir/internal/source/upstream"
	"github.com/goweir/weir/internal/store/tier"
	"github.com/goweir/weir/internal/sumdb"
)

// tierOptions say what is worth memory: the small files, of which a build asks
// for thousands.
var tierOptions = tier.Options{
	MaxItem:  128 << 10,
	Compress: func(key string) bool { return !strings.HasSuffix(key, ".zip") },
}

// graph is everything that a reload replaces: where artifacts come from.
type graph struct {
	source    source.Source
	db        *sumdb.Database // proves what upstreams send; nil when verification is off
	routes    routes
	upstreams []*pool.Upstream  // in use
	adopt     []func()          // puts the settings of the upstreams in force
	clients   []upstream.Client // of the upstreams and the database
	upstream  string            // for people
	sumdb     string            // for people

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// start puts the graph in force and begins its background work.
func (g *graph) start() {
	for _, adopt := range g.adopt {
		adopt()
	}
	if g.db != nil {
		g.tasks.Go(func() { g.db.Run(g.ctx) })
	}
}

// stop ends the background work and waits for it. Fetches under way go on with the
// graph they began with.
func (g *graph) stop() {
	g.cancel()
	g.tasks.Wait()
	for _, c := range g.clients {
		c.CloseIdleConnections()
	}
}

// build makes a graph from a configuration and starts nothing.
//
//	checksum database paths ─► its mirror ─► every upstream, then the database itself
//	modules of a route ──────► the upstreams of the route, verified or not
//	private modules ─────────► version control
//	modules outside it ──────► the upstreams in order
//	all others ──────────────► verified ─► the upstreams in order
func (d *daemon) build(cfg *config.Config) (*graph, error) {
	parsed, err := gosumdb.Parse(cfg.Sumdb.Reveal())
	if err != nil {
		return nil, fmt.Errorf("sumdb: %w", err)
	}
	g := &graph{upstream: cfg.Upstream.String(), sumdb: cfg.Sumdb.String()}
	b := &builder{daemon: d, cfg: cfg, members: map[string]*pool.Upstream{}, budget: source.NewBudget(retryPercent, retryBurst)}
	b.hashed = func(module string) bool { return g.db != nil && !g.routes.unproven(module) }
	links, err := b.links(cfg.Upstream, b.publicDirect)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	if g.routes, err = b.routes(links); err != nil {
		return nil, err
	}
	sums, err := b.sums(g, parsed)
	if err != nil {
		return nil, err
	}
	g.upstreams, g.adopt, g.clients = slices.Collect(maps.Values(b.members)), b.adopt, b.clients
	g.source = source.Split(func(n artifact.Name) bool { return n.Kind.IsSum() }, sums, g.routes.source(g.db))
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g, nil
}

// sums makes the checksum databases of a graph and returns what answers for all of
// them. Where modules are kept from databases, no client may be led to one by itself.
func (b *builder) sums(g *graph, parsed gosumdb.Config) (source.Source, error) {
	configs, err := mirrored(b.cfg, parsed)
	if err != nil {
		return nil, err
	}
	answers := source.Refuse(artifact.NotFound("this checksum database is not mirrored here"))
	if keepsNames(b.cfg) {
		answers = sumdb.Withheld(g.routes.unproven)
	}
	for _, c := range configs {
		db, err := b.database(c, g.routes.unproven)
		if err != nil {
			return nil, err
		}
		if c.Name == parsed.Name {
			g.db = db
		}
		answers = source.Split(func(n artifact.Name) bool { return n.DB == c.Name }, db.Mirror(), answers)
	}
	return answers, nil
}

// mirrored are the checksum databases that clients can ask here: the configured one
// and, where they are led to no other, the one that the go command asks by default,
// so that public modules can still be looked up.
func mirrored(cfg *config.Config, parsed gosumdb.Config) (all []gosumdb.Config, err error) {
	if !parsed.Off {
		all = append(all, parsed)
	}
	if !keepsNames(cfg) || parsed.Name == gosumdb.Default {
		return all, nil
	}
	usual, err := gosumdb.Parse(gosumdb.Default)
	return append(all, usual), err
}

// keepsNames reports whether there are modules that no checksum database may hear of.
func keepsNames(cfg *config.Config) bool {
	return len(cfg.Private)+len(cfg.NoSumdb) > 0 || slices.ContainsFunc(cfg.Routes, func(r config.Route) bool {
		return r.Private || r.SumdbPolicy == config.PolicyOff
	})
}

// privateModule answers for modules that no upstream may hear of, where version
// control cannot be read.
func (b *builder) privateModule(_ context.Context, n artifact.Name) (*blob.Blob, error) {
	return nil, &artifact.Error{
		Class: artifact.ErrUnavailable, RetryAfter: source.UntilMended,
		Reason: fmt.Sprintf("%s is private here, so nobody else is asked, and version control cannot be read: %s", n.Module, b.noVCS),
		Hint:   "tell those who run this proxy: install what is missing and restart it, or name a private route to a proxy that has the module",
	}
}

// matcher returns a function that tells whether a module matches one of the
// patterns, by the rules of GOPRIVATE.
func matcher(patterns []string) func(mod string) bool {
	globs := strings.Join(patterns, ",")
	return func(mod string) bool { return module.MatchPrefixPatterns(globs, mod) }
}

// folding is a matcher for names that nobody may hear of. Hosts of repositories do not
// care for the case of letters, so that another spelling is as private.
func folding(patterns []string) func(mod string) bool {
	exact, lower := matcher(patterns), matcher([]string{strings.ToLower(strings.Join(patterns, ","))})
	return func(mod string) bool { return exact(mod) || lower(strings.ToLower(mod)) }
}

// alarm tells of a lie, loudly.
func (d *daemon) alarm(a sumdb.Alarm) {
	d.metrics.Alarm(string(a.Kind))
	d.log.LogAttrs(context.Background(), slog.LevelError, "checksum alarm", slog.String("alarm", string(a.Kind)), slog.String("database", a.DB),
		slog.String("module", a.Module), slog.String("version", a.Version), slog.String("detail", artifact.Clean(a.Detail, 1000)))
}

func (d *daemon) cacheOptions(cfg *config.Config, g *graph) cache.Options {
	return cache.Options{
		Times: cache.Times{
			Fresh:        time.Duration(cfg.Cache.Fresh),
			NotFound:     time.Duration(cfg.Cache.NotFound),
			ListNotFound: time.Duration(cfg.Cache.ListNotFound),
			Stale:        time.Duration(cfg.Cache.Stale),
		},
		TimesOf:     g.routes.times,
		StreamAbove: int64(cfg.Cache.StreamAbove),
		Offline:     g.routes.off,
		MaxFills:    cfg.Cache.MaxFills,
		Turns:       limit.NewFair(limit.Turns{Slots: cfg.Cache.MaxFills, PerKey: max(1, cfg.Cache.MaxFills*3/4)}),
		MaxWaiting:  cfg.Cache.MaxWaiting,
		FillTimeout: fillTimeout(cfg),
		Fallback:    tempFiles{},
		OnEvent:     d.event,
		OnMoved:     d.moved,
	}
}

// fillTimeout is how long a fetch may take as a whole: long enough for a second
// upstream to take over from the slowest, and for version control to use up its time
// after it has waited as long for its turn.
func fillTimeout(cfg *config.Config) time.Duration {
	longest := max(cfg.Fetch.Total, cfg.Direct.Timeout)
	for _, u := range cfg.Upstreams {
		longest = max(longest, u.Total)
	}
	return 2 * time.Duration(longest)
}

// event counts what the cache did and logs what went wrong.
func (d *daemon) event(e cache.Event) {
	d.metrics.Event(e)
	if e.Err == nil {
		return
	}
	level := slog.LevelWarn
	switch artifact.Class(e.Err) {
	case artifact.ErrNotFound, artifact.ErrForbidden:
		level = slog.LevelDebug
	case artifact.ErrIntegrity:
		level = slog.LevelError
	}
	d.log.LogAttrs(context.Background(), level, "cache", slog.String("op", e.Op.String()), slog.String("artifact", e.Name.String()), slog.String("error", artifact.Clean(e.Err.Error(), 1000)))
}

// moved tells that a tag stands for something else than what is served for it.
func (d *daemon) moved(m cache.Moved) {
	d.metrics.MovedTag()
	d.log.LogAttrs(context.Background(), slog.LevelWarn, "a tag has moved; the version stays as it was stored",
		slog.String("module", m.Module), slog.String("version", m.Version), slog.String("tag", artifact.Clean(m.Tag, 300)),
		slog.String("stored", artifact.Clean(m.Was, 80)), slog.String("now", artifact.Clean(m.Is, 80)), slog.Time("since", m.Since),
		slog.String("what to do", "ask those who moved it to put it back, and to release the change as a new version"))
}

// prefetchOptions let nothing be fetched ahead that could not be kept, or that
// nobody well could be asked for.
func (d *daemon) prefetchOptions(cfg *config.Config, g *graph) prefetch.Options {
	o := prefetch.Options{
		Allowed: g.routes.mayLead,
		Pause:   func(module string) bool { return d.keepsNothing.Load() || g.routes.down(module) },
	}
	if cfg.Prefetch.Enabled {
		o.MaxConcurrent = cfg.Prefetch.MaxConcurrent
	}
	return o
}
