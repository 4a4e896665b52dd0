package doctor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/walk"
)

var update = flag.Bool("update", false, "write the table of checks into docs/doctor.md")

func TestTargets(t *testing.T) {
	for arg, want := range map[string]Target{
		"golang.org/x/text":         {"golang.org/x/text", ""},
		"golang.org/x/text@latest":  {"golang.org/x/text", ""},
		"golang.org/x/text@v0.14.0": {"golang.org/x/text", "v0.14.0"},
		"example.com/m@main":        {"example.com/m", "main"},
	} {
		if got, err := ParseTarget(arg); err != nil || got != want {
			t.Errorf("%s: %v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"", "text", "https://github.com/a/b.git", "example.com/m@", "example.com/m@a/b", "example.com/../m"} {
		if got, err := ParseTarget(arg); err == nil {
			t.Errorf("%q: %v", arg, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("golang.org/x/text@v0.14.0")
	f.Add("https://github.com/a/b.git")
	f.Fuzz(func(t *testing.T, arg string) {
		target, err := ParseTarget(arg)
		if err != nil {
			return
		}
		if again, err := ParseTarget(target.String()); err != nil || again != target {
			t.Errorf("%q is %v, and that is %v, %v", arg, target, again, err)
		}
	})
}

// Rooms name their checks by themselves: here are all that there can be on a machine, and the
// catalogue has these and no others.
func TestTheCatalogueHasAllChecks(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/a\n\ngo 1.24.0\n\nrequire example.com/d v1.0.0\n",
		"go.work": "go 1.24.0\n\nuse .\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]string{"GOENV": "off", "GOPROXY": "https://proxy.example.com,direct", "GOSUMDB": "sum.golang.org", "GOMODCACHE": dir, "GOCACHE": dir, "HOME": dir, "PATH": os.Getenv("PATH")}
	m := newMachine(t.Context(), Options{Dir: dir, Getenv: func(name string) string { return settings[name] }})
	defer m.visitor.Close()
	var got, want []string
	for _, c := range m.checks(Target{Path: "example.com/m"}, new([]walk.Hop)) {
		got = append(got, c.ID)
	}
	for _, e := range catalogue {
		want = append(want, e.ID)
	}
	got = append(got, "vcs-repository") // only where a module comes from nowhere else
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the checks are %q, the catalogue has %q", got, want)
	}
}

// The table in the manual is the catalogue.
func TestTheManualHasAllChecks(t *testing.T) {
	const name, begin, end = "../../../docs/doctor.md", "<!-- checks -->\n", "<!-- end of checks -->\n"
	var table strings.Builder
	table.WriteString("| id | group | what it looks at |\n|---|---|---|\n")
	for _, e := range catalogue {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", e.ID, e.Group, e.Looks)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", name)
	}
	if *update {
		if err := os.WriteFile(name, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != table.String() {
		t.Error("the table is stale: go test ./internal/client/doctor -run Manual -update")
	}
}
