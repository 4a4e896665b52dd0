// Package modsource brings artifacts as the go command of this machine would get them:
// from the entries of GOPROXY in order, with the user's credentials, and from version
// control, by the go command itself, where GONOPROXY or "direct" say so.
//
// It promises that no proxy and no checksum database hears of a module that the
// settings of the go command keep from it, and that credentials go nowhere else than
// the go command would send them.
//
// Sources: the Go Modules Reference, "Environment variables" and "Private modules";
// cmd/go/internal/modfetch.
package modsource

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/upstream"
	"github.com/goweir/weir/internal/store/mem"
	"github.com/goweir/weir/internal/sumdb"
)

// Options are what Open needs to know besides the settings of the go command.
type Options struct {
	UserAgent string // default "weir"
}

// How often a fetch is tried again.
const retries = 2

// sumMemory is how much of the checksum database is kept in memory, in bytes.
const sumMemory = 64 << 20

// Modules are the modules as this machine would get them. It is safe for concurrent use.
type Modules struct {
	proxies  []Proxy
	source   source.Source
	verified source.Source
	sums     *sumdb.Database // nil: GOSUMDB=off
	noProxy  string          // patterns
	noSumDB  string          // patterns
}

// A Proxy is one entry of GOPROXY.
type Proxy struct {
	Name            string        // as it may be shown: without secrets; "direct" and "off" are proxies, too
	URL             string        // of a proxy; may hold credentials
	FallBackOnError bool          // any error leads to the next entry
	Source          source.Source // nil for "direct" and "off"
}

// Open makes the Modules of the settings of the go command. Commands of GOAUTH are
// run for the entries of GOPROXY; nothing else is sent or run yet. Close it at the end.
func Open(ctx context.Context, env *goenv.Env, o Options) (*Modules, error) {
	m := &Modules{noProxy: patterns(env, "GONOPROXY"), noSumDB: patterns(env, "GONOSUMDB")}
	o.UserAgent = cmp.Or(o.UserAgent, "weir")
	entries, err := source.ParseList(cmp.Or(env.Value("GOPROXY"), "direct"))
	if err != nil {
		return nil, fmt.Errorf("GOPROXY: %w", err)
	}
	for _, e := range entries {
		p, err := m.proxy(ctx, env, e, o)
		if err != nil {
			return nil, err
		}
		m.proxies = append(m.proxies, p)
	}
	versionControl := vcs{}.source()
	m.source = source.Split(func(n artifact.Name) bool { return n.Module != "" && m.Private(n.Module) },
		versionControl, source.Public(source.Retry(source.Chain(m.links(versionControl)...), source.RetryOptions{Times: retries})))
	m.verified = m.source
	if err := m.openSums(env, o); err != nil {
		return nil, err
	}
	return m, nil
}

// Close ends what is under way.
func (m *Modules) Close() error {
	if m.sums == nil {
		return nil
	}
	return m.sums.Close()
}

// patterns are the modules that one of the variables GONOPROXY and GONOSUMDB names;
// GOPRIVATE is the default of both.
func patterns(env *goenv.Env, name string) string {
	s, _ := env.First(name, "GOPRIVATE")
	return s.Value
}

// Source brings artifacts whose Check is that of the protocol: well-formed, and what
// was asked for.
func (m *Modules) Source() source.Source { return m.source }

// Verified is Source whose .mod and .zip are compared with the checksum database, too,
// unless the settings of the go command keep the module from it.
func (m *Modules) Verified() source.Source { return m.verified }

// Sums is the checksum database, or nil where there is none.
func (m *Modules) Sums() *sumdb.Database { return m.sums }

// Proxies are the entries of GOPROXY, in order.
func (m *Modules) Proxies() []Proxy { return m.proxies }

// Private reports whether no proxy hears of a module: GONOPROXY, or else GOPRIVATE,
// matches it.
func (m *Modules) Private(path string) bool { return module.MatchPrefixPatterns(m.noProxy, path) }

// Unproven reports whether no checksum database hears of a module: GONOSUMDB, or else
// GOPRIVATE, matches it, or there is none.
func (m *Modules) Unproven(path string) bool {
	return m.sums == nil || module.MatchPrefixPatterns(m.noSumDB, path)
}

// proxy makes one entry of the list.
func (m *Modules) proxy(ctx context.Context, env *goenv.Env, e source.Entry, o Options) (Proxy, error) {
	p := Proxy{Name: e.Redacted(), URL: e.URL, FallBackOnError: e.FallBackOnError}
	if e.Direct || e.Off {
		return p, nil
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return p, fmt.Errorf("GOPROXY: %s is not a URL", p.Name) // the cause may cite a password
	}
	h, _, err := goauth.Header(ctx, env, u)
	if h == nil && err != nil {
		return p, fmt.Errorf("credentials for %s: %w", p.Name, err)
	}
	options := upstream.Options{UserAgent: o.UserAgent}
	withHeader(&options, h)
	if p.Source, err = upstream.New(e.URL, options); err != nil {
		return p, fmt.Errorf("GOPROXY: %w", err)
	}
	return p, nil
}

// withHeader takes over the headers of credentials.
func withHeader(o *upstream.Options, h http.Header) {
	scheme, value, _ := strings.Cut(h.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		if pair, err := base64.StdEncoding.DecodeString(value); err == nil {
			o.Username, o.Password, _ = strings.Cut(string(pair), ":")
		}
	case strings.EqualFold(scheme, "Bearer"):
		o.Bearer = value
	}
	h = h.Clone()
	h.Del("Authorization")
	if len(h) > 0 {
		o.Header = h
	}
}

func (m *Modules) links(versionControl source.Source) []source.Link {
	var links []source.Link
	for _, p := range m.proxies {
		switch {
		case p.Source != nil:
			links = append(links, source.Link{Name: p.Name, Source: p.Source, FallBackOnError: p.FallBackOnError})
		case p.Name == "direct":
			links = append(links, source.Link{Name: p.Name, Source: versionControl})
		default:
			links = append(links, source.Off())
		}
	}
	return links
}

// openSums opens the checksum database, which is reached through the proxies that
// mirror it, and then directly; if it was said where it is, only there.
func (m *Modules) openSums(env *goenv.Env, o Options) error {
	c, err := gosumdb.Parse(cmp.Or(env.Value("GOSUMDB"), "sum.golang.org"))
	if err != nil {
		return fmt.Errorf("GOSUMDB: %w", err)
	}
	if c.Off {
		return nil
	}
	itself, err := upstream.NewSumDB(c.Name, c.URL, upstream.Options{UserAgent: o.UserAgent})
	if err != nil {
		return fmt.Errorf("GOSUMDB: %w", err)
	}
	var remotes []sumdb.Remote
	for _, p := range m.proxies {
		if p.Source != nil && c.URL == "" {
			remotes = append(remotes, sumdb.Remote{Source: p.Source, Proxy: true})
		}
	}
	remotes = append(remotes, sumdb.Remote{Source: itself})
	noSumDB := m.noSumDB
	m.sums, err = sumdb.New(c, sumdb.Options{
		Remotes: remotes,
		Store:   mem.New(sumMemory),
		Private: func(path string) bool { return module.MatchPrefixPatterns(noSumDB, path) },
	})
	if err != nil {
		return fmt.Errorf("GOSUMDB: %w", err)
	}
	m.verified = m.sums.Verify(m.source, sumdb.Require)
	return nil
}
