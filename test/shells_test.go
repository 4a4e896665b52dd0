//go:build programs && !race

// These tests need Debian's direnv, fish, shellcheck and yamllint: go test -tags programs.

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

func init() { shells = append(shells, shellOf{"fish", "fish"}) }

// A project that keeps a profile has its settings in force for all who enter its folder,
// and so after the profile has changed.
func TestDirenvBringsTheProfileOfAProject(t *testing.T) {
	t.Parallel()
	m := desk(t)
	m.write(t, "go-env.yaml", "GOPROXY: https://first.test\n")
	m.write(t, ".envrc", m.rendered(t, "direnv", "./go-env.yaml"))
	m.direnv(t, "allow")
	if got := m.direnv(t, "exec", ".", "go", "env", "GOPROXY"); got != "https://first.test\n" {
		t.Errorf("GOPROXY is %q", got)
	}
	m.write(t, "go-env.yaml", "GOPROXY: https://second.test\n")
	if got := m.direnv(t, "exec", ".", "go", "env", "GOPROXY"); got != "https://second.test\n" {
		t.Errorf("GOPROXY is %q after the profile has changed", got)
	}
	m.write(t, ".envrc", m.rendered(t, "direnv", "china"))
	m.direnv(t, "allow")
	if got := m.direnv(t, "exec", ".", "go", "env", "GOSUMDB"); got != "sum.golang.google.cn\n" {
		t.Errorf("GOSUMDB is %q", got)
	}
}

// direnv runs direnv in the folder of the project, and returns what it says.
func (m *machine) direnv(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "direnv", args...)
	cmd.Env, cmd.Dir = m.env, m.project
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("direnv %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

func TestLintersFindNothingInSnippets(t *testing.T) {
	t.Parallel()
	m := desk(t)
	m.write(t, "awkward.yaml", "GOPRIVATE: '*.corp.test'\nGOFLAGS: '-ldflags=$HOME\\it''s'\nGOVCS:\n")
	shellcheck := func(dialect string) []string {
		return []string{"shellcheck", "--norc", "-S", "warning", "-s", dialect, "-"}
	}
	// Lines may be long, and there may be comments and no "---" before all.
	yamllint := []string{"yamllint", "--strict", "-d", "{extends: default, rules: {line-length: disable, document-start: disable, truthy: {check-keys: false}, octal-values: disable, braces: {max-spaces-inside: 0}}}", "-"}
	for target, linter := range map[string][]string{
		"shell": shellcheck("sh"), "direnv": shellcheck("bash"), "compose": yamllint, "github": yamllint, "gitlab": yamllint, "kubernetes": yamllint,
	} {
		for _, name := range []string{"china", "awkward.yaml"} {
			cmd := exec.CommandContext(t.Context(), linter[0], linter[1:]...)
			cmd.Stdin = strings.NewReader(m.rendered(t, target, name))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s of %s: %v\n%s", target, name, err, out)
			}
		}
	}
	for _, target := range []string{"github", "gitlab"} {
		cmd := exec.CommandContext(t.Context(), "shellcheck", "--norc", "-S", "warning", "-s", "sh", "-")
		cmd.Stdin = strings.NewReader(m.credentials(t, target))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("the script of %s: %v\n%s", target, err, out)
		}
	}
}
