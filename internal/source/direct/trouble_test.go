package direct

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source/direct/origin"
)

func TestTextsOfTheGoCommandAreJudged(t *testing.T) {
	s := open(t, newForge(t))
	r := origin.Repository{Prefix: "github.com/a/b", VCS: "git", Location: &url.URL{Scheme: "https", Host: "github.com", Path: "/a/b"}}
	k, err := s.clones.Use("x")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.cages.Build(t.Context(), k, "github.com/a/b", r)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	here := strings.NewReplacer("/data/direct/run/run-1", filepath.Join(runsDir(s), leftovers(t, s)[0]), "/data/direct", s.o.Dir)
	const failed = "github.com/a/b@v1.0.0: invalid version: git ls-remote -q --end-of-options https://github.com/a/b in /data/direct/run/run-1/mod/cache/vcs/0123: exit status 128:\n\t"
	for text, class := range map[string]error{
		"github.com/a/b@v1.0.0: invalid version: unknown revision v1.0.0":                                                                       artifact.ErrNotFound,
		`module github.com/a/b: no matching versions for query "latest"`:                                                                        artifact.ErrNotFound,
		"github.com/a/b@latest: no commits":                                                                                                     artifact.ErrNotFound,
		"github.com/a/b/c@v1.0.0: invalid version: missing github.com/a/b/c/go.mod at revision c/v1.0.0":                                        artifact.ErrNotFound,
		"github.com/a/b@v2.0.0: invalid version: module contains a go.mod file, so module path must match major version (\"x/v2\")":             artifact.ErrNotFound,
		"github.com/a/b@v0.0.0-1: invalid pseudo-version: does not match version-control timestamp (expected 20200101000000)":                   artifact.ErrNotFound,
		"repository rooted at github.com/a/b cannot contain module github.com/a/bc":                                                             artifact.ErrNotFound,
		"github.com/a/b@v1.0.0: create zip: a:b.txt: malformed file path \"a:b.txt\": invalid char ':'":                                         artifact.ErrNotFound,
		"github.com/a/b@v1.0.0: create zip: write /data/direct/run/x: no space left on device":                                                  artifact.ErrUnavailable,
		"github.com/a/b@v1.0.0 requires go >= 1.999 (running go 1.26.8; GOTOOLCHAIN=local)":                                                     artifact.ErrBadUpstream,
		"something nobody has thought of":                                                                                                       artifact.ErrBadUpstream,
		failed + "fatal: repository 'https://github.com/a/b/' not found":                                                                        artifact.ErrNotFound,
		failed + "ERROR: Repository not found.\n\tfatal: Could not read from remote repository.":                                                artifact.ErrNotFound,
		failed + "fatal: could not read Username for 'https://github.com': terminal prompts disabled\nConfirm the import path was entered":      artifact.ErrBadUpstream,
		failed + "remote: Repository not found.\n\tfatal: Authentication failed for 'https://github.com/a/b/'":                                  artifact.ErrBadUpstream,
		failed + "git@github.com: Permission denied (publickey).\n\tfatal: Could not read from remote repository.":                              artifact.ErrBadUpstream,
		failed + "Host key verification failed.\n\tfatal: Could not read from remote repository.":                                               artifact.ErrBadUpstream,
		failed + "fatal: unable to access 'https://github.com/a/b/': The requested URL returned error: 403":                                     artifact.ErrBadUpstream,
		failed + "fatal: unable to access 'https://github.com/a/b/': Could not resolve host: github.com":                                        artifact.ErrBadUpstream,
		failed + "error: RPC failed; curl 56 GnuTLS recv error (-54): Error in the pull function.\n\tfatal: early EOF":                          artifact.ErrBadUpstream,
		"github.com/a/b@v1.0.0: git fetch -f --depth=1 --end-of-options origin x in /data/direct/x: signal: killed":                             artifact.ErrBadUpstream,
		"github.com/a/b@v1.0.0: invalid version: git fetch -f origin refs/heads/*:refs/heads/* in /x: exit status 128:\n\tfatal: unknown error": artifact.ErrBadUpstream,
	} {
		err := s.explain(t.Context(), c, r, here.Replace(text))
		reason, hint := artifact.Explain(err)
		if artifact.Class(err) != class {
			t.Errorf("%q: %v", text, err)
		}
		if strings.Contains(reason, s.o.Dir) || strings.Contains(reason, "run-") || strings.Contains(reason, "exit status") || strings.Contains(reason, "\n") || len(reason) > maxReason+20 {
			t.Errorf("%q: reason %q", text, reason)
		}
		if wants := containsAny(text, needsCredential) && strings.Contains(text, "exit status"); wants != strings.Contains(hint, "credentials for github.com") {
			t.Errorf("%q: hint %q", text, hint)
		}
	}
}
