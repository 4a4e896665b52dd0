// Package policy decides who may read, publish or administer which modules.
//
// A [Policy] is made of rules by [Compile] and never changes after that: it is
// safe for concurrent use, does no input or output, and is replaced as a whole.
// The first rule that speaks of the action, the module and the subject decides.
// If none does, reading is allowed if no rule names the module at all, and
// everything else is refused.
//
// A module that a rule names is private: who is not allowed to read it is told
// the same as for a module that does not exist ([Decision].Hide), because even
// the names of private modules are worth knowing to a stranger. Since many code
// hosts ignore the case of letters, other spellings of a named module are
// private, too, and refusals hold for them; what is allowed is allowed for the
// spelling of the rule only.
//
// Patterns of modules are those of GOPRIVATE: globs that match the path or its
// first elements, see module.MatchPrefixPatterns. Globs in names and claims are
// those of path.Match: "*" stands for any text without a slash, so that
// "claim:ref=refs/heads/*" does not speak of branches with a slash.
package policy

import (
	"strings"

	"github.com/goweir/weir/internal/artifact"
)

// An Action is what a subject wants to do. None includes another.
type Action string

// The actions there are.
const (
	Read    Action = "read"
	Publish Action = "publish"
	Admin   Action = "admin"
)

// A Policy is a set of compiled rules. The zero Policy has none. It is safe for
// concurrent use.
type Policy struct {
	rules  []rule
	closed bool // what no rule names is hidden
	every  set  // rules that speak of every module
	exact  index
	folded index // of patterns in lower case

	capitals bool // some pattern has capitals
}

// Options are what holds besides the rules.
type Options struct {
	Default Effect // for reading what no rule names; empty: Allow
}

// A Decision is the answer to one question. Rule and Why are for logs and for
// those who may see the rules; of a refusal that hides nothing, Why is for
// the one who is refused as well.
type Decision struct {
	Allowed bool
	Rule    string // name of the rule that decided; empty: none did
	Why     string
	Hide    bool // answer as if the module did not exist
}

// What is decided where no rule does.
var (
	unnamed = Decision{Allowed: true, Why: "no rule names the module"}
	tiles   = Decision{Allowed: true, Why: "files of a checksum database that belong to no module are for all"}
	hidden  = Decision{Hide: true, Why: "no rule allows the subject to read the module"}
	refused = Decision{Why: "no rule allows it"}
)

// Decide says whether the subject may act on the module. The empty module
// stands for what belongs to no module: for reading, the files of a checksum
// database, which are open to all who may come in; for other actions, the
// server itself, of which only rules without Match speak.
//
// It allocates nothing if there are up to 512 rules.
func (p *Policy) Decide(s Subject, a Action, module string) Decision {
	if a == Read && module == "" {
		return tiles
	}
	var room [8]uint64
	hits := p.newSet(&room)
	named := p.find(module, hits)
	s.Addr = plain(s.Addr)
	for i := hits.next(0); i >= 0; i = hits.next(i + 1) {
		if r := &p.rules[i]; r.actions.has(a) && r.speaksOf(&s) {
			return r.decision
		}
	}
	return p.otherwise(a, named)
}

// newSet returns an empty set, in the given room if it is enough.
func (p *Policy) newSet(room *[8]uint64) set {
	n := words(len(p.rules))
	if n > len(room) {
		return make(set, n)
	}
	return room[:n]
}

// find adds the rules that speak of the module and reports whether one names it.
func (p *Policy) find(module string, hits set) (named bool) {
	copy(hits, p.every)
	named = p.exact.find(module, hits)
	lower := strings.ToLower(module)
	if lower == module && !p.capitals {
		return named // the folded patterns are the exact ones
	}
	return p.folded.find(lower, hits) || named
}

// otherwise decides where no rule does.
func (p *Policy) otherwise(a Action, named bool) Decision {
	switch {
	case a != Read:
		return refused
	case named || p.closed:
		return hidden
	}
	return unnamed
}

// Err returns what the client is told of a refusal, or nil if it is none. For a
// hidden module that is the same whatever the rule, the subject and the module:
// who answers with it must use the same words for a module that is missing.
func (d Decision) Err() error {
	switch {
	case d.Allowed:
		return nil
	case d.Hide:
		return artifact.NotFound("unknown module")
	}
	return &artifact.Error{Class: artifact.ErrForbidden, Reason: d.Why, Hint: "ask those who run this proxy"}
}
