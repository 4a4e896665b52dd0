package finding_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/verify/finding"
)

func TestTextsOfOthersAreShownWithoutSecrets(t *testing.T) {
	for text, want := range map[string]string{
		`reading https://user:canary@proxy.example.com/x: dial tcp`: "reading https://proxy.example.com/x: dial tcp",
		`git fetch ssh://canary@example.com/r and http://c@d/e`:     "git fetch ssh://example.com/r and http://d/e",
		"two\nlines of example.com/a@v1.0.0":                        "two lines of example.com/a@v1.0.0",
	} {
		if got := finding.Shown(text); got != want {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

func TestEveryRuleIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, rule := range finding.Rules() {
		if seen[rule.ID] || rule.Title == "" || rule.Severity == finding.None {
			t.Errorf("%+v", rule)
		}
		seen[rule.ID] = true
		if row := fmt.Sprintf("| `%s` | %s |", rule.ID, rule.Severity); !strings.Contains(string(page), row) {
			t.Errorf("docs/verify.md has no row that begins with %s", row)
		}
	}
}
