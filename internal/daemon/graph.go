package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/source"
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
	source   source.Source
	offline  bool            // there is no upstream
	db       *sumdb.Database // nil when verification is off
	upstream string          // for people
	sumdb    string          // for people

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// start begins the background work of the graph.
func (g *graph) start() {
	if g.db != nil {
		g.tasks.Go(func() { g.db.Run(g.ctx) })
	}
}

// stop ends the background work and waits for it.
func (g *graph) stop() {
	g.cancel()
	g.tasks.Wait()
	if g.db != nil {
		g.db.Close()
	}
}

// build makes a graph from a configuration and starts nothing.
//
//	checksum database paths ─► mirror ─► every upstream, then the database itself
//	private modules ─────────► not here
//	modules outside it ──────► the upstreams in order
//	all others ──────────────► verified ─► the upstreams in order
func (d *daemon) build(cfg *config.Config) (*graph, error) {
	entries, err := source.ParseList(cfg.Upstream.Reveal())
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	parsed, err := sumdb.ParseDatabase(cfg.Sumdb.Reveal())
	if err != nil {
		return nil, fmt.Errorf("sumdb: %w", err)
	}
	g := &graph{upstream: cfg.Upstream.String(), sumdb: cfg.Sumdb.String(), offline: entries[0].URL == ""}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	private, unproven := matcher(cfg.Private), matcher(cfg.NoSumdb)

	links, err := d.links(cfg, entries, !parsed.Off)
	if err != nil {
		return nil, err
	}
	modules := source.Chain(links...)
	sums := source.Refuse(artifact.NotFound("this checksum database is not mirrored here"))
	if !parsed.Off {
		if g.db, err = d.database(cfg, parsed, links, func(mod string) bool { return private(mod) || unproven(mod) }); err != nil {
			return nil, err
		}
		sums = source.Split(func(n artifact.Name) bool { return n.DB == g.db.Name() }, g.db.Mirror(), sums)
		modules = g.db.Verify(modules)
	}
	if !parsed.Off && len(cfg.NoSumdb) > 0 {
		plain, err := d.links(cfg, entries, false)
		if err != nil {
			return nil, err
		}
		modules = source.Split(func(n artifact.Name) bool { return unproven(n.Module) }, source.Chain(plain...), modules)
	}
	modules = source.Split(func(n artifact.Name) bool { return private(n.Module) }, source.Func(privateModule), source.Public(modules))
	g.source = source.Split(func(n artifact.Name) bool { return n.Kind.IsSum() }, sums, modules)
	return g, nil
}

// privateModule answers for modules that no upstream may hear of.
func privateModule(_ context.Context, n artifact.Name) (*blob.Blob, error) {
	return nil, &artifact.Error{
		Class:  artifact.ErrNotFound,
		Reason: fmt.Sprintf("not found: %s is private here, so no upstream is asked, and fetching from version control is not available yet", n.Module),
		Hint:   "let the go command fetch it itself: add it to GOPRIVATE, or end GOPROXY with ,direct",
	}
}

// matcher returns a function that tells whether a module matches one of the
// patterns, by the rules of GOPRIVATE.
func matcher(patterns []string) func(mod string) bool {
	globs := strings.Join(patterns, ",")
	return func(mod string) bool { return module.MatchPrefixPatterns(globs, mod) }
}

// links makes the links of a chain from a list of upstreams. proven says that
// what they bring is compared with a checksum database afterwards.
func (d *daemon) links(cfg *config.Config, entries []source.Entry, proven bool) ([]source.Link, error) {
	var links []source.Link
	for _, e := range entries {
		link, err := d.link(cfg, e, proven)
		if err != nil {
			return nil, fmt.Errorf("upstream: %w", err)
		}
		link.FallBackOnError = e.FallBackOnError
		links = append(links, link)
	}
	return links, nil
}

func (d *daemon) link(cfg *config.Config, e source.Entry, proven bool) (source.Link, error) {
	switch {
	case e.Off:
		return source.Off(), nil
	case e.Direct:
		return source.Direct(), nil
	}
	if namesItself(cfg.Listen, e.URL) {
		return source.Link{}, fmt.Errorf("%s is this server itself; set --upstream (or WEIR_UPSTREAM) to where modules come from, since GOPROXY of this machine says that they come from here", e.Redacted())
	}
	o := d.upstreamOptions(cfg)
	o.ZipsHashed = proven
	s, err := upstream.New(e.URL, o)
	if err != nil {
		return source.Link{}, err
	}
	return source.Link{Name: e.Redacted(), Source: d.metrics.Source(e.Redacted(), s)}, nil
}

// namesItself reports whether an upstream is the address this server listens on,
// as it is on a machine whose go command has been pointed at it.
func namesItself(listen, upstream string) bool {
	u, err := url.Parse(upstream)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host, port, err := net.SplitHostPort(listen)
	return err == nil && u.Port() == port && isLocal(u.Hostname()) && (host == "" || isLocal(host))
}

// isLocal reports whether a host is this machine under a name that no other has.
func isLocal(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

func (d *daemon) upstreamOptions(cfg *config.Config) upstream.Options {
	return upstream.Options{
		UserAgent: "weir/" + d.version,
		Timeouts: upstream.Timeouts{
			Connect:   time.Duration(cfg.Fetch.Connect),
			FirstByte: time.Duration(cfg.Fetch.FirstByte),
			Stall:     time.Duration(cfg.Fetch.Stall),
			Total:     time.Duration(cfg.Fetch.Total),
		},
	}
}

// database makes the checksum database. It is reached through every upstream
// that proxies it, and directly in the end.
func (d *daemon) database(cfg *config.Config, parsed sumdb.Config, links []source.Link, skip func(string) bool) (*sumdb.Database, error) {
	direct, err := upstream.NewSumDB(parsed.Name, parsed.URL, d.upstreamOptions(cfg))
	if err != nil {
		return nil, fmt.Errorf("sumdb: %w", err)
	}
	var remotes []sumdb.Remote
	for _, l := range links {
		remotes = append(remotes, sumdb.Remote{Source: l.Source, Proxy: true})
	}
	itself := sumdb.Remote{Source: d.metrics.Source(parsed.Name, direct)}
	if parsed.URL == "" {
		remotes = append(remotes, itself)
	} else { // it was said where to ask
		remotes = append([]sumdb.Remote{itself}, remotes...)
	}
	return sumdb.New(parsed, sumdb.Options{
		Remotes:       remotes,
		Store:         d.store,
		Private:       skip,
		WhenAvailable: cfg.SumdbPolicy == config.PolicyWhenAvailable,
		OnAlarm:       d.alarm,
	})
}

// alarm tells of a lie, loudly.
func (d *daemon) alarm(a sumdb.Alarm) {
	d.metrics.Alarm(string(a.Kind))
	d.log.LogAttrs(context.Background(), slog.LevelError, "checksum alarm", slog.String("alarm", string(a.Kind)), slog.String("database", a.DB),
		slog.String("module", a.Module), slog.String("version", a.Version), slog.String("detail", artifact.Clean(a.Detail, 1000)))
}

func (d *daemon) cacheOptions(cfg *config.Config, g *graph) cache.Options {
	return cache.Options{
		StreamAbove:  int64(cfg.Cache.StreamAbove),
		Fresh:        time.Duration(cfg.Cache.Fresh),
		NotFound:     time.Duration(cfg.Cache.NotFound),
		ListNotFound: time.Duration(cfg.Cache.ListNotFound),
		Stale:        time.Duration(cfg.Cache.Stale),
		Offline:      g.offline,
		MaxFills:     cfg.Cache.MaxFills,
		MaxWaiting:   cfg.Cache.MaxWaiting,
		FillTimeout:  time.Duration(cfg.Fetch.Total),
		Fallback:     tempFiles{},
		OnEvent:      d.event,
	}
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
