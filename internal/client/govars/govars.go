// Package govars knows the variables of the go command that say where modules and
// toolchains come from and how they are proven, and which values it would take.
//
// A value is refused, too, where the go command would silently take it for something
// else than its author, and where it holds a user name or password.
//
// Sources: go help environment; cmd/go/internal, as named at each check.
package govars

import (
	"errors"
	"fmt"
	"go/version"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/spelling"
)

// variables are the variables, and how the go command reads them.
var variables = []struct {
	name  string
	check func(value string) error
}{
	{"GOPROXY", checkProxies},
	{"GOPRIVATE", checkPatterns},
	{"GONOPROXY", checkPatterns},
	{"GONOSUMDB", checkPatterns},
	{"GOSUMDB", checkSumDB},
	{"GOINSECURE", checkPatterns},
	{"GOVCS", checkVCS},
	{"GOAUTH", checkAuth},
	{"GOTOOLCHAIN", checkToolchain},
	{"GOFLAGS", checkFlags},
}

// Names are the names of the variables, in the order in which they are shown.
func Names() []string {
	var names []string
	for _, v := range variables {
		names = append(names, v.name)
	}
	return names
}

// maxValue is the longest value, in bytes. Windows bears 32767 characters for all
// variables together.
const maxValue = 8 << 10

// userinfo matches a user name or password in a URL.
var userinfo = regexp.MustCompile(`://[^/\s,|;]*@`)

var errUserinfo = errors.New("a URL here holds no user name or password; keep them in the netrc file " +
	`(machine HOST login USER password PASSWORD), or log in with "weir login" and set GOAUTH: netrc;weir auth`)

// Check reports what the go command would not take of a value, or would take for
// something else than its author. Errors do not cite what could be a secret.
func Check(name, value string) error {
	i := slices.Index(Names(), name)
	switch {
	case i < 0:
		return unknown(name)
	case len(value) > maxValue:
		return fmt.Errorf("the value is longer than %d bytes", maxValue)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("the value holds a line break or another control character, which the go command does not take")
	case userinfo.MatchString(value):
		return errUserinfo
	}
	return variables[i].check(value)
}

func unknown(name string) error {
	if meant := spelling.Nearest(Names(), name); meant != "" {
		return fmt.Errorf("%.40q is not to be set here; did you mean %s?", name, meant)
	}
	return fmt.Errorf("%.40q is not to be set here; the variables are %s", name, strings.Join(Names(), ", "))
}

// checkProxies also refuses an @ anywhere: it is that of a password with a character in
// it that ends the host.
func checkProxies(value string) error {
	if strings.Contains(value, "@") {
		return errUserinfo
	}
	if strings.TrimSpace(value) == "" {
		return errEmpty
	}
	_, err := source.ParseList(value)
	return err
}

var errEmpty = errors.New(`the value is empty; write nothing after the colon for the default of Go, or "off"`)

func checkSumDB(value string) error {
	if strings.Contains(value, "@") {
		return errUserinfo
	}
	if strings.TrimSpace(value) == "" {
		return errEmpty
	}
	_, err := gosumdb.Parse(value)
	return err
}

// checkPatterns checks patterns of module paths. The go command ignores those that it
// cannot read, and takes blanks for a part of them.
//
// Source: golang.org/x/mod/module, MatchPrefixPatterns.
func checkPatterns(value string) error {
	for pattern := range strings.SplitSeq(value, ",") {
		_, malformed := path.Match(pattern, "")
		switch {
		case pattern != strings.TrimSpace(pattern):
			return fmt.Errorf("there is a blank beside %q, which the go command takes for a part of it; write patterns with nothing but a comma between them", strings.TrimSpace(pattern))
		case strings.Contains(pattern, "://"):
			return fmt.Errorf("%q is a URL; a pattern is the beginning of a module path, such as git.example.com/team", pattern)
		case strings.HasSuffix(pattern, "/..."):
			return fmt.Errorf("%q would not match; leave out the dots: %q matches all modules below it, too", pattern, strings.TrimSuffix(pattern, "/..."))
		case malformed != nil:
			return fmt.Errorf("%q is not a pattern: a bracket is open, or a backslash at its end", pattern)
		}
	}
	return nil
}

// checkVCS follows cmd/go/internal/vcs/vcs.go, parseGOVCS.
func checkVCS(value string) error {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	seen := map[string]bool{}
	for rule := range strings.SplitSeq(value, ",") {
		rule = strings.TrimSpace(rule)
		pattern, list, ok := strings.Cut(rule, ":")
		pattern = strings.TrimSpace(pattern)
		switch {
		case !ok || pattern == "" || strings.TrimSpace(list) == "":
			return fmt.Errorf("%q is not a rule; write PATTERN:VCS|VCS, such as github.com:git or *:off", rule)
		case seen[pattern]:
			return fmt.Errorf("%q never counts: an earlier rule has the same pattern", rule)
		case strings.HasPrefix(pattern, "./") || strings.HasPrefix(pattern, "../") || pattern == "." || pattern == "..":
			return fmt.Errorf("%q is a relative path, not a pattern of module paths", pattern)
		}
		seen[pattern] = true
		if err := checkSystems(rule, list); err != nil {
			return err
		}
	}
	return nil
}

// systems are the kinds of version control that the go command knows.
var systems = []string{"all", "off", "git", "hg", "svn", "bzr", "fossil"}

func checkSystems(rule, list string) error {
	for system := range strings.SplitSeq(list, "|") {
		if system = strings.TrimSpace(system); !slices.Contains(systems, system) {
			return fmt.Errorf("%q: %q is no version control system; there are %s", rule, system, strings.Join(systems, ", "))
		}
	}
	return nil
}

// checkAuth follows cmd/go/internal/auth/auth.go, runGoAuth. That folder and commands
// exist is not checked: the profile may be for another machine.
func checkAuth(value string) error {
	commands := strings.Split(value, ";")
	for _, command := range commands {
		words := strings.Fields(command)
		switch {
		case len(words) == 0 && len(commands) == 1:
			return errEmpty
		case len(words) == 0:
			return errors.New("there is an empty command; write commands with one semicolon between them, such as netrc;weir auth")
		case words[0] == "off" && len(commands) > 1:
			return errors.New(`"off" stands alone or not at all`)
		case words[0] == "git" && (len(words) != 2 || !isAbsolute(words[1])):
			return errors.New(`"git" wants the absolute path of a folder, such as git /home/me/src`)
		}
	}
	return nil
}

// isAbsolute takes the paths of other systems for absolute, too.
func isAbsolute(name string) bool {
	return filepath.IsAbs(name) || path.IsAbs(name) || len(name) > 2 && name[1] == ':' && (name[2] == '\\' || name[2] == '/')
}

// checkToolchain follows cmd/go/internal/toolchain/select.go, Select.
func checkToolchain(value string) error {
	least, mode, hasMode := strings.Cut(value, "+")
	switch {
	case value == "":
		return errEmpty
	case value == "auto" || value == "path":
		return nil
	case least != "local" && !version.IsValid(least):
		return fmt.Errorf("%q is not a toolchain; write local, auto, path, or a version such as go1.26.1 or go1.26.1+auto", value)
	case hasMode && mode != "auto" && mode != "path":
		return fmt.Errorf("%q: nothing but +auto and +path may follow a version", value)
	}
	return nil
}

// checkFlags follows cmd/go/internal/base/goflags.go, InitGOFLAGS. Which flags there are,
// only the go command knows; it is asked before a profile is used.
func checkFlags(value string) error {
	words, err := goenv.Words(value)
	if err != nil {
		return err
	}
	for _, word := range words {
		name := strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")
		if !strings.HasPrefix(word, "-") || name == "" || name[0] == '-' || name[0] == '=' {
			return fmt.Errorf("%q is not a flag; write each as -name or -name=value", word)
		}
	}
	return nil
}
