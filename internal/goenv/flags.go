package goenv

import (
	"fmt"
	"strconv"
	"strings"
)

// Words are the words of a value such as that of GOFLAGS: blanks set them apart, but for
// those between quotes that a word begins with.
//
// Source: cmd/internal/quoted, Split.
func Words(value string) ([]string, error) {
	const blanks = " \t\r\n"
	var words []string
	for value = strings.TrimLeft(value, blanks); value != ""; value = strings.TrimLeft(value, blanks) {
		end, next := strings.IndexAny(value, blanks), 0
		if quote := value[0]; quote == '"' || quote == '\'' {
			value, next = value[1:], 1
			if end = strings.IndexByte(value, quote); end < 0 {
				return nil, fmt.Errorf("a quote %c is not closed", quote)
			}
		}
		if end < 0 {
			end = len(value)
		}
		words, value = append(words, value[:end]), value[end+next:]
	}
	return words, nil
}

// Joined is the value that has some words: what Words makes of another value.
//
// Source: cmd/internal/quoted, Join.
func Joined(words []string) string {
	all := make([]string, len(words))
	for i, word := range words {
		quote := ""
		if word == "" || strings.ContainsAny(word, " \t\r\n") || strings.ContainsAny(word[:1], `"'`) {
			quote = "'"
			if strings.Contains(word, quote) { // so that it came between others
				quote = `"`
			}
		}
		all[i] = quote + word + quote
	}
	return strings.Join(all, " ")
}

// Flag is the value that GOFLAGS has for a flag, the last one, and reports whether it has
// the flag at all.
//
// Source: cmd/go/internal/base/goflags.go, SetFromGOFLAGS.
func (e *Env) Flag(name string) (value string, ok bool) {
	words, _ := Words(e.Value("GOFLAGS")) // what is malformed has the go command refuse all work
	for _, word := range words {
		flag, its, _ := strings.Cut(word, "=")
		if flag == "-"+name || flag == "--"+name {
			value, ok = its, true
		}
	}
	return value, ok
}

// Switch reports whether GOFLAGS turns a flag on that is on or off.
func (e *Env) Switch(name string) bool {
	value, ok := e.Flag(name)
	on, err := strconv.ParseBool(value)
	return ok && (value == "" || on && err == nil)
}
