package term

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Width is how many columns a text takes: two for wide characters of East Asia, none
// for marks that combine and for what cannot be seen.
//
// Source: Unicode Standard Annex #11.
func Width(text string) int {
	columns := 0
	for _, r := range text {
		columns += runeWidth(r)
	}
	return columns
}

func runeWidth(r rune) int {
	if r < utf8.RuneSelf {
		if r < ' ' || r == 0x7f {
			return 0
		}
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Cc) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Cut is the beginning of a text that takes at most so many columns. What was left out
// is shown by an ellipsis.
func Cut(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	used := 0
	for i, r := range text {
		if used += runeWidth(r); used > columns-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// Wrap breaks a text into lines of at most so many columns: at blanks, within words
// that are longer than a line, and anywhere between wide characters. Lines of the text
// stay lines.
func Wrap(text string, columns int) []string {
	columns = max(columns, 2)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrapLine(line, columns)...)
	}
	return lines
}

func wrapLine(line string, columns int) []string {
	var lines []string
	for Width(line) > columns {
		end := breakAt(line, columns)
		lines = append(lines, strings.TrimRight(line[:end], " "))
		line = strings.TrimLeft(line[end:], " ")
	}
	return append(lines, line)
}

// breakAt is where a line that is too long is best broken.
func breakAt(line string, columns int) int {
	used, best, previous := 0, 0, rune(0)
	for i, r := range line {
		if i > 0 && (previous == ' ' && r != ' ' || runeWidth(previous) == 2 && !isClosing(r)) {
			best = i
		}
		if used += runeWidth(r); used > columns && r != ' ' {
			if best > 0 {
				return best
			}
			return i
		}
		previous = r
	}
	return len(line)
}

// isClosing reports whether a character must not begin a line.
func isClosing(r rune) bool {
	return strings.ContainsRune("，。；：！？、）」』】》”’", r)
}
