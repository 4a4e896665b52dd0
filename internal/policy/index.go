package policy

import (
	"math/bits"
	"strings"

	"golang.org/x/mod/module"
)

// A set is a set of rules, by their place.
type set []uint64

// words is how many words a set of n rules takes.
func words(n int) int { return (n + 63) / 64 }

func (s set) add(i int) { s[i/64] |= 1 << (i % 64) }

// next returns the first member from i on, or -1.
func (s set) next(i int) int {
	for w := i / 64; w < len(s); w++ {
		if rest := s[w] >> (i % 64); rest != 0 {
			return i + bits.TrailingZeros64(rest)
		}
		i = (w + 1) * 64
	}
	return -1
}

// An index finds the patterns that match a module path. They are filed under
// their leading elements without meta characters, so that most patterns cost
// nothing for most modules.
type index map[string][]entry

// An entry is one pattern of a rule.
type entry struct {
	glob string // what follows the leading elements; empty: nothing
	rule int    // naming: the pattern only names modules
}

// naming stands for no rule.
const naming = -1

// meta are the characters that mean something to path.Match.
const meta = `*?[\`

func (x index) add(pattern string, rule int) {
	i := strings.IndexAny(pattern, meta)
	if i < 0 {
		x[pattern] = append(x[pattern], entry{rule: rule})
		return
	}
	slash := strings.LastIndexByte(pattern[:i], '/')
	lead := pattern[:max(slash, 0)]
	x[lead] = append(x[lead], entry{glob: pattern[slash+1:], rule: rule})
}

// find adds the rules of all patterns that match the path and reports whether
// there is any.
func (x index) find(path string, hits set) (found bool) {
	found = x.look("", path, hits)
	for i := range len(path) {
		if path[i] == '/' && x.look(path[:i], path, hits) {
			found = true
		}
	}
	return x.look(path, path, hits) || found
}

// look does find for the patterns filed under lead.
func (x index) look(lead, path string, hits set) (found bool) {
	rest := strings.TrimPrefix(path[len(lead):], "/")
	for _, e := range x[lead] {
		if e.glob != "" && (rest == "" || !module.MatchPrefixPatterns(e.glob, rest)) {
			continue
		}
		found = true
		if e.rule != naming {
			hits.add(e.rule)
		}
	}
	return found
}
