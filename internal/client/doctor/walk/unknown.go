package walk

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/source"
)

// unknown says why no proxy may know the module or the version.
func (w *walk) unknown(ctx context.Context) check.Result {
	if r, ok := w.otherName(ctx); ok {
		return r
	}
	if list, ok := w.peek(ctx, w.module.Path); ok && w.module.Version != "" {
		hint := "ask for a version that exists; a new tag may take half an hour to be seen"
		if versions := source.Versions(w.module.Path, list); len(versions) > 0 {
			slices.SortFunc(versions, semver.Compare)
			hint += "; there are " + strings.Join(versions[max(0, len(versions)-3):], ", ")
		}
		return check.Trouble("unknown-version", fmt.Sprintf("no proxy has the version %s of %s", w.module.Version, w.module.Path), hint)
	}
	return check.Trouble("unknown-module", fmt.Sprintf("no proxy in GOPROXY has %s, and the list does not go on to version control", w.module.Path),
		"check the spelling; if it is private, name it in GOPRIVATE", check.ByHand(w.settings.MakePrivate(ownersOf(w.module.Path)).Command))
}

// ownersOf is the pattern for all modules of whom a path belongs to: it takes in no other
// owner at the same host.
func ownersOf(path string) string {
	elements := strings.SplitN(path, "/", 3)
	return strings.Join(elements[:min(len(elements), 2)], "/")
}

// whyForbidden looks closer at a refusal: some refuse what they do not know.
func (w *walk) whyForbidden(ctx context.Context, r check.Result) check.Result {
	if r.Kind != "forbidden" {
		return r
	}
	if other, ok := w.otherName(ctx); ok {
		return other.With(r.Summary)
	}
	return r
}

// peek asks for the list of versions of another path.
func (w *walk) peek(ctx context.Context, path string) (list []byte, ok bool) {
	for _, p := range w.proxies {
		if p.URL == nil {
			return nil, false
		}
		if a := p.Read(ctx, artifact.Name{Kind: artifact.List, Module: path}.Key(), visit.Text); a.OK() && source.CheckPage(a.Body) == nil {
			return a.Body, true
		}
	}
	return nil, false
}

// otherName looks whether a path that is like the one that was asked for is meant.
func (w *walk) otherName(ctx context.Context) (check.Result, bool) {
	if lower := strings.ToLower(w.module.Path); lower != w.module.Path {
		if _, ok := w.peek(ctx, lower); ok {
			return check.Trouble("letter-case", fmt.Sprintf("%s is unknown, but there is %s: small and capital letters differ", w.module.Path, lower), "write it as its go.mod does", check.ByHand("go get "+module.Version{Path: lower, Version: w.module.Version}.String())), true
		}
	}
	for above := parent(w.module.Path); strings.Contains(above, "/"); above = parent(above) {
		if list, ok := w.peek(ctx, above); ok && len(bytes.TrimSpace(list)) > 0 {
			return check.Trouble("path-of-package", fmt.Sprintf("%s is no module: it may be a package of %s", w.module.Path, above), "ask for the module above it", check.ByHand("weir doctor "+module.Version{Path: above, Version: w.module.Version}.String())), true
		}
	}
	return check.Result{}, false
}

func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}
