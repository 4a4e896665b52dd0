package policy

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"
)

// A Step is how one rule, or at last the default, fares with a question.
type Step struct {
	Rule    string // name of the rule; "default" for the end of all rules
	Matched bool   // the rule speaks of subject, action and module
	Decides bool   // it is the first one that does
	Why     string
}

// Explain says for every rule, in order, whether it speaks of the question that
// Decide would answer, and why. If none does, the last step is the default.
func (p *Policy) Explain(s Subject, a Action, module string) []Step {
	decision := p.Decide(s, a, module)
	s.Addr = plain(s.Addr)
	steps := make([]Step, 0, len(p.rules)+1)
	for i := range p.rules {
		r := &p.rules[i]
		matched, why := r.explain(&s, a, module)
		steps = append(steps, Step{Rule: r.written.Name, Matched: matched, Decides: decision.Rule == r.written.Name, Why: why})
	}
	if decision.Rule == "" {
		steps = append(steps, Step{Rule: "default", Matched: true, Decides: true, Why: decision.Why})
	}
	return steps
}

func (r *rule) explain(s *Subject, a Action, module string) (matched bool, why string) {
	if a == Read && module == "" {
		return false, "no rule speaks of what belongs to no module"
	}
	if !r.actions.has(a) {
		return false, fmt.Sprintf("it is about %v", r.written.actions())
	}
	pattern, ok := r.pattern(module)
	if !ok {
		return false, fmt.Sprintf("the module matches none of %q", r.patterns)
	}
	entry, ok := r.entry(s)
	if !ok {
		return false, fmt.Sprintf("the subject is none of %q", r.written.subjects())
	}
	return true, fmt.Sprintf("the module matches %s, the subject is %q", pattern, entry)
}

// pattern returns the first pattern that matches a module, for people.
func (r *rule) pattern(path string) (string, bool) {
	if len(r.patterns) == 0 {
		return "as every module does", true
	}
	if path == "" {
		return "", false
	}
	for _, p := range r.patterns {
		if module.MatchPrefixPatterns(p, path) {
			return fmt.Sprintf("%q", p), true
		}
		if r.written.Effect == Deny && module.MatchPrefixPatterns(strings.ToLower(p), strings.ToLower(path)) {
			return fmt.Sprintf("%q but for the case of letters", p), true
		}
	}
	return "", false
}

// entry returns the first entry of the subjects that holds.
func (r *rule) entry(s *Subject) (string, bool) {
	for _, text := range r.written.subjects() {
		if c, err := parseClause(text); err == nil && c.holds(s) {
			return text, true
		}
	}
	return "", false
}
