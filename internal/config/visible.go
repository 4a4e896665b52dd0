package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/spelling"
)

// visible is a line of the file as a message may show it, however broken the file is:
// a value is shown only where the indentation puts it below a key that holds nothing
// like a password. So the value of a key that is like no other is hidden, and all in
// braces that there is such a key in.
func (f *file) visible(n int) string {
	if f.layouts == nil {
		f.layouts = layoutsOf(f.lines)
	}
	l := f.layouts[n]
	switch {
	case !l.inBraces && (l.value == "" || canShow(pattern(f.layouts[:n+1]), l)):
		return f.line(n)
	case l.key == "" || l.inBraces:
		return l.start + redacted
	default:
		return strings.TrimSuffix(f.line(n), l.value) + redacted
	}
}

// A layout is what a line of the file looks like, as far as one can tell without YAML.
type layout struct {
	start    string // all before the key, or before the value where there is no key
	dash     int    // column of a dash that begins an entry of a list, or -1
	key      string // empty if there is none
	value    string // what follows
	inBraces bool   // whether the line begins within braces
}

// indent is the column of the key.
func (l layout) indent() int { return len(l.start) }

var lineSyntax = regexp.MustCompile(`^(( *)(?:-(?: +|$))?)(?:["']?([^\s"'#:{}\[\],-][^\s"':{}\[\],]*)["']? *:(?:\s+|$))?(.*)$`)

func layoutsOf(lines []string) []layout {
	layouts := make([]layout, len(lines))
	braces := 0
	for i, text := range lines {
		m := lineSyntax.FindStringSubmatch(strings.TrimSuffix(text, "\r"))
		if m == nil { // not possible
			continue
		}
		layouts[i] = layout{start: m[1], dash: -1, key: m[3], value: m[4], inBraces: braces > 0}
		if m[1] != m[2] {
			layouts[i].dash = len(m[2])
		}
		braces = max(braces+strings.Count(text, "{")-strings.Count(text, "}"), 0)
	}
	return layouts
}

// pattern is the key, with NAME and [] in it, that the last of several lines is of.
func pattern(lines []layout) string {
	last := lines[len(lines)-1]
	path := []string{last.key}                // from the last part to the first
	key, dash := last.indent(), last.indent() // columns that those of the parent are less than
	if last.dash >= 0 {
		path, key, dash = append(path, "[]"), last.dash+1, last.dash
	}
	for _, l := range slices.Backward(lines[:len(lines)-1]) {
		if l.key != "" && l.indent() < key {
			path, key, dash = append(path, l.key), l.indent(), l.indent()
		}
		if l.dash >= 0 && l.dash < dash {
			path, key, dash = append(path, "[]"), l.dash+1, l.dash
		}
	}
	slices.Reverse(path)
	return patternOf(path)
}

// patternOf joins the parts of a key and replaces the name of an entry by NAME.
func patternOf(path []string) string {
	whole := ""
	for _, part := range path {
		switch c, ok := collectionOf(whole); {
		case part == "[]":
			whole += part
		case ok && !c.isList():
			whole = c.entry
		default:
			whole = join(whole, part)
		}
	}
	return whole
}

// canShow reports whether the value on a line can be shown. One in braces can if all
// keys in it are of what can.
func canShow(pattern string, l layout) bool {
	of, suffix, ok := leafAt(strings.TrimSuffix(pattern, "[]"))
	if !ok {
		of, ok = leafLike(pattern)
	}
	switch {
	case ok:
		return (suffix == fileSuffix || !of.isHidden()) && canShowAll(l.value)
	case l.key == "":
		return false
	case slices.Contains(sections, pattern):
		return canShowAll(l.value)
	default:
		_, isCollection := collectionOf(pattern)
		isEntry := slices.ContainsFunc(collections, func(c collection) bool { return c.entry == pattern })
		return (isCollection || isEntry) && strings.HasPrefix(l.value, "{") && canShowAll(l.value)
	}
}

// leafLike is the leaf that a key which is misspelt is meant to be.
func leafLike(pattern string) (leaf, bool) {
	section, name := split(pattern)
	alike := spelling.Nearest(known(section), name)
	if alike == "" {
		return leaf{}, false
	}
	return leafOf(join(section, alike))
}

// What may be keys in a value: outside of braces only what a blank follows.
var (
	innerKey = regexp.MustCompile(`([^\s"',{}\[\]:]+)["']?\s*:(?:$|[\s"'{\[])`)
	braceKey = regexp.MustCompile(`([^\s"',{}\[\]:]+)["']?\s*:(?:$|[^/])`)
)

// canShowAll reports whether all keys in a value are of what can be shown. In braces, a
// key may lack its colon.
func canShowAll(value string) bool {
	keys := innerKey
	if strings.Contains(value, "{") {
		keys = braceKey
		if slices.ContainsFunc(allLeaves, func(l leaf) bool { return l.isHidden() && strings.Contains(value, l.name()) }) {
			return false
		}
	}
	for _, m := range keys.FindAllStringSubmatch(value, -1) {
		if !slices.ContainsFunc(allKeys, func(key string) bool { return isShownKey(key, m[1]) }) {
			return false
		}
	}
	return true
}

// isShownKey reports whether a key has that name and its value may be shown.
func isShownKey(key, name string) bool {
	_, last := split(key)
	l, ok := leafOf(key)
	return last == name && !(ok && l.isHidden())
}

var wordSyntax = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// citeKey quotes a key of the file, unless a value may have got into it, as when its
// colon is missing.
func citeKey(key string) string {
	if wordSyntax.MatchString(key) {
		return quote(key)
	}
	return "what stands here"
}
