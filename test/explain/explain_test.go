// Package explain has the go command print every message of the message base, and tries
// whether it is recognised.
package explain

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/explain"
)

// check runs a case and looks at the explanation.
func (c explainCase) check(t *testing.T) {
	t.Helper()
	l := newLab(t)
	out := c.run(l)
	findings := explain.Text(out)
	if len(findings) == 0 || !findings[0].Known() || findings[0].Message.ID != c.id {
		t.Fatalf("this is not taken for %s:\n%s\n%s", c.id, out, show(findings))
	}
	for _, f := range findings[1:] {
		if f.Follows == "" {
			t.Errorf("in\n%s\nthis is no consequence: %s", out, show([]explain.Finding{f}))
		}
	}
	c.checkValues(t, findings[0])
	checkText(t, findings[0])
}

func (c explainCase) checkValues(t *testing.T, f explain.Finding) {
	t.Helper()
	if f.Hop == explain.FromURL {
		t.Errorf("it is not known which hop failed: %v", f.Values)
	}
	for pair := range strings.FieldsSeq(c.want) {
		name, want, _ := strings.Cut(pair, "=")
		if f.Values[name] != want {
			t.Errorf("%s is %q, want %q", name, f.Values[name], want)
		}
	}
}

// checkText wants an explanation in both languages, and commands that a shell takes.
func checkText(t *testing.T, f explain.Finding) {
	t.Helper()
	for _, lang := range []explain.Lang{explain.English, explain.Chinese} {
		e := f.In(lang)
		for _, text := range []string{e.Title, e.Where, e.Cause, e.Fix} {
			if text == "" || strings.ContainsAny(text, "{}") {
				t.Errorf("something is missing: %+v", e)
			}
		}
		for _, command := range e.Commands {
			if out, err := exec.Command("sh", "-n", "-c", command).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", command, err, out)
			}
		}
	}
}

func show(findings []explain.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		id := "unknown"
		if f.Known() {
			id = f.Message.ID
		}
		b.WriteString(id + ": " + f.Text + "\n")
	}
	return b.String()
}

// openCases are those that need nothing but loopback.
var openCases = slices.Concat(answerCases, bodyCases, networkCases, settingCases, databaseCases, projectCases, vcsCases)

func TestMessagesOfTheGoCommand(t *testing.T) {
	for _, c := range openCases {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

// leastProduced is how many messages the go command is brought to print here; it may only
// grow.
const leastProduced = 119

func TestNearlyAllMessagesAreProduced(t *testing.T) {
	produced := map[string]bool{}
	for _, c := range slices.Concat(openCases, cagedCases) {
		produced[c.id] = true
	}
	count := 0
	for _, m := range explain.Messages() {
		if produced[m.ID] {
			count++
		} else if m.Source == "" {
			t.Errorf("%s: there is neither a case that produces it nor a source that it is from", m.ID)
		}
		delete(produced, m.ID)
	}
	for id := range produced {
		t.Errorf("there is no message %s", id)
	}
	t.Logf("messages produced by the real go command: %d of %d", count, len(explain.Messages()))
	if count < leastProduced {
		t.Errorf("%d messages are produced, want %d", count, leastProduced)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "explain.md"))
	if err != nil {
		t.Fatal(err)
	}
	if figure := fmt.Sprintf("There are %d messages. %d of them are printed by the real go command", len(explain.Messages()), count); !strings.Contains(string(page), figure) {
		t.Errorf("docs/explain.md does not say: %s", figure)
	}
}
