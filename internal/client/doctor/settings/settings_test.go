package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/goenv"
)

// settled are these settings and nothing else; they look nowhere.
func settled(t *testing.T, settings map[string]string) *Settings {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"GOENV": filepath.Join(dir, "env"), "GOROOT": dir, "NETRC": filepath.Join(dir, "netrc")}
	for name, value := range settings {
		all[name] = value
	}
	if err := os.WriteFile(all["NETRC"], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return all[name] }
	s := &Settings{Env: goenv.Load(getenv), Dir: dir}
	s.Entries, s.ListError = s.entries()
	return s
}

// Settings that are fine are no reason for an alarm, also unusual ones.
func TestGoodSettingsRaiseNoAlarm(t *testing.T) {
	for _, settings := range []map[string]string{
		{},
		{"GOPROXY": "https://proxy.example.com|https://goproxy.cn,direct", "GOPRIVATE": "*.corp.example.com,github.com/team/*"},
		{"GOPROXY": "off", "GOSUMDB": "off"},
		{"GOPROXY": "https://user:pass@proxy.example.com/go/"},
		{"GOPROXY": "https://proxy.example.com", "GOPRIVATE": "corp.example.com", "GONOPROXY": "none"},
		{"GOPROXY": "https://goproxy.cn", "GOPRIVATE": "corp.example.com", "GONOPROXY": "corp.example.com,other.example.com"},
		{"GOPRIVATE": "corp.example.com/", "GOVCS": "corp.example.com:git,public:off", "GOPROXY": "https://proxy.example.com"},
		{"GOFLAGS": `-mod=readonly -trimpath "-ldflags=-s -w" -tags=a,b`},
		{"GOAUTH": "netrc"}, {"GOAUTH": "off"},
		{"GOTOOLCHAIN": "go1.26.6+auto", "GOVERSION": "go1.26.8"},
		{"HTTPS_PROXY": "http://user:pass@proxy.example.com:3128", "https_proxy": "http://user:pass@proxy.example.com:3128", "HTTP_PROXY": "proxy.example.com:80"},
	} {
		s := settled(t, settings)
		for _, c := range s.Checks() {
			if c.ID == "go-command" || c.ID == "go-version" {
				continue // which are about this machine
			}
			if r := c.Run(t.Context()); r.State != check.OK {
				t.Errorf("%v: %s: %+v", settings, c.ID, r)
			}
		}
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"GOPROXY", ",", "goproxy-malformed"}, {"GOPROXY", "https://a.example.com https://b.example.com", "goproxy-separator"},
		{"GOPROXY", "off,https://a.example.com", "goproxy-after-off"},
		{"GOPRIVATE", "https://corp.example.com", "pattern-malformed"}, {"GOINSECURE", "[", "pattern-malformed"}, {"GONOSUMDB", "a;b", "pattern-malformed"},
		{"GOPRIVATE", "*", "gosumdb-off"},
		{"GOVCS", "corp.example.com:", "govcs-malformed"}, {"GOVCS", "*:off", "govcs-forbids"},
		{"GOFLAGS", "-mod=none", "goflags-malformed"}, {"GOFLAGS", "-insecure", "goflags-unknown"}, {"GOFLAGS", "'-v", "goflags-malformed"},
		{"GOAUTH", "off;netrc", "goauth-malformed"}, {"GOAUTH", "git relative", "goauth-malformed"}, {"GOAUTH", "no-such-helper canary", "goauth-missing"},
		{"GOTOOLCHAIN", "go1.26.6+never", "gotoolchain-malformed"}, {"GOTOOLCHAIN", "bash", "gotoolchain-malformed"},
		{"HTTP_PROXY", "http://[", "http-proxy-malformed"},
		{"GOINSECURE", "*.example.com", "goinsecure-proxy"},
	} {
		settings := map[string]string{"GOPROXY": "direct", c.name: c.value}
		if c.name == "GOINSECURE" {
			settings["GOPROXY"] = "https://proxy.example.com"
		}
		s := settled(t, settings)
		var kinds []string
		for _, one := range s.Checks() {
			if r := one.Run(t.Context()); r.State != check.OK && one.ID != "go-command" {
				kinds = append(kinds, r.Kind)
			}
			if r := one.Run(t.Context()); strings.Contains(fmt.Sprintf("%+v", r), "canary") {
				t.Errorf("a secret is shown: %+v", r)
			}
		}
		if !slices.Equal(kinds, []string{c.want}) {
			t.Errorf("%s=%s: %q, want %s", c.name, c.value, kinds, c.want)
		}
	}
}

// What is hidden may differ in what is not shown.
func TestAHiddenSettingIsNamedWhateverIsShownOfIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOPROXY=https://c.example.com,https://me:canary@b.example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := settled(t, map[string]string{"GOENV": file, "GOPROXY": "https://a.example.com,https://me:canary@b.example.com"})
	if r := s.checkHidden(); r.Kind != "env-hides-go-env-w" || strings.Contains(fmt.Sprintf("%+v", r), "canary") {
		t.Errorf("got %+v", r)
	}
}

func TestSafeFixesAreApplied(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "env")
	t.Setenv("GOENV", file)
	netrc := filepath.Join(dir, "netrc")
	if err := os.WriteFile(netrc, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, f := range []check.Fix{goEnv("-w", "GOPRIVATE=a b"), keepPrivate(netrc)} {
		if err := f.Apply(t.Context()); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(text)) != "GOPRIVATE=a b" {
		t.Errorf("go env is %q, %v", text, err)
	}
	if info, err := os.Stat(netrc); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("netrc: %v, %v", info, err)
	}
	if err := goEnv("-w", "NOTHING=x").Apply(t.Context()); err == nil {
		t.Error("a command that fails is no error")
	}
}

func TestFixesShowNoSecret(t *testing.T) {
	for _, environment := range []map[string]string{{}, {"GOAUTH": "helper canary"}} {
		f := settled(t, environment).Set("GOAUTH", "helper canary;netrc")
		if strings.Contains(f.Command, "canary") || !strings.Contains(f.Command, "netrc") || f.Safe {
			t.Errorf("%v: %+v", environment, f)
		}
	}
	if f := settled(t, nil).Set("GOPRIVATE", "a,b"); f.Command != "go env -w GOPRIVATE=a,b" || !f.Safe {
		t.Errorf("without secrets: %+v", f)
	}
}
