package policy_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/policy"
)

func compile(t testing.TB, o policy.Options, rules ...policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.Compile(rules, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allow(match string, subjects ...string) policy.Rule {
	return policy.Rule{Match: []string{match}, Subjects: subjects, Effect: policy.Allow}
}

func deny(match string, subjects ...string) policy.Rule {
	return policy.Rule{Match: []string{match}, Subjects: subjects, Effect: policy.Deny}
}

var (
	nobody = policy.Subject{}
	alice  = policy.Subject{Name: "alice", Method: "token", Groups: []string{"staff", "dev"}, Addr: netip.MustParseAddr("10.1.2.3")}
	build  = policy.Subject{
		Name: "repo:acme/app:ref:refs/heads/main", Method: "oidc", Addr: netip.MustParseAddr("192.0.2.1"),
		Claims: map[string][]string{"repository": {"acme/app"}, "ref": {"refs/heads/main"}, "kubernetes.io.serviceaccount.name": {"builder"}, "aud": {"a", "weir"}},
	}
)

func TestEachKindOfSubjectIsFound(t *testing.T) {
	for _, tt := range []struct {
		entry   string
		subject policy.Subject
		want    bool
	}{
		{"anyone", nobody, true},
		{"anyone", alice, true},
		{"authenticated", nobody, false},
		{"authenticated", alice, true},
		{"user:alice", alice, true},
		{"user:alice", nobody, false},
		{"user:Alice", alice, false},
		{"user:al*", alice, true},
		{"user:*", nobody, false},
		{"user:repo:acme/app:ref:refs/heads/main", build, true},
		{"user:repo:acme/*:ref:refs/heads/main", build, true},
		{"user:repo:acme/*", build, false}, // "*" ends at a slash
		{"user:*", build, false},
		{`user:al\*`, alice, false},
		{`user:a\lice`, alice, true},
		{"group:dev", alice, true},
		{"group:d[a-f]v", alice, true},
		{"group:ops", alice, false},
		{"claim:repository=acme/app", build, true},
		{"claim:repository=acme/*", build, true},
		{"claim:repository=*", build, false},
		{"claim:repository=other/app", build, false},
		{"claim:missing=*", build, false},
		{"claim:aud=weir", build, true},
		{"claim:kubernetes.io.serviceaccount.name=build?r", build, true},
		{"net:10.0.0.0/8", alice, true},
		{"net:10.1.2.3", alice, true},
		{"net:10.1.2.4", alice, false},
		{"net:0.0.0.0/0", nobody, false},
		{"net:10.0.0.0/8", policy.Subject{Addr: netip.MustParseAddr("::ffff:10.9.9.9")}, true},
		{"net:fe80::/10", policy.Subject{Addr: netip.MustParseAddr("fe80::1%eth0")}, true},
		{"group:dev & net:10.0.0.0/8", alice, true},
		{"group:dev & net:11.0.0.0/8", alice, false},
		{"user:alice  &  group:staff & group:dev", alice, true},
		{"user:bob & group:dev", alice, false},
	} {
		p := compile(t, policy.Options{}, allow("corp.example.com", tt.entry))
		if got := p.Decide(tt.subject, policy.Read, "corp.example.com/m").Allowed; got != tt.want {
			t.Errorf("%q and %+v: allowed is %v", tt.entry, tt.subject, got)
		}
	}
}

func TestPatternsMatchAsThoseOfGOPRIVATE(t *testing.T) {
	for _, tt := range []struct {
		pattern, module string
		want            bool
	}{
		{"github.com/acme", "github.com/acme", true},
		{"github.com/acme", "github.com/acme/a/b", true},
		{"github.com/acme", "github.com/acmeplus/a", false},
		{"github.com/acme/*", "github.com/acme", false},
		{"github.com/acme/*", "github.com/acme/a/v2", true},
		{"github.com/acme/app-*", "github.com/acme/app-x/sub", true},
		{"*.corp.example.com", "git.corp.example.com/x", true},
		{"*.corp.example.com", "corp.example.com/x", false},
		{"*/acme", "github.com/acme/x", true},
		{"*", "anything/at/all", true},
		{"corp.example.com/", "corp.example.com/x", true},
		{"a.example.com, b.example.com", "b.example.com/x", true},
	} {
		p := compile(t, policy.Options{}, allow(tt.pattern, "user:alice"))
		if got := p.Decide(nobody, policy.Read, tt.module).Hide; got != tt.want {
			t.Errorf("%q names %q: %v", tt.pattern, tt.module, got)
		}
		if !p.Decide(alice, policy.Read, tt.module).Allowed {
			t.Errorf("%q: alice must not read %q", tt.pattern, tt.module)
		}
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	p := compile(t, policy.Options{},
		deny("github.com/acme/secret", "net:192.0.2.0/24"),
		allow("github.com/acme/secret", "user:alice"),
		allow("github.com/acme/open", "anyone"),
		policy.Rule{Name: "blocked", Match: []string{"github.com/bad"}, Effect: policy.Deny, Reason: "it is malware, see the wiki"},
		allow("github.com/bad", "anyone"),
		allow("github.com/acme", "authenticated"),
	)
	for _, tt := range []struct {
		subject policy.Subject
		module  string
		rule    string
		allowed bool
		hide    bool
	}{
		{build, "github.com/acme/secret", "rule 1", false, true},
		{alice, "github.com/acme/secret", "rule 2", true, false},
		{nobody, "github.com/acme/secret", "", false, true},
		{nobody, "github.com/acme/open/x", "rule 3", true, false},
		{alice, "github.com/bad/x", "blocked", false, false},
		{build, "github.com/acme/app", "rule 6", true, false},
		{nobody, "github.com/other", "", true, false},
	} {
		d := p.Decide(tt.subject, policy.Read, tt.module)
		if d.Allowed != tt.allowed || d.Rule != tt.rule || d.Hide != tt.hide || d.Why == "" {
			t.Errorf("%q reads %s: %+v", tt.subject.Name, tt.module, d)
		}
	}
}

func TestPublishingAndAdministeringAreRefusedUnlessAllowed(t *testing.T) {
	publish := allow("corp.example.com", "user:alice")
	publish.Actions = []policy.Action{policy.Publish}
	admin := policy.Rule{Subjects: []string{"group:staff"}, Actions: []policy.Action{policy.Admin}, Effect: policy.Allow}
	p := compile(t, policy.Options{Default: policy.Allow}, publish, admin, allow("*", "user:bob"))
	for _, tt := range []struct {
		subject policy.Subject
		action  policy.Action
		module  string
		want    bool
	}{
		{alice, policy.Publish, "corp.example.com/m", true},
		{alice, policy.Read, "corp.example.com/m", false}, // to publish is not to read
		{alice, policy.Publish, "other.example.com/m", false},
		{build, policy.Publish, "corp.example.com/m", false},
		{alice, policy.Admin, "", true},
		{alice, policy.Admin, "corp.example.com/m", true},
		{build, policy.Admin, "", false},
		{alice, policy.Publish, "", false},
		{alice, "delete", "corp.example.com/m", false},
	} {
		d := p.Decide(tt.subject, tt.action, tt.module)
		if d.Allowed != tt.want {
			t.Errorf("%q, %s, %q: %+v", tt.subject.Name, tt.action, tt.module, d)
		}
		if !d.Allowed && tt.action != policy.Read && d.Hide {
			t.Errorf("%s of %q is hidden, which tells that a rule names it", tt.action, tt.module)
		}
	}
}

func TestFilesOfNoModuleAreForAll(t *testing.T) {
	p := compile(t, policy.Options{Default: policy.Deny}, policy.Rule{Effect: policy.Deny}, deny("*"))
	if d := p.Decide(nobody, policy.Read, ""); !d.Allowed {
		t.Errorf("a tile: %+v", d)
	}
}

func TestA18AForbiddenModuleLooksLikeAnUnknownOne(t *testing.T) {
	p := compile(t, policy.Options{}, allow("corp.example.com", "user:bob"), deny("github.com/acme/secret"))
	forbidden, unknown := p.Decide(alice, policy.Read, "corp.example.com/exists"), p.Decide(alice, policy.Read, "corp.example.com/does-not")
	if forbidden != unknown || !forbidden.Hide || forbidden.Allowed {
		t.Errorf("forbidden %+v, unknown %+v", forbidden, unknown)
	}
	denied := p.Decide(alice, policy.Read, "github.com/acme/secret")
	if a, b := forbidden.Err(), denied.Err(); !reflect.DeepEqual(a, b) || !errors.Is(a, artifact.ErrNotFound) {
		t.Errorf("hidden by the default: %v, by a rule: %v", a, b)
	}
	closed := compile(t, policy.Options{Default: policy.Deny}, allow("corp.example.com", "user:bob"))
	if named, other := closed.Decide(alice, policy.Read, "corp.example.com/x"), closed.Decide(alice, policy.Read, "github.com/x/y"); named != other || !other.Hide {
		t.Errorf("where nothing is open, a named module %+v differs from others %+v", named, other)
	}
}

func TestRefusalsThatHideNothingSayWhy(t *testing.T) {
	p := compile(t, policy.Options{}, policy.Rule{Match: []string{"github.com/bad"}, Effect: policy.Deny, Reason: "it is malware"})
	err := p.Decide(nobody, policy.Read, "github.com/bad/x").Err()
	reason, hint := artifact.Explain(err)
	if artifact.Class(err) != artifact.ErrForbidden || reason != "it is malware" || hint == "" {
		t.Errorf("%v: %q, %q", err, reason, hint)
	}
	if err := p.Decide(nobody, policy.Publish, "a.example.com").Err(); artifact.Class(err) != artifact.ErrForbidden {
		t.Error(err)
	}
	if err := p.Decide(nobody, policy.Read, "a.example.com").Err(); err != nil {
		t.Error(err)
	}
}

func TestA26OtherSpellingsOfANamedModuleAreNoWayAroundARule(t *testing.T) {
	blocked := deny("github.com/Bad/*")
	blocked.Reason = "no"
	p := compile(t, policy.Options{}, blocked, allow("github.com/acme/secret", "user:alice"))
	for _, module := range []string{"github.com/ACME/secret", "GitHub.com/acme/SECRET/v2"} {
		for _, s := range []policy.Subject{nobody, alice} {
			if d := p.Decide(s, policy.Read, module); d.Allowed || !d.Hide {
				t.Errorf("%q reads %s: %+v", s.Name, module, d)
			}
		}
	}
	for _, module := range []string{"github.com/Bad/x", "github.com/bad/x", "github.com/BAD/x"} {
		if d := p.Decide(alice, policy.Read, module); d.Allowed || d.Rule != "rule 1" {
			t.Errorf("%s: %+v", module, d)
		}
	}
}

func TestCompileNamesTheRuleTheFieldAndTheValue(t *testing.T) {
	for name, tt := range map[string]struct {
		rules []policy.Rule
		o     policy.Options
		want  []string
	}{
		"no effect":       {[]policy.Rule{{Name: "x", Subjects: []string{"anyone"}}}, policy.Options{}, []string{"rule 1 (x)", "effect", `""`}},
		"wrong effect":    {[]policy.Rule{{Effect: "permit"}}, policy.Options{}, []string{"effect", `"permit"`, "allow or deny"}},
		"nobody":          {[]policy.Rule{{Effect: policy.Allow}}, policy.Options{}, []string{"subjects", "anyone"}},
		"unknown subject": {[]policy.Rule{deny("a", "grp:x")}, policy.Options{}, []string{"rule 1", "subjects", `"grp:x"`, "group:NAME"}},
		"empty subject":   {[]policy.Rule{deny("a", "")}, policy.Options{}, []string{"subjects", `""`}},
		"half a pair":     {[]policy.Rule{deny("a", "group:x & ")}, policy.Options{}, []string{"subjects", `"group:x & "`}},
		"no user":         {[]policy.Rule{deny("a", "user:")}, policy.Options{}, []string{"subjects", `"user:"`}},
		"no claim value":  {[]policy.Rule{deny("a", "claim:x=")}, policy.Options{}, []string{`"claim:x="`}},
		"no claim key":    {[]policy.Rule{deny("a", "claim:=x")}, policy.Options{}, []string{`"claim:=x"`}},
		"bad network":     {[]policy.Rule{deny("a", "net:10.0.0.0/33")}, policy.Options{}, []string{"net:10.0.0.0/33"}},
		"mapped network":  {[]policy.Rule{deny("a", "net:::ffff:10.0.0.0/104")}, policy.Options{}, []string{"IPv4"}},
		"bad glob":        {[]policy.Rule{deny("a", "group:[x")}, policy.Options{}, []string{`"group:[x"`, "glob"}},
		"bad pattern":     {[]policy.Rule{deny("[a")}, policy.Options{}, []string{"match", `"[a"`}},
		"leading slash":   {[]policy.Rule{deny("/a*")}, policy.Options{}, []string{"match", `"/a*"`, "slash"}},
		"empty pattern":   {[]policy.Rule{deny(" , ")}, policy.Options{}, []string{"match", `" , "`}},
		"unknown action":  {[]policy.Rule{{Actions: []policy.Action{"write"}, Effect: policy.Deny}}, policy.Options{}, []string{"actions", `"write"`, "publish"}},
		"reason to allow": {[]policy.Rule{{Subjects: []string{"anyone"}, Effect: policy.Allow, Reason: "why not"}}, policy.Options{}, []string{"reason", "why not"}},
		"same name twice": {[]policy.Rule{{Name: "x", Effect: policy.Deny}, {Name: "x", Effect: policy.Deny}}, policy.Options{}, []string{"rule 2", "name", `"x"`}},
		"default":         {nil, policy.Options{Default: "open"}, []string{"default", `"open"`}},
		"all at once":     {[]policy.Rule{deny("[a"), deny("b", "who")}, policy.Options{}, []string{"rule 1", `"[a"`, "rule 2", `"who"`}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Compile(tt.rules, tt.o)
			if err == nil || p != nil {
				t.Fatal("it compiles")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestExplainSaysWhyEachRuleMatchesOrNot(t *testing.T) {
	publish := allow("corp.example.com", "anyone")
	publish.Actions = []policy.Action{policy.Publish, policy.Admin}
	p := compile(t, policy.Options{},
		publish, allow("github.com/acme", "anyone"), allow("corp.example.com", "group:ops", "user:bob"),
		deny("CORP.example.com", "net:10.0.0.0/8"), allow("*.example.com", "group:dev"))
	steps := p.Explain(alice, policy.Read, "corp.example.com/m")
	for i, want := range []struct {
		matched, decides bool
		why              string
	}{
		{false, false, "[publish admin]"}, {false, false, `"github.com/acme"`}, {false, false, `["group:ops" "user:bob"]`},
		{true, true, "but for the case"}, {true, false, `"group:dev"`},
	} {
		if s := steps[i]; s.Matched != want.matched || s.Decides != want.decides || !strings.Contains(s.Why, want.why) {
			t.Errorf("step %d is %+v", i+1, s)
		}
	}
	if len(steps) != 5 {
		t.Errorf("%d steps", len(steps))
	}
	steps = p.Explain(nobody, policy.Read, "golang.org/x/mod")
	if last := steps[len(steps)-1]; last.Rule != "default" || !last.Decides || !last.Matched {
		t.Errorf("the last step is %+v", last)
	}
}
