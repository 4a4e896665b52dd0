package config

import (
	"errors"
	"fmt"
	"io"
	"net/textproto"
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
	maxKeys = 5000
)

// A setting is a value that one of the sources of the configuration gives.
type setting struct {
	leaf   leaf
	key    string // of the leaf, with the name of the entry, and of the text in a map
	item   string // name of the text, if the leaf is a map of texts
	text   string
	at     place // where the text stands, if it is not given itself
	origin origin
}

// newSetting is a setting of a key that stands in no entry of a collection.
func newSetting(key, text, label string) setting {
	l, _ := leafOf(key)
	return setting{leaf: l, key: key, text: text, origin: origin{label: label}}
}

// A block is what the file says of one entry of a collection. All that belongs to no
// entry is in a block as well, whose keys are empty.
type block struct {
	of       collection
	pattern  string // the key with NAME or [] in it: upstreams.NAME
	key      string // upstreams.company
	name     string // company
	origin   origin
	settings []setting
}

// at are the pattern and the key of something in the block.
func (b *block) at(section, name string) (pattern, key string) {
	within := join(section, name)
	return join(b.pattern, within), join(b.key, within)
}

func join(section, name string) string {
	if section == "" || name == "" {
		return section + name
	}
	return section + "." + name
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

// A file is a configuration file that is read: what it says, and all problems found.
type file struct {
	name     string
	lines    []string
	layouts  []layout // of the lines, once they are asked for
	settings []setting
	blocks   []*block
	problems []error
}

// parseFile reads a configuration file. With problems there are the settings that have
// none.
func parseFile(name, text string) (f *file) {
	text = strings.TrimPrefix(text, "\ufeff")
	f = &file{name: name, lines: strings.Split(text, "\n")}
	// The YAML library has panicked on odd input before.
	defer func() {
		if recover() != nil {
			f = &file{problems: []error{fmt.Errorf("%s: the YAML library cannot read this file; write it in a simpler way", name)}}
		}
	}()
	tokens := lexer.Tokenize(text)
	if f.checkTokens(tokens); len(f.problems) > 0 {
		return f
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f.problems = append(f.problems, f.syntaxError(err))
		return f
	}
	f.documents(tree)
	return f
}

// position is where a token stands.
func (f *file) position(t *token.Token) position {
	return position{in: f, line: t.Position.Line, column: t.Position.Column}
}

// line is a line of the file, counted from 0.
func (f *file) line(n int) string { return strings.TrimSuffix(f.lines[n], "\r") }

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
	// What follows a mark may be a piece of the file.
	text, _, _ := strings.Cut(located.GetMessage(), ": ")
	text, _, _ = strings.Cut(text, `"`)
	return f.position(located.GetToken()).problem("not YAML: %s", text)
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
		root := new(block)
		f.section(root, "", bodies[0])
		f.settings = root.settings
	}
}

// pairs are the keys of a mapping with their values, each key once.
func (f *file) pairs(key, example string, n ast.Node) []*ast.MappingValueNode {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode: // a section whose keys are all commented out
	default:
		f.problem(n.GetToken(), "%swrite keys with values here, such as %q", labelled(key), example+": …")
	}
	first := map[string]int{}
	return slices.DeleteFunc(slices.Clone(pairs), func(p *ast.MappingValueNode) bool {
		t := p.Key.GetToken()
		line, ok := first[t.Value]
		if ok {
			f.problem(t, "%s is already in line %d; keep one of them", citeKey(t.Value), line)
			return true
		}
		first[t.Value] = t.Position.Line
		return false
	})
}

// labelled is the beginning of a message about a key, or nothing for the file.
func labelled(key string) string {
	if key == "" {
		return ""
	}
	return key + ": "
}

// section reads the keys of a section; that of a whole block has no name.
func (f *file) section(b *block, name string, n ast.Node) {
	pattern, key := b.at(name, "")
	for _, p := range f.pairs(key, known(pattern)[0], n) {
		f.entry(b, name, p.Key.GetToken(), p.Value)
	}
}

// entry reads one key of a section.
func (f *file) entry(b *block, section string, t *token.Token, value ast.Node) {
	pattern, key := b.at(section, t.Value)
	if slices.Contains(sections, pattern) {
		f.section(b, join(section, t.Value), value)
		return
	}
	if c, ok := collectionOf(pattern); ok {
		f.collection(c, value)
		return
	}
	l, suffix, ok := leafAt(pattern)
	switch {
	case !ok || strings.Contains(t.Value, "."):
		f.unknown(b, section, t)
	case l.isMap():
		f.texts(b, l, key, suffix, value)
	case suffix != "":
		if text, ok := f.scalar(key, value); ok {
			f.add(b, setting{leaf: l, key: strings.TrimSuffix(key, suffix), at: place{suffix, text}, origin: f.origin(value.GetToken())})
		}
	default:
		f.leaf(b, l, key, value)
	}
}

// unknown tells of a key that does not exist. It cites only one that is like another,
// since a value may have got into its place.
func (f *file) unknown(b *block, section string, t *token.Token) {
	pattern, _ := b.at(section, "")
	if meant := suggestion(pattern, t.Value); meant != "" {
		f.problem(t, "unknown key %q; did you mean %s?", t.Value, meant)
		return
	}
	f.problem(t, "unknown key; the keys here are %s", strings.Join(known(pattern), ", "))
}

// collection reads the entries of a collection.
func (f *file) collection(c collection, n ast.Node) {
	if c.isList() {
		f.list(c, n)
		return
	}
	for _, p := range f.pairs(c.key, "company", n) {
		t := p.Key.GetToken()
		if text := checkName(t.Value); text != "" {
			f.problem(t, "%s: %s", c.key, text)
			continue
		}
		f.block(&block{of: c, pattern: c.entry, key: join(c.key, t.Value), name: t.Value, origin: f.origin(t)}, p.Value)
	}
}

func (f *file) list(c collection, n ast.Node) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		if n.Type() != ast.NullType {
			f.problem(firstToken(n), "%s: a list is wanted here; begin each entry with %q", c.key, "- ")
		}
		return
	}
	for i, item := range list.Values {
		f.block(&block{of: c, pattern: c.entry, key: fmt.Sprintf("%s[%d]", c.key, i), origin: f.origin(firstToken(item))}, item)
	}
}

func (f *file) block(b *block, n ast.Node) {
	f.blocks = append(f.blocks, b)
	f.section(b, "", n)
}

// firstToken is where a value begins: for keys without braces that is the first key.
func firstToken(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

// origin is that of a value that begins with a token.
func (f *file) origin(t *token.Token) origin {
	at := f.position(t)
	return origin{label: fmt.Sprintf("%s:%d", f.name, at.line), at: at}
}

// add adds a setting to a block, unless it has the same already: given itself as well
// as in a file.
func (f *file) add(b *block, s setting) {
	if text := checkReference(s); text != "" {
		f.problems = append(f.problems, s.origin.problem(s.key, -1, "%s", text))
		return
	}
	i := slices.IndexFunc(b.settings, func(other setting) bool { return other.key == s.key })
	if i >= 0 {
		f.problems = append(f.problems, s.origin.problem(s.key, -1, "already in line %d; keep one of them", b.settings[i].origin.at.line))
		return
	}
	b.settings = append(b.settings, s)
}

func (f *file) leaf(b *block, l leaf, key string, value ast.Node) {
	list, isList := value.(*ast.SequenceNode)
	if !isList {
		if text, ok := f.scalar(key, value); ok {
			o := f.origin(value.GetToken())
			if l.isSecret() && !l.isCredential() {
				o.at = o.at.hide(text)
			}
			f.add(b, setting{leaf: l, key: key, text: text, origin: o})
		}
		return
	}
	o := f.origin(value.GetToken())
	if !l.isList() {
		f.problem(value.GetToken(), "%s: one value is wanted here, not a list", key)
		return
	}
	var items []string
	for _, n := range list.Values {
		text, ok := f.scalar(key, n)
		if !ok {
			return
		}
		items, o.items = append(items, text), append(o.items, f.position(n.GetToken()))
	}
	f.add(b, setting{leaf: l, key: key, text: strings.Join(items, ","), origin: o})
}

// texts reads a map of texts, or with a suffix of the places where they stand.
func (f *file) texts(b *block, l leaf, key, suffix string, value ast.Node) {
	for _, p := range f.pairs(key, "X-Header", value) {
		t := p.Key.GetToken()
		if text := checkHeaderName(t.Value); text != "" {
			f.problem(t, "%s: %s", key, text)
			continue
		}
		item := textproto.CanonicalMIMEHeaderKey(t.Value)
		text, ok := f.scalar(join(key, item), p.Value)
		if !ok {
			continue
		}
		s := setting{leaf: l, key: join(join(b.key, l.name()), item), item: item, text: text, origin: f.origin(t)}
		if suffix != "" {
			s.text, s.at = "", place{suffix, text}
		}
		f.add(b, s)
	}
}

// scalar is the text of a single value, as it is written.
func (f *file) scalar(key string, n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		f.problem(n.GetToken(), "%s: the value is missing; remove the key to have the default", key)
	default:
		f.problem(n.GetToken(), "%s: one value is wanted here, not a list or a section", key)
	}
	return "", false
}
