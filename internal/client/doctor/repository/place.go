package repository

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/client/govars"
)

// A place is where the code of a module is.
type place struct{ prefix, vcs, url, subdir string }

// known are the hosts whose paths say where the repository is.
//
// Source: cmd/go/internal/vcs/vcs.go, vcsPaths.
var known = regexp.MustCompile(`^((?:github\.com|bitbucket\.org)/[^/]+/[^/]+)(?:/|$)`)

// withSuffix is a path that says where the repository is by its name.
var withSuffix = regexp.MustCompile(`^((?:[a-z0-9.-]+\.)+[a-z0-9.-]+(?::[0-9]+)?(?:/~?[A-Za-z0-9_.-]+)+?\.(bzr|fossil|git|hg|svn))(?:/|$)`)

// discover finds out where the code of a module is.
func (f *Finder) discover(ctx context.Context, path string, note func(who, what string, state check.State, text string)) (place, check.Result) {
	if match := known.FindStringSubmatch(path); match != nil {
		return place{match[1], "git", "https://" + match[1], ""}, check.Well("")
	}
	if match := withSuffix.FindStringSubmatch(path); match != nil {
		return place{match[1], match[2], "https://" + match[1], ""}, check.Well("")
	}
	host, _, _ := strings.Cut(path, "/")
	u := &url.URL{Scheme: "https", Host: host, Path: strings.TrimPrefix(path, host), RawQuery: "go-get=1"}
	at, r := f.askHost(ctx, path, u)
	note(host, "go-import page", r.State, r.Summary)
	return at, r
}

// askHost asks the host of a module for its go-import page.
func (f *Finder) askHost(ctx context.Context, path string, u *url.URL) (place, check.Result) {
	visitor := f.visitor
	insecure := module.MatchPrefixPatterns(f.settings.Value("GOINSECURE"), path)
	if insecure {
		visitor = f.visitor.Trusting()
		defer visitor.Close()
	}
	a := visitor.Get(ctx, visit.Request{URL: u, Max: visit.Page})
	if insecure && a.Trouble != nil {
		u.Scheme = "http"
		a = visitor.Get(ctx, visit.Request{URL: u, Max: visit.Page})
	}
	if a.Trouble != nil {
		return place{}, f.adviser.Trouble(ctx, a.Trouble, u).With("asked of it was " + u.Redacted())
	}
	for _, at := range goImports(a.Body) {
		if path == at.prefix || strings.HasPrefix(path, at.prefix+"/") {
			return at, check.Well(fmt.Sprintf("%s at %s", at.vcs, govars.RedactURL(at.url)))
		}
	}
	return place{}, check.Trouble("no-go-import", fmt.Sprintf("%s (status %d) has no go-import tag for %s", u.Redacted(), a.Status, path),
		"is the path right? A page that wants a login hides the tag: let it be shown to everybody, end the path of the repository in .git, or have a proxy bring the module")
}

// goImports are the go-import tags in the head of a page.
//
// Source: the Go Modules Reference, "Finding a repository for a module path".
func goImports(page []byte) []place {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var all []place
	for {
		token, err := d.RawToken()
		if err != nil {
			return all
		}
		switch e := token.(type) {
		case xml.StartElement:
			if strings.EqualFold(e.Name.Local, "body") {
				return all
			}
			if at, ok := goImport(e); ok {
				all = append(all, at)
			}
		case xml.EndElement:
			if strings.EqualFold(e.Name.Local, "head") {
				return all
			}
		}
	}
}

func goImport(e xml.StartElement) (place, bool) {
	values := map[string]string{}
	for _, a := range e.Attr {
		values[strings.ToLower(a.Name.Local)] = a.Value
	}
	words := strings.Fields(values["content"])
	if !strings.EqualFold(e.Name.Local, "meta") || values["name"] != "go-import" || len(words) < 3 || len(words) > 4 {
		return place{}, false
	}
	words = append(words, "")
	for i, word := range words {
		words[i] = artifact.Clean(word, 500)
	}
	return place{words[0], words[1], words[2], words[3]}, true
}
