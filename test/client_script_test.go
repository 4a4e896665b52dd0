//go:build !race

package e2e

import (
	"path/filepath"
	"testing"
)

// The tools of developers are processes that end soon: what runs side by side in them is
// tried with the race detector in their own packages.
func TestScriptsOfDevelopers(t *testing.T) {
	runScripts(t, filepath.Join("..", "cmd", "weir", "testdata", "script", "client"))
}
