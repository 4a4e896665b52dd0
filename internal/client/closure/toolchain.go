package closure

import (
	"fmt"
	"go/version"
	"strings"

	"golang.org/x/mod/module"
)

// toolchainModule is the module whose versions are toolchains.
//
// Source: cmd/go/internal/gover/toolchain.go and modfetch/repo.go.
const toolchainModule = "golang.org/toolchain"

// A Platform is an operating system and a processor, as the go command calls them.
type Platform struct{ OS, Arch string }

// ParsePlatforms reads platforms such as linux/amd64, with commas between them, or
// "none".
func ParsePlatforms(list string) ([]Platform, error) {
	if list == "none" {
		return nil, nil
	}
	var platforms []Platform
	for entry := range strings.SplitSeq(list, ",") {
		os, arch, _ := strings.Cut(strings.TrimSpace(entry), "/")
		if !isWord(os) || !isWord(arch) {
			return nil, fmt.Errorf("%.80q is no platform; write such as linux/amd64,darwin/arm64, or none; go tool dist list has them all", entry)
		}
		platforms = append(platforms, Platform{os, arch})
	}
	return platforms, nil
}

// isWord reports whether s is lower-case letters and digits.
func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// nameToolchain adds a toolchain that was named.
func (b *builder) nameToolchain(name string) error {
	if !isRelease(name) {
		return fmt.Errorf("%.80q is neither module@version nor a toolchain such as go1.26.8", name)
	}
	b.named = append(b.named, name)
	return nil
}

// isRelease reports whether there may be a toolchain of that name: from go1.21 on, the
// name of a language version is not that of a release.
func isRelease(name string) bool {
	return version.IsValid(name) && !strings.Contains(name, "-") && version.Lang(name) != name
}

// askToolchain notes the lines go and toolchain of a go.mod or go.work. For what only
// asks for a version of the language, any release of it will do.
func (b *builder) askToolchain(goLine, toolchainLine string) {
	for _, name := range []string{"go" + goLine, toolchainLine} {
		if isRelease(name) && version.Compare(name, "go1.21") >= 0 && version.Compare(name, b.newest) > 0 {
			b.newest = name
		}
	}
}

// needToolchains adds the toolchains for the platforms: those that were named, and the
// newest of those that are asked for, since it does for all, unless there is one at hand
// that does, too.
func (b *builder) needToolchains() {
	names := b.named
	if b.newest != "" && version.Compare(b.newest, b.AtHand) > 0 {
		names = append(names, b.newest)
	}
	for _, name := range names {
		for _, p := range b.Platforms {
			b.need(module.Version{Path: toolchainModule, Version: "v0.0.1-" + name + "." + p.OS + "-" + p.Arch}, true)
		}
	}
}
