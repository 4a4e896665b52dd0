package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A position is a place in the configuration file. Line and column begin at 1; there is
// no position if line is 0.
type position struct {
	in           *file
	line, column int
	secret       string // the value that stands there, redacted, if it may be secret
}

func (p position) String() string { return fmt.Sprintf("%s:%d:%d", p.in.name, p.line, p.column) }

// hide returns the position of a value that may be secret and may go on in further
// lines: the excerpt shows it redacted.
func (p position) hide(value string) position {
	p.secret = redact(value)
	return p
}

// problem is an error that shows where in the file it is.
func (p position) problem(format string, args ...any) error {
	return errors.New(printable(p.String()+": "+fmt.Sprintf(format, args...)) + p.excerpt())
}

// excerpt is the line with a caret below the column, each on a line of its own. If
// what stands there is hidden, the caret is where that begins.
func (p position) excerpt() string {
	const most = 160
	if p.line < 1 || p.line > len(p.in.lines) {
		return ""
	}
	line, column := p.shown()
	if column < 0 || column > most {
		return ""
	}
	blank := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(line[:column]))
	number := fmt.Sprintf("%5d", p.line)
	text := printable(string(line[:min(len(line), most)]))
	return fmt.Sprintf("\n%s | %s\n%s | %s^", number, text, strings.Repeat(" ", len(number)), blank)
}

// shown is the line without secrets, and the column of the caret counted from 0.
func (p position) shown() (line []rune, column int) {
	text, visible := []rune(p.in.line(p.line-1)), []rune(p.in.visible(p.line-1))
	column = p.column - 1
	if p.secret != "" && column >= 0 && column <= len(text) && slices.Equal(text, visible) {
		return append(text[:column:column], []rune(p.secret)...), column
	}
	line = []rune(redactLine(string(visible)))
	if !slices.Equal(text, line) {
		column = min(column, firstDifference(text, line))
	}
	return line, min(column, len(line))
}

// redactLine hides what may be a secret in a line of the file: all from the first
// URL on, or else from the first value on, up to the last @.
func redactLine(line string) string {
	end := strings.LastIndex(line, "@")
	if end < 0 {
		return line
	}
	start := 0
	for _, mark := range []string{"://", ": ", "- "} {
		if i := strings.Index(line[:end], mark); i >= 0 {
			start = i + len(mark)
			break
		}
	}
	return line[:start] + redacted + line[end:]
}

func firstDifference(a, b []rune) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// printable replaces what a terminal would not take for text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// An origin is where a value comes from.
type origin struct {
	label string     // for people, such as WEIR_LISTEN or weir.yaml:12
	at    position   // if it comes from the file
	items []position // if it is a list there
}

// problem is an error of the value of a key; item is the number of the wrong entry
// of a list, counted from 0, or -1.
func (o origin) problem(key string, item int, format string, args ...any) error {
	at := o.at
	if item >= 0 && item < len(o.items) {
		at = o.items[item]
	}
	text := key + ": " + fmt.Sprintf(format, args...)
	switch {
	case at.line > 0:
		return at.problem("%s", text)
	case o.label != "":
		text = fmt.Sprintf("%s (%s): %s", key, o.label, fmt.Sprintf(format, args...))
	}
	return errors.New(printable(text))
}
