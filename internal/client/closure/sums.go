package closure

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/gosum"
)

// addSum adds the module of a line of go.sum. Lines with another kind of hash are left
// to a go command that knows it.
func (b *builder) addSum(line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	l, err := gosum.Parse(line)
	if err != nil {
		return fmt.Errorf("%.80q is no line of a go.sum file: %w", line, err)
	}
	if l.Ignored() || !l.Known() {
		return nil
	}
	m := b.need(l.Module, !l.IsMod)
	if l.IsMod {
		m.ModSums = append(m.ModSums, l.Hash)
	} else {
		m.Sums = append(m.Sums, l.Hash)
	}
	return nil
}

// checkVersion reports what is wrong with a module and its version.
func checkVersion(v module.Version) error {
	if err := module.CheckPath(v.Path); err != nil {
		return fmt.Errorf("%.80q is no module path: %s", v.Path, artifact.Clean(err.Error(), 200))
	}
	if !artifact.IsCanonical(v.Path, v.Version) {
		return fmt.Errorf("%.80q is no canonical version of %s; go list -m %[2]s@VERSION tells which one is meant", v.Version, v.Path)
	}
	return nil
}
