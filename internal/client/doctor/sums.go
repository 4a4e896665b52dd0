package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	xsumdb "golang.org/x/mod/sumdb"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/sumdb"
)

// sums is the checksum database, and the way to it.
type sums struct {
	*machine
	config sumdb.Config
	err    error // of GOSUMDB

	find sync.Once // the way:
	base *url.URL  // where it is asked
	via  *proxy    // nil: directly
	way  Result
}

func newSums(m *machine) *sums {
	s := &sums{machine: m}
	s.config, s.err = sumdb.ParseDatabase(cmp.Or(m.env.Value("GOSUMDB"), "sum.golang.org"))
	return s
}

// lookupTime is how many times the bound of a check a lookup may take: it asks for up
// to a dozen tiles.
const lookupTime = 3

// checks are those of the checksum database, where one is asked.
func (s *sums) checks(others []*Check) []*Check {
	if s.err != nil || s.config.Off || !s.fetches() {
		return nil
	}
	way := &Check{ID: "sumdb-way", Subject: s.config.Name, Run: s.findWay}
	for _, other := range others { // the first proxy is asked for the way
		if other.proxy == 1 && other.ID == "proxy-list" && !s.proxies[0].FallBackOnError && s.config.URL == "" {
			way.After = []*Check{other}
		}
	}
	return []*Check{
		way,
		{ID: "sumdb-lookup", Subject: s.config.Name, After: []*Check{way}, Patience: lookupTime, Run: s.checkLookup},
		{ID: "sumdb-direct", Subject: s.config.Name, After: []*Check{way}, Run: s.checkDirect},
	}
}

// direct is where the database itself is.
func (s *sums) direct() *url.URL {
	u, err := url.Parse(cmp.Or(s.config.URL, "https://"+s.config.Name))
	if err != nil {
		return &url.URL{Scheme: "https", Host: s.config.Name} // both were parsed before
	}
	return u
}

// findWay looks for the way to the database, as the go command does: through the first
// proxy that has it, or else directly.
//
// Source: cmd/go/internal/modfetch/sumdb.go, initBase.
func (s *sums) findWay(ctx context.Context) Result {
	s.find.Do(func() { s.way = s.searchWay(ctx) })
	return s.way
}

func (s *sums) searchWay(ctx context.Context) Result {
	s.base = s.direct()
	if s.config.URL != "" {
		return well("at the URL in GOSUMDB")
	}
	var evidence []string
	for _, p := range s.proxies {
		if p.url == nil {
			break
		}
		a := p.read(ctx, artifact.Name{Kind: artifact.SumSupported, DB: s.config.Name}.Key(), 0, maxPage)
		if a.OK() {
			s.base, s.via = p.url.JoinPath("sumdb", s.config.Name), p
			return well("through "+p.Name, evidence...)
		}
		if !a.Absent() && !p.FallBackOnError {
			return s.blocked(ctx, p, a)
		}
		evidence = append(evidence, p.Name+" does not have it")
	}
	return well("directly", evidence...)
}

// blocked is a proxy that keeps the go command from the database.
func (s *sums) blocked(ctx context.Context, p *proxy, a visit.Answer) Result {
	if a.Trouble != nil {
		r, _ := p.explain(ctx, a)
		return r
	}
	return bad("sumdb-blocked", fmt.Sprintf("%s answers %d when asked whether it has %s, so that the go command asks nobody else", p.Name, a.Status, s.config.Name),
		fmt.Sprintf("have it answer 404 there if it does not have the database, or ask the database itself: GOSUMDB=%q", cmp.Or(s.env.Value("GOSUMDB"), s.config.Name)+" https://"+s.config.Name)).with(saying(a)...)
}

func (s *sums) checkLookup(ctx context.Context) Result {
	if s.isUnproven(s.probe.Path) {
		return skipped(s.probe.Path + " is kept from it")
	}
	begun := time.Now()
	_, r := s.lookup(ctx, s.probe.Version)
	if r.State == Bad && r.Kind == "not-in-sumdb" {
		return well("it answers", "it does not know "+s.probe.String())
	}
	if r.State == OK {
		r.Summary = fmt.Sprintf("of %s, proven, in %s", s.probe, millis(time.Since(begun)))
	}
	return r
}

// isUnproven reports whether the database hears nothing of a module.
func (s *sums) isUnproven(path string) bool {
	return s.err != nil || s.config.Off || module.MatchPrefixPatterns(s.patterns("GONOSUMDB"), path)
}

// checkDirect looks whether the database could be had without proxy. Nothing is wrong
// if it could not.
func (s *sums) checkDirect(ctx context.Context) Result {
	if s.via == nil {
		return skipped("that is the way it is asked")
	}
	const glimpse = time.Second
	ctx, cancel := context.WithTimeout(ctx, glimpse)
	defer cancel()
	a := s.visitor.Get(ctx, visit.Request{URL: s.direct().JoinPath("latest"), Max: maxPage})
	if a.OK() {
		return well("it can be reached directly, too")
	}
	return well("it cannot be reached directly, and need not be")
}

// lookup looks a version up and has the record proven. The lines are those of go.sum.
func (s *sums) lookup(ctx context.Context, v module.Version) ([]string, Result) {
	remote := &remote{sums: s, ctx: ctx, cache: map[string][]byte{}}
	client := xsumdb.NewClient(remote)
	lines, err := client.Lookup(v.Path, v.Version)
	if err == nil {
		both, err := client.Lookup(v.Path, v.Version+"/go.mod")
		if err == nil {
			lines = append(lines, both...)
		}
		return lines, well("it is in " + s.config.Name)
	}
	return nil, s.explain(ctx, v, remote, err)
}

// explain says why a lookup failed.
func (s *sums) explain(ctx context.Context, v module.Version, r *remote, err error) Result {
	where := s.config.Name
	if s.via != nil {
		where += " through " + s.via.Name
	}
	a, what := r.last, "the lookup"
	if strings.HasPrefix(r.path, "/tile/") {
		what = "a tile of the log"
	}
	switch {
	case r.alarm != "":
		return bad("sumdb-misbehaves", where+" contradicts itself: its records are not of one log, or not signed with its key", "keep this output; ask another way (another proxy, or none), and tell those who run it").with(artifact.Clean(r.alarm, 300))
	case r.path == "" || a.Status == 0 && a.Trouble == nil:
		return bad("sumdb-misbehaves", where+" cannot be asked", "look at GOSUMDB").with(artifact.Clean(err.Error(), 300))
	case a.Trouble != nil:
		return bad("sumdb-unreachable", fmt.Sprintf("%s cannot be reached: %s", where, a.Trouble.What),
			"use a proxy that has the database (sumdb) in GOPROXY, or have "+s.direct().Host+" allowed").with(s.reason(ctx, a)...)
	case a.Absent() && what == "the lookup":
		return bad("not-in-sumdb", fmt.Sprintf("%s does not know %s", where, v), "").with(saying(a)...)
	case a.Absent():
		return bad("sumdb-tiles", fmt.Sprintf("%s answers lookups, but not for the tiles that prove them (%d)", where, a.Status), "have the proxy let all of /sumdb/ through").with("at " + r.path)
	case a.OK():
		kind := "sumdb-garbage"
		return bad(kind, fmt.Sprintf("%s answers with something that is no record", where), "a portal or a filter may answer in its place").with(artifact.Clean(err.Error(), 300))
	}
	kind := "sumdb-blocked"
	if what != "the lookup" {
		kind = "sumdb-tiles"
	}
	return bad(kind, fmt.Sprintf("%s refuses %s: %d", where, what, a.Status), "have it allowed, or ask another way").with(saying(a)...)
}

// reason is what there is to do about trouble on the way.
func (s *sums) reason(ctx context.Context, a visit.Answer) []string {
	if a.Trouble.Stage == visit.TLS {
		if r := s.adviseTLS(ctx, a.Trouble, s.base); r.Hint != "" {
			return []string{r.Hint}
		}
	}
	return []string{hints[a.Trouble.Kind]}
}

// remote lets the client of the checksum database read over the network, within a
// context, and keep what it has read for this one time.
type remote struct {
	*sums
	ctx context.Context

	mu    sync.Mutex
	cache map[string][]byte
	path  string // of the last question that failed, or of the last
	last  visit.Answer
	alarm string
}

// ReadRemote implements sumdb.ClientOps.
func (r *remote) ReadRemote(path string) ([]byte, error) {
	var a visit.Answer
	if r.via != nil {
		a = r.via.read(r.ctx, "sumdb/"+r.config.Name+path, 0, maxText)
	} else {
		a = r.visitor.Get(r.ctx, visit.Request{URL: r.base.JoinPath(path), Max: maxText})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" || r.last.OK() {
		r.path, r.last = path, a
	}
	switch {
	case a.Absent():
		return nil, fs.ErrNotExist
	case !a.OK():
		return nil, errors.New("it cannot be read")
	}
	return a.Body, nil
}

// ReadConfig implements sumdb.ClientOps.
func (r *remote) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(r.config.Key), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cache["config "+file]), nil
}

// WriteConfig implements sumdb.ClientOps.
func (r *remote) WriteConfig(file string, _, next []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache["config "+file] = slices.Clone(next)
	return nil
}

// ReadCache implements sumdb.ClientOps.
func (r *remote) ReadCache(file string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if data, ok := r.cache[file]; ok {
		return slices.Clone(data), nil
	}
	return nil, fs.ErrNotExist
}

// WriteCache implements sumdb.ClientOps.
func (r *remote) WriteCache(file string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache[file] = slices.Clone(data)
}

// Log implements sumdb.ClientOps.
func (r *remote) Log(string) {}

// SecurityError implements sumdb.ClientOps.
func (r *remote) SecurityError(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarm = text
}
