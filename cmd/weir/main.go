// Command weir is a Go module proxy and the tools around it.
package main

import (
	"os"

	"github.com/goweir/weir/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
