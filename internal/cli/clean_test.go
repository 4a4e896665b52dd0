package cli_test

import (
	"strings"
	"testing"
)

// These calls end before they look at a module cache: there is only the one of whoever
// runs the tests.
func TestWrongUseOfCleanAndVerify(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"clean", "all"}, 2, "does not know"},
		{[]string{"clean", "--yes"}, 2, "--yes to what"},
		{[]string{"clean", "--repair", "--older-than", "3d"}, 2, "one after the other"},
		{[]string{"clean", "--older-than", "1h"}, 2, "a day or more"},
		{[]string{"clean", "--older-than", "-3d"}, 2, "a day or more"},
		{[]string{"clean", "--keep-latest", "-1"}, 2, "at least 1"},
		{[]string{"clean", "--unused-by", t.TempDir()}, 1, "no go.mod or go.work in"},
		{[]string{"verify", "a", "b"}, 2, "or nothing"},
		{[]string{"verify", "--fail-on", "none"}, 2, "error, warning and note"},
		{[]string{"verify", "--json", "--sarif"}, 2, "choose one"},
		{[]string{"verify", "--offline", "--bytes"}, 2, "choose one"},
	} {
		if code, _, stderr := run(t, test.args...); code != test.code || !strings.Contains(stderr, test.text) {
			t.Errorf("weir %q: exit %d: %s", test.args, code, stderr)
		}
	}
}
