//go:build !race

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/modtest"
)

// A large project is compared with the checksum database without downloading anything
// but its records.
func TestVerifyAsksForNoModules(t *testing.T) {
	t.Parallel()
	const n = 100
	modules, project := graph(n)
	p := modtest.New(modules...)
	db := modtest.NewSumDB("sum.example.org", p)
	m := newMachine(t, p.Start(t), db.Key(), project)
	m.write(t, "go.sum", sums(t, db, modules))
	out, err := m.weir(t, "", "verify", "--sums-only")
	if err != nil || !strings.Contains(out, fmt.Sprintf("%6d as in the checksum database sum.example.org", 2*n)) {
		t.Errorf("%v: %s", err, out)
	}
	for path := range p.Requests() {
		if !strings.HasPrefix(path, "/sumdb/") {
			t.Errorf("it asked for %s", path)
		}
	}
}
