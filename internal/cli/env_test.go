package cli

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// getenv is an environment.
func getenv(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestVariablesAreUnsetInTheLanguageOfTheShell(t *testing.T) {
	for shell, want := range map[string]string{
		"/bin/bash": "unset GOPROXY GOVCS", "/usr/bin/fish": "set -e GOPROXY GOVCS", "/bin/tcsh": "unsetenv GOPROXY; unsetenv GOVCS", "/bin/zsh": "unset GOPROXY GOVCS",
	} {
		if got := unsetCommand(getenv(map[string]string{"SHELL": shell}), []string{"GOPROXY", "GOVCS"}); got != want {
			t.Errorf("in %s: %s, want %s", shell, got, want)
		}
	}
}

func TestTheEditorMayHaveArgumentsAndBlanks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my programs")
	program := filepath.Join(dir, "edit")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, c := range []struct {
		visual, editor string
		want           []string
	}{
		{"", "edit", []string{"edit"}},
		{"edit --wait -n", "other", []string{"edit", "--wait", "-n"}},
		{program, "", []string{program}},
		{"none", "", nil},
		{" ", "", nil}, // vi is not there
	} {
		got, err := editor(getenv(map[string]string{"VISUAL": c.visual, "EDITOR": c.editor}))
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("VISUAL=%s EDITOR=%s is %q, %v, want %q", c.visual, c.editor, got, err, c.want)
		}
	}
}
