package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/spelling"
)

// An Entry is one entry of a list of upstreams.
type Entry struct {
	Name            string // of Config.Upstreams or Config.Groups; empty if Text is no name
	Text            Secret // what stands there: the name, "off", "direct" or a URL
	FallBackOnError bool   // "|" follows: any error leads to the next entry, not only "not found"
}

// ParseUpstreams takes a list of upstreams, such as [Config.Upstream], apart as the go
// command does: entries are separated by commas and bars, blanks around them are
// trimmed, empty ones are skipped, and nothing after "off" or "direct" is looked at. In
// a list of a Config that Load made there is at least one entry, and all names exist.
//
// Source: cmd/go/internal/modfetch/proxy.go, proxyList.
func ParseUpstreams(list Secret) []Entry {
	var entries []Entry
	for rest := list.Reveal(); rest != ""; {
		var e Entry
		word := rest
		rest = ""
		if i := strings.IndexFunc(word, isListSeparator); i >= 0 {
			e.FallBackOnError = word[i] == '|'
			word, rest = word[:i], word[i+1:]
		}
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		e.Text = Secret(word)
		if isName(word) {
			e.Name = word
		}
		entries = append(entries, e)
		if word == "off" || word == "direct" {
			break
		}
	}
	return entries
}

func isListSeparator(r rune) bool { return r == ',' || r == '|' }

// reserved are names that mean something else, here or to the go command.
var reserved = []string{"direct", "off", "none", "noproxy"}

var nameSyntax = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// isName reports whether a text can be the name of an upstream or a group.
func isName(text string) bool {
	return nameSyntax.MatchString(text) && !slices.Contains(reserved, text)
}

// checkName says why a text cannot be the name of an upstream or a group.
func checkName(name string) string {
	switch {
	case isName(name):
		return ""
	case slices.Contains(reserved, name):
		return fmt.Sprintf("%q means something else in a list of upstreams; choose another name", name)
	default:
		return citeKey(name) + ` is no name; write small letters, digits and dashes, beginning with a letter, such as "company"`
	}
}

// checkExists says that a name is not one of an upstream or a group, and what to do.
func (c *Config) checkExists(name string) string {
	names := slices.AppendSeq(slices.Sorted(maps.Keys(c.Upstreams)), maps.Keys(c.Groups))
	if slices.Contains(names, name) {
		return ""
	}
	return "no upstream or group has this name; " + didYouMean(names, name, "add it to upstreams, or write a URL")
}

// didYouMean names the one of several names that is most alike, or else gives the advice.
func didYouMean(names []string, name, advice string) string {
	if name := spelling.Nearest(names, name); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return advice
}
