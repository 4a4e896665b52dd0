// Package sums asks the checksum database as the go command would: through the first proxy that
// has it, or else directly.
//
// What it looks up it has proven, by the tiles of the log and the key of the database, so that
// nobody on the way can say what they like; if that fails, it says whose fault that is. Modules
// that are kept from the database are not named to it. Nothing of what was read is kept.
//
// Source: cmd/go/internal/modfetch/sumdb.go.
package sums

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	xsumdb "golang.org/x/mod/sumdb"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/proxy"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/gosum"
	"github.com/goweir/weir/internal/gosumdb"
)

// A Database is the checksum database of GOSUMDB, and the way to it.
type Database struct {
	settings *settings.Settings
	visitor  *visit.Visitor
	adviser  *advice.Adviser
	proxies  []*proxy.Proxy
	config   gosumdb.Config
	err      error // of GOSUMDB

	find sync.Once    // the way:
	base *url.URL     // where it is asked
	via  *proxy.Proxy // nil: directly
	way  check.Result
}

// Open returns the database. Nobody is asked yet.
func Open(s *settings.Settings, v *visit.Visitor, a *advice.Adviser, proxies []*proxy.Proxy) *Database {
	d := &Database{settings: s, visitor: v, adviser: a, proxies: proxies}
	d.config, d.err = s.GOSUMDB()
	return d
}

// lookupTime is how many times the bound of a check a lookup may take: it asks for up
// to a dozen tiles.
const lookupTime = 3

// Checks are those of the database, where one is asked. They rest on what is found of the
// first proxy, since that is asked for the way.
func (d *Database) Checks(ofFirstProxy []*check.Check) []*check.Check {
	if d.err != nil || d.config.Off || !d.settings.Fetches() {
		return nil
	}
	way := &check.Check{ID: "sumdb-way", Subject: d.config.Name, Run: d.Way}
	if d.config.URL == "" && !d.proxies[0].FallBackOnError {
		way.After = check.Find(ofFirstProxy, "proxy-list")
	}
	return []*check.Check{
		way,
		{ID: "sumdb-lookup", Subject: d.config.Name, After: []*check.Check{way}, Patience: lookupTime, Run: d.checkLookup},
		{ID: "sumdb-direct", Subject: d.config.Name, After: []*check.Check{way}, Run: d.checkDirect},
	}
}

// Name is that of the database.
func (d *Database) Name() string { return d.config.Name }

// Route is how the database is asked, for people, once the way is found.
func (d *Database) Route() string {
	if d.via != nil {
		return "through " + d.via.Name
	}
	return "directly"
}

// Hears reports whether the database is asked for a module.
func (d *Database) Hears(path string) bool {
	return d.err == nil && !d.config.Off && !module.MatchPrefixPatterns(d.settings.Patterns("GONOSUMDB"), path)
}

// direct is where the database itself is.
func (d *Database) direct() *url.URL {
	u, err := url.Parse(cmp.Or(d.config.URL, "https://"+d.config.Name))
	if err != nil {
		return &url.URL{Scheme: "https", Host: d.config.Name} // both were parsed before
	}
	return u
}

// Way looks for the way to the database, as the go command does: through the first
// proxy that has it, or else directly.
//
// Source: cmd/go/internal/modfetch/sumdb.go, initBase.
func (d *Database) Way(ctx context.Context) check.Result {
	d.find.Do(func() { d.way = d.searchWay(ctx) })
	return d.way
}

func (d *Database) searchWay(ctx context.Context) check.Result {
	d.base = d.direct()
	if d.config.URL != "" {
		return check.Well("at the URL in GOSUMDB")
	}
	var evidence []string
	for _, p := range d.proxies {
		if p.URL == nil {
			break
		}
		a := p.Read(ctx, artifact.Name{Kind: artifact.SumSupported, DB: d.config.Name}.Key(), visit.Page)
		if a.OK() {
			d.base, d.via = p.URL.JoinPath("sumdb", d.config.Name), p
			return check.Well("through "+p.Name, evidence...)
		}
		if !a.Absent() && !p.FallBackOnError {
			return d.blocked(ctx, p, a)
		}
		evidence = append(evidence, p.Name+" does not have it")
	}
	return check.Well("directly", evidence...)
}

// blocked is a proxy that keeps the go command from the database.
func (d *Database) blocked(ctx context.Context, p *proxy.Proxy, a visit.Answer) check.Result {
	if a.Trouble != nil {
		r, _ := p.Explain(ctx, a)
		return r
	}
	return check.Trouble("sumdb-blocked", fmt.Sprintf("%s answers %d when asked whether it has %s, so that the go command asks nobody else", p.Name, a.Status, d.config.Name),
		fmt.Sprintf("have it answer 404 there if it does not have the database, or ask the database itself: GOSUMDB=%q", cmp.Or(d.settings.Value("GOSUMDB"), d.config.Name)+" https://"+d.config.Name)).With(advice.Saying(a)...)
}

func (d *Database) checkLookup(ctx context.Context) check.Result {
	probe := d.settings.Probe
	if !d.Hears(probe.Path) {
		return check.Skip(probe.Path + " is kept from it")
	}
	begun := time.Now()
	_, r := d.Lookup(ctx, probe.Version)
	if r.State == check.Bad && r.Kind == "not-in-sumdb" {
		return check.Well("it answers", "it does not know "+probe.String())
	}
	if r.State == check.OK {
		r.Summary = fmt.Sprintf("of %s, proven, in %s", probe, check.Millis(time.Since(begun)))
	}
	return r
}

// checkDirect looks whether the database could be had without proxy. Nothing is wrong
// if it could not.
func (d *Database) checkDirect(ctx context.Context) check.Result {
	if d.via == nil {
		return check.Skip("that is the way it is asked")
	}
	const glimpse = time.Second
	ctx, cancel := context.WithTimeout(ctx, glimpse)
	defer cancel()
	a := d.visitor.Get(ctx, visit.Request{URL: d.direct().JoinPath("latest"), Max: visit.Page})
	if a.OK() {
		return check.Well("it can be reached directly, too")
	}
	return check.Well("it cannot be reached directly, and need not be")
}

// Lookup looks a version up and has the record proven. The lines are those of go.sum.
func (d *Database) Lookup(ctx context.Context, v module.Version) ([]gosum.Line, check.Result) {
	remote := &remote{Database: d, ctx: ctx, cache: map[string][]byte{}}
	client := xsumdb.NewClient(remote)
	lines, err := client.Lookup(v.Path, v.Version)
	if err == nil {
		both, err := client.Lookup(v.Path, v.Version+"/go.mod")
		if err == nil {
			lines = append(lines, both...)
		}
		return slices.Collect(gosum.Lines([]byte(strings.Join(lines, "\n")))), check.Well("it is in " + d.config.Name)
	}
	return nil, d.explain(ctx, v, remote, err)
}

// explain says why a lookup failed.
func (d *Database) explain(ctx context.Context, v module.Version, r *remote, err error) check.Result {
	where := d.config.Name
	if d.via != nil {
		where += " through " + d.via.Name
	}
	a, what := r.last, "the lookup"
	if strings.HasPrefix(r.path, "/tile/") {
		what = "a tile of the log"
	}
	switch {
	case r.alarm != "":
		return check.Trouble("sumdb-misbehaves", where+" contradicts itself: its records are not of one log, or not signed with its key", "keep this output; ask another way (another proxy, or none), and tell those who run it").With(artifact.Clean(r.alarm, 300))
	case r.path == "" || a.Status == 0 && a.Trouble == nil:
		return check.Trouble("sumdb-misbehaves", where+" cannot be asked", "look at GOSUMDB").With(artifact.Clean(err.Error(), 300))
	case a.Trouble != nil:
		return check.Trouble("sumdb-unreachable", fmt.Sprintf("%s cannot be reached: %s", where, a.Trouble.What),
			"use a proxy that has the database (sumdb) in GOPROXY, or have "+d.direct().Host+" allowed").With(d.adviser.Trouble(ctx, a.Trouble, d.base).Hint)
	case a.Absent() && what == "the lookup":
		return check.Trouble("not-in-sumdb", fmt.Sprintf("%s does not know %s", where, v), "").With(advice.Saying(a)...)
	case a.Absent():
		return check.Trouble("sumdb-tiles", fmt.Sprintf("%s answers lookups, but not for the tiles that prove them (%d)", where, a.Status), "have the proxy let all of /sumdb/ through").With("at " + r.path)
	case a.OK():
		kind := "sumdb-garbage"
		return check.Trouble(kind, fmt.Sprintf("%s answers with something that is no record", where), "a portal or a filter may answer in its place").With(artifact.Clean(err.Error(), 300))
	}
	kind := "sumdb-blocked"
	if what != "the lookup" {
		kind = "sumdb-tiles"
	}
	return check.Trouble(kind, fmt.Sprintf("%s refuses %s: %d", where, what, a.Status), "have it allowed, or ask another way").With(advice.Saying(a)...)
}
