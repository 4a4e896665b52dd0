package plan

import (
	_ "embed"
	"slices"

	"github.com/goweir/weir/internal/client/mirrors/survey"
	"github.com/goweir/weir/internal/gosum"
)

// builtin are the records of sum.golang.org of some modules that are small, or of middle
// size, and that every mirror has, since everybody uses them.
//
//go:embed modules.sum
var builtin string

// popular are the built-in modules.
func popular() []survey.Module { return parseSums([]byte(builtin)) }

// parseSums reads lines as in go.sum. It returns the versions of which both hashes are
// known, in the order of their first lines.
func parseSums(data []byte) []survey.Module {
	var all []survey.Module
	known := map[survey.Module]int{} // indexes, by path and version
	for l := range gosum.Lines(data) {
		if !l.Known() {
			continue
		}
		m := survey.Module{Path: l.Module.Path, Version: l.Module.Version}
		at, seen := known[m]
		if !seen {
			at = len(all)
			known[m] = at
			all = append(all, m)
		}
		if l.IsMod {
			all[at].Mod = l.Hash
		} else {
			all[at].Zip = l.Hash
		}
	}
	return slices.DeleteFunc(all, func(m survey.Module) bool { return m.Mod == "" || m.Zip == "" })
}

// sample picks n of all, evenly spread.
func sample(all []survey.Module, n int) []survey.Module {
	if len(all) <= n {
		return all
	}
	picked := make([]survey.Module, n)
	for i := range picked {
		picked[i] = all[i*len(all)/n]
	}
	return picked
}
