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
