package prefetch

import (
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
)

// maxAsked bounds what is remembered of one client, in artifacts.
const maxAsked = 16 << 10

// A guess is an artifact that may be asked for.
type guess struct {
	name    artifact.Name
	on      ground
	study   bool
	closure bool
}

// A session is what one client has asked for lately, most often one run of the
// go command.
type session struct {
	client string
	last   time.Time // of its requests
	cold   bool      // it has had to wait for something
	credit [grounds]float64

	underWay atomic.Int32 // its requests that are not answered yet
	atOnce   int          // the most of them so far

	asked map[artifact.Name]bool
	steps map[ground]string // the path of the root asked for last, by series
	mods  []module.Version  // .mod files, in the order asked
	roots roots             // the first of these, as far as they are the main module's requirements
	infos series            // .info files, in the order asked
	zips  series

	newest   map[string]string         // the highest version known to be required, by module path
	studied  map[module.Version]bool   // whose requirements are counted below
	required map[module.Version]demand // who requires a version
	graph    map[module.Version]bool   // whose requirements are fetched, and theirs
	supposed []string                  // paths of what may be roots, sorted
	later    []guess                   // that hold once it is clear that a module graph is loaded
	taken    map[artifact.Name]bool    // that was fetched ahead
	read     map[artifact.Name]bool    // of these, what is read to follow where it leads
}

func newSession(client string) *session {
	s := &session{
		client:   client,
		asked:    map[artifact.Name]bool{},
		steps:    map[ground]string{},
		newest:   map[string]string{},
		studied:  map[module.Version]bool{},
		required: map[module.Version]demand{},
		graph:    map[module.Version]bool{},
		taken:    map[artifact.Name]bool{},
		read:     map[artifact.Name]bool{},
	}
	for g := range credits {
		s.credit[g] = credits[g].first
	}
	return s
}

// spend takes one off the credit of a ground, and reports whether there was one.
func (s *session) spend(g ground) bool {
	if g == graph {
		return true
	}
	if s.credit[g] < 1 {
		return false
	}
	s.credit[g]--
	return true
}

func (s *session) earn(g ground, n float64) {
	s.credit[g] = min(s.credit[g]+n, credits[g].most)
}

// step notes that the client asks about a root. The further it goes through them in
// order, the surer it is that it goes on to the end.
func (s *session) step(g ground, path string) {
	if last := s.steps[g]; last != "" && last < path {
		s.earn(g, stepReward)
	}
	s.steps[g] = path
}

// repeats reports whether the client has asked for an artifact before.
func (s *session) repeats(n artifact.Name) bool { return s.asked[n] }

// ask notes that the client asks for an artifact for the first time, and returns
// what follows.
func (s *session) ask(n artifact.Name) []guess {
	if len(s.asked) >= maxAsked {
		return nil
	}
	s.asked[n] = true
	for g := shared; g < grounds; g++ {
		s.earn(g, alms)
	}
	m := module.Version{Path: n.Module, Version: n.Version}
	switch n.Kind {
	case artifact.List:
		return s.askList(n)
	case artifact.Info:
		return s.askInfo(m)
	case artifact.Mod:
		return s.askMod(m)
	default:
		return s.askZip(m)
	}
}

// askList: "go get" goes on with the newest version, "go list -m -u" with that
// and the next list.
func (s *session) askList(n artifact.Name) []guess {
	next := []guess{{name: n, on: known, study: true}}
	if i := s.roots.index(module.Version{Path: n.Module}); i >= 0 {
		s.step(seriesList, n.Module)
		next = append(next, files(artifact.List, seriesList, s.rest(artifact.List, i, s.roots.members, s.credit[seriesList]))...)
	}
	return next
}

// askInfo: "go mod download" asks for the .info of all roots once it has the
// graph, and a build for that of all zips it has used. Otherwise the .mod is
// next.
func (s *session) askInfo(m module.Version) []guess {
	s.infos.add(m)
	var next []guess
	if i := s.roots.index(m); i >= 0 {
		s.step(seriesInfo, m.Path)
		next = files(artifact.Info, seriesInfo, s.rest(artifact.Info, i, s.roots.members, s.credit[seriesInfo]))
	} else if i := s.zips.index(m); i >= 0 {
		next = files(artifact.Info, seriesInfo, s.rest(artifact.Info, i, s.zips.members, s.credit[seriesInfo]))
	}
	return append(next, guess{name: file(artifact.Mod, m), on: twin})
}

// askMod: the module graph is loaded, or the zip is next.
func (s *session) askMod(m module.Version) []guess {
	s.mods = append(s.mods, m)
	s.roots.add(m)
	if s.loadsGraph() {
		next := append(s.later, s.nextRoots()...)
		s.later = nil
		return next
	}
	if s.infos.index(m) >= 0 {
		return []guess{{name: file(artifact.Zip, m), on: twinZip}}
	}
	return nil
}

// askZip: the zips of the modules whose .info was asked for come one after the
// other; a build asks for the other files of a zip that it uses.
func (s *session) askZip(m module.Version) []guess {
	s.zips.add(m)
	if i := s.infos.index(m); i >= 0 {
		return files(artifact.Zip, seriesZip, s.rest(artifact.Zip, i, s.infos.members, s.credit[seriesZip]))
	}
	return []guess{{name: file(artifact.Mod, m), on: twin, study: true}, {name: file(artifact.Info, m), on: twin}}
}

// rest are the members of a series that have not been asked for, those after the
// one at i first, as many as there is credit for.
func (s *session) rest(k artifact.Kind, i int, members []module.Version, credit float64) []module.Version {
	var next []module.Version
	for j := range members {
		m := members[(i+1+j)%len(members)]
		if len(next) >= int(credit) {
			break
		}
		if n := file(k, m); !s.asked[n] && !s.taken[n] {
			next = append(next, m)
		}
	}
	return next
}

func files(k artifact.Kind, on ground, of []module.Version) []guess {
	guesses := make([]guess, 0, len(of))
	for _, m := range of {
		guesses = append(guesses, guess{name: file(k, m), on: on})
	}
	return guesses
}

// loadsGraph reports whether the client is loading a module graph: it asks for
// one .mod after the other, and not because it uses zips.
func (s *session) loadsGraph() bool {
	return len(s.mods) >= 3 && len(s.mods) > 2*len(s.zips.members)
}

// learn draws conclusions from the requirements of a module.
func (s *session) learn(m module.Version, req requirements, closure bool) []guess {
	s.count(m, req)
	switch {
	case closure || !req.pruned:
		return s.walk(req, closure)
	case len(s.zips.members) > 0 && !s.loadsGraph():
		return s.supposeZips(req)
	}
	s.suppose(req)
	return s.nextRoots()
}

// count enters what a module requires, once.
func (s *session) count(m module.Version, req requirements) {
	if s.studied[m] || len(s.required) >= maxAsked {
		return
	}
	s.studied[m] = true
	for _, r := range req.list {
		s.required[r.Version] = s.required[r.Version].by(m, r)
		if v, ok := s.newest[r.Path]; !ok || semver.Compare(r.Version.Version, v) > 0 {
			s.newest[r.Path] = r.Version.Version
		}
	}
}

// demand is who requires a version.
type demand struct {
	modules int
	direct  bool // one of them uses it itself
	near    bool // one of them is of the same repository or owner, who release together
}

func (d demand) by(m module.Version, r requirement) demand {
	return demand{d.modules + 1, d.direct || !r.indirect, d.near || owner(m.Path) == owner(r.Path)}
}

// owner is the beginning of a module path that those of one owner share, most often.
func owner(path string) string {
	host, rest, _ := strings.Cut(path, "/")
	name, _, _ := strings.Cut(rest, "/")
	return host + "/" + name
}

// likely reports that a version is likely the one that is used, if one is.
func (d demand) likely() bool { return d.modules > 1 || d.near }

// walk goes on with all requirements of a module, as the go command does where
// the graph is not pruned.
func (s *session) walk(req requirements, sure bool) []guess {
	var next []guess
	for _, r := range req.list {
		if !s.graph[r.Version] && len(s.graph) < maxAsked {
			s.graph[r.Version] = true
			next = append(next, guess{name: file(artifact.Mod, r.Version), on: graph, study: true, closure: true})
		}
	}
	if sure || s.loadsGraph() {
		return next
	}
	s.later = append(s.later, next...)
	return nil
}

// supposeZips guesses that a build uses what the module of a zip requires, in the
// highest version known.
func (s *session) supposeZips(req requirements) []guess {
	var next []guess
	for _, r := range req.list {
		if (!r.indirect || s.required[r.Version].likely()) && s.newest[r.Path] == r.Version.Version && !s.zips.has(r.Path) {
			next = append(next, guess{name: file(artifact.Zip, r.Version), on: imports})
		}
	}
	return next
}

// suppose notes that what a root requires is likely required by the main module,
// too, since minimal version selection makes it so.
func (s *session) suppose(req requirements) {
	for _, r := range req.list {
		if i, found := slices.BinarySearch(s.supposed, r.Path); !found && len(s.supposed) < maxAsked {
			s.supposed = slices.Insert(s.supposed, i, r.Path)
		}
	}
}

// How many of the supposed roots are fetched ahead of the one that the client has got
// to, for each that it asks for at one time: so far does it get while one is fetched, and
// what that one requires. The later a guess is made, the more is known.
const (
	lookAhead   = 8
	leastAtOnce = 2
	mostAtOnce  = 8
)

// horizon is how many of the supposed roots are worth a guess now.
func (s *session) horizon() int { return lookAhead * min(max(s.atOnce, leastAtOnce), mostAtOnce) }

// nextRoots guesses which roots the client asks for next: the highest versions
// known of what is supposed to be required.
func (s *session) nextRoots() []guess {
	if s.roots.complete || len(s.roots.members) == 0 {
		return nil
	}
	at := s.roots.members[len(s.roots.members)-1].Path
	i, _ := slices.BinarySearch(s.supposed, at)
	var next []guess
	for _, path := range s.supposed[i:min(i+s.horizon(), len(s.supposed))] {
		m := module.Version{Path: path, Version: s.newest[path]}
		n := file(artifact.Mod, m)
		switch d := s.required[m]; {
		case path == at || s.asked[n] || s.read[n]:
		case d.likely():
			next = append(next, guess{name: n, on: shared, study: true})
		case d.direct && !s.taken[n]:
			next = append(next, guess{name: n, on: single})
		}
	}
	return next
}

// A series is a sequence of modules.
type series struct {
	members []module.Version
	at      map[module.Version]int
	paths   map[string]bool
}

func (s *series) add(m module.Version) {
	if s.at == nil {
		s.at, s.paths = map[module.Version]int{}, map[string]bool{}
	}
	s.at[m] = len(s.members)
	s.paths[m.Path] = true
	s.members = append(s.members, m)
}

// index is where a module is in the series, or -1.
func (s *series) index(m module.Version) int {
	if i, ok := s.at[m]; ok {
		return i
	}
	return -1
}

func (s *series) has(path string) bool { return s.paths[path] }

// roots are the requirements of a main module: the go command asks for their
// .mod files first, in the order of their paths. They end where that order does.
type roots struct {
	members  []module.Version // by path
	complete bool
}

// disorder is how far out of order requests may be that are made at one time.
const disorder = 16

func (r *roots) add(m module.Version) {
	if r.complete {
		return
	}
	if r.passed(m.Path) {
		r.complete = true
		return
	}
	at := r.search(m.Path)
	r.members = slices.Insert(r.members, at, m)
}

func (r *roots) search(path string) int {
	return sort.Search(len(r.members), func(i int) bool { return r.members[i].Path >= path })
}

// passed reports whether the client has got beyond a path.
func (r *roots) passed(path string) bool {
	last := len(r.members) - 1 - disorder
	return last >= 0 && strings.Compare(path, r.members[last].Path) < 0
}

// index is where a module is among the roots, or -1. Without a version, any is
// meant.
func (r *roots) index(m module.Version) int {
	i := r.search(m.Path)
	if i == len(r.members) || r.members[i].Path != m.Path || m.Version != "" && r.members[i].Version != m.Version {
		return -1
	}
	return i
}
