package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/goweir/weir/internal/client/govars"
)

// The bounds of a file: its size in bytes, and how many colons it has, since the parser
// takes quadratic time for keys.
const (
	maxFile = 64 << 10
	maxKeys = 200
)

// Parse reads the text of a profile; file is its name in errors. An error shows the
// line with a caret below the mistake, and no secrets.
func Parse(file, text string) (p Profile, err error) {
	text = strings.TrimPrefix(text, "\ufeff")
	d := document{file: file, lines: strings.Split(text, "\n")}
	// The YAML library has panicked on odd input before.
	defer func() {
		if recover() != nil {
			p, err = Profile{}, fmt.Errorf("%s: the YAML library cannot read this file; write it in a simpler way", file)
		}
	}()
	if len(text) > maxFile {
		return Profile{}, fmt.Errorf("%s is larger than %d bytes; is it a profile?", file, maxFile)
	}
	tokens := lexer.Tokenize(text)
	if err := d.checkTokens(tokens); err != nil {
		return Profile{}, err
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return Profile{}, d.notYAML(err)
	}
	pairs, err := d.pairs(tree)
	if err != nil {
		return Profile{}, err
	}
	return d.profile(pairs)
}

// A document is the text of a profile while it is read.
type document struct {
	file  string
	lines []string
}

// simple are the parts of YAML that a profile has a use for.
var simple = []token.Type{
	token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType,
	token.HexIntegerType, token.FloatType, token.BoolType, token.InfinityType, token.NanType, token.NullType, token.ImplicitNullType,
	token.MappingValueType, token.CommentType, token.DocumentHeaderType, token.DocumentEndType, token.SpaceType,
}

// checkTokens refuses what a profile has no use for. What goes over several lines is not
// cited: a secret could go on there.
func (d document) checkTokens(tokens token.Tokens) error {
	keys := 0
	for _, t := range tokens {
		switch {
		case !slices.Contains(simple, t.Type):
			return d.problem(t, "write plain lines, such as GOPROXY: https://proxy.example.com; put a value that begins with a mark such as * or [ in quotes")
		case t.Type != token.CommentType && strings.Contains(strings.TrimSpace(t.Origin), "\n"):
			return fmt.Errorf("%s:%d: write each value in one line", d.file, t.Position.Line)
		case t.Type == token.MappingValueType:
			keys++
		}
		if keys > maxKeys {
			return fmt.Errorf("%s: a profile has not so many lines; is it the right file?", d.file)
		}
	}
	return nil
}

// notYAML says where the library found no YAML.
func (d document) notYAML(err error) error {
	var located yaml.Error
	if !errors.As(err, &located) || located.GetToken() == nil {
		return fmt.Errorf("%s is not YAML", d.file)
	}
	return d.problem(located.GetToken(), "not YAML; write lines such as GOPROXY: https://proxy.example.com")
}

// pairs are the keys of the file with their values, each key once.
func (d document) pairs(tree *ast.File) ([]*ast.MappingValueNode, error) {
	var pairs []*ast.MappingValueNode
	for _, doc := range tree.Docs {
		switch n := doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.NullNode:
		case *ast.MappingNode:
			pairs = append(pairs, n.Values...)
		case *ast.MappingValueNode:
			pairs = append(pairs, n)
		default:
			return nil, d.problem(n.GetToken(), "write lines of a variable and its value, such as GOPROXY: https://proxy.example.com")
		}
	}
	first := map[string]int{}
	for _, p := range pairs {
		t := p.Key.GetToken()
		if line, ok := first[t.Value]; ok {
			return nil, d.problem(t, "%.40s is already in line %d; keep one of them", t.Value, line)
		}
		first[t.Value] = t.Position.Line
	}
	return pairs, nil
}

// profile makes a profile of the lines of the file.
func (d document) profile(pairs []*ast.MappingValueNode) (Profile, error) {
	p := Profile{File: d.file}
	for _, pair := range pairs {
		if err := d.add(&p, pair.Key.GetToken(), pair.Value); err != nil {
			return Profile{}, err
		}
	}
	order := govars.Names()
	slices.SortFunc(p.Settings, func(a, b Setting) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	return p, nil
}

// add reads one line of the file.
func (d document) add(p *Profile, key *token.Token, value ast.Node) error {
	text, isNull, ok := scalar(value)
	switch {
	case !ok:
		return d.problem(key, "%.40s: one value is wanted here, in the same line", key.Value)
	case key.Value == "description":
		p.Description = printable(text)
		return nil
	case !slices.Contains(govars.Names(), key.Value):
		return d.problem(key, "%v", govars.Check(key.Value, ""))
	case isNull:
		p.Settings = append(p.Settings, Setting{Name: key.Value, Unset: true})
		return nil
	}
	if err := govars.Check(key.Value, text); err != nil {
		return d.problem(value.GetToken(), "%s: %v", key.Value, err)
	}
	p.Settings = append(p.Settings, Setting{Name: key.Value, Value: text})
	return nil
}

// scalar is the text of a single value, as it is written.
func scalar(n ast.Node) (text string, isNull, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, false, true
	case *ast.NullNode:
		return "", true, true
	case ast.ScalarNode:
		return n.GetToken().Value, false, true
	default:
		return "", false, false
	}
}

// problem is an error that shows where in the file it is.
func (d document) problem(t *token.Token, format string, args ...any) error {
	text := fmt.Sprintf("%s:%d:%d: ", d.file, t.Position.Line, t.Position.Column) + fmt.Sprintf(format, args...)
	return errors.New(printable(text) + d.excerpt(t.Position))
}

// excerpt is a line of the file without secrets, and a caret below it.
func (d document) excerpt(at *token.Position) string {
	const most = 160
	if at.Line < 1 || at.Line > len(d.lines) {
		return ""
	}
	name, value, ok := strings.Cut(strings.TrimSuffix(d.lines[at.Line-1], "\r"), ":")
	if ok {
		name, value = name+":", govars.Redact(strings.TrimSpace(name), value)
	}
	line := []rune(printable(name + value))
	return fmt.Sprintf("\n%5d | %s\n      | %*s", at.Line, string(line[:min(len(line), most)]), max(1, min(at.Column, len(line)+1)), "^")
}

// printable replaces what a terminal would not take for text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
