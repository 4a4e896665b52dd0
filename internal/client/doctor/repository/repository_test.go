package repository

import (
	"fmt"
	"strings"
	"testing"
)

func FuzzGoImports(f *testing.F) {
	f.Add([]byte(`<!DOCTYPE html><head><meta name="go-import" content="example.com/m git https://git.example.com/m.git"></head>`))
	f.Add([]byte(`<meta name=go-import content="a git b c d">`))
	f.Fuzz(func(t *testing.T, page []byte) {
		for _, at := range goImports(page) {
			if strings.ContainsFunc(at.prefix+at.vcs+at.url+at.subdir, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q has control characters", at)
			}
		}
	})
}

func TestGoImports(t *testing.T) {
	page := `<html><head><META name="go-import" content="example.com/m git https://git.example.com/m.git sub"><meta name="go-source" content="a b c d"></head><body><meta name="go-import" content="x git y"></body>`
	if got := goImports([]byte(page)); len(got) != 1 || got[0] != (place{"example.com/m", "git", "https://git.example.com/m.git", "sub"}) {
		t.Errorf("got %+v", got)
	}
}

func TestComplaintsOfGitShowNoSecret(t *testing.T) {
	r := adviseGit("https://git.example.com/m.git", "fatal: Authentication failed for 'https://robot:canary@git.example.com/m.git/'")
	if r.Kind != "git-denied" || strings.Contains(fmt.Sprint(r), "canary") {
		t.Errorf("got %+v", r)
	}
}

func TestTheTagOfAVersionIsFound(t *testing.T) {
	for _, c := range []struct {
		at                 place
		path, version, tag string
	}{
		{place{prefix: "example.com/m"}, "example.com/m", "v1.0.0", "v1.0.0"},
		{place{prefix: "example.com/m"}, "example.com/m/v2", "v2.0.0", "v2.0.0"},
		{place{prefix: "example.com/m"}, "example.com/m", "v2.0.0+incompatible", "v2.0.0"},
		{place{prefix: "example.com/m"}, "example.com/m/sub/v2", "v2.0.0", "sub/v2.0.0"},
		{place{prefix: "example.com/m/v2"}, "example.com/m/v2", "v2.0.0", "v2.0.0"},
		{place{prefix: "gopkg.in/m.v3"}, "gopkg.in/m.v3", "v3.0.0", "v3.0.0"},
		{place{prefix: "example.com/m", subdir: "go"}, "example.com/m", "v1.0.0", "go/v1.0.0"},
		{place{prefix: "example.com/m", subdir: "go"}, "example.com/m/sub", "v1.0.0", "sub/go/v1.0.0"},
	} {
		if r := c.at.find(c.path, c.version, "0123\trefs/tags/"+c.tag+"\n"); r.Summary != "the repository has the tag "+c.tag {
			t.Errorf("%+v: %+v", c, r)
		}
		if r := c.at.find(c.path, c.version, "0123\trefs/tags/v0.0.1\n"); r.Kind != "unknown-version" {
			t.Errorf("%+v, where it is not: %+v", c, r)
		}
	}
}
