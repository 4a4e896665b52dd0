package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/blob"
)

// List implements store.Store. Records below [Own] are listed only for a prefix
// that begins with it; symbolic links and files whose names are no keys never
// are. A folder that cannot be read is an error, after which the rest follows.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if dir != "" && dir != Own && checkKey(strings.TrimSuffix(dir, "/")) != nil {
			return // no key begins like that
		}
		(&lister{ctx: ctx, store: s, prefix: prefix, yield: yield}).walk(dir)
	}
}

// A lister walks the tree in the order of keys.
type lister struct {
	ctx    context.Context
	store  *Store
	prefix string
	yield  func(blob.Info, error) bool
}

// walk yields the entries in a folder, which is "" or ends in a slash. It
// reports whether to go on.
func (l *lister) walk(dir string) bool {
	if err := l.ctx.Err(); err != nil {
		l.yield(blob.Info{}, err)
		return false
	}
	nodes, err := l.store.readDir(dir)
	if err != nil && !l.yield(blob.Info{}, fmt.Errorf("disk: cannot list %s: %w", cmp.Or(dir, "."), err)) {
		return false
	}
	for _, n := range nodes {
		if !l.visit(n) {
			return false
		}
	}
	return true
}

func (l *lister) visit(n node) bool {
	if !strings.HasPrefix(n.key, l.prefix) && !(n.dir && strings.HasPrefix(l.prefix, n.key)) {
		return true
	}
	if n.dir {
		return l.walk(n.key)
	}
	if err := l.ctx.Err(); err != nil {
		l.yield(blob.Info{}, err)
		return false
	}
	return l.yield(n.stat.info(n.key), nil)
}

// A node is an entry, or a folder that may hold some: its key ends in a slash,
// which makes the order of nodes that of the keys in them.
type node struct {
	key  string
	dir  bool
	stat stat
}

// readDir returns what is in a folder. A folder that is not there is empty.
func (s *Store) readDir(dir string) ([]node, error) {
	f, err := s.root.Open(cmp.Or(strings.TrimSuffix(dir, "/"), "."))
	if err != nil {
		return nil, unlessAbsent(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	nodes := make([]node, 0, len(entries))
	for _, e := range entries {
		n := node{key: dir + e.Name(), dir: e.IsDir()}
		if checkKey(n.key) != nil || !n.dir && !e.Type().IsRegular() {
			continue
		}
		if n.dir {
			n.key += "/"
		} else if fi, infoErr := e.Info(); infoErr == nil {
			n.stat = statOf(fi)
		} else {
			err = errors.Join(err, unlessAbsent(infoErr))
			continue
		}
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b node) int { return cmp.Compare(a.key, b.key) })
	return nodes, unlessAbsent(err)
}

// unlessAbsent is err, unless it says that something is not there.
func unlessAbsent(err error) error {
	if absent(err) {
		return nil
	}
	return err
}
