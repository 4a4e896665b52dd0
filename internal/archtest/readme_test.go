package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is what two languages of a page must have in common.
type page struct {
	headings []string // their signs: ## for one of the second level
	code     []string // lines without comments
	links    []string // targets, sorted
}

var (
	heading = regexp.MustCompile(`^#+ `)
	link    = regexp.MustCompile(`\]\(([^)]+)\)`)
	comment = regexp.MustCompile(`\s+# .*$`)
)

func parsePage(text string, translations ...string) page {
	var p page
	inCode := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inCode = !inCode
			p.code = append(p.code, line)
		case inCode:
			p.code = append(p.code, comment.ReplaceAllString(line, ""))
		case heading.MatchString(line):
			p.headings = append(p.headings, strings.TrimSpace(heading.FindString(line)))
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if !inCode && !slices.Contains(translations, m[1]) {
				p.links = append(p.links, m[1])
			}
		}
	}
	slices.Sort(p.links)
	return p
}

// differences are what one page has and the other has not, part by part.
func differences(a, b page) (problems []string) {
	for _, part := range []struct {
		name string
		a, b []string
	}{{"headings", a.headings, b.headings}, {"code", a.code, b.code}, {"links", a.links, b.links}} {
		for i := range max(len(part.a), len(part.b)) {
			left, right := at(part.a, i), at(part.b, i)
			if left != right {
				problems = append(problems, fmt.Sprintf("%s differ: %q and %q", part.name, left, right))
				break
			}
		}
	}
	return problems
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}

func TestTheLanguagesOfTheReadmeAreInStep(t *testing.T) {
	const english, chinese = "README.md", "README.zh-CN.md"
	var pages []page
	for _, name := range []string{english, chinese} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, parsePage(string(text), english, chinese))
	}
	if len(pages[0].headings) < 5 || len(pages[0].code) < 20 {
		t.Fatalf("little was found: %d headings, %d lines of code", len(pages[0].headings), len(pages[0].code))
	}
	report(t, differences(pages[0], pages[1]))
}

func TestPagesOutOfStepAreNoticed(t *testing.T) {
	const good = "# A\n\n## B\n\n```sh\nweir serve # now\n```\n\n[c](docs/c.md)\n"
	for what, other := range map[string]string{
		"a heading less":    "# A\n\n```sh\nweir serve\n```\n\n[c](docs/c.md)\n",
		"a heading deeper":  strings.Replace(good, "## B", "### B", 1),
		"another command":   strings.Replace(good, "weir serve", "weir server", 1),
		"a command more":    strings.Replace(good, "# now\n", "# now\nweir version\n", 1),
		"another link":      strings.Replace(good, "docs/c.md", "docs/d.md", 1),
		"another code sort": strings.Replace(good, "```sh", "```yaml", 1),
	} {
		if len(differences(parsePage(good), parsePage(other))) == 0 {
			t.Errorf("%s is not noticed", what)
		}
	}
	if got := differences(parsePage(good), parsePage(strings.Replace(good, "# now", "# 现在", 1))); got != nil {
		t.Errorf("a comment is taken for code: %v", got)
	}
}

// TestLinksLeadSomewhere looks at the links of all pages to files of this tree.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range slices.Concat(pages, more) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range parsePage(string(text)).links {
			if strings.Contains(target, "://") {
				continue
			}
			found++
			if problem := deadLink(name, target); problem != "" {
				t.Errorf("%s: the link to %s %s", filepath.Base(name), target, problem)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d links were found", found)
	}
}

// deadLink says what is wrong with a link from a page.
func deadLink(from, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	path := from
	if file != "" {
		path = filepath.Join(filepath.Dir(from), file)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "leads nowhere"
	}
	if anchor == "" || !strings.HasSuffix(path, ".md") {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if heading.MatchString(line) && anchorOf(heading.ReplaceAllString(line, "")) == anchor {
			return ""
		}
	}
	return "leads to no heading"
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchorOf is how a heading is called in links.
func anchorOf(heading string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")
}
