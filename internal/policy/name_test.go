package policy_test

import (
	"strings"
	"testing"

	"github.com/goweir/weir/internal/policy"
)

func TestNamesAreWhatTheyLookLike(t *testing.T) {
	for _, good := range []string{"alice", "Alice Smith", "repo:acme/app:ref:refs/heads/main", "王小明", strings.Repeat("x", 250)} {
		if err := policy.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
		if err := policy.CheckGroups([]string{good, good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " a", "a ", "a\nb", "a\x1b[31m", "x\u202ey", "\xff", strings.Repeat("x", 251)} {
		if policy.CheckName(bad) == nil || policy.CheckGroups([]string{"good", bad}) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
