package settings

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/doctor/check"
)

func (s *Settings) checkVCS() check.Result {
	rules, err := parseVCS(s.Value("GOVCS"))
	if err != nil {
		return check.Trouble("govcs-malformed", fmt.Sprintf("the go command refuses %s: %s", s.From("GOVCS"), err), "write pattern:commands, such as public:git,private:all", s.Unset("GOVCS"))
	}
	private := s.Patterns("GONOPROXY")
	direct := s.GOPROXY() == "direct"
	switch {
	case private != "" && private != "none" && !rules.allowsSome(true, s.Value("GOPRIVATE")):
		return check.Trouble("govcs-forbids", fmt.Sprintf("%s forbids git for private modules, which come from nowhere else", s.From("GOVCS")), "allow it", s.Unset("GOVCS"))
	case direct && !rules.allowsSome(false, ""):
		return check.Trouble("govcs-forbids", fmt.Sprintf("%s forbids git, and GOPROXY is direct", s.From("GOVCS")), "allow it, or use a proxy", s.Unset("GOVCS"))
	}
	return check.Well("git is allowed where it is needed")
}

// AllowsVCS reports whether GOVCS lets a command of version control be used for a module.
func (s *Settings) AllowsVCS(path, command string) bool {
	rules, err := parseVCS(s.Value("GOVCS"))
	return err == nil && rules.allows(path, module.MatchPrefixPatterns(s.Value("GOPRIVATE"), path), command)
}

// vcsRules are the rules of GOVCS, of which the first that matches counts.
type vcsRules []vcsRule

type vcsRule struct {
	pattern string
	allowed []string // commands
}

// parseVCS reads GOVCS. The defaults stand at its end.
//
// Source: cmd/go/internal/vcs/vcs.go, parseGOVCS.
func parseVCS(text string) (vcsRules, error) {
	var rules vcsRules
	if strings.TrimSpace(text) != "" {
		text += ","
	}
	for item := range strings.SplitSeq(text+"private:all,public:git|hg", ",") {
		pattern, list, found := strings.Cut(strings.TrimSpace(item), ":")
		switch {
		case !found:
			return nil, fmt.Errorf("%q has no colon", item)
		case strings.TrimSpace(pattern) == "" || strings.TrimSpace(list) == "":
			return nil, fmt.Errorf("one side of the colon in %q is empty", item)
		}
		allowed := strings.Split(list, "|")
		for i := range allowed {
			allowed[i] = strings.TrimSpace(allowed[i])
		}
		rules = append(rules, vcsRule{strings.TrimSpace(pattern), allowed})
	}
	return rules, nil
}

// allows reports whether a command may be used for a module.
func (r vcsRules) allows(path string, private bool, command string) bool {
	for _, rule := range r {
		match := module.MatchPrefixPatterns(rule.pattern, path)
		switch rule.pattern {
		case "private":
			match = private
		case "public":
			match = !private
		}
		if match {
			return slices.Contains(rule.allowed, command) || slices.Contains(rule.allowed, "all")
		}
	}
	return false
}

// allowsSome reports whether git may be used for some modules: those of patterns, or
// those that no pattern of a rule names.
func (r vcsRules) allowsSome(private bool, patterns string) bool {
	for pattern := range strings.SplitSeq(patterns, ",") {
		if r.allows(strings.TrimPrefix(pattern, "*."), private, "git") {
			return true
		}
	}
	return false
}
