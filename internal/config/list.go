package config

import (
	"regexp"
	"slices"
	"strings"
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
