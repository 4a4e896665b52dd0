package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/sumdb"
)

// settingChecks are those that need nothing but the settings.
func (m *machine) settingChecks() []*Check {
	command := &Check{ID: "go-command", Run: m.checkGo}
	checks := []*Check{command, {ID: "go-version", After: []*Check{command}, Run: still(m.checkVersion)}}
	for _, c := range []struct {
		id    string
		check func() Result
	}{
		{"gotoolchain", m.checkToolchain}, {"goproxy", m.checkList}, {"gosumdb", m.checkSumDB}, {"goprivate", m.checkPatterns},
		{"govcs", m.checkVCS}, {"goflags", m.checkFlags}, {"goauth", m.checkAuth}, {"go111module", m.checkModules},
		{"netrc", m.checkNetrc}, {"http-proxy", m.checkHTTPProxy}, {"ca-files", m.checkCAFiles}, {"hidden", m.checkHidden},
	} {
		checks = append(checks, &Check{ID: c.id, Run: still(c.check)})
	}
	return checks
}

// still is a check that waits for nothing.
func still(check func() Result) func(context.Context) Result {
	return func(context.Context) Result { return check() }
}

// bad is a result of trouble.
func bad(kind, summary, hint string, fixes ...Fix) Result {
	return Result{State: Bad, Kind: kind, Summary: summary, Hint: hint, Fixes: fixes}
}

// warn is a result that is worth knowing.
func warn(kind, summary, hint string, fixes ...Fix) Result {
	return Result{State: Warn, Kind: kind, Summary: summary, Hint: hint, Fixes: fixes}
}

// set is the command that sets a variable where it is set now.
func (m *machine) set(name, value string) Fix {
	if s, ok := m.env.Lookup(name); ok && s.Layer == goenv.Environment {
		return byHand("export " + quote(name+"="+value))
	}
	return goEnv("-w", name+"="+value)
}

// unset is the command that takes a variable back to what it is by default.
func (m *machine) unset(name string) Fix {
	if s, ok := m.env.Lookup(name); ok && s.Layer == goenv.Environment {
		return byHand("unset " + name)
	}
	return goEnv("-u", name)
}

// from says where a variable is set, for people.
func (m *machine) from(name string) string {
	s, ok := m.env.Lookup(name)
	switch {
	case !ok:
		return name
	case s.Layer == goenv.Environment:
		return name + " in the environment"
	}
	return s.Origin()
}

// proxyValue is the value of GOPROXY that is in force.
func (m *machine) proxyValue() string {
	if value := m.env.Value("GOPROXY"); value != "" {
		return value
	}
	return "direct"
}

func (m *machine) checkList() Result {
	value := m.proxyValue()
	words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '|' })
	for i, word := range words {
		if word = strings.TrimSpace(word); strings.ContainsAny(word, "; \t") {
			return bad("goproxy-separator", fmt.Sprintf("entry %d of %s has a semicolon or a blank in it, so that it is one entry and not two", i+1, m.from("GOPROXY")),
				"write commas, or |, between entries")
		}
	}
	if m.listError != nil {
		return bad("goproxy-malformed", fmt.Sprintf("the go command refuses %s: %s", m.from("GOPROXY"), m.listError),
			"write URLs with https://, direct or off, with a comma between them", m.unset("GOPROXY"))
	}
	for i, word := range words[:len(words)-1] {
		if word = strings.TrimSpace(word); word == "direct" || word == "off" {
			return warn("goproxy-after-"+word, fmt.Sprintf("what stands after %q in %s is never asked", words[i], m.from("GOPROXY")), "put it before, or take it away")
		}
	}
	for _, p := range m.proxies {
		if p.url != nil && p.url.Scheme == "http" && p.url.User != nil {
			return bad("goproxy-password-over-http", fmt.Sprintf("%s has a user for %s, and the go command sends no password over http", m.from("GOPROXY"), p.Name),
				"use https, and keep the password in a netrc file or in GOAUTH")
		}
	}
	return well(m.listText())
}

// listText is GOPROXY without secrets.
func (m *machine) listText() string {
	var b strings.Builder
	for i, p := range m.proxies {
		if i > 0 {
			b.WriteString(map[bool]string{true: "|", false: ","}[m.proxies[i-1].FallBackOnError])
		}
		b.WriteString(p.Name)
	}
	return b.String()
}

func (m *machine) checkSumDB() Result {
	value := m.env.Value("GOSUMDB")
	if value == "" {
		value = "sum.golang.org"
	}
	c, err := sumdb.ParseDatabase(value)
	switch {
	case err != nil:
		return bad("gosumdb-malformed", fmt.Sprintf("the go command refuses %s: %s", m.from("GOSUMDB"), err), "write the name of a known database, name+hash+key of another, or off", m.unset("GOSUMDB"))
	case c.Off && m.fetches():
		return warn("gosumdb-off", m.from("GOSUMDB")+" is off, so that nobody notices changed modules that are not in go.sum yet",
			"keep only private modules from the database, with GOPRIVATE", m.unset("GOSUMDB"))
	case c.Off:
		return well("off")
	}
	for _, name := range []string{"GONOSUMDB", "GOPRIVATE"} {
		if slices.Contains(strings.Split(m.env.Value(name), ","), "*") && m.fetches() {
			return warn("gosumdb-off", m.from(name)+" is *, so that no module is verified", "name the hosts of your private modules instead")
		}
		if m.env.Value("GONOSUMDB") != "" {
			break // which hides GOPRIVATE
		}
	}
	return well(c.Name)
}

// fetches reports whether the settings let modules come over the network.
func (m *machine) fetches() bool {
	return slices.ContainsFunc(m.proxies, func(p *proxy) bool { return p.Direct || p.url != nil && p.url.Scheme != "file" })
}

// patterns are those that one of the variables GONOPROXY and GONOSUMDB names;
// GOPRIVATE is the default of both.
func (m *machine) patterns(name string) string {
	s, _ := m.env.First(name, "GOPRIVATE")
	return s.Value
}

// isPrivate reports whether no proxy hears of a module.
func (m *machine) isPrivate(path string) bool {
	return module.MatchPrefixPatterns(m.patterns("GONOPROXY"), path)
}

func (m *machine) checkPatterns() Result {
	for _, name := range []string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"} {
		if r, ok := m.checkPattern(name); !ok {
			return r
		}
	}
	if r, ok := m.checkHiding(); !ok {
		return r
	}
	for _, p := range m.proxies {
		if p.url != nil && module.MatchPrefixPatterns(m.env.Value("GOINSECURE"), p.url.Hostname()) {
			return warn("goinsecure-proxy", fmt.Sprintf("%s names the host of %s, but does nothing for proxies", m.from("GOINSECURE"), p.Name),
				"have the certificate of its authority trusted (SSL_CERT_FILE), or write http:// in GOPROXY")
		}
	}
	if value := m.env.Value("GOPRIVATE"); value != "" {
		return well(value)
	}
	return well("no module is private")
}

func (m *machine) checkPattern(name string) (Result, bool) {
	for pattern := range strings.SplitSeq(m.env.Value(name), ",") {
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
		fixed := strings.Join(strings.FieldsFunc(m.env.Value(name), func(r rune) bool { return strings.ContainsRune(",; \t|", r) }), ",")
		fixed = strings.NewReplacer("https://", "", "http://", "").Replace(fixed)
		return bad("pattern-malformed", fmt.Sprintf("%q in %s %s, so that it matches no module", pattern, m.from(name), what),
			"write the beginnings of module paths, such as git.example.com/team, with a comma and no blank between them", m.set(name, fixed)), false
	}
	return Result{}, true
}

// checkHiding looks for what GOPRIVATE says in vain.
func (m *machine) checkHiding() (Result, bool) {
	private := m.env.Value("GOPRIVATE")
	if private == "" {
		return Result{}, true
	}
	for _, c := range []struct{ name, who string }{{"GONOSUMDB", "the checksum database"}, {"GONOPROXY", "the proxies"}} {
		value := m.env.Value(c.name)
		// That proxies hear of private modules may be meant: they may be one's own.
		if value == "" || c.name == "GONOPROXY" && (value == "none" || !m.isPublic()) {
			continue
		}
		for pattern := range strings.SplitSeq(private, ",") {
			if pattern != "" && !slices.Contains(strings.Split(value, ","), pattern) {
				return warn("goprivate-hidden", fmt.Sprintf("%s hides GOPRIVATE=%s: %s may hear of modules of %s", m.from(c.name), private, c.who, pattern),
					"take "+c.name+" away, or add the pattern to it", m.unset(c.name)), false
			}
		}
	}
	return Result{}, true
}

// isPublic reports whether a proxy for everybody is asked.
func (m *machine) isPublic() bool {
	return slices.ContainsFunc(m.proxies, func(p *proxy) bool { return p.public })
}

func (m *machine) checkVCS() Result {
	rules, err := parseVCS(m.env.Value("GOVCS"))
	if err != nil {
		return bad("govcs-malformed", fmt.Sprintf("the go command refuses %s: %s", m.from("GOVCS"), err), "write pattern:commands, such as public:git,private:all", m.unset("GOVCS"))
	}
	private := m.patterns("GONOPROXY")
	direct := m.proxyValue() == "direct"
	switch {
	case private != "" && private != "none" && !rules.allowsSome(true, m.env.Value("GOPRIVATE")):
		return bad("govcs-forbids", fmt.Sprintf("%s forbids git for private modules, which come from nowhere else", m.from("GOVCS")), "allow it", m.unset("GOVCS"))
	case direct && !rules.allowsSome(false, ""):
		return bad("govcs-forbids", fmt.Sprintf("%s forbids git, and GOPROXY is direct", m.from("GOVCS")), "allow it, or use a proxy", m.unset("GOVCS"))
	}
	return well("git is allowed where it is needed")
}

// vcsRules are the rules of GOVCS, of which the first that matches counts.
type vcsRules []struct {
	pattern string
	allowed []string
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
		rules = append(rules, struct {
			pattern string
			allowed []string
		}{strings.TrimSpace(pattern), allowed})
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

func (m *machine) checkModules() Result {
	if m.env.Value("GO111MODULE") == "off" {
		return bad("modules-off", m.from("GO111MODULE")+" is off: the go command knows no modules", "modules are on by default", m.unset("GO111MODULE"))
	}
	return well("modules are on")
}

func (m *machine) checkFlags() Result {
	flags := words(m.env.Value("GOFLAGS"))
	for _, flag := range flags {
		name, value, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		switch {
		case !strings.HasPrefix(flag, "-") || name == "":
			return bad("goflags-malformed", fmt.Sprintf("the go command refuses %s: %q is no flag", m.from("GOFLAGS"), flag), "flags begin with -, and those with a value are written -name=value", m.unset("GOFLAGS"))
		case name == "insecure":
			return bad("goflags-unknown", m.from("GOFLAGS")+" has -insecure, which is no more", "use GOINSECURE for the modules that need it", m.unset("GOFLAGS"))
		case name == "mod" && value == "mod":
			return warn("goflags-mod", m.from("GOFLAGS")+" has -mod=mod: builds change go.mod and go.sum, and use the network for it", "leave that to go get and go mod tidy", m.unset("GOFLAGS"))
		case name == "mod" && value == "vendor" && m.folder.dir != "" && !isFolder(filepath.Join(m.folder.dir, "vendor")):
			return bad("goflags-vendor", m.from("GOFLAGS")+" has -mod=vendor, and there is no folder vendor here", "run go mod vendor, or take the flag away", m.unset("GOFLAGS"))
		case name == "mod" && !slices.Contains([]string{"readonly", "vendor", ""}, value):
			return bad("goflags-malformed", fmt.Sprintf("the go command refuses %s: -mod=%s is none of mod, readonly and vendor", m.from("GOFLAGS"), value), "take the flag away", m.unset("GOFLAGS"))
		}
	}
	return well(strings.Join(flags, " "))
}

// words are the words of a list in which quotes around a word hold it together.
//
// Source: cmd/internal/quoted.Split.
func words(text string) []string {
	var all []string
	for text = strings.TrimLeft(text, " \t\r\n"); text != ""; text = strings.TrimLeft(text, " \t\r\n") {
		end, next := strings.IndexAny(text, " \t\r\n"), 0
		if quote := text[0]; quote == '"' || quote == '\'' {
			text, next = text[1:], 1
			end = strings.IndexByte(text, quote)
		}
		if end < 0 {
			return append(all, text)
		}
		all, text = append(all, text[:end]), text[end+next:]
	}
	return all
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func (m *machine) checkAuth() Result {
	value := m.env.Value("GOAUTH")
	if value == "" {
		value = "netrc"
	}
	entries := strings.Split(value, ";")
	var names []string
	for _, entry := range entries {
		words := strings.Fields(entry)
		if len(words) == 0 {
			return bad("goauth-malformed", fmt.Sprintf("the go command refuses %s: there is an empty command in it", m.from("GOAUTH")), "take the superfluous semicolon away", m.unset("GOAUTH"))
		}
		names = append(names, words[0])
		switch words[0] {
		case "off":
			if len(entries) > 1 {
				return bad("goauth-malformed", fmt.Sprintf("the go command refuses %s: off cannot be combined with others", m.from("GOAUTH")), "take off away", m.unset("GOAUTH"))
			}
		case "netrc":
		case "git":
			if len(words) != 2 || !filepath.IsAbs(words[1]) || !isFolder(words[1]) {
				return bad("goauth-malformed", fmt.Sprintf("the go command refuses %s: after git stands the absolute path of a folder that exists", m.from("GOAUTH")), "name the folder of a repository", m.unset("GOAUTH"))
			}
		default:
			if _, err := exec.LookPath(words[0]); err != nil {
				return warn("goauth-missing", fmt.Sprintf("the command %q of %s cannot be run, and the go command says nothing of it", words[0], m.from("GOAUTH")), "install it, or add its folder to PATH")
			}
		}
	}
	return well(strings.Join(names, ", "))
}

// pairs are variables that programs read in capital and in small letters.
var pairs = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}

func (m *machine) checkHTTPProxy() Result {
	var set []string
	for _, name := range pairs {
		upper, lower := m.Getenv(name), m.Getenv(strings.ToLower(name))
		if upper != "" && lower != "" && upper != lower {
			return warn("http-proxy-ambiguous", fmt.Sprintf("%s and %s are not the same; the go command takes the first, git and curl the second", name, strings.ToLower(name)), "make them the same")
		}
		if upper == "" && lower == "" {
			continue
		}
		set = append(set, name)
		if name == "NO_PROXY" {
			continue
		}
		value := cmp.Or(upper, lower)
		if u, err := url.Parse(value); err != nil || u.Host == "" && strings.Contains(value, "://") {
			return bad("http-proxy-malformed", name+" is no URL", "write http://host:port", byHand("unset "+name))
		}
	}
	if len(set) == 0 {
		return well("none")
	}
	return well(strings.Join(set, ", ") + " set")
}

func (m *machine) checkCAFiles() Result {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"} {
		for _, file := range filepath.SplitList(m.Getenv(name)) {
			if _, err := os.Stat(file); file != "" && err != nil {
				return warn("ca-file-missing", fmt.Sprintf("%s names %s, which cannot be read", name, file), "correct it or take it away", byHand("unset "+name))
			}
		}
	}
	return well("as the system has them")
}

// misnomers are names that are taken for variables of the go command, with the right ones.
var misnomers = map[string]string{
	"GONOSUMCHECK": "GONOSUMDB", "GONOSUM": "GONOSUMDB", "GO_PROXY": "GOPROXY", "GOPROXIES": "GOPROXY", "GONOPROXIES": "GONOPROXY", "GOPRIVATES": "GOPRIVATE", "GO_PRIVATE": "GOPRIVATE", "GO_SUMDB": "GOSUMDB",
}

func (m *machine) checkHidden() Result {
	for wrong, right := range misnomers {
		if s, ok := m.env.Lookup(wrong); ok {
			return warn("unknown-variable", fmt.Sprintf("the go command does not know %s; it may be meant for %s", s.Origin(), right), "set "+right+" instead", m.unset(wrong))
		}
	}
	for _, s := range m.settings() {
		for _, hidden := range s.Hides {
			if s.Layer == layerEnvironment && hidden.Layer == layerUserFile && hidden.Value != s.Value {
				return warn("env-hides-go-env-w", fmt.Sprintf("%s=%s of the environment hides %s=%s, which was set with go env -w", s.Name, s.Value, s.Name, hidden.Value),
					"take away the one that is not meant: that of the environment is set by your shell, your editor or your CI", byHand("unset "+s.Name), Fix{Command: "go env -u " + s.Name})
			}
		}
	}
	return well("nothing is hidden")
}

// A Setting is a variable, where it comes from, and what that hides.
type Setting struct {
	Name  string    `json:"name"`
	Value string    `json:"value"` // without secrets
	Layer string    `json:"layer"`
	File  string    `json:"file,omitempty"`
	Hides []Setting `json:"hides,omitempty"`
}

// The layers by name.
const (
	layerEnvironment = "environment"
	layerUserFile    = "go env -w"
)

var layers = map[goenv.Layer]string{goenv.Environment: layerEnvironment, goenv.UserFile: layerUserFile, goenv.Installation: "go.env of Go", goenv.Default: "default"}

// shown are the variables whose origin is shown.
var shown = []string{
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH", "GOFLAGS", "GOTOOLCHAIN", "GO111MODULE", "GOWORK", "GOENV", "GOMODCACHE", "GOCACHE", "GOTMPDIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// settings are the settings that are there, and where each comes from.
func (m *machine) settings() []Setting {
	var all []Setting
	for _, name := range shown {
		layers := m.env.All(name)
		if len(layers) == 0 {
			continue
		}
		s := setting(layers[0])
		for _, hidden := range layers[1:] {
			s.Hides = append(s.Hides, setting(hidden))
		}
		all = append(all, s)
	}
	return all
}

func setting(s goenv.Setting) Setting {
	return Setting{Name: s.Name, Value: redacted(s.Name, s.Value), Layer: layers[s.Layer], File: s.File}
}

// redacted is the value of a variable without what may be a secret.
func redacted(name, value string) string {
	switch name {
	case "GOPROXY":
		return redactedList(value)
	case "GOAUTH":
		entries := strings.Split(value, ";")
		for i, entry := range entries {
			if words := strings.Fields(entry); len(words) > 1 && words[0] != "git" {
				entries[i] = words[0] + " …"
			}
		}
		return strings.Join(entries, ";")
	case "HTTP_PROXY", "HTTPS_PROXY", "GOSUMDB":
		return redactedURL(value)
	}
	return value
}

// redactedList is a value of GOPROXY without secrets, also if it is malformed.
func redactedList(value string) string {
	var b strings.Builder
	for value != "" {
		word, sign, rest := value, "", ""
		if i := strings.IndexAny(value, ",|"); i >= 0 {
			word, sign, rest = value[:i], value[i:i+1], value[i+1:]
		}
		b.WriteString(redactedURL(word) + sign)
		value = rest
	}
	return b.String()
}

// redactedURL is a word without what stands before an @ and after a question mark.
func redactedURL(word string) string {
	scheme, rest, ok := strings.Cut(word, "://")
	if !ok {
		scheme, rest = "", word
	} else {
		scheme += "://"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "xxxxx" + rest[at:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + rest
}
