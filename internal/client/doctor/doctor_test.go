package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/goenv"
)

var update = flag.Bool("update", false, "write the table of checks into docs/doctor.md")

// settledMachine makes a machine with these settings and nothing else; it looks nowhere.
func settledMachine(t *testing.T, settings map[string]string) *machine {
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
	m := &machine{Options: Options{Getenv: getenv, Dir: dir}, env: goenv.Load(getenv)}
	m.proxies, m.listError = m.openProxies()
	return m
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
		m := settledMachine(t, settings)
		for _, c := range m.settingChecks() {
			if c.ID == "go-command" || c.ID == "go-version" {
				continue // which are about this machine
			}
			if r := c.Run(t.Context()); r.State != OK {
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
		{"GOFLAGS", "-mod=none", "goflags-malformed"}, {"GOFLAGS", "-insecure", "goflags-unknown"},
		{"GOAUTH", "off;netrc", "goauth-malformed"}, {"GOAUTH", "git relative", "goauth-malformed"}, {"GOAUTH", "no-such-helper canary", "goauth-missing"},
		{"GOTOOLCHAIN", "go1.26.6+never", "gotoolchain-malformed"}, {"GOTOOLCHAIN", "bash", "gotoolchain-malformed"},
		{"HTTP_PROXY", "http://[", "http-proxy-malformed"},
		{"GOINSECURE", "*.example.com", "goinsecure-proxy"},
	} {
		settings := map[string]string{"GOPROXY": "direct", c.name: c.value}
		if c.name == "GOINSECURE" {
			settings["GOPROXY"] = "https://proxy.example.com"
		}
		m := settledMachine(t, settings)
		var kinds []string
		for _, check := range m.settingChecks() {
			if r := check.Run(t.Context()); r.State != OK && check.ID != "go-command" {
				kinds = append(kinds, r.Kind)
			}
			if r := check.Run(t.Context()); strings.Contains(fmt.Sprintf("%+v", r), "canary") {
				t.Errorf("a secret is shown: %+v", r)
			}
		}
		if !slices.Equal(kinds, []string{c.want}) {
			t.Errorf("%s=%s: %q, want %s", c.name, c.value, kinds, c.want)
		}
	}
}

func TestOneCauseIsOneLine(t *testing.T) {
	findings := []Finding{
		{ID: "proxy-dns", Subject: "https://a", proxy: 1, Result: bad("no-dns", "DNS does not answer for a", "")},
		{ID: "netrc", Result: warn("netrc-open", "open", "")},
		{ID: "sumdb-way", Subject: "https://a", Result: bad("no-dns", "DNS does not answer for a, either", "")},
		{ID: "gosumdb", Result: bad("gosumdb-malformed", "malformed", "")},
		{ID: "goflags", Result: well("")},
	}
	var got []string
	for _, c := range causes(findings) {
		got = append(got, c.Kind)
	}
	if want := []string{"gosumdb-malformed", "no-dns", "netrc-open"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAPipeTurnsTroubleIntoAWarning(t *testing.T) {
	for _, c := range []struct {
		goproxy string
		kind    string
		second  State
		want    State
	}{
		{"https://a|https://b", "refused", OK, Warn},
		{"https://a,https://b", "refused", OK, Bad},
		{"https://a|https://b", "silent", OK, Bad}, // for which the go command waits
		{"https://a|https://b", "refused", Bad, Bad},
		{"https://a|direct", "refused", "", Warn},
	} {
		m := settledMachine(t, map[string]string{"GOPROXY": c.goproxy})
		findings := []Finding{{proxy: 1, Result: bad(c.kind, "", "")}}
		if c.second != "" {
			findings = append(findings, Finding{proxy: 2, Result: Result{State: c.second}})
		}
		if m.mitigate(findings); findings[0].State != c.want {
			t.Errorf("%+v: %s", c, findings[0].State)
		}
	}
}

func TestAChecksTroubleSkipsThoseAfterIt(t *testing.T) {
	first := &Check{ID: "proxy-dns", Run: still(func() Result { return bad("x", "", "") })}
	second := &Check{ID: "proxy-tls", After: []*Check{first}, Run: still(func() Result { t.Error("it ran"); return well("") })}
	third := &Check{ID: "proxy-list", After: []*Check{second}, Run: second.Run}
	other := &Check{ID: "goflags", Run: still(func() Result { return well("") })}
	var seen []string
	findings := run(t.Context(), []*Check{first, second, third, other}, time.Minute, func(_, of int, f Finding) { seen = append(seen, fmt.Sprint(of, f.ID)) })
	var states []State
	for _, f := range findings {
		states = append(states, f.State)
	}
	if !slices.Equal(states, []State{Bad, Skipped, Skipped, OK}) || len(seen) != 4 {
		t.Errorf("got %v, %v", states, seen)
	}
}

func TestAnEndlessCheckIsEnded(t *testing.T) {
	endless := &Check{ID: "proxy-list", Run: func(ctx context.Context) Result { <-ctx.Done(); return bad("silent", "", "") }}
	if f := run(t.Context(), []*Check{endless}, time.Millisecond, nil); f[0].Kind != "silent" {
		t.Errorf("got %+v", f)
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
	for _, f := range []Fix{goEnv("-w", "GOPRIVATE=a b"), makeFolder(filepath.Join(dir, "a", "b")), keepPrivate(netrc)} {
		if err := f.Apply(t.Context()); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(text)) != "GOPRIVATE=a b" || !isFolder(filepath.Join(dir, "a", "b")) {
		t.Errorf("go env is %q, %v", text, err)
	}
	if info, err := os.Stat(netrc); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("netrc: %v, %v", info, err)
	}
	if err := goEnv("-w", "NOTHING=x").Apply(t.Context()); err == nil {
		t.Error("a command that fails is no error")
	}
	if err := byHand("unset GOPROXY").Apply(t.Context()); err == nil {
		t.Error("what a person has to do was done")
	}
}

func TestCommandsAreFitForAShell(t *testing.T) {
	for arg, want := range map[string]string{"GOPROXY=https://a,direct": "GOPROXY=https://a,direct", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'", "a|b": "'a|b'"} {
		if got := quote(arg); got != want {
			t.Errorf("%q is %s, want %s", arg, got, want)
		}
	}
}

func TestTargets(t *testing.T) {
	for arg, want := range map[string]Target{
		"golang.org/x/text":         {"golang.org/x/text", ""},
		"golang.org/x/text@latest":  {"golang.org/x/text", ""},
		"golang.org/x/text@v0.14.0": {"golang.org/x/text", "v0.14.0"},
		"example.com/m@main":        {"example.com/m", "main"},
	} {
		if got, err := ParseTarget(arg); err != nil || got != want {
			t.Errorf("%s: %v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"", "text", "https://github.com/a/b.git", "example.com/m@", "example.com/m@a/b", "example.com/../m"} {
		if got, err := ParseTarget(arg); err == nil {
			t.Errorf("%q: %v", arg, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("golang.org/x/text@v0.14.0")
	f.Add("https://github.com/a/b.git")
	f.Fuzz(func(t *testing.T, arg string) {
		target, err := ParseTarget(arg)
		if err != nil {
			return
		}
		if again, err := ParseTarget(target.String()); err != nil || again != target {
			t.Errorf("%q is %v, and that is %v, %v", arg, target, again, err)
		}
	})
}

func FuzzSettingsShowNoSecret(f *testing.F) {
	f.Add("https://user:", "@proxy.example.com,direct")
	f.Add("", "@a|b")
	f.Fuzz(func(t *testing.T, before, after string) {
		const canary = "canary7"
		if strings.ContainsAny(before, ",|?") || !strings.HasPrefix(after, "@") || strings.Contains(before+after, canary) {
			return
		}
		if shown := redactedList(before + canary + after); strings.Contains(shown, canary) {
			t.Errorf("%q shows the secret", shown)
		}
	})
}

func FuzzGoImports(f *testing.F) {
	f.Add([]byte(`<!DOCTYPE html><head><meta name="go-import" content="example.com/m git https://git.example.com/m.git"></head>`))
	f.Add([]byte(`<meta name=go-import content="a git b c d">`))
	f.Fuzz(func(t *testing.T, page []byte) {
		for _, at := range goImports(page) {
			if strings.ContainsFunc(at.prefix+at.vcs+at.url+at.subdir, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q has control characters", at)
			}
		}
	})
}

func TestGoImports(t *testing.T) {
	page := `<html><head><META name="go-import" content="example.com/m git https://git.example.com/m.git sub"><meta name="go-source" content="a b c d"></head><body><meta name="go-import" content="x git y"></body>`
	if got := goImports([]byte(page)); len(got) != 1 || got[0] != (place{"example.com/m", "git", "https://git.example.com/m.git", "sub"}) {
		t.Errorf("got %+v", got)
	}
}

func TestComplaintsOfGitShowNoSecret(t *testing.T) {
	r := adviseGit("https://git.example.com/m.git", "fatal: Authentication failed for 'https://robot:canary@git.example.com/m.git/'")
	if r.Kind != "git-denied" || strings.Contains(fmt.Sprint(r), "canary") {
		t.Errorf("got %+v", r)
	}
}

func TestTheFolderIsReadAsTheGoCommandDoes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("go.work", "go 1.25.0\n\nuse ./a\n")
	write("a/go.mod", "module example.com/a\n\ngo 1.24.0\n\nrequire (\n\texample.com/i v1.0.0 // indirect\n\texample.com/d v1.0.0\n\texample.com/r v1.0.0\n)\n\nreplace example.com/r => ../r\n")
	write("a/b/x.go", "package b\n")
	f := openFolder(filepath.Join(dir, "a", "b"), "")
	if f.dir != filepath.Join(dir, "a") || f.workFile != filepath.Join(dir, "go.work") || f.goVersion() != "go1.25.0" || fmt.Sprint(f.requirements()) != "[example.com/d@v1.0.0 example.com/i@v1.0.0]" {
		t.Errorf("got %+v, %s, %v", f, f.goVersion(), f.requirements())
	}
	if r := f.checkWork(); r.State != OK {
		t.Errorf("go.work: %+v", r)
	}
	if r := f.checkMod(); r.Kind != "replacement-missing" {
		t.Errorf("go.mod: %+v", r)
	}
	if f := openFolder(filepath.Join(dir, "a"), "off"); f.workFile != "" || f.goVersion() != "go1.24.0" {
		t.Errorf("with GOWORK=off: %+v", f)
	}
}

// The table in the manual is the Catalogue.
func TestTheManualHasAllChecks(t *testing.T) {
	const name, begin, end = "../../../docs/doctor.md", "<!-- checks -->\n", "<!-- end of checks -->\n"
	var table strings.Builder
	table.WriteString("| id | group | what it looks at |\n|---|---|---|\n")
	for _, e := range Catalogue {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", e.ID, e.Group, e.Looks)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", name)
	}
	if *update {
		if err := os.WriteFile(name, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != table.String() {
		t.Error("the table is stale: go test ./internal/client/doctor -run Manual -update")
	}
}

func TestReportsAreJSON(t *testing.T) {
	data, err := json.Marshal(Finding{ID: "x", Result: well("fine"), Took: Millis(1500 * time.Microsecond)})
	if want := `{"id":"x","group":"","title":"","state":"ok","summary":"fine","took_ms":1}`; err != nil || string(data) != want {
		t.Errorf("got %s, %v; want %s", data, err, want)
	}
}

func TestAFolderIsTried(t *testing.T) {
	dir := t.TempDir()
	if r := checkFolder("GOMODCACHE", filepath.Join(dir, "a", "b")); r.State == Bad {
		t.Errorf("one that can be made: %+v", r)
	}
	if r := checkFolder("GOMODCACHE", "relative"); r.Kind != "cache-malformed" {
		t.Errorf("a relative one: %+v", r)
	}
	if r := checkFolder("GOTMPDIR", filepath.Join(dir, "none")); r.Kind != "folder-missing" || !r.Fixes[0].Safe {
		t.Errorf("GOTMPDIR that does not exist: %+v", r)
	}
	left, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || len(left) > 0 {
		t.Errorf("%q was left there: %v", left, err)
	}
}

func TestSizesAreForPeople(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1500: "1.5 kB", 66_900_000_000: "66.9 GB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
