package doctor

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
)

// safeVersion is the first version of Go that checks checksums as it should.
const safeVersion = "go1.26.6"

func (m *machine) checkGo(context.Context) Result {
	path, err := exec.LookPath("go")
	exit, exited := errors.AsType[*exec.ExitError](m.askError)
	switch {
	case err != nil:
		return bad("go-missing", "there is no go command in PATH", "install Go from https://go.dev/dl, or add its bin folder to PATH")
	case exited && !exit.Exited():
		return warn("go-slow", fmt.Sprintf("the go command at %s does not say in time what its settings are", path), "is the machine very busy? Try go env by hand", byHand("go env"))
	case m.askError != nil:
		return bad("go-broken", fmt.Sprintf("the go command at %s does not run", path), "try go env by hand; install Go anew from https://go.dev/dl if it fails", byHand("go env"))
	}
	return well(m.goVersion() + " at " + path)
}

// goVersion is the version of the go command itself, whatever others it may switch to.
func (m *machine) goVersion() string {
	v, _, _ := strings.Cut(m.env.Value("GOVERSION"), " ") // experiments follow
	return v
}

func (m *machine) checkVersion() Result {
	v := m.goVersion()
	if version.IsValid(v) && version.Compare(v, safeVersion) < 0 {
		return warn("go-old", fmt.Sprintf("%s may take changed modules for good: CVE-2026-42501, CVE-2026-56864, CVE-2026-56865", v), "install "+safeVersion+" or newer from https://go.dev/dl")
	}
	return well(v)
}

// A toolchainSetting is a value of GOTOOLCHAIN.
type toolchainSetting struct {
	least    string // version; empty: that of the go command itself
	switches bool   // to what go.mod asks for
}

// parseToolchain reads GOTOOLCHAIN.
//
// Source: cmd/go/internal/toolchain/select.go, Select.
func parseToolchain(value string) (toolchainSetting, error) {
	least, suffix, plus := strings.Cut(value, "+")
	switch {
	case plus && suffix != "auto" && suffix != "path":
		return toolchainSetting{}, errors.New("after + stands auto or path")
	case !plus && (value == "auto" || value == "path"):
		return toolchainSetting{switches: true}, nil
	case least == "local":
		return toolchainSetting{switches: plus}, nil
	}
	v, _, _ := strings.Cut(least, "-")
	if !strings.HasPrefix(v, "go1") || !version.IsValid(v) {
		return toolchainSetting{}, fmt.Errorf("%q is no version such as go1.26.6, nor local, auto or path", least)
	}
	return toolchainSetting{least: v, switches: plus}, nil
}

func (m *machine) checkToolchain() Result {
	value := cmp.Or(m.env.Value("GOTOOLCHAIN"), "auto")
	setting, err := parseToolchain(value)
	if err != nil {
		return bad("gotoolchain-malformed", fmt.Sprintf("the go command refuses %s: %s", m.from("GOTOOLCHAIN"), err), "write auto, local or a version", m.unset("GOTOOLCHAIN"))
	}
	local := m.goVersion()
	if !version.IsValid(local) {
		return well(value)
	}
	has, wants := cmp.Or(setting.least, local), m.folder.goVersion()
	if wants != "" && version.Compare(wants, has) > 0 {
		if !setting.switches {
			return bad("toolchain-too-old", fmt.Sprintf("%s wants %s, but %s keeps to %s", m.folder.name(), wants, m.from("GOTOOLCHAIN"), has),
				"let the go command fetch it, or install it from https://go.dev/dl", m.set("GOTOOLCHAIN", "auto"))
		}
		has = wants
	}
	if has == local || m.hasToolchain(has) {
		return well(value)
	}
	return m.canFetchToolchain(has, value)
}

// hasToolchain reports whether a version of Go need not be fetched.
func (m *machine) hasToolchain(v string) bool {
	if _, err := exec.LookPath(v); err == nil {
		return true
	}
	return isFolder(filepath.Join(m.env.Value("GOMODCACHE"), "golang.org", "toolchain@v0.0.1-"+v+"."+runtime.GOOS+"-"+runtime.GOARCH))
}

func (m *machine) canFetchToolchain(v, value string) Result {
	switch {
	case m.env.Value("GOSUMDB") == "off" && !strings.HasPrefix(m.proxyValue(), "file://"):
		return bad("toolchain-needs-sumdb", fmt.Sprintf("%s has to be fetched, and that needs the checksum database, which %s=off takes away", v, m.from("GOSUMDB")),
			"have the database on, or install that version and set GOTOOLCHAIN=local", m.unset("GOSUMDB"))
	case m.proxyValue() == "off":
		return bad("toolchain-needs-proxy", fmt.Sprintf("%s has to be fetched, and GOPROXY is off", v), "install that version, and set GOTOOLCHAIN=local")
	}
	return well(value, v+" will be fetched")
}
