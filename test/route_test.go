package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/modtest"
)

// houses are a public upstream, which has the checksum database, and the private
// one of a company. The public one also has modules with the names of private
// ones, as an attacker would publish them, so that asking it would not go unseen
// for want of an answer.
type houses struct {
	public, private *modtest.Proxy
	publicURL       string
	machine         *modtest.Machine // of the private one
	db              *modtest.SumDB
}

// Public modules require private ones and the other way round.
var (
	publicModules = []modtest.Module{
		simple("example.com/public", "v1.0.0"),
		requiring(simple("example.com/public/needs/private", "v1.0.0"), "corp.example.com/team/a", "example.com/public"),
	}
	privateModules = []modtest.Module{
		simple("corp.example.com/team/a", "v1.0.0"),
		requiring(simple("corp.example.com/team/b", "v1.0.0"), "corp.example.com/team/a", "example.com/public", "example.com/public/needs/private"),
		simple("corp.example.com/team/c", "v1.0.0"),
	}
)

func requiring(m modtest.Module, paths ...string) modtest.Module {
	for _, path := range paths {
		m.Mod += "\nrequire " + path + " v1.0.0\n"
	}
	return m
}

func newHouses(t *testing.T) *houses {
	t.Helper()
	h := &houses{public: modtest.New(publicModules...), private: modtest.New(privateModules...)}
	for _, m := range privateModules {
		squatted := simple(m.Path, "v1.0.0")
		squatted.Mod += "// of somebody else\n"
		for _, version := range []string{"v1.0.0", "v1.9.0"} {
			squatted.Version = version
			if err := h.public.Add(squatted); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.db = modtest.NewSumDB("sum.example.org", h.public)
	h.publicURL = h.public.Start(t)
	var err error
	if h.machine, err = modtest.NewMachine(t, h.private); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.private.Heal)
	return h
}

// start runs weir with the private modules on a route of their own.
func (h *houses) start(t *testing.T, env ...string) *weir {
	t.Helper()
	variable, _ := configFile(t, fmt.Sprintf(`
upstream: public
upstreams:
  public: {url: %q}
  company: {url: %q}
routes:
  - match: corp.example.com
    upstream: company
    private: true
`, h.publicURL, h.machine.URL))
	return startWeir(t, append(env, variable, "WEIR_SUMDB="+h.db.Key(), "WEIR_FETCH_FIRST_BYTE="+patience, "WEIR_FETCH_RETRIES=0")...)
}

// checkApart checks that nobody has heard of what is not theirs.
func (h *houses) checkApart(t *testing.T) {
	t.Helper()
	for path, n := range h.public.Requests() {
		if strings.Contains(path, "corp.example.com") {
			t.Errorf("the public upstream was asked %d times for %s", n, path)
		}
	}
	for path, n := range h.private.Requests() {
		if !strings.HasPrefix(path, "/corp.example.com/") {
			t.Errorf("the private upstream was asked %d times for %s", n, path)
		}
	}
}

// A14, A16: whatever state the private upstream is in, and whatever is asked for,
// the public one and its checksum database never hear of a private module, and
// nobody gets what the public one has under that name.
func TestA16PrivateModulesAreAskedOfTheirUpstreamOnly(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*modtest.Proxy, *modtest.Machine){
		"well":      func(*modtest.Proxy, *modtest.Machine) {},
		"refused":   func(_ *modtest.Proxy, m *modtest.Machine) { m.Kill() },
		"404":       ill(modtest.Status(404, 0)),
		"403":       ill(modtest.Status(403, 0)),
		"500":       ill(modtest.Status(500, 0)),
		"hang":      ill(modtest.Hang),
		"truncated": ill(modtest.Truncate),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouses(t)
			w := h.start(t)
			begin(h.private, h.machine)
			var answers []<-chan response
			for range 2 { // the second time the private upstream is known to be ill
				for _, m := range privateModules {
					paths := append(files(m.Path, "v1.0.0"), files(m.Path, "v1.9.0")...)
					paths = append(paths, "/"+m.Path+"/@v/list", "/"+m.Path+"/@latest", "/"+m.Path+"/@v/main.info",
						"/sumdb/sum.example.org/lookup/"+m.Path+"@v1.0.0")
					for _, path := range paths {
						answers = append(answers, ask(t.Context(), w.request(t, path)))
					}
				}
				for _, answer := range answers {
					r := <-answer
					if name != "well" && r.whole() {
						t.Errorf("an answer about a private module: %v", r)
					}
					if strings.Contains(string(r.body), "somebody else") || strings.Contains(string(r.body), "v1.9.0\n") {
						t.Errorf("somebody else's module: %v", r)
					}
				}
				answers = nil
			}
			// Of public modules all is well, meanwhile.
			for _, path := range files("example.com/public", "v1.0.0") {
				w.want(t, path, truth(t, h.public, path))
			}
			w.idle(t)
			h.checkApart(t)
		})
	}
}

// A16: nothing that is fetched ahead leads from one house to the other: the real
// go command works on a project of both kinds of modules, and the .mod files of
// each are read where they pass.
func TestA16FetchingAheadKeepsPrivateAndPublicApart(t *testing.T) {
	t.Parallel()
	h := newHouses(t)
	w := h.start(t)
	mod := "module corp.example.com/project\n\ngo 1.21\n\nrequire (\n"
	for _, m := range append(publicModules, privateModules...) {
		mod += "\t" + m.Path + " v1.0.0\n"
	}
	m := newMachine(t, w.url, h.db.Key(), mod+")\n")
	m.env = append(m.env, "GONOSUMDB=corp.example.com")
	if out, took, err := m.run(t, "mod", "download", "all"); err != nil {
		t.Errorf("go mod download: %v after %v\n%s", err, took, out)
	}
	for _, private := range privateModules {
		for _, path := range files(private.Path, "v1.0.0") {
			w.want(t, path, truthOf(t, private, strings.TrimPrefix(path, "/"+private.Path)))
		}
	}
	w.idle(t)
	h.checkApart(t)
}

// A16: what a private module requires is not fetched ahead from the public
// upstream: that would tell it what the private one needs.
func TestA16PrivateModulesLeadToNothingPublic(t *testing.T) {
	t.Parallel()
	h := newHouses(t)
	w := h.start(t)
	for range 2 {
		for _, m := range privateModules {
			for _, path := range append(files(m.Path, "v1.0.0"), "/"+m.Path+"/@v/list") {
				w.want(t, path, truth(t, h.private, path))
			}
		}
	}
	w.idle(t)
	for path, n := range h.public.Requests() {
		t.Errorf("the public upstream was asked %d times for %s", n, path)
	}
	h.checkApart(t)
}

// The first route that matches a module is its route: those behind it, and the
// upstreams for all, are not asked even if they have what it has not.
func TestTheFirstRouteThatMatchesWins(t *testing.T) {
	t.Parallel()
	modules := []string{"example.com/a/b/c", "example.com/a/b", "example.com/a/x", "example.com/z", "other.example.com/a/b"}
	var all []modtest.Module
	for _, path := range modules {
		all = append(all, simple(path, "v1.0.0"))
	}
	names := []string{"first", "second", "third", "last"}
	proxies := map[string]*modtest.Proxy{}
	text := "upstream: last\nupstreams:\n"
	for _, name := range names {
		proxies[name] = modtest.New(all...)
		text += fmt.Sprintf("  %s: {url: %q}\n", name, proxies[name].Start(t))
	}
	variable, _ := configFile(t, text+`
routes:
  - {match: "example.com/a/b/c,example.com/*/x", upstream: first}
  - {match: example.com/a/b, upstream: second}
  - {match: example.com/a, upstream: third}
`)
	w := startWeir(t, variable, "WEIR_CACHE_LIST_NOT_FOUND=0s", "WEIR_CACHE_NOT_FOUND=0s")
	want := map[string]string{
		"example.com/a/b/c": "first", "example.com/a/x": "first", "example.com/a/b": "second", "example.com/z": "last", "other.example.com/a/b": "last",
	}
	for _, absent := range []bool{true, false} {
		for _, path := range modules {
			p := proxies[want[path]]
			if absent {
				p.Break("", modtest.Status(404, 0))
			}
			for _, file := range append(files(path, "v1.0.0"), "/"+path+"/@v/list", "/"+path+"/@latest") {
				if r := w.get(t, file); r.whole() == absent {
					t.Errorf("GET %s: %v", file, r)
				}
			}
			p.Heal()
		}
	}
	w.idle(t)
	for name, p := range proxies {
		for path, n := range p.Requests() {
			module, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/@")
			if want[module] != name {
				t.Errorf("%s was asked %d times for %s, whose route leads to %s", name, n, path, want[module])
			}
		}
	}
}
