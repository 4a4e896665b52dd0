package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/policy"
)

// reference decides slowly, as the documentation of the package reads.
func reference(rules []policy.Rule, def policy.Effect, s policy.Subject, a policy.Action, mod string) (allowed bool, rule int) {
	if a == policy.Read && mod == "" {
		return true, -1
	}
	private := false
	for i, r := range rules {
		names, speaks := refersTo(r, mod)
		private = private || names
		actions := r.Actions
		if actions == nil {
			actions = []policy.Action{policy.Read}
		}
		if rule < 1 && speaks && slices.Contains(actions, a) && (r.Subjects == nil || slices.ContainsFunc(r.Subjects, func(e string) bool { return isSubject(e, s) })) {
			allowed, rule = r.Effect == policy.Allow, i+1
		}
	}
	if rule > 0 {
		return allowed, rule - 1
	}
	return a == policy.Read && !private && def != policy.Deny, -1
}

// refersTo reports whether a rule names a module, in any spelling, and whether
// it speaks of it.
func refersTo(r policy.Rule, mod string) (names, speaks bool) {
	if r.Match == nil {
		return false, true
	}
	if mod == "" {
		return false, false
	}
	exact := module.MatchPrefixPatterns(strings.Join(r.Match, ","), mod)
	folded := module.MatchPrefixPatterns(strings.ToLower(strings.Join(r.Match, ",")), strings.ToLower(mod))
	return exact || folded, exact || folded && r.Effect == policy.Deny
}

func isSubject(entry string, s policy.Subject) bool {
	for _, term := range strings.Split(entry, " & ") {
		if !isTerm(term, s) {
			return false
		}
	}
	return true
}

func isTerm(term string, s policy.Subject) bool {
	kind, value, _ := strings.Cut(term, ":")
	like := func(glob string) func(string) bool {
		return func(name string) bool { ok, _ := path.Match(glob, name); return ok }
	}
	switch kind {
	case "anyone":
		return true
	case "authenticated":
		return s.Name != ""
	case "user":
		return s.Name != "" && like(value)(s.Name)
	case "group":
		return slices.ContainsFunc(s.Groups, like(value))
	case "claim":
		key, glob, _ := strings.Cut(value, "=")
		return slices.ContainsFunc(s.Claims[key], like(glob))
	}
	return netip.MustParsePrefix(value).Contains(s.Addr.Unmap())
}

// A dealer makes random rules and questions out of few words, so that they meet.
type dealer struct{ *rand.Rand }

func (d dealer) one(words ...string) string { return words[d.IntN(len(words))] }

func (d dealer) some(most int, make func() string) (all []string) {
	for range d.IntN(most + 1) {
		all = append(all, make())
	}
	return all
}

func (d dealer) pattern() string {
	elem := func() string { return d.one("a", "b", "B", "ab", "*", "a*", "?", "[ab]") }
	p := elem()
	for range d.IntN(3) {
		p += "/" + elem()
	}
	return p + d.one("", "", "", "/", ",a/b/a")
}

func (d dealer) module() string {
	elem := func() string { return d.one("a", "b", "A", "B", "ab", "ba") }
	p := elem()
	for range d.IntN(4) {
		p += "/" + elem()
	}
	return d.one(p, p, p, p, p, "")
}

func (d dealer) term() string {
	return d.one("anyone", "authenticated", "user:"+d.one("x", "y", "?", "x*", "x/y"), "group:"+d.one("x", "y", "[!x]", "*"),
		"claim:"+d.one("k=x", "k=*", "l=y"), "net:"+d.one("10.0.0.0/8", "10.0.0.1/32", "::/0"))
}

func (d dealer) entry() string { return d.one(d.term(), d.term(), d.term()+" & "+d.term()) }

func (d dealer) effect() policy.Effect { return policy.Effect(d.one("allow", "deny")) }

func (d dealer) rule() policy.Rule {
	r := policy.Rule{Effect: d.effect(), Match: d.some(3, d.pattern), Subjects: d.some(3, d.entry)}
	for _, a := range d.some(2, func() string { return d.one("read", "read", "publish", "admin") }) {
		r.Actions = append(r.Actions, policy.Action(a))
	}
	if r.Effect == policy.Allow && r.Subjects == nil {
		r.Subjects = []string{d.entry()}
	}
	return r
}

func (d dealer) subject() policy.Subject {
	s := policy.Subject{Name: d.one("", "x", "y", "xx", "x/y"), Groups: d.some(2, func() string { return d.one("x", "y", "z") })}
	s.Claims = map[string][]string{d.one("k", "l"): d.some(2, func() string { return d.one("x", "y") })}
	s.Addr = netip.MustParseAddr(d.one("10.0.0.1", "10.2.0.1", "::1", "::ffff:10.0.0.1"))
	return s
}

func TestRandomRulesDecideAsTheSlowReferenceDoes(t *testing.T) {
	decided := map[string]int{}
	for seed := range uint64(1000) {
		d := dealer{rand.New(rand.NewPCG(seed, 1))}
		var rules []policy.Rule
		for range d.IntN([]int{3, 8, 90}[d.IntN(3)]) {
			rules = append(rules, d.rule())
		}
		def := d.effect()
		p := compile(t, policy.Options{Default: def}, rules...)
		for range 20 {
			s, a, mod := d.subject(), policy.Action(d.one("read", "read", "publish", "admin")), d.module()
			allowed, rule := reference(rules, def, s, a, mod)
			name := ""
			if rule >= 0 {
				name = fmt.Sprintf("rule %d", rule+1)
			}
			got := p.Decide(s, a, mod)
			if got.Allowed != allowed || got.Rule != name {
				t.Fatalf("seed %d: %+v, %s %q: %+v, want %v by %q\n%+v", seed, s, a, mod, got, allowed, name, rules)
			}
			if got.Allowed && got.Hide {
				t.Fatalf("seed %d: allowed and hidden: %+v", seed, got)
			}
			checkExplanation(t, p.Explain(s, a, mod), got)
			decided[fmt.Sprintf("%v by default %v", allowed, rule < 0)]++
		}
	}
	if len(decided) != 4 {
		t.Errorf("the random rules try too little: %v", decided)
	}
}

// checkExplanation wants the first step that matches to be the one that decides.
func checkExplanation(t *testing.T, steps []policy.Step, d policy.Decision) {
	t.Helper()
	i := slices.IndexFunc(steps, func(s policy.Step) bool { return s.Matched })
	if i < 0 || !steps[i].Decides || slices.ContainsFunc(steps[i+1:], func(s policy.Step) bool { return s.Decides }) {
		t.Fatalf("no step, or not the first that matches, decides: %+v", steps)
	}
	if rule := steps[i].Rule; rule != d.Rule && (rule != "default" || d.Rule != "") {
		t.Fatalf("%q decides by the explanation, %q in fact", rule, d.Rule)
	}
}

// large is a policy of 100 rules with 10 patterns and 10 subjects each.
func large(t testing.TB) *policy.Policy {
	var rules []policy.Rule
	for i := range 100 {
		var r policy.Rule
		for j := range 10 {
			r.Match = append(r.Match, fmt.Sprintf("github.com/acme-%d/team-%d-*", i, j))
			r.Subjects = append(r.Subjects, fmt.Sprintf("group:team-%d-%d", i, j))
		}
		r.Effect = policy.Allow
		rules = append(rules, r)
	}
	rules = append(rules, allow("*.corp.example.com", "group:dev & net:10.0.0.0/8"))
	return compile(t, policy.Options{}, rules...)
}

func TestDecidingAllocatesNothing(t *testing.T) {
	p := large(t)
	for _, module := range []string{"golang.org/x/mod", "github.com/acme-99/team-9-app/v2", "git.corp.example.com/x"} {
		if n := testing.AllocsPerRun(100, func() { p.Decide(alice, policy.Read, module) }); n != 0 {
			t.Errorf("%s: %v allocations", module, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p := large(b)
	for name, module := range map[string]string{"unnamed": "golang.org/x/mod", "named": "github.com/acme-99/team-9-app/v2", "glob": "git.corp.example.com/x"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(alice, policy.Read, module)
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("github.com/acme/*", "group:x & net:10.0.0.0/8", "github.com/acme/a")
	f.Add("[a-", "claim:a=b=[", "")
	f.Add("*,a/b/", `user:\`, "a/b")
	f.Fuzz(func(t *testing.T, match, entry, module string) {
		p, err := policy.Compile([]policy.Rule{{Match: []string{match}, Subjects: []string{entry}, Effect: policy.Allow}}, policy.Options{})
		if err != nil {
			return
		}
		d := p.Decide(alice, policy.Read, module)
		checkExplanation(t, p.Explain(alice, policy.Read, module), d)
	})
}
