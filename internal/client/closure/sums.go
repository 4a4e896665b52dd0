package closure

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
)

// addSum adds the module of a line of go.sum. Lines with another kind of hash are left
// to a go command that knows it.
func (b *builder) addSum(line string) error {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil
	}
	if len(fields) != 3 {
		return fmt.Errorf("%.80q is no line of a go.sum file, which has a module, a version and a hash", line)
	}
	version, isMod := strings.CutSuffix(fields[1], "/go.mod")
	v := module.Version{Path: fields[0], Version: version}
	if err := checkVersion(v); err != nil {
		return err
	}
	if !strings.HasPrefix(fields[2], "h1:") {
		return nil
	}
	m := b.need(v, !isMod)
	if isMod {
		m.ModSums = append(m.ModSums, fields[2])
	} else {
		m.Sums = append(m.Sums, fields[2])
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
