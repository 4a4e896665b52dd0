package daemon

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/pool"
	"github.com/goweir/weir/internal/source/upstream"
	"github.com/goweir/weir/internal/sumdb"
)

// Of all requests to upstreams, how many percent may be retries, and how many of
// those at once.
const (
	retryPercent = 10
	retryBurst   = 10
)

// A builder makes the parts of a graph, each upstream once.
type builder struct {
	*daemon
	cfg     *config.Config
	members map[string]*pool.Upstream // by identity
	budget  *source.Budget            // of retries, for all upstreams together
	adopt   []func()                  // what is to be done when the graph comes in force
	clients []upstream.Client         // of all upstreams and databases
	hashed  func(module string) bool  // of which modules zips are compared with a checksum database
}

// links makes the links of a chain from a list of upstreams, in which direct stands for
// version control.
func (b *builder) links(list config.Secret, direct func() source.Link) ([]source.Link, error) {
	var links []source.Link
	for _, e := range config.ParseUpstreams(list) {
		if e.Text == "direct" {
			links = append(links, direct())
			continue
		}
		link, err := b.link(e)
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	return links, nil
}

func (b *builder) link(e config.Entry) (source.Link, error) {
	if g, ok := b.cfg.Groups[e.Name]; ok {
		group, err := b.group(e.Name, g)
		if err != nil {
			return source.Link{}, err
		}
		return group.Link(e.FallBackOnError), nil
	}
	if e.Text == "off" {
		return source.Off(), nil
	}
	u, err := b.upstream(e)
	if err != nil {
		return source.Link{}, err
	}
	return u.Link(e.FallBackOnError), nil
}

// publicDirect is version control as the last link of a chain. Where it cannot be read
// the upstreams before it have the last word.
func (b *builder) publicDirect() source.Link {
	if b.vcs == nil {
		return source.NoDirect(b.noVCS)
	}
	return b.direct()
}

// privateDirect is version control for modules of which nobody else may hear. Where it
// cannot be read nothing proves that there is no such module.
func (b *builder) privateDirect() source.Link {
	if b.vcs == nil {
		return source.Link{Name: "direct", Source: source.Func(b.privateModule)}
	}
	return b.direct()
}

func (b *builder) direct() source.Link {
	return source.Link{Name: "direct", Source: b.metrics.Source("direct", b.vcs)}
}

func (b *builder) group(name string, g config.Group) (*pool.Group, error) {
	var members []pool.Weighted
	for _, m := range g.Members {
		u, err := b.named(m)
		if err != nil {
			return nil, err
		}
		members = append(members, pool.Weighted{Upstream: u, Weight: b.cfg.Upstreams[m].Weight})
	}
	return pool.NewGroup(name, pool.Strategy(g.Strategy), members), nil
}

// upstream is the upstream that an entry of a list stands for.
func (b *builder) upstream(e config.Entry) (*pool.Upstream, error) {
	if e.Name != "" {
		return b.named(e.Name)
	}
	entries, err := source.ParseList(e.Text.Reveal())
	if err != nil {
		return nil, err
	}
	f := b.cfg.Fetch
	return b.member(entries[0].Redacted(), entries[0].URL, upstream.Options{Timeouts: timeouts(f.Connect, f.FirstByte, f.Stall, f.Total)})
}

// named is the upstream with a name in the configuration.
func (b *builder) named(name string) (*pool.Upstream, error) {
	c := b.cfg.Upstreams[name]
	o, err := options(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	entries, err := source.ParseList(c.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b.member(name, entries[0].URL, o)
}

// options are the settings of an upstream, with those that are in files.
func options(c config.Upstream) (upstream.Options, error) {
	o := upstream.Options{
		Timeouts:      timeouts(c.Connect, c.FirstByte, c.Stall, c.Total),
		MaxConcurrent: c.MaxConcurrent,
		Username:      c.Username,
		Password:      c.Password.Reveal(),
		Bearer:        c.Bearer.Reveal(),
		NoHTTP2:       !c.HTTP2,
	}
	for name, value := range c.Headers {
		if o.Header == nil {
			o.Header = http.Header{}
		}
		o.Header.Set(name, value.Reveal())
	}
	switch proxy := c.Proxy.Reveal(); proxy {
	case "":
	case "off":
		o.NoProxy = true
	default:
		u, err := url.Parse(proxy)
		if err != nil {
			return o, fmt.Errorf("proxy: it is not a URL") // the cause cites what may be a password
		}
		o.Proxy = u
	}
	host := ""
	if entries, err := source.ParseList(c.URL.Reveal()); err == nil {
		if u, err := url.Parse(entries[0].URL); err == nil {
			host = u.Host
		}
	}
	err := upstream.LoadFiles(&o, upstream.Files{CA: c.CAFile, Cert: c.CertFile, Key: c.KeyFile, Netrc: c.Netrc}, host)
	return o, err
}

func timeouts(connect, firstByte, stall, total config.Duration) upstream.Timeouts {
	return upstream.Timeouts{
		Connect:   time.Duration(connect),
		FirstByte: time.Duration(firstByte),
		Stall:     time.Duration(stall),
		Total:     time.Duration(total),
	}
}

// member is an upstream with its memory, the same for everyone who names it.
func (b *builder) member(name, rawURL string, o upstream.Options) (*pool.Upstream, error) {
	if namesItself(b.cfg.Listen, rawURL) {
		return nil, fmt.Errorf("%s is this server itself; set --upstream (or WEIR_UPSTREAM) to where modules come from, since GOPROXY of this machine says that they come from here", name)
	}
	id := name + " " + rawURL
	if u, ok := b.members[id]; ok {
		return u, nil
	}
	o.UserAgent = "weir/" + b.version
	o.OnResume = func() { b.metrics.Resumed(name) }
	o.ZipsHashed = b.hashed
	client, err := upstream.New(rawURL, o)
	if err != nil {
		return nil, err
	}
	b.clients = append(b.clients, client)
	return b.remember(pool.Member{ID: id, Name: name, Source: b.metrics.Source(name, client)}), nil
}

// remember is the upstream with its memory, which sends as m says once the graph
// is in force.
func (b *builder) remember(m pool.Member) *pool.Upstream {
	u := b.pool.Upstream(m)
	b.members[m.ID] = u
	b.adopt = append(b.adopt, func() { u.Use(m.Source) })
	return u
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

// retrying is a chain that is asked again when it fails in passing.
func (b *builder) retrying(links []source.Link) source.Source {
	return source.Retry(source.Chain(links...), source.RetryOptions{
		Times:   b.cfg.Fetch.Retries,
		Budget:  b.budget,
		OnRetry: b.metrics.Retried,
	})
}

// database makes the checksum database. It is reached through every upstream of
// the public list that proxies it, and directly in the end, or first if it was
// said where.
func (b *builder) database(parsed gosumdb.Config, skip func(string) bool) (*sumdb.Database, error) {
	f := b.cfg.Fetch
	direct, err := upstream.NewSumDB(parsed.Name, parsed.URL, upstream.Options{UserAgent: "weir/" + b.version, Timeouts: timeouts(f.Connect, f.FirstByte, f.Stall, f.Total)})
	if err != nil {
		return nil, fmt.Errorf("sumdb: %w", err)
	}
	b.clients = append(b.clients, direct)
	var remotes []sumdb.Remote
	add := func(u *pool.Upstream, proxy bool) {
		l := u.Link(true)
		remotes = append(remotes, sumdb.Remote{Source: l.Source, Down: l.Down, Patience: l.Patience, Proxy: proxy})
	}
	id := "sumdb " + parsed.Name + " " + parsed.URL
	itself := b.remember(pool.Member{ID: id, Name: parsed.Name, Source: b.metrics.Source(parsed.Name, direct)})
	if parsed.URL != "" {
		add(itself, false)
	}
	for _, e := range config.ParseUpstreams(b.cfg.Upstream) {
		for _, u := range b.mirrors(e) {
			add(u, true)
		}
	}
	if parsed.URL == "" {
		add(itself, false)
	}
	db, err := sumdb.New(parsed, sumdb.Options{Remotes: remotes, Store: b.store, Private: skip, OnAlarm: b.alarm})
	if err != nil {
		return nil, err
	}
	b.databases.add(db)
	return db, nil
}

// mirrors are the upstreams that an entry of a list stands for, all of which have
// been made before.
func (b *builder) mirrors(e config.Entry) []*pool.Upstream {
	if e.Text == "off" || e.Text == "direct" {
		return nil
	}
	var all []*pool.Upstream
	for _, name := range b.cfg.Groups[e.Name].Members {
		if u, err := b.named(name); err == nil {
			all = append(all, u)
		}
	}
	if all != nil {
		return all
	}
	if u, err := b.upstream(e); err == nil {
		all = append(all, u)
	}
	return all
}
