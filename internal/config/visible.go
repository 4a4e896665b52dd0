package config

import (
	"regexp"
	"slices"
	"strings"
)

// visible is a line of the file as a message may show it, however broken the file is:
// a value is shown only where the indentation puts it below a key that holds nothing
// like a password. So the value of a key that is misspelt is hidden, and all in braces
// that there is such a key in.
func (f *file) visible(n int) string {
	if f.layouts == nil {
		f.layouts = layoutsOf(f.lines)
	}
	l := f.layouts[n]
	switch {
	case !l.inBraces && (l.value == "" || canShow(pattern(f.layouts[:n+1]), l.value)):
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
		braces += strings.Count(text, "{") - strings.Count(text, "}")
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

// canShow reports whether a value of the file can be shown. If it has keys itself, they
// must be ones whose values can.
func canShow(pattern, value string) bool {
	if pattern == "" {
		return strings.HasPrefix(value, "{") && canShowAll(value)
	}
	l, inFile, ok := leafOrFile(strings.TrimSuffix(pattern, "[]"))
	if ok && l.isCredential() && !inFile {
		return false
	}
	isEntry := slices.ContainsFunc(collections, func(c collection) bool { return c.entry == pattern })
	return (ok || isEntry || slices.Contains(allKeys, pattern)) && canShowAll(value)
}

var innerKey = regexp.MustCompile(`([^\s"',{}\[\]:]+)["']?\s*:(?:$|[\s"'{\[])`)

// canShowAll reports whether all keys in a value in braces are of what can be shown.
func canShowAll(value string) bool {
	for _, m := range innerKey.FindAllStringSubmatch(value, -1) {
		if !slices.ContainsFunc(allKeys, func(key string) bool { return strings.HasSuffix("."+key, "."+m[1]) }) || isCredentialName(m[1]) {
			return false
		}
	}
	return true
}

// isCredentialName reports whether a leaf of that name, of whatever section, is one
// that nothing may be shown of.
func isCredentialName(name string) bool {
	return slices.ContainsFunc(allLeaves, func(l leaf) bool { return l.name() == name && l.isCredential() })
}
