package login

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/goenv"
)

// A Proxy is what the go command is set up for.
type Proxy struct {
	URL     string
	Private []string // patterns of modules that come from it, and that nobody else may hear of
	NoSumdb []string // patterns of others that no checksum database may hear of
}

// A Setting is a variable of the go command, and the value that it must have.
type Setting struct{ Name, Value string }

// A Plan is what the go command must be told, so that all modules of a proxy come from it.
type Plan struct {
	Settings []Setting // that are otherwise now
	Around   []string  // patterns of modules that the go command goes on to fetch itself
	Refused  []string  // patterns of the proxy that are not believed
}

// Variables are those that a plan depends on.
var Variables = []string{"GOPROXY", "GOAUTH", "GONOPROXY", "GONOSUMDB"}

// NewPlan makes the plan for a proxy whose tokens a command of GOAUTH prints. Now says what
// the go command makes of a variable at present.
//
// What the user has said stays: other commands of GOAUTH, and that modules are private which
// the proxy knows nothing of. Those that it has are asked of it alone, and of no checksum
// database.
func NewPlan(p Proxy, command string, now func(variable string) string) Plan {
	private, no := believed(p.Private)
	noSumdb, nor := believed(p.NoSumdb)
	around := without(now("GONOPROXY"), private)
	plan := Plan{Around: patterns(around), Refused: slices.Concat(no, nor)}
	for _, s := range []Setting{
		{"GOPROXY", p.URL},
		{"GOAUTH", withCommand(now("GOAUTH"), command)},
		{"GONOPROXY", around},
		{"GONOSUMDB", with(now("GONOSUMDB"), slices.Concat(private, noSumdb))},
	} {
		if s.Value != now(s.Name) {
			plan.Settings = append(plan.Settings, s)
		}
	}
	return plan
}

// Command is the command of GOAUTH for a program that is at path.
func Command(path string) (string, error) {
	command := goenv.Joined([]string{path, "auth"})
	words, err := goenv.Words(command)
	if err != nil || len(words) != 2 || words[0] != path || strings.Contains(path, ";") {
		return "", fmt.Errorf("%s cannot be named in GOAUTH, for the quotes or the semicolon in it: put weir into a folder of PATH", path)
	}
	return command, nil
}

// withCommand is a value of GOAUTH that has a command, in the place of another one for the
// same. To send nothing is not what the user wants any more.
func withCommand(goauth, command string) string {
	var all []string
	for entry := range strings.SplitSeq(goauth, ";") {
		entry = strings.TrimSpace(entry)
		if govars.IsWeirAuth(entry) {
			entry = command
		}
		if entry != "" && entry != "off" && !(entry == command && slices.Contains(all, command)) {
			all = append(all, entry)
		}
	}
	if !slices.Contains(all, command) {
		all = append(all, command)
	}
	return strings.Join(all, ";")
}

// nothing is a list of patterns that stands for none, where an empty one is the default.
const nothing = "none"

// patterns are those of a list that can match something.
func patterns(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(p string) bool { return p == "" || p == nothing })
}

// without is a list of patterns without those whose modules others match, too.
func without(list string, others []string) string {
	all := patterns(list)
	left := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return within(p, others) })
	switch len(left) {
	case len(all):
		return list
	case 0:
		return nothing
	}
	return strings.Join(left, ",")
}

// with is a list of patterns that match the modules of others, too.
func with(list string, others []string) string {
	all := patterns(list)
	before := len(all)
	for _, p := range others {
		if !within(p, all) {
			all = append(all, p)
		}
	}
	if len(all) == before {
		return list
	}
	return strings.Join(all, ",")
}

// within reports whether one of some patterns surely matches whatever p does. A pattern is a
// path, too; but of its special characters only the star of another one matches all that
// they stand for.
func within(p string, others []string) bool {
	return slices.ContainsFunc(others, func(o string) bool {
		return o == p || !strings.ContainsAny(o, `?[\`) && module.MatchPrefixPatterns(o, p)
	})
}

// public are modules that stand for those of everybody.
var public = []string{"github.com/-/-", "gitlab.com/-/-", "golang.org/x/-", "google.golang.org/-", "gopkg.in/-"}

// believed are the patterns of a proxy that are taken over, and those that are not: those
// that the go command would not take for one, and those that take in what is public. No proxy
// can have the checksum database not asked about that.
func believed(all []string) (good, refused []string) {
	for _, p := range all {
		if isPattern(p) && !slices.ContainsFunc(public, func(path string) bool { return module.MatchPrefixPatterns(p, path) }) {
			good = append(good, p)
		} else {
			refused = append(refused, p)
		}
	}
	return good, refused
}

func isPattern(p string) bool {
	return len(patterns(p)) == 1 && !strings.ContainsAny(p, ", ") && govars.Check("GONOSUMDB", p) == nil
}
