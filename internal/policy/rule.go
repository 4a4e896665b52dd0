package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// An Effect is what a rule does with what it matches.
type Effect string

// The effects there are.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// A Rule speaks of subjects, actions and modules, and allows or denies.
type Rule struct {
	Name string // for people; unique; empty: "rule N", counted from 1

	// Match are patterns of modules, in the syntax of GOPRIVATE; empty: every
	// module, which names none.
	Match []string

	// Subjects are who the rule speaks of, any of:
	//
	//	anyone              everybody
	//	authenticated       everybody with a name
	//	user:NAME           by name, a glob
	//	group:NAME          by group, a glob
	//	claim:KEY=VALUE     by a value of a claim of an identity token, a glob
	//	net:CIDR            by the address a request comes from
	//
	// In "group:staff & net:10.0.0.0/8" all of several must hold. Empty is
	// anyone for Deny and an error for Allow.
	Subjects []string

	Actions []Action // empty: Read
	Effect  Effect
	Reason  string // of a Deny that need not hide the module: it is told to who is refused
}

// A rule is a Rule that is ready for use.
type rule struct {
	written  Rule
	patterns []string // of Match, one by one
	actions  actions
	decision Decision
	subjects subjects
}

func (r *rule) speaksOf(s *Subject) bool { return r.subjects.hold(s) }

// subjects are clauses of which one must hold. Those that are no more than the
// exact name of a user or a group are found at once, however many there are.
type subjects struct {
	users, groups map[string]bool
	others        []clause
}

func (x *subjects) add(c clause) {
	t := c[0]
	if len(c) == 1 && !t.text.glob {
		switch t.kind {
		case user:
			x.users[t.text.pattern] = true
			return
		case group:
			x.groups[t.text.pattern] = true
			return
		}
	}
	x.others = append(x.others, c)
}

func (x *subjects) hold(s *Subject) bool {
	if x.users[s.Name] {
		return true
	}
	for _, g := range s.Groups {
		if x.groups[g] {
			return true
		}
	}
	for _, c := range x.others {
		if c.holds(s) {
			return true
		}
	}
	return false
}

// actions is a set of actions.
type actions uint8

// bit is the place of an action in a set; 0 if there is no such action.
func bit(a Action) actions {
	switch a {
	case Read:
		return 1
	case Publish:
		return 2
	case Admin:
		return 4
	}
	return 0
}

func (set actions) has(a Action) bool { return set&bit(a) != 0 }

// Compile makes a Policy of rules, in order. Errors name the rule, the field
// and the bad value; all that is wrong is reported at once.
func Compile(rules []Rule, o Options) (*Policy, error) {
	p := &Policy{every: make(set, words(len(rules))), exact: index{}, folded: index{}}
	var errs []error
	if o.Default != "" && o.Default != Allow && o.Default != Deny {
		errs = append(errs, fmt.Errorf("default: %q: want allow or deny", o.Default))
	}
	p.closed = o.Default == Deny
	seen := map[string]bool{}
	for i, written := range rules {
		if written.Name == "" {
			written.Name = fmt.Sprintf("rule %d", i+1)
		}
		if seen[written.Name] {
			errs = append(errs, fmt.Errorf("rule %d: name: %q is taken by a rule before it", i+1, written.Name))
		}
		seen[written.Name] = true
		r, problems := compileRule(written)
		for _, problem := range problems {
			errs = append(errs, fmt.Errorf("rule %d (%s): %w", i+1, written.Name, problem))
		}
		p.rules = append(p.rules, r)
		p.file(i)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return p, nil
}

// file makes a rule known by the modules it speaks of.
func (p *Policy) file(i int) {
	r := &p.rules[i]
	if len(r.patterns) == 0 {
		p.every.add(i)
	}
	folded := naming
	if r.written.Effect == Deny {
		folded = i
	}
	for _, pattern := range r.patterns {
		lower := strings.ToLower(pattern)
		p.exact.add(pattern, i)
		p.folded.add(lower, folded)
		p.capitals = p.capitals || lower != pattern
	}
}

func compileRule(written Rule) (r rule, problems []error) {
	r = rule{written: written, subjects: subjects{users: map[string]bool{}, groups: map[string]bool{}}}
	complain := func(field, value string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q: %w", field, value, err))
		}
	}
	for _, list := range written.Match {
		patterns, err := parsePatterns(list)
		complain("match", list, err)
		r.patterns = append(r.patterns, patterns...)
	}
	for _, entry := range written.subjects() {
		c, err := parseClause(entry)
		complain("subjects", entry, err)
		if err == nil {
			r.subjects.add(c)
		}
	}
	for _, a := range written.actions() {
		if bit(a) == 0 {
			complain("actions", string(a), errors.New("want read, publish or admin"))
		}
		r.actions |= bit(a)
	}
	switch {
	case written.Effect != Allow && written.Effect != Deny:
		complain("effect", string(written.Effect), errors.New("want allow or deny"))
	case written.Effect == Allow && len(written.Subjects) == 0:
		complain("subjects", "", errors.New("say who is allowed; for everybody: anyone"))
	case written.Effect == Allow && written.Reason != "":
		complain("reason", written.Reason, errors.New("only a deny has a reason"))
	}
	r.decision = written.decision()
	return r, problems
}

// subjects are who the rule speaks of, in full.
func (w Rule) subjects() []string {
	if len(w.Subjects) == 0 {
		return []string{"anyone"}
	}
	return w.Subjects
}

// actions are what the rule speaks of, in full.
func (w Rule) actions() []Action {
	if len(w.Actions) == 0 {
		return []Action{Read}
	}
	return w.Actions
}

// decision is what the rule decides.
func (w Rule) decision() Decision {
	d := Decision{Allowed: w.Effect == Allow, Rule: w.Name, Why: w.Reason, Hide: w.Effect == Deny && w.Reason == ""}
	if d.Why == "" {
		d.Why = fmt.Sprintf("the rule %q decides: %s", w.Name, w.Effect)
	}
	return d
}

// parsePatterns takes a list of patterns, separated by commas, apart.
//
// Source: MatchPrefixPatterns of golang.org/x/mod/module, which skips patterns
// that are malformed: here they are an error.
func parsePatterns(list string) (patterns []string, err error) {
	for pattern := range strings.SplitSeq(list, ",") {
		pattern = strings.TrimSuffix(strings.TrimSpace(pattern), "/")
		if pattern == "" {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, err
		}
		if pattern[0] == '/' {
			return nil, errors.New("no module path begins with a slash")
		}
		patterns = append(patterns, pattern)
	}
	if len(patterns) == 0 {
		return nil, errors.New("there is no pattern; to match every module, leave match out")
	}
	return slices.Clip(patterns), nil
}
