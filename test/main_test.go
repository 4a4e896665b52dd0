package e2e

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/goweir/weir/internal/cli"
)

// TestMain makes the test binary be weir, too, for scripts and tests that run
// it: what they try is what was built here, with the race detector if that is on.
func TestMain(m *testing.M) {
	testscript.Main(watched{m}, map[string]func(){
		"weir": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}
