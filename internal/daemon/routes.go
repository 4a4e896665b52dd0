package daemon

import (
	"errors"
	"fmt"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/sumdb"
)

// A route is where modules come from that match it, and what holds for them.
type route struct {
	match    func(module string) bool
	links    []source.Link
	source   source.Source // before it is verified
	off      bool          // nobody is ever asked
	private  bool          // nobody else hears of these modules
	proven   bool          // by the checksum database
	policy   sumdb.Policy
	times    *cache.Times // nil: those for all
	prefetch bool
}

// routes are all routes, in order; the last one matches every module.
type routes []route

// The places of the routes that the simple settings stand for, from the end.
const (
	hiddenRoute   = 3
	unprovenRoute = 2
)

// routes makes the routes of the configuration, and those that its simple
// settings stand for.
func (b *builder) routes(public []source.Link) (routes, error) {
	var all routes
	for i, c := range b.cfg.Routes {
		r, err := b.route(c)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		all = append(all, r)
	}
	chain := b.retrying(public)
	general := route{links: public, source: source.Public(chain), off: isOff(b.cfg.Upstream), proven: true, policy: proofPolicy(b.cfg.SumdbPolicy), prefetch: true}
	direct := b.privateDirect()
	hidden := route{match: folding(b.cfg.Private), links: []source.Link{direct}, source: source.Chain(direct), private: true, prefetch: b.vcs != nil}
	unproven := general
	unproven.match, unproven.proven = folding(b.cfg.NoSumdb), false
	general.match = func(string) bool { return true }
	return append(all, hidden, unproven, general), nil
}

func (b *builder) route(c config.Route) (route, error) {
	direct := b.publicDirect
	if c.Private {
		direct = b.privateDirect
	}
	links, err := b.links(c.Upstream, direct)
	if err != nil {
		return route{}, fmt.Errorf("upstream: %w", err)
	}
	r := route{
		match:    matcher(c.Match),
		links:    links,
		source:   b.retrying(links),
		off:      isOff(c.Upstream),
		private:  c.Private,
		proven:   !c.Private && c.SumdbPolicy != config.PolicyOff,
		policy:   proofPolicy(c.SumdbPolicy),
		prefetch: c.Prefetch,
		times: &cache.Times{
			Fresh:        time.Duration(c.Fresh),
			NotFound:     time.Duration(c.NotFound),
			ListNotFound: time.Duration(c.ListNotFound),
			Stale:        time.Duration(c.Stale),
		},
	}
	if c.Private {
		r.match = folding(c.Match)
		return r, nil
	}
	r.source = source.Public(r.source)
	return r, nil
}

func proofPolicy(name string) sumdb.Policy { return name == config.PolicyWhenAvailable }

// isOff reports whether a list of upstreams has none.
func isOff(list config.Secret) bool { return config.ParseUpstreams(list)[0].Text == "off" }

// of is the route of a module: the first that matches.
func (rs routes) of(module string) *route {
	for i := range rs {
		if rs[i].match(module) {
			return &rs[i]
		}
	}
	return &rs[len(rs)-1]
}

// source sends each module to its route. db is nil if nothing is verified.
func (rs routes) source(db *sumdb.Database) source.Source {
	all := source.Refuse(errors.New("no route matches")) // the last one always does
	for i := len(rs) - 1; i >= 0; i-- {
		r := rs[i]
		from := r.source
		if db != nil && r.proven {
			from = db.Verify(from, r.policy)
		}
		all = source.Split(func(n artifact.Name) bool { return r.match(n.Module) }, from, all)
	}
	return all
}

// unproven reports whether the checksum database must not hear of a module: its
// route says so, or one of the patterns that hold for all routes.
func (rs routes) unproven(module string) bool {
	hidden, unproven := rs[len(rs)-hiddenRoute], rs[len(rs)-unprovenRoute]
	return !rs.of(module).proven || hidden.match(module) || unproven.match(module)
}

// off reports whether nobody is ever asked for a module.
func (rs routes) off(module string) bool { return rs.of(module).off }

// times are how long answers for a module are good for, if not as long as others.
func (rs routes) times(module string) *cache.Times {
	if module == "" {
		return nil
	}
	return rs.of(module).times
}

// mayLead reports whether what is known of one module, or of none, may lead to
// another one being fetched ahead. What is private leads nowhere else.
func (rs routes) mayLead(from, to string) bool {
	there := rs.of(to)
	if !there.prefetch || from == "" {
		return there.prefetch
	}
	here := rs.of(from)
	return here == there || !here.private
}

// down reports whether there is nobody to ask for a module who is well. Nobody is asked
// after a link that is down and does not fall back on errors.
func (rs routes) down(module string) bool {
	for _, l := range rs.of(module).links {
		if l.Down == nil || !l.Down() {
			return false
		}
		if !l.FallBackOnError {
			return true
		}
	}
	return true
}
