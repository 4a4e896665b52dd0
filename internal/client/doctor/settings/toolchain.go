package settings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/version"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/goenv"
)

// safeVersion is the first version of Go that checks checksums as it should.
const safeVersion = "go1.26.6"

func (s *Settings) checkGo(context.Context) check.Result {
	path, err := exec.LookPath("go")
	exit, exited := errors.AsType[*exec.ExitError](s.askError)
	switch {
	case err != nil:
		return check.Trouble("go-missing", "there is no go command in PATH", "install Go from https://go.dev/dl, or add its bin folder to PATH")
	case exited && !exit.Exited():
		return check.Warning("go-slow", fmt.Sprintf("the go command at %s does not say in time what its settings are", path), "is the machine very busy? Try go env by hand", check.ByHand("go env"))
	}
	if failed, ok := errors.AsType[*goenv.AskError](s.askError); ok && failed.Said != "" {
		return check.Trouble("go-broken", fmt.Sprintf("the go command at %s does not say what its settings are: %s", path, failed.Said),
			"mend what it says; weir env show tells where each setting comes from", check.ByHand("go env"))
	}
	if s.askError != nil {
		return check.Trouble("go-broken", fmt.Sprintf("the go command at %s does not run", path), "try go env by hand; install Go anew from https://go.dev/dl if it fails", check.ByHand("go env"))
	}
	return check.Well(s.goVersion() + " at " + path)
}

// goVersion is the version of the go command itself, whatever others it may switch to.
func (s *Settings) goVersion() string {
	v, _, _ := strings.Cut(s.Value("GOVERSION"), " ") // experiments follow
	return v
}

func (s *Settings) checkVersion() check.Result {
	v := s.goVersion()
	if version.IsValid(v) && version.Compare(v, safeVersion) < 0 {
		return check.Warning("go-old", fmt.Sprintf("%s may take changed modules for good: CVE-2026-42501, CVE-2026-56864, CVE-2026-56865", v), "install "+safeVersion+" or newer from https://go.dev/dl")
	}
	return check.Well(v)
}

// A toolchainSetting is a value of GOTOOLCHAIN.
type toolchainSetting struct {
	least    string // version; empty: that of the go command itself
	switches bool   // to what go.mod asks for
	inPath   bool   // others are looked for in PATH only, never fetched
}

// parseToolchain reads GOTOOLCHAIN.
//
// Source: cmd/go/internal/toolchain/select.go, Select.
func parseToolchain(value string) (toolchainSetting, error) {
	least, suffix, plus := strings.Cut(value, "+")
	inPath := value == "path" || suffix == "path"
	switch {
	case plus && suffix != "auto" && suffix != "path":
		return toolchainSetting{}, errors.New("after + stands auto or path")
	case !plus && (value == "auto" || value == "path"):
		return toolchainSetting{switches: true, inPath: inPath}, nil
	case least == "local":
		return toolchainSetting{switches: plus, inPath: inPath}, nil
	}
	v, _, _ := strings.Cut(least, "-")
	if !strings.HasPrefix(v, "go1") || !version.IsValid(v) {
		return toolchainSetting{}, fmt.Errorf("%q is no version such as go1.26.6, nor local, auto or path", least)
	}
	return toolchainSetting{least: v, switches: plus, inPath: inPath}, nil
}

func (s *Settings) checkToolchain() check.Result {
	value := cmp.Or(s.Value("GOTOOLCHAIN"), "auto")
	setting, err := parseToolchain(value)
	if err != nil {
		return check.Trouble("gotoolchain-malformed", fmt.Sprintf("the go command refuses %s: %s", s.From("GOTOOLCHAIN"), err), "write auto, local or a version", s.Unset("GOTOOLCHAIN"))
	}
	local := s.goVersion()
	if !version.IsValid(local) {
		return check.Well(value)
	}
	has, wants := cmp.Or(setting.least, local), s.Folder.GoVersion()
	if wants != "" && version.Compare(wants, has) > 0 {
		if !setting.switches {
			return check.Trouble("toolchain-too-old", fmt.Sprintf("%s wants %s, but %s keeps to %s", s.Folder.Name(), wants, s.From("GOTOOLCHAIN"), has),
				"let the go command fetch it, or install it from https://go.dev/dl", s.Set("GOTOOLCHAIN", "auto"))
		}
		has = wants
	}
	switch {
	case has == local || inPath(has):
		return check.Well(value)
	case setting.inPath:
		return check.Trouble("toolchain-not-in-path", fmt.Sprintf("%s is wanted, and %s has it looked for in PATH only, where it is not", has, s.From("GOTOOLCHAIN")),
			"let the go command fetch it, or install it: go install golang.org/dl/"+has+"@latest, then "+has+" download", s.Set("GOTOOLCHAIN", "auto"))
	case s.hasToolchain(has):
		return check.Well(value)
	}
	return s.canFetchToolchain(has, value)
}

// inPath reports whether a version of Go is installed as a command of its name.
func inPath(v string) bool {
	_, err := exec.LookPath(v)
	return err == nil
}

// hasToolchain reports whether a version of Go has been fetched.
func (s *Settings) hasToolchain(v string) bool {
	return isFolder(filepath.Join(s.Value("GOMODCACHE"), "golang.org", "toolchain@v0.0.1-"+v+"."+runtime.GOOS+"-"+runtime.GOARCH))
}

func (s *Settings) canFetchToolchain(v, value string) check.Result {
	switch {
	case s.Value("GOSUMDB") == "off" && !strings.HasPrefix(s.GOPROXY(), "file://"):
		return check.Trouble("toolchain-needs-sumdb", fmt.Sprintf("%s has to be fetched, and that needs the checksum database, which %s=off takes away", v, s.From("GOSUMDB")),
			"have the database on, or install that version and set GOTOOLCHAIN=local", s.Unset("GOSUMDB"))
	case s.GOPROXY() == "off":
		return check.Trouble("toolchain-needs-proxy", fmt.Sprintf("%s has to be fetched, and GOPROXY is off", v), "install that version, and set GOTOOLCHAIN=local")
	}
	return check.Well(value, v+" will be fetched")
}
