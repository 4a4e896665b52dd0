package settings

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/goenv"
)

func (s *Settings) checkModules() check.Result {
	if s.Value("GO111MODULE") == "off" {
		return check.Trouble("modules-off", s.From("GO111MODULE")+" is off: the go command knows no modules", "modules are on by default", s.Unset("GO111MODULE"))
	}
	return check.Well("modules are on")
}

func (s *Settings) checkFlags() check.Result {
	flags, err := goenv.Words(s.Value("GOFLAGS"))
	if err != nil {
		return check.Trouble("goflags-malformed", fmt.Sprintf("the go command refuses %s: %v", s.From("GOFLAGS"), err), "close it, or take it away", s.Unset("GOFLAGS"))
	}
	for _, flag := range flags {
		name, value, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		switch {
		case !strings.HasPrefix(flag, "-") || name == "":
			return check.Trouble("goflags-malformed", fmt.Sprintf("the go command refuses %s: %q is no flag", s.From("GOFLAGS"), flag), "flags begin with -, and those with a value are written -name=value", s.Unset("GOFLAGS"))
		case name == "insecure":
			return check.Trouble("goflags-unknown", s.From("GOFLAGS")+" has -insecure, which is no more", "use GOINSECURE for the modules that need it", s.Unset("GOFLAGS"))
		case name == "mod" && value == "mod":
			return check.Warning("goflags-mod", s.From("GOFLAGS")+" has -mod=mod: builds change go.mod and go.sum, and use the network for it", "leave that to go get and go mod tidy", s.Unset("GOFLAGS"))
		case name == "mod" && value == "vendor" && s.Folder.Dir != "" && !s.Folder.HasVendor():
			return check.Trouble("goflags-vendor", s.From("GOFLAGS")+" has -mod=vendor, and there is no folder vendor here", "run go mod vendor, or take the flag away", s.Unset("GOFLAGS"))
		case name == "mod" && !slices.Contains([]string{"readonly", "vendor", ""}, value):
			return check.Trouble("goflags-malformed", fmt.Sprintf("the go command refuses %s: -mod=%s is none of mod, readonly and vendor", s.From("GOFLAGS"), value), "take the flag away", s.Unset("GOFLAGS"))
		}
	}
	return check.Well(strings.Join(flags, " "))
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
