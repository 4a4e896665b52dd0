package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/pool"
	"github.com/goweir/weir/internal/telemetry"
)

// testRoutes makes the routes of a configuration, whose sources do nothing but
// note who was asked.
func testRoutes(t *testing.T, cfg *config.Config, asked *[]int) routes {
	t.Helper()
	d := &daemon{metrics: telemetry.NewMetrics("v0"), pool: pool.New(pool.Options{})}
	t.Cleanup(func() { d.pool.Close() })
	b := &builder{daemon: d, cfg: cfg, members: map[string]*pool.Upstream{}, budget: source.NewBudget(retryPercent, retryBurst)}
	public, err := b.links(cfg.Upstream, b.publicDirect)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := b.routes(public)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		rs[i].source = source.Func(func(context.Context, artifact.Name) (*blob.Blob, error) {
			*asked = append(*asked, i)
			return nil, artifact.NotFound("a spy has nothing")
		})
	}
	return rs
}

// somePatterns are random patterns of a small world, so that many match.
func somePatterns(r *rand.Rand, n int) (patterns []string) {
	for range n {
		host := []string{"a.com", "b.com", "*.com", "c.*"}[r.IntN(4)]
		for range r.IntN(3) {
			host += "/" + []string{"x", "y", "*", "?"}[r.IntN(4)]
		}
		patterns = append(patterns, host)
	}
	return patterns
}

func someModule(r *rand.Rand) string {
	path := []string{"a.com", "b.com", "c.com", "c.org", "d.org"}[r.IntN(5)]
	for range r.IntN(4) {
		path += "/" + []string{"x", "y", "z", "xy"}[r.IntN(4)]
	}
	return path
}

// The first route that matches is asked and no other, whatever it answers.
func TestTheFirstRouteThatMatchesDecidesAndNothingLeaksToAnother(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := &config.Config{
			Upstream: "https://public.example.com", SumdbPolicy: config.PolicyRequire,
			Private: somePatterns(r, r.IntN(3)), NoSumdb: somePatterns(r, r.IntN(3)),
		}
		for i := range r.IntN(6) {
			cfg.Routes = append(cfg.Routes, config.Route{
				Match: somePatterns(r, 1+r.IntN(3)), Upstream: config.Secret(fmt.Sprintf("https://route%d.example.com", i)),
				Private: r.IntN(2) == 0, SumdbPolicy: []string{config.PolicyRequire, config.PolicyOff}[r.IntN(2)], Prefetch: r.IntN(4) > 0,
			})
		}
		var asked []int
		rs := testRoutes(t, cfg, &asked)
		from := rs.source(nil)
		for range 50 {
			mod, other := someModule(r), someModule(r)
			want := expectedRoute(cfg, mod)
			asked = nil
			from.Fetch(t.Context(), artifact.Name{Kind: artifact.Mod, Module: mod, Version: "v1.0.0"})
			if len(asked) != 1 || asked[0] != want {
				t.Fatalf("seed %d: for %s routes %v were asked, not %d of %+v", seed, mod, asked, want, cfg)
			}
			if i := want; i < len(cfg.Routes) && cfg.Routes[i].Private && !rs.unproven(mod) {
				t.Fatalf("seed %d: the checksum database would hear of %s", seed, mod)
			}
			if hidden := strings.Join(append(slices.Clone(cfg.Private), cfg.NoSumdb...), ","); module.MatchPrefixPatterns(hidden, mod) && !rs.unproven(mod) {
				t.Fatalf("seed %d: the checksum database would hear of %s", seed, mod)
			}
			elsewhere := expectedRoute(cfg, other) != want
			if rs.of(mod).private && elsewhere && rs.mayLead(mod, other) {
				t.Fatalf("seed %d: the go.mod of %s, which is private, leads to %s", seed, mod, other)
			}
			if i := expectedRoute(cfg, other); i < len(cfg.Routes) && !cfg.Routes[i].Prefetch && (rs.mayLead(mod, other) || rs.mayLead("", other)) {
				t.Fatalf("seed %d: %s would be fetched ahead", seed, other)
			}
		}
	}
}

// expectedRoute is where a module belongs, by the rules of the documentation.
func expectedRoute(cfg *config.Config, mod string) int {
	for i, route := range cfg.Routes {
		if module.MatchPrefixPatterns(strings.Join(route.Match, ","), mod) {
			return i
		}
	}
	for i, patterns := range [][]string{cfg.Private, cfg.NoSumdb} {
		if module.MatchPrefixPatterns(strings.Join(patterns, ","), mod) {
			return len(cfg.Routes) + i
		}
	}
	return len(cfg.Routes) + 2
}

// Where nobody well would be asked, nothing is fetched ahead.
func TestARouteIsDownWhenNobodyWellWouldBeAsked(t *testing.T) {
	is := func(down, fallBack bool) source.Link {
		return source.Link{Down: func() bool { return down }, FallBackOnError: fallBack}
	}
	direct := source.Link{} // never known to be out of order
	for name, test := range map[string]struct {
		links []source.Link
		down  bool
	}{
		"well":                            {[]source.Link{is(false, false)}, false},
		"ill":                             {[]source.Link{is(true, false)}, true},
		"ill, and the next one well":      {[]source.Link{is(true, true), is(false, false)}, false},
		"ill, and the next one not asked": {[]source.Link{is(true, false), is(false, false)}, true},
		"all ill":                         {[]source.Link{is(true, true), is(true, true)}, true},
		"direct":                          {[]source.Link{direct}, false},
		"ill, then direct":                {[]source.Link{is(true, true), direct}, false},
		"ill, then off":                   {[]source.Link{is(true, true), source.Off()}, true},
		"well, then off":                  {[]source.Link{is(false, true), source.Off()}, false},
		"off":                             {[]source.Link{source.Off()}, true},
		"direct that cannot be read":      {[]source.Link{source.NoDirect("there is no git")}, true},
	} {
		rs := routes{{match: func(string) bool { return true }, links: test.links}}
		if got := rs.down("example.com/m"); got != test.down {
			t.Errorf("%s: down is %v", name, got)
		}
	}
}
