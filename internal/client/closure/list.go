package closure

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// The bounds of a list. The longest go.sum files there are have a tenth of this.
const (
	maxLine  = 4 << 10
	maxLines = 200_000
)

// OfList is what the lines of a list need. A line is one of
//
//	module@version          the module with what its packages and their tests need
//	go1.26.8                a toolchain, for each platform
//	module version h1:…     a line of go.sum: this module alone
//
// Empty lines and what follows # or // count for nothing.
func OfList(ctx context.Context, list io.Reader, o Options) (*Closure, error) {
	b := newBuilder(o)
	roots, err := b.readList(list)
	if err != nil {
		return nil, err
	}
	b.expand(ctx, roots)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return b.closure(), nil
}

// readList adds what stands for itself and returns the rest.
func (b *builder) readList(list io.Reader) (roots []module.Version, err error) {
	lines := bufio.NewScanner(list)
	lines.Buffer(nil, maxLine)
	number := 0
	for lines.Scan() {
		if number++; number > maxLines {
			return nil, fmt.Errorf("the list has more than %d lines", maxLines)
		}
		root, err := b.readLine(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if root.Path != "" {
			roots = append(roots, root)
			b.direct = append(b.direct, root.Path)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("after line %d: %w", number, err)
	}
	return roots, nil
}

func (b *builder) readLine(line string) (root module.Version, err error) {
	fields := strings.Fields(line)
	if at := slices.IndexFunc(fields, isComment); at >= 0 {
		fields = fields[:at]
	}
	switch {
	case len(fields) == 0:
		return root, nil
	case len(fields) > 1:
		return root, b.addSum(strings.Join(fields, " "))
	case !strings.Contains(fields[0], "@"):
		return root, b.nameToolchain(fields[0])
	}
	root.Path, root.Version, _ = strings.Cut(fields[0], "@")
	return root, checkVersion(root)
}

// isComment reports whether a word begins a comment. Hashes may hold these signs, too.
func isComment(word string) bool {
	return strings.HasPrefix(word, "#") || strings.HasPrefix(word, "//")
}
