package settings

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/doctor/check"
)

// Patterns are those that one of the variables GONOPROXY and GONOSUMDB names;
// GOPRIVATE is the default of both.
func (s *Settings) Patterns(name string) string {
	found, _ := s.First(name, "GOPRIVATE")
	return found.Value
}

// IsPrivate reports whether no proxy hears of a module.
func (s *Settings) IsPrivate(path string) bool {
	return module.MatchPrefixPatterns(s.Patterns("GONOPROXY"), path)
}

func (s *Settings) checkPatterns() check.Result {
	for _, name := range []string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"} {
		if r, ok := s.checkPattern(name); !ok {
			return r
		}
	}
	if r, ok := s.checkHiding(); !ok {
		return r
	}
	for _, e := range s.Entries {
		if e.URL != nil && module.MatchPrefixPatterns(s.Value("GOINSECURE"), e.URL.Hostname()) {
			return check.Warning("goinsecure-proxy", fmt.Sprintf("%s names the host of %s, but does nothing for proxies", s.From("GOINSECURE"), e.Name),
				"have the certificate of its authority trusted (SSL_CERT_FILE), or write http:// in GOPROXY")
		}
	}
	if value := s.Value("GOPRIVATE"); value != "" {
		return check.Well(value)
	}
	return check.Well("no module is private")
}

func (s *Settings) checkPattern(name string) (check.Result, bool) {
	for pattern := range strings.SplitSeq(s.Value(name), ",") {
		_, err := path.Match(pattern, "")
		what := ""
		switch {
		case strings.Contains(pattern, "://"):
			what = "is a URL"
		case strings.ContainsAny(pattern, " \t;|"):
			what = "has a blank or another sign than a comma in it"
		case err != nil:
			what = "is no pattern"
		default:
			continue
		}
		fixed := strings.Join(strings.FieldsFunc(s.Value(name), func(r rune) bool { return strings.ContainsRune(",; \t|", r) }), ",")
		fixed = strings.NewReplacer("https://", "", "http://", "").Replace(fixed)
		return check.Trouble("pattern-malformed", fmt.Sprintf("%q in %s %s, so that it matches no module", pattern, s.From(name), what),
			"write the beginnings of module paths, such as git.example.com/team, with a comma and no blank between them", s.Set(name, fixed)), false
	}
	return check.Result{}, true
}

// checkHiding looks for what GOPRIVATE says in vain.
func (s *Settings) checkHiding() (check.Result, bool) {
	private := s.Value("GOPRIVATE")
	if private == "" {
		return check.Result{}, true
	}
	for _, c := range []struct{ name, who string }{{"GONOSUMDB", "the checksum database"}, {"GONOPROXY", "the proxies"}} {
		value := s.Value(c.name)
		// That proxies hear of private modules may be meant: they may be one's own.
		if value == "" || c.name == "GONOPROXY" && (value == "none" || !s.isPublic()) {
			continue
		}
		for pattern := range strings.SplitSeq(private, ",") {
			if pattern != "" && !slices.Contains(strings.Split(value, ","), pattern) {
				return check.Warning("goprivate-hidden", fmt.Sprintf("%s hides GOPRIVATE=%s: %s may hear of modules of %s", s.From(c.name), private, c.who, pattern),
					"take "+c.name+" away, or add the pattern to it", s.Unset(c.name)), false
			}
		}
	}
	return check.Result{}, true
}

// inner are the ends of host names that belong to nobody on the internet.
//
// Sources: RFC 6762, appendix G; RFC 2606; ICANN's resolution 2024.07.29.06.
var inner = []string{".internal", ".intranet", ".corp", ".home", ".lan", ".private", ".local", ".localdomain", ".test", ".localhost"}

func isInner(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	for _, end := range inner {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

// PrivateCheck looks whether modules of the folder are private and nobody says so. It waits
// for others, which look whether go.mod can be read.
func (s *Settings) PrivateCheck(after []*check.Check) *check.Check {
	return &check.Check{ID: "private-modules", After: after, Run: check.Still(s.checkPrivate)}
}

func (s *Settings) checkPrivate() check.Result {
	if !s.isPublic() {
		return check.Well("no public proxy is asked")
	}
	for _, r := range s.Folder.Requirements() {
		if isInner(r.Path) && !s.IsPrivate(r.Path) {
			host, _, _ := strings.Cut(r.Path, "/")
			return check.Warning("pattern-missing", fmt.Sprintf("public proxies hear of %s, since GOPRIVATE does not name %s", r.Path, host), "name it in GOPRIVATE", s.MakePrivate(host))
		}
	}
	return check.Well("none is shown to public proxies")
}

// MakePrivate adds a pattern to GOPRIVATE.
func (s *Settings) MakePrivate(pattern string) check.Fix {
	if before := s.Value("GOPRIVATE"); before != "" {
		pattern = before + "," + pattern
	}
	return s.Set("GOPRIVATE", pattern)
}

// A Probe is the module that proxies are asked for.
type Probe struct {
	module.Version
	Own bool // go.mod requires it, so that it has to be there
}

// chooseProbe takes a module that go.mod requires, or else a small one that is widely
// used.
func (s *Settings) chooseProbe() Probe {
	for _, r := range s.Folder.Requirements() {
		if !s.IsPrivate(r.Path) && !isInner(r.Path) {
			return Probe{r, true}
		}
	}
	return Probe{module.Version{Path: "golang.org/x/text", Version: "v0.14.0"}, false}
}
