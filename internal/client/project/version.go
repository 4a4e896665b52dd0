package project

import (
	"cmp"
	"go/version"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// The names that the go and toolchain lines of a go.mod have in graphs of modules. They
// are no modules that could be fetched.
const (
	GoLine        = "go"
	ToolchainLine = "toolchain"
)

// IsToolchain reports whether a path stands for the go or the toolchain line of a
// go.mod, and not for a module.
func IsToolchain(path string) bool { return path == GoLine || path == ToolchainLine }

// None is the version in force of a module that nothing requires.
const None = "none"

// What a go.mod and a go.work without a go line mean.
const (
	defaultModGo  = "1.16"
	defaultWorkGo = "1.18"
)

// Compare orders the versions of one path. Main modules have none: "" is above all others.
func Compare(path, a, b string) int {
	switch {
	case a == "" || b == "":
		return cmp.Compare(emptiness(a), emptiness(b))
	case path == GoLine:
		return version.Compare("go"+a, "go"+b)
	case path == ToolchainLine:
		return version.Compare(toolchainName(a), toolchainName(b))
	}
	return semver.Compare(a, b)
}

func emptiness(v string) int {
	if v == "" {
		return 1
	}
	return 0
}

func toolchainName(v string) string {
	if strings.HasPrefix(v, "go") {
		return v
	}
	return "go" + v
}

// atLeast reports whether a go line names a version of Go or a later one.
func atLeast(goVersion, least string) bool {
	return version.Compare("go"+goVersion, "go"+least) >= 0
}

// Prunes reports whether modules with this go line have pruned module graphs.
func Prunes(goVersion string) bool { return atLeast(goVersion, "1.17") }

// Demands reports whether a go line is a requirement like that of a module.
func Demands(goVersion string) bool { return atLeast(goVersion, "1.21") }

// Sort orders modules by path, and those of one path by version.
func Sort(list []module.Version) {
	slices.SortStableFunc(list, func(a, b module.Version) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), Compare(a.Path, a.Version, b.Version))
	})
}

// Format is how a module of the graph is written: path@version, or the path alone of
// a main module.
func Format(m module.Version) string {
	if m.Version == "" {
		return m.Path
	}
	return m.Path + "@" + m.Version
}
