package explain

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/explain.md anew")

// The marks around the table in the page.
const (
	tableBegin = "<!-- The table is made of the data: go test ./internal/client/explain -run Table -update -->\n"
	tableEnd   = "<!-- end of the table -->"
)

func TestTheTableInTheDocsIsThatOfTheData(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "explain.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + tableBegin + table() + tableEnd + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Errorf("%s is stale: go test ./internal/client/explain -run Table -update", file)
	}
	if count := fmt.Sprintf("%d messages", len(Messages())); !strings.Contains(before, count) {
		t.Errorf("%s does not say that there are %s", file, count)
	}
}

// table is the message base in Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("| id | where | as it is printed | what it means | 含义 |\n|---|---|---|---|---|\n")
	for _, m := range Messages() {
		f := Text(m.Example)[0]
		printed := strings.Join(strings.Fields(m.Example), " ")
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", m.ID, f.Hop.Name(English), code(printed), cell(f.In(English).Title), cell(f.In(Chinese).Title))
	}
	return b.String()
}

// cell is a text that ends no cell and begins no markup.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(text)
}

// code is a text as it is.
func code(text string) string {
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
