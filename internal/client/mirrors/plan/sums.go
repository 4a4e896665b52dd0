package plan

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mirrors/survey"
)

// builtin are the records of sum.golang.org of some modules that are small, or of middle
// size, and that every mirror has, since everybody uses them.
//
//go:embed modules.sum
var builtin string

// popular are the built-in modules.
func popular() []survey.Module { return parseSums(builtin) }

// parseSums reads lines as in go.sum. It returns the versions of which both hashes are
// known, in the order of their first lines. Lines that are malformed say nothing.
func parseSums(text string) []survey.Module {
	var all []survey.Module
	known := map[string]int{} // indexes, by "path version"
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "h1:") {
			continue
		}
		version, ofMod := strings.CutSuffix(fields[1], "/go.mod")
		key := fields[0] + " " + version
		at, seen := known[key]
		if !seen {
			at = len(all)
			known[key] = at
			all = append(all, survey.Module{Path: fields[0], Version: version})
		}
		if ofMod {
			all[at].Mod = fields[2]
		} else {
			all[at].Zip = fields[2]
		}
	}
	return slices.DeleteFunc(all, func(m survey.Module) bool { return m.Mod == "" || m.Zip == "" || !valid(m) })
}

// valid reports whether a mirror can be asked for the module.
func valid(m survey.Module) bool {
	n := artifact.Name{Kind: artifact.Zip, Module: m.Path, Version: m.Version}
	parsed, err := artifact.Parse(n.Key())
	return err == nil && parsed == n
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
