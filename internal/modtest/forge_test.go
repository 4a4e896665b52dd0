package modtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// lsRemote runs "git ls-remote" through the tunnel of a Forge.
func lsRemote(t *testing.T, f *Forge, url string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-remote", url)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=" + f.Tunnel(t), "GIT_SSL_CAINFO=" + f.CAFile, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestForgeServesRepositoriesOfEveryHost(t *testing.T) {
	f, err := NewForge(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, hostPath := range []string{"github.com/a/b", "git.example.com/deep/er/x"} {
		r, err := f.Repo(hostPath,
			Commit{Files: map[string]string{"a": "1"}, Tags: []string{"v1.0.0", "v1.1.0^"}},
			Commit{Branch: "dev", From: "refs/heads/main", Files: map[string]string{"l": "a"}, Modes: map[string]string{"l": "120000"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Commit(Commit{Files: map[string]string{"b": "2"}, Remove: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
		if tree, err := r.Git("ls-tree", "--name-only", "main"); err != nil || tree != "b" {
			t.Errorf("main has %q, %v", tree, err)
		}
		if count, err := r.Git("rev-list", "--count", "main"); err != nil || count != "2" {
			t.Errorf("main has %s commits, %v", count, err)
		}
		out, err := lsRemote(t, f, "https://"+hostPath)
		for _, ref := range []string{"HEAD", "refs/heads/dev", "refs/heads/main", "refs/tags/v1.0.0", "refs/tags/v1.1.0^{}"} {
			if err != nil || !strings.Contains(out, "\t"+ref+"\n") {
				t.Errorf("%s: no %s in %q, %v", hostPath, ref, out, err)
			}
		}
		if f.Count(hostPath+"/info/refs") == 0 {
			t.Errorf("nobody asked for %s: %+v", hostPath, f.Requests())
		}
	}
	if _, err := lsRemote(t, f, "https://github.com/a/none"); err == nil {
		t.Error("a repository that is none is served")
	}
}

func TestForgeLetsInWhoShowsAPassword(t *testing.T) {
	f, err := NewForge(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Repo("github.com/a/b", Commit{Files: map[string]string{"a": "1"}}); err != nil {
		t.Fatal(err)
	}
	f.Require("github.com", "user", "word")
	if out, err := lsRemote(t, f, "https://github.com/a/b"); err == nil {
		t.Errorf("anybody is let in: %s", out)
	}
	if out, err := lsRemote(t, f, "https://user:word@github.com/a/b"); err != nil {
		t.Errorf("%s, %v", out, err)
	}
	f.Reset()
	if len(f.Requests()) != 0 {
		t.Error("requests are not forgotten")
	}
}
