package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxFile = 1 << 20 // bytes
	maxFlow = 8       // brackets in brackets
	maxKeys = 1000
)

// A setting is a value that one of the sources of the configuration gives.
type setting struct {
	key    string
	text   string
	origin origin
}

// readFile reads a file of at most maxFile bytes.
func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxFile {
		return "", fmt.Errorf("%s is larger than %v; is it the right file?", name, Size(maxFile))
	}
	return string(data), nil
}

// A file is a configuration file while it is read.
type file struct {
	name     string
	lines    []string
	settings []setting
	problems []error
}

// parseFile reads the settings of a configuration file. It returns all problems
// that it finds, and what settings there are besides.
func parseFile(name, text string) (settings []setting, problems []error) {
	text = strings.TrimPrefix(text, "\ufeff")
	f := &file{name: name, lines: strings.Split(text, "\n")}
	// The YAML library has panicked on odd input before.
	defer func() {
		if recover() != nil {
			settings = nil
			problems = []error{fmt.Errorf("%s: the YAML library cannot read this file; write it in a simpler way", name)}
		}
	}()
	tokens := lexer.Tokenize(text)
	if f.checkTokens(tokens); len(f.problems) > 0 {
		return nil, f.problems
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []error{f.syntaxError(err)}
	}
	f.documents(tree)
	return f.settings, f.problems
}

// position is where a token stands.
func (f *file) position(t *token.Token) position {
	p := position{file: f.name, line: t.Position.Line, column: t.Position.Column}
	if p.line >= 1 && p.line <= len(f.lines) {
		p.text = strings.TrimSuffix(f.lines[p.line-1], "\r")
	}
	return p
}

func (f *file) problem(t *token.Token, format string, args ...any) {
	f.problems = append(f.problems, f.position(t).problem(format, args...))
}

// unsupported are the parts of YAML that a configuration has no use for.
var unsupported = map[token.Type]string{
	token.AnchorType:     "an anchor (&) is",
	token.AliasType:      "an alias (*) is",
	token.MergeKeyType:   "a merge key (<<) is",
	token.MappingKeyType: "a complex key (?) is",
	token.TagType:        "a tag (!) is",
	token.DirectiveType:  "a directive (%) is",
}

// checkTokens refuses what a configuration has no use for, and keys or nesting without
// end, for which the parser would need quadratic time or a stack without end.
func (f *file) checkTokens(tokens token.Tokens) {
	flow, keys := 0, 0
	for _, t := range tokens {
		if what, ok := unsupported[t.Type]; ok {
			f.problem(t, "%s not possible here; put a text that begins so in quotes", what)
			return
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.MappingValueType:
			keys++
		}
		switch {
		case flow > maxFlow, isListInList(t):
			f.problem(t, "lists and sections do not go so deep; put a text that begins so in quotes")
			return
		case keys > maxKeys:
			f.problem(t, "a configuration has not so many keys; is it the right file?")
			return
		}
	}
}

// isListInList reports whether a token is the second dash of "- -".
func isListInList(t *token.Token) bool {
	return t.Type == token.SequenceEntryType && t.Prev != nil && t.Prev.Type == token.SequenceEntryType && t.Prev.Position.Line == t.Position.Line
}

// syntaxError says where the library found no YAML.
func (f *file) syntaxError(err error) error {
	var located yaml.Error
	if !errors.As(err, &located) || located.GetToken() == nil {
		return fmt.Errorf("%s is not YAML", f.name)
	}
	return f.position(located.GetToken()).problem("not YAML: %s", redact(located.GetMessage()))
}

func (f *file) documents(tree *ast.File) {
	var bodies []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
	case len(bodies) > 1:
		f.problem(bodies[1].GetToken(), "a second document; a configuration file holds one")
	default:
		f.section("", bodies[0])
	}
}

// section reads the keys of a section; that of the whole file has no name.
func (f *file) section(name string, n ast.Node) {
	var entries []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.NullNode: // a section whose keys are all commented out
		return
	default:
		f.problem(n.GetToken(), "%swrite keys with values here, such as %q", labelled(name), known(name)[0]+": …")
		return
	}
	first := map[string]int{}
	for _, e := range entries {
		t := e.Key.GetToken()
		if line, ok := first[t.Value]; ok {
			f.problem(t, "%q is already in line %d; keep one of them", t.Value, line)
			continue
		}
		if f.entry(name, t, e.Value) {
			first[t.Value] = t.Position.Line
		}
	}
}

// labelled is the beginning of a message about a key, or nothing for the file.
func labelled(key string) string {
	if key == "" {
		return ""
	}
	return key + ": "
}

// entry reads one key of a section, and reports whether it is known.
func (f *file) entry(section string, t *token.Token, value ast.Node) bool {
	key := t.Value
	if section != "" {
		key = section + "." + t.Value
	}
	if slices.Contains(sections, key) {
		f.section(key, value)
		return true
	}
	l, ok := leafOf(key)
	if !ok || strings.Contains(t.Value, ".") {
		f.problem(t, "unknown key %s; %s", quote(t.Value), suggestion(section, t.Value))
		return false
	}
	f.leaf(l, value)
	return true
}

func (f *file) leaf(l leaf, value ast.Node) {
	at := f.position(value.GetToken())
	o := origin{label: fmt.Sprintf("%s:%d", f.name, at.line), at: at}
	list, isList := value.(*ast.SequenceNode)
	if !isList {
		if text, ok := f.scalar(l, value); ok {
			if l.isSecret() {
				o.at = at.hide(text)
			}
			f.settings = append(f.settings, setting{l.key, text, o})
		}
		return
	}
	if _, ok := l.value(new(Config)).(Patterns); !ok {
		f.problem(value.GetToken(), "%s: one value is wanted here, not a list", l.key)
		return
	}
	var items []string
	for _, n := range list.Values {
		text, ok := f.scalar(l, n)
		if !ok {
			return
		}
		items, o.items = append(items, text), append(o.items, f.position(n.GetToken()))
	}
	f.settings = append(f.settings, setting{l.key, strings.Join(items, ","), o})
}

// scalar is the text of a single value, as it is written.
func (f *file) scalar(l leaf, n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		f.problem(n.GetToken(), "%s: the value is missing; remove the key to have the default", l.key)
	default:
		f.problem(n.GetToken(), "%s: one value is wanted here, not a list or a section", l.key)
	}
	return "", false
}

// known are the keys of a section, without its name.
func known(section string) []string {
	var keys []string
	for _, key := range slices.Concat(allKeys(), sections) {
		parent, name := "", key
		if i := strings.LastIndex(key, "."); i >= 0 {
			parent, name = key[:i], key[i+1:]
		}
		if parent == section {
			keys = append(keys, name)
		}
	}
	return keys
}

func allKeys() []string {
	keys := make([]string, len(leaves))
	for i, l := range leaves {
		keys[i] = l.key
	}
	return keys
}

// suggestion says what an unknown key may have been meant to be: one of the section
// that is spelt alike, or one of another section.
func suggestion(section, name string) string {
	name = string([]rune(name)[:min(len([]rune(name)), 80)])
	keys := known(section)
	nearest := slices.MinFunc(keys, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	if distance(name, nearest) <= max(1, len(nearest)/3) {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	for _, key := range slices.Concat(allKeys(), sections) {
		if key == name || strings.HasSuffix(key, "."+name) {
			return fmt.Sprintf("did you mean %q, which belongs elsewhere?", key)
		}
	}
	return "the keys here are " + strings.Join(keys, ", ")
}

// distance counts the letters to insert, remove or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
