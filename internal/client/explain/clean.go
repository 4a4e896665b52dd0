package explain

import (
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLine bounds a line, in bytes. The longest that the go command prints hold two paths
// and a URL.
const maxLine = 8 << 10

// A line is one line of the text without what terminals and CI services have added.
type line struct {
	number int // in the text as it came, from 1
	width  int // in columns, as it came
	text   string
}

// lines are the lines of a text.
func lines(text string) []line {
	text = escapes.ReplaceAllString(decode(text), "")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var all []line
	number := 0
	for raw := range strings.SplitSeq(text, "\n") {
		number++
		// What stands before a lone carriage return was overwritten on the screen, but it
		// was a line.
		for part := range strings.SplitSeq(raw, "\r") {
			if len(part) > maxLine {
				part = part[:maxLine]
			}
			part = printable(part)
			all = append(all, line{number, width(part), redact(unprefixed(part))})
		}
	}
	return dedented(all)
}

// minFolded is how wide a terminal is at the least, in columns.
const minFolded = 60

// unfolded puts lines together that a terminal has broken: all such pieces but the last
// are as wide as it, so that no line is wider. What begins as a message does is no piece.
func unfolded(all []line) []line {
	widest := minFolded
	for _, l := range all {
		widest = max(widest, l.width)
	}
	var kept []line
	for i, l := range all {
		if i > 0 && all[i-1].width == widest && l.mayGoOn() && len(kept[len(kept)-1].text) < maxLine {
			kept[len(kept)-1].text = redact(kept[len(kept)-1].text + l.text)
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

// mayGoOn reports whether a line may be the rest of the one before it.
func (l line) mayGoOn() bool {
	return l.text != "" && l.text[0] != '\t' && !newBlock(0, l.text).complains() && !chatter.MatchString(l.text)
}

// width is how many columns a terminal has for a text.
func width(text string) int {
	n := 0
	for _, r := range text {
		if n++; r == '\t' {
			n = (n + 7) / 8 * 8
		}
	}
	return n
}

// decode makes UTF-8 of a text. Windows PowerShell writes files in UTF-16.
func decode(text string) string {
	if rest, ok := strings.CutPrefix(text, "\xff\xfe"); ok {
		units := make([]uint16, len(rest)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16([]byte(rest[2*i : 2*i+2]))
		}
		return string(utf16.Decode(units))
	}
	return strings.TrimPrefix(text, "\ufeff")
}

// escapes are the sequences that colour text and move the cursor.
//
// Source: ECMA-48, sections 5.3 to 5.6.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]`)

// printable is a text without what cannot be seen, but for tabs.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case r == utf8.RuneError, !unicode.IsGraphic(r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
}

// prefixes are what CI services, container engines and people put before a line.
var prefixes = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`#\d+ (?:\d+\.\d+ )?`, // BuildKit
	` ?\d+\.\d{1,3} `,     // BuildKit, where it repeats what has failed
	`\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? ?(?:\d\d[OE][ +])?`, // GitHub, Jenkins, GitLab, Kubernetes
	`\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]? {0,2}`,                                                      // make and Jenkins
	`##\[\w+\]`,                                                                                   // GitHub and Azure
	`::(?:error|warning)[^:]*::`,
	`[a-z0-9][a-z0-9_.-]* +\| `, // Docker Compose
	`>+ `,                       // mail and Markdown
	`go(?:\.exe)? : `,           // PowerShell
}, "|") + `)`)

// maxPrefixes is how many prefixes a line may have, one inside the other.
const maxPrefixes = 4

func unprefixed(text string) string {
	for range maxPrefixes {
		found := prefixes.FindString(text)
		if found == "" {
			break
		}
		text = text[len(found):]
	}
	return text
}

// dedented are lines without the blanks that all of them begin with.
func dedented(all []line) []line {
	indent := -1
	for _, l := range all {
		if trimmed := strings.TrimLeft(l.text, " "); trimmed != "" {
			if n := len(l.text) - len(trimmed); indent < 0 || n < indent {
				indent = n
			}
		}
	}
	if indent <= 0 {
		return all
	}
	for i := range all {
		all[i].text = all[i].text[min(indent, len(all[i].text)):]
	}
	return all
}

// userinfo is what stands before the host of a URL: a secret, unless it is the usual name
// of the user of a repository.
var userinfo = regexp.MustCompile(`(\w://)([^\s/@"']*(?:@[^\s/@"']*)*)@`)

// hidden stands for a secret, as the go command writes it.
const hidden = "xxxxx"

// redact takes passwords out of URLs.
func redact(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return userinfo.ReplaceAllStringFunc(text, func(found string) string {
		m := userinfo.FindStringSubmatch(found)
		if m[2] == "git" || m[2] == "hg" {
			return found
		}
		return m[1] + hidden + "@"
	})
}
