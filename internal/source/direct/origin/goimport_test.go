package origin

import (
	"reflect"
	"strings"
	"testing"
)

const tag = `<meta name="go-import" content="a.example/x git https://git.example/x">`

var want = goImport{prefix: "a.example/x", vcs: "git", url: "https://git.example/x"}

func TestGoImportTagsAreReadAsTheGoCommandDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		page string
		tags []goImport
	}{
		"page":           {"<!DOCTYPE html><html><head>" + tag + "</head><body></body></html>", []goImport{want}},
		"bare":           {tag, []goImport{want}},
		"capitals":       {`<META NAME="go-import" CONTENT="a.example/x git https://git.example/x">`, []goImport{want}},
		"after the head": {"<head></head>" + tag, nil},
		"in the body":    {"<html><body>" + tag, nil},
		"subdirectory":   {`<meta name="go-import" content="a.example/x git https://git.example/x sub/dir">`, []goImport{{"a.example/x", "git", "https://git.example/x", "sub/dir"}}},
		"too few":        {`<meta name="go-import" content="a.example/x git">`, nil},
		"too many":       {`<meta name="go-import" content="a b c d e">`, nil},
		"other tag":      {`<meta name="go-source" content="a b c">`, nil},
		"broken after":   {tag + "<a <", []goImport{want}},
		"entities":       {`<meta name="go-import" content="a.example/x git https://git.example/x?a=1&amp;b=2">`, []goImport{{"a.example/x", "git", "https://git.example/x?a=1&b=2", ""}}},
		"charset":        {`<?xml version="1.0" encoding="utf-8"?>` + tag, []goImport{want}},
	} {
		if tags, err := parseGoImports(strings.NewReader(tt.page)); err != nil || !reflect.DeepEqual(tags, tt.tags) {
			t.Errorf("%s: %+v, %v", name, tags, err)
		}
	}
}

func TestPagesThatCannotBeReadAreErrors(t *testing.T) {
	for _, page := range []string{"<a <", `<?xml version="1.0" encoding="utf-16"?>` + tag} {
		if tags, err := parseGoImports(strings.NewReader(page)); err == nil {
			t.Errorf("%q: %+v", page, tags)
		}
	}
}

func TestTheTagOfAModuleIsTheOneThatCountsForTheGoCommand(t *testing.T) {
	git := goImport{prefix: "a.example/x", vcs: "git", url: "https://git.example/x"}
	proxy := goImport{prefix: "a.example/x", vcs: "mod", url: "https://proxy.example/"}
	other := goImport{prefix: "b.example/x", vcs: "git", url: "https://git.example/y"}
	above := goImport{prefix: "a.example", vcs: "git", url: "https://git.example/z"}
	for name, tt := range map[string]struct {
		tags []goImport
		want goImport
	}{
		"one":                         {[]goImport{other, git}, git},
		"a proxy is preferred":        {[]goImport{git, proxy}, proxy},
		"even for another prefix":     {[]goImport{above, proxy}, proxy},
		"none":                        {[]goImport{other}, goImport{}},
		"two":                         {[]goImport{git, above}, goImport{}},
		"two proxies":                 {[]goImport{proxy, proxy}, goImport{}},
		"a prefix that is no element": {[]goImport{{prefix: "a.example/x/yy", vcs: "git"}}, goImport{}},
	} {
		if got, err := chooseGoImport(tt.tags, "a.example/x/y"); got != tt.want || (err == nil) != (tt.want != goImport{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzParseGoImports looks for pages that the parser makes something else of
// than what the go command is then shown.
func FuzzParseGoImports(f *testing.F) {
	f.Add("<html><head>" + tag + "</head>")
	f.Add(`<meta name="go-import" content="a&quot;b &lt;c ü ' ">`)
	f.Fuzz(func(t *testing.T, page string) {
		tags, err := parseGoImports(strings.NewReader(page))
		if err != nil {
			return
		}
		for _, tag := range tags {
			again, err := parseGoImports(strings.NewReader(string(tag.page())))
			if err != nil || len(again) != 1 || again[0] != tag {
				t.Fatalf("%+v is shown as %+v, %v", tag, again, err)
			}
		}
	})
}
