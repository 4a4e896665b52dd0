package explain

import (
	"regexp"
	"strings"
)

// A pattern is how one message is recognised. It is written as the go command prints it,
// with these marks:
//
//	{name}        a value, such as {module} or {version}
//	{name:kind}   a value that looks like something else than its name says
//	{404}         a status, with the phrase of whatever server behind it, or with none
//	...           anything
//
// A blank stands for any white space, so that messages may be broken into lines there.
// Unless it speaks of the "server response:", a pattern is about the words of the go
// command itself and is not looked for in those of a server.
type pattern struct {
	anchor   string // a part that a text must contain
	ofServer bool
	re       *regexp.Regexp
	names    []string // of the groups of re, from the first
}

// kinds are the looks of values; word is that of all others.
var kinds = map[string]string{
	"word":      `[^\s"]+`,
	"module":    `[^\s@:;,"'()]+`,
	"version":   `[^\s:;,"'()/]+(?:/go\.mod)?`,
	"query":     `[^\s:;,"']+`,
	"package":   `[^\s:;,"'()]+`,
	"url":       `[^\s"']+`,
	"host":      `[^\s"'/:]+`,
	"port":      `\d+`,
	"addr":      `[0-9A-Za-z_.-]+:\d+|\[[0-9A-Fa-f:.%]+\]:\d+`,
	"resolver":  `(?:127\.0\.0\.\d+|\[::1\]):\d+`,
	"file":      `[^\n]+?`,
	"dir":       `[^\n]+?`,
	"line":      `\d+`,
	"number":    `\d+`,
	"text":      `[^\n]+`,
	"helper":    `[^\n:]+`,
	"path":      `(?:/|[A-Za-z]:\\|\$WORK)[^\n:]*`,
	"system":    `\b(?:git|hg|svn|fossil|bzr)`,
	"status":    `[1-5]\d\d[^\n]*`,
	"trouble":   `(?:404|410|5\d\d)[^\n]*`,
	"hash":      `h1:\S+`,
	"toolchain": `go\d[^\s:"]*`,
	"goversion": `\d[0-9A-Za-z.+-]*`,
	"variable":  `\w+`,

	// URLs of one kind.
	"list":      `[^\s"]+/@v/list`,
	"zip":       `[^\s"]+\.zip`,
	"fileurl":   `file://[^\n]*?`,
	"plainurl":  `http://[^\s"]+`,
	"latest":    `[^\s"]+/@latest`,
	"flags":     `[^'"\n]*`,
	"goget":     `[^\s"]+\?go-get=1`,
	"lookup":    `[^\s"]+/lookup/[^\s"]+`,
	"tile":      `[^\s"]+/(?:tile/[^\s"]+|latest)`,
	"supported": `[^\s"]+/supported`,
	"sumdb":     `[^\s"]+/sumdb/[^\s"]+`,
}

// mark finds what is not literal in a pattern.
var mark = regexp.MustCompile(`\{(\w+)(?::(\w+))?\}|\.\.\.|\s+`)

// isStatus matches the name of a mark that stands for a status.
var isStatus = regexp.MustCompile(`^\d{3}$`)

// compile makes a pattern of how it is written.
func compile(written string) pattern {
	p := pattern{ofServer: strings.Contains(written, serverResponse)}
	var re strings.Builder
	literal := func(text string) {
		if len(text) > len(p.anchor) {
			p.anchor = text
		}
		re.WriteString(regexp.QuoteMeta(text))
	}
	at := 0
	for _, m := range mark.FindAllStringSubmatchIndex(written, -1) {
		literal(written[at:m[0]])
		at = m[1]
		switch {
		case m[2] >= 0:
			p.addValue(&re, group(written, m, 1), group(written, m, 2))
		case written[m[0]] == '.':
			re.WriteString(`(?s:.*?)`)
		default:
			re.WriteString(`\s+`)
		}
	}
	literal(written[at:])
	p.re = regexp.MustCompile(re.String())
	return p
}

func (p *pattern) addValue(re *strings.Builder, name, kind string) {
	if isStatus.MatchString(name) {
		re.WriteString(name + `\b[^\n]*`)
		return
	}
	if kind == "" {
		kind = name
	}
	look, ok := kinds[kind]
	if !ok {
		look = kinds["word"]
	}
	re.WriteString("(" + look + ")")
	p.names = append(p.names, name)
}

// group is the text of a group of a match, empty if it has no part in it.
func group(text string, m []int, n int) string {
	if m[2*n] < 0 {
		return ""
	}
	return text[m[2*n]:m[2*n+1]]
}

// find returns the values of the message in a text, and whether it is there.
func (p pattern) find(text string) (map[string]string, bool) {
	if !strings.Contains(text, p.anchor) {
		return nil, false
	}
	m := p.re.FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	values := map[string]string{}
	for i, name := range p.names {
		if _, twice := values[name]; !twice {
			values[name] = strings.TrimRight(m[i+1], ":;,")
		}
	}
	return values, true
}

// recognise finds the message that a block is.
func recognise(b block) (m *Message, values map[string]string) {
	messages := Messages()
	for i := range messages {
		for _, p := range messages[i].patterns {
			text := b.own
			if p.ofServer {
				text = b.whole
			}
			if values, ok := p.find(text); ok {
				return &messages[i], values
			}
		}
	}
	return nil, nil
}
