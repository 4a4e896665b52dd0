package prefetch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
)

// A world is a cache that takes a second for everything it does not hold yet.
type world struct {
	t *testing.T
	p *Prefetcher

	mu    sync.Mutex
	files map[string]string // what upstream has, by key
	held  map[string]bool
	asked map[string]bool // by clients
	ahead []string        // keys fetched ahead, in order
	now   int             // fetches ahead under way
	most  int
}

func newWorld(t *testing.T, o Options, files map[string]string) *world {
	w := &world{t: t, files: files, held: map[string]bool{}, asked: map[string]bool{}}
	w.p = New(w, o)
	return w
}

// bounded are options with room for everything.
var bounded = Options{MaxConcurrent: 32}

// Open implements Opener.
func (w *world) Open(ctx context.Context, r cache.Request) (cache.Answer, error) {
	key := r.Name.Key()
	w.mu.Lock()
	body, exists := w.files[key]
	held := w.held[key]
	ahead := r.Ahead && !held && !w.asked[key] // the rest joins what a client waits for
	if ahead {
		w.ahead = append(w.ahead, key)
		w.now++
		w.most = max(w.most, w.now)
	}
	w.mu.Unlock()
	result := cache.Hit
	if !held {
		result = cache.Miss
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return cache.Answer{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ahead {
		w.now--
	}
	if !exists {
		return cache.Answer{}, artifact.NotFound("unknown")
	}
	w.held[key] = true
	return cache.Answer{Blob: blob.FromBytes(blob.Info{Key: key}, []byte(body)), Result: result}, nil
}

// ask asks as a client and reports whether it had to wait.
func (w *world) ask(client, key string) (waited bool) {
	w.t.Helper()
	n, err := artifact.Parse(key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.asked[key] = true
	w.mu.Unlock()
	begun := time.Now()
	if _, err := w.p.Open(w.t.Context(), cache.Request{Name: n, Client: client}); err != nil {
		w.t.Errorf("%s: %v", key, err)
	}
	return time.Since(begun) > 0
}

// fetched are the keys fetched ahead so far, sorted. One that is read, too, may have been
// opened twice.
func (w *world) fetched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(w.ahead)))
}

func (w *world) want(keys ...string) {
	w.t.Helper()
	slices.Sort(keys)
	if got := w.fetched(); !slices.Equal(got, keys) {
		w.t.Errorf("fetched ahead:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(keys, "\n"))
	}
}

// modules are the files of modules: a go.mod by path and version, each with an
// .info and a .zip.
func modules(mods map[string]string) map[string]string {
	files := map[string]string{}
	for m, gomod := range mods {
		path, version, _ := strings.Cut(m, "@")
		base := path + "/@v/" + version
		files[base+".info"] = fmt.Sprintf("{%q:%q}", "Version", version)
		files[base+".mod"] = "module " + path + "\n" + gomod
		files[base+".zip"] = "zip of " + m
		files[path+"/@v/list"] += version + "\n"
	}
	return files
}

// fan is a root that requires n modules and does not prune, among other roots.
func fan(n int, gomod string) map[string]string {
	mods := map[string]string{"a.b/r1@v1.0.0": "go 1.20\n", "a.b/r2@v1.0.0": "go 1.20\n", "a.b/r3@v1.0.0": "go 1.20\n"}
	for i := range n {
		gomod += fmt.Sprintf("require a.b/x%02d v1.0.0\n", i)
		mods[fmt.Sprintf("a.b/x%02d@v1.0.0", i)] = "go 1.20\nrequire a.b/deep v1.0.0\n"
	}
	mods["a.b/deep@v1.0.0"] = ""
	mods["a.b/r0@v1.0.0"] = gomod
	return modules(mods)
}

func (w *world) askRoots() {
	for i := range 4 {
		w.ask("me", fmt.Sprintf("a.b/r%d/@v/v1.0.0.mod", i))
	}
}

func TestTheGraphOfAModuleWithoutPruningIsFetchedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, fan(20, ""))
		defer w.p.Close()
		w.askRoots()
		time.Sleep(5 * time.Second)
		for i := range 20 {
			if w.ask("me", fmt.Sprintf("a.b/x%02d/@v/v1.0.0.mod", i)) {
				t.Errorf("the client waits for x%02d", i)
			}
		}
		if w.ask("me", "a.b/deep/@v/v1.0.0.mod") {
			t.Error("the client waits for what the requirements require")
		}
		for _, s := range w.p.Stats() {
			if s.Wasted > 0 || s.Ground == "graph" && s.Used != 21 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestAPrunedGraphIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, fan(40, "go 1.17\n"))
		defer w.p.Close()
		w.askRoots()
		time.Sleep(time.Minute)
		if n := len(w.fetched()); n > int(credits[single].first) {
			t.Errorf("%d files were fetched that nobody may want", n)
		}
		for _, key := range w.fetched() {
			if strings.Contains(key, "deep") {
				t.Errorf("%s was fetched", key)
			}
		}
	})
}

func TestOneModFileIsNoGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, fan(20, ""))
		defer w.p.Close()
		w.ask("me", "a.b/r0/@v/v1.0.0.mod")
		time.Sleep(time.Minute)
		w.want()
	})
}

func TestAVersionThatTwoRootsRequireIsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, modules(map[string]string{
			"a.b/r1@v1.0.0": "go 1.20\nrequire a.b/s v1.2.0\n",
			"a.b/r2@v1.0.0": "go 1.20\nrequire a.b/s v1.3.0\n",
			"a.b/r3@v1.0.0": "go 1.20\nrequire a.b/s v1.3.0\n",
			"a.b/s@v1.2.0":  "", "a.b/s@v1.3.0": "",
		}))
		defer w.p.Close()
		for g := range w.p.session("me").credit {
			w.p.session("me").credit[g] = 0 // so that single guesses do not show
		}
		w.p.session("me").credit[shared] = 1
		for i := range 3 {
			w.ask("me", fmt.Sprintf("a.b/r%d/@v/v1.0.0.mod", i+1))
		}
		time.Sleep(10 * time.Second)
		w.want("a.b/s/@v/v1.3.0.mod")
	})
}

// A client that asks for more at one time gets further while something is fetched.
func TestMoreRootsAreFetchedForWhoAsksForMoreAtOnce(t *testing.T) {
	for atOnce, want := range map[int]int{1: lookAhead * leastAtOnce, 4: 4 * lookAhead, 12: mostAtOnce * lookAhead} {
		synctest.Test(t, func(t *testing.T) {
			requires, mods := "go 1.20\n", map[string]string{}
			for i := range 2 * mostAtOnce * lookAhead {
				requires += fmt.Sprintf("require z.z/x%03d v1.0.0\n", i)
				mods[fmt.Sprintf("z.z/x%03d@v1.0.0", i)] = "go 1.20\n"
			}
			for i := range 12 {
				mods[fmt.Sprintf("a.b/r%02d@v1.0.0", i)] = "go 1.20\n"
			}
			mods["a.b/r00@v1.0.0"], mods["a.b/r01@v1.0.0"] = requires, requires
			w := newWorld(t, Options{MaxConcurrent: 500}, modules(mods))
			defer w.p.Close()
			w.p.session("me").credit[shared] = credits[shared].most
			var waiting sync.WaitGroup
			for i := range atOnce {
				waiting.Go(func() { w.ask("me", fmt.Sprintf("a.b/r%02d/@v/v1.0.0.mod", i)) })
			}
			waiting.Wait()
			w.ask("me", "a.b/r01/@v/v1.0.0.mod")
			time.Sleep(10 * time.Second)
			if got := len(w.fetched()); got != want {
				t.Errorf("%d roots are fetched for a client that asks for %d at once, want %d", got, atOnce, want)
			}
		})
	}
}

// What is required of a root that is likely one is fetched before the client asks for the
// root, if it will ask for that, too.
func TestTheGraphOfALikelyRootIsFetchedBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requires := "go 1.20\nrequire a.b/s v1.0.0\n"
		w := newWorld(t, bounded, modules(map[string]string{
			"a.b/r1@v1.0.0": requires, "a.b/r2@v1.0.0": requires, "a.b/r3@v1.0.0": requires,
			"a.b/s@v1.0.0": "go 1.16\nrequire z.z/old v1.0.0\n", "z.z/old@v1.0.0": "require z.z/older v1.0.0\n", "z.z/older@v1.0.0": "",
		}))
		defer w.p.Close()
		for i := range 3 {
			w.ask("me", fmt.Sprintf("a.b/r%d/@v/v1.0.0.mod", i+1))
		}
		time.Sleep(10 * time.Second)
		w.want("a.b/s/@v/v1.0.0.mod", "z.z/old/@v/v1.0.0.mod", "z.z/older/@v/v1.0.0.mod")
	})
}

// download asks for the .info of all roots and then for the zips, as "go mod
// download" does.
func TestASeriesIsGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		mods := map[string]string{}
		for i := range n {
			mods[fmt.Sprintf("a.b/m%03d@v1.0.0", i)] = "go 1.20\n"
		}
		w := newWorld(t, bounded, modules(mods))
		defer w.p.Close()
		waits := map[string]int{}
		for _, ending := range []string{".mod", ".info", ".zip"} {
			for i := range n {
				if w.ask("me", fmt.Sprintf("a.b/m%03d/@v/v1.0.0%s", i, ending)) {
					waits[ending]++
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		if waits[".info"] > 5 || waits[".zip"] > 5 {
			t.Errorf("the client had to wait: %v", waits)
		}
		if len(w.fetched()) > 2*n {
			t.Errorf("%d files were fetched ahead", len(w.fetched()))
		}
	})
}

// The go command goes through the direct requirements first and then through the
// others, each in the order of their paths: every fourth first, here.
func TestASeriesWithGapsIsGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, step = 160, 4
		mods := map[string]string{}
		for i := range n {
			mods[fmt.Sprintf("a.b/m%03d@v1.0.0", i)] = "go 1.20\n"
		}
		w := newWorld(t, bounded, modules(mods))
		defer w.p.Close()
		file := func(i int, ending string) string { return fmt.Sprintf("a.b/m%03d/@v/v1.0.0%s", i, ending) }
		for i := range n {
			w.ask("me", file(i, ".mod"))
		}
		waits := 0
		for i := range n {
			if w.ask("me", file(i*step%n+i*step/n, ".info")) {
				waits++
			}
		}
		if waits > n/10 { // as a rule 8, which depends on who runs first; nothing fetched ahead: all
			t.Errorf("the client had to wait %d times", waits)
		}
	})
}

func TestABuildGetsTheOtherFilesOfItsZips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, modules(map[string]string{
			"a.b/c@v1.0.0": "go 1.20\nrequire a.b/d v1.1.0\nrequire a.b/e v1.1.0 // indirect\n",
			"a.b/d@v1.1.0": "go 1.20\n", "a.b/e@v1.1.0": "go 1.20\n",
		}))
		defer w.p.Close()
		w.ask("me", "a.b/c/@v/v1.0.0.zip")
		time.Sleep(10 * time.Second)
		w.want("a.b/c/@v/v1.0.0.mod", "a.b/c/@v/v1.0.0.info", "a.b/d/@v/v1.1.0.zip")
	})
}

func TestAListLeadsToTheNewestVersion(t *testing.T) {
	for list, want := range map[string][]string{
		"v1.0.0\nv1.2.0\nv1.10.0\nv1.11.0-rc.1\n": {"a.b/c/@v/v1.10.0.info", "a.b/c/@v/v1.10.0.mod"},
		"v1.0.0-rc.1\nv1.0.0-rc.2\n":              {"a.b/c/@v/v1.0.0-rc.2.info", "a.b/c/@v/v1.0.0-rc.2.mod"},
		"":                                        {"a.b/c/@latest"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, bounded, map[string]string{"a.b/c/@v/list": list})
			defer w.p.Close()
			w.ask("me", "a.b/c/@v/list")
			time.Sleep(10 * time.Second)
			w.want(want...)
		})
	}
}

func TestWrongGuessesAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mods := map[string]string{}
		for i := range 500 {
			mods[fmt.Sprintf("a.b/m%03d@v1.0.0", i)] = "go 1.20\n"
		}
		w := newWorld(t, bounded, modules(mods))
		defer w.p.Close()
		for i := range 500 { // as "go list -m" asks, which never asks for a .mod
			w.ask("me", fmt.Sprintf("a.b/m%03d/@v/v1.0.0.info", i))
		}
		time.Sleep(10 * time.Minute)
		if n := len(w.fetched()); n > int(credits[twin].first+500*alms)+1 {
			t.Errorf("%d of 500 requests led to one in vain", n)
		}
		var wasted int64
		for _, s := range w.p.Stats() {
			wasted += s.Wasted
		}
		if wasted != int64(len(w.fetched())) {
			t.Errorf("%d are counted as wasted, %d were fetched", wasted, len(w.fetched()))
		}
	})
}

func TestAClientThatWaitsForNothingCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, fan(20, ""))
		defer w.p.Close()
		for key := range w.files {
			w.held[key] = true
		}
		w.askRoots()
		synctest.Wait()
		w.want()
		if w.p.queue.len() > 0 || len(w.p.session("me").graph) > 0 {
			t.Error("go.mod files were read for it")
		}
	})
}

func TestNothingIsFetchedAheadWhilePausedOrOff(t *testing.T) {
	for name, o := range map[string]Options{
		"paused": {MaxConcurrent: 32, Pause: func(string) bool { return true }},
		"off":    {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, o, fan(20, ""))
				defer w.p.Close()
				w.askRoots()
				w.ask("me", "a.b/x01/@v/v1.0.0.info")
				time.Sleep(time.Minute)
				w.want()
			})
		})
	}
}

func TestAPrivateGoModLeadsToNoPublicModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := bounded
		o.Allowed = func(from, to string) bool { return !strings.HasPrefix(to, "a.b/x") }
		w := newWorld(t, o, fan(20, ""))
		defer w.p.Close()
		w.askRoots()
		time.Sleep(time.Minute)
		w.want()
	})
}

func TestFetchesAheadHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{MaxConcurrent: 3}, fan(50, ""))
		defer w.p.Close()
		w.askRoots()
		time.Sleep(time.Minute)
		n := len(w.fetched())
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.most > 3 || n != 51 {
			t.Errorf("%d at one time, %d in all", w.most, n)
		}
	})
}

func TestZipsLeaveRoomForSmallFiles(t *testing.T) {
	var q queue
	for i := range 2 * maxZips {
		q.push(&fetch{name: artifact.Name{Kind: artifact.Zip, Module: fmt.Sprint(i)}})
	}
	q.push(&fetch{name: artifact.Name{Kind: artifact.Mod}})
	var kinds []artifact.Kind
	for f := q.pop(); f != nil; f = q.pop() {
		kinds = append(kinds, f.name.Kind)
	}
	if len(kinds) != maxZips+1 || kinds[0] != artifact.Mod {
		t.Errorf("%v", kinds)
	}
}

func TestClientsDoNotShareTheirSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, fan(20, ""))
		defer w.p.Close()
		for i := range 4 {
			w.ask(fmt.Sprint("client ", i), fmt.Sprintf("a.b/r%d/@v/v1.0.0.mod", i))
		}
		time.Sleep(time.Second)
		w.want()
		if len(w.p.sessions) != 4 {
			t.Errorf("%d sessions", len(w.p.sessions))
		}
		time.Sleep(time.Minute)
		w.ask("another", "a.b/r1/@v/v1.0.0.mod")
		if len(w.p.sessions) != 1 {
			t.Errorf("%d sessions after a minute", len(w.p.sessions))
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	w := newWorld(t, bounded, modules(map[string]string{"a.b/c@v1.0.0": ""}))
	defer w.p.Close()
	w.held["a.b/c/@v/v1.0.0.mod"] = true
	for i := range maxSessions + 100 {
		w.ask(fmt.Sprint(i), "a.b/c/@v/v1.0.0.mod")
	}
	if n := len(w.p.sessions); n > maxSessions {
		t.Errorf("%d sessions", n)
	}
}

func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bounded, fan(50, ""))
		w.askRoots()
		w.p.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.p.running != 0 {
			t.Errorf("%d workers are left", w.p.running)
		}
	})
}

func TestRootsEndWhereTheirOrderEnds(t *testing.T) {
	var r roots
	var in []module.Version
	for i := range 100 {
		in = append(in, module.Version{Path: fmt.Sprintf("a.b/m%03d", i), Version: "v1.0.0"})
	}
	in[10], in[14] = in[14], in[10] // as requests made at one time arrive
	for _, m := range in {
		r.add(m)
	}
	if len(r.members) != 100 || r.complete || r.index(in[10]) != 14 {
		t.Errorf("%d roots, complete %v", len(r.members), r.complete)
	}
	r.add(module.Version{Path: "a.b/m000x", Version: "v1.0.0"})
	r.add(module.Version{Path: "a.b/z", Version: "v1.0.0"})
	if !r.complete || len(r.members) != 100 {
		t.Errorf("%d roots, complete %v", len(r.members), r.complete)
	}
}

func FuzzRequirementsAreFitToBeAskedFor(f *testing.F) {
	f.Add("module a\ngo 1.17\nrequire a.b/c v1.0.0 // indirect\n", "v1.0.0\nv1.1.0\n")
	f.Add("module a\nrequire (\n\tA.b/c v1.0.0\n\ta.b/c/v2 v1.0.0\n\t../x v1\n)\n", "")
	f.Fuzz(func(t *testing.T, gomod, list string) {
		req := readRequirements(module.Version{Path: "a.b/from", Version: "v1.0.0"}, []byte(gomod), func(string, string) bool { return true })
		var names []artifact.Name
		for _, r := range req.list {
			names = append(names, file(artifact.Mod, r.Version))
		}
		for _, g := range newest("a.b/c", []byte(list)) {
			names = append(names, g.name)
		}
		for _, n := range names {
			if parsed, err := artifact.Parse(n.Key()); err != nil || parsed != n {
				t.Errorf("%v: %v, %v", n, parsed, err)
			}
		}
	})
}

func BenchmarkAskedAgain(b *testing.B) {
	files := modules(map[string]string{"a.b/c@v1.0.0": ""})
	w := &world{files: files, held: map[string]bool{"a.b/c/@v/v1.0.0.mod": true}}
	p := New(w, bounded)
	defer p.Close()
	r := cache.Request{Name: artifact.Name{Kind: artifact.Mod, Module: "a.b/c", Version: "v1.0.0"}, Client: "127.0.0.1"}
	b.ReportAllocs()
	for b.Loop() {
		p.asked(r)
	}
}
