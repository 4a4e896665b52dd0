//go:build !race

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/client/render"
	"github.com/goweir/weir/internal/modtest"
)

// awkwardValues mean something to one shell or another.
var awkwardValues = []string{
	"https://a.test|https://b.test,direct", `it's "quoted" and 'quoted'`, `$HOME ${HOME} $$ $(id) $1 $`,
	"`id` !! #x ; & | > < * ? [a] {b} ~ %PATH% ^", `back\slash \\ \n \' \" \$ \`, `-ldflags=-X 'main.v=a b'`,
	" blanks around ", "中文 ‘typographic’ quotes \U0001F600", "-n", "--", "(a)", "~/x", "a\\'b", `'\''`,
}

// A shellOf is a shell, and what is rendered for it.
type shellOf struct{ name, target string }

// shells are those to try; there are more of them where other programs are.
var shells = []shellOf{{"sh", "shell"}, {"bash", "shell"}}

// A shell reads back what was written for it, whatever the value is.
func TestShellsReadBackTheValuesOfAProfile(t *testing.T) {
	t.Parallel()
	const show = `printf '%s\0' "$GOFLAGS"`
	for _, c := range append(shells, shellOf{"bash", "direnv"}) {
		t.Run(c.target+" in "+c.name, func(t *testing.T) {
			t.Parallel()
			var script strings.Builder
			for _, value := range awkwardValues {
				text, err := render.Render(c.target, render.Input{Profile: profile.Profile{Name: "test", Settings: []profile.Setting{{Name: "GOFLAGS", Value: value}}}})
				if err != nil {
					t.Fatal(err)
				}
				script.WriteString(text + show + "\n")
			}
			cmd := exec.CommandContext(t.Context(), c.name)
			cmd.Stdin, cmd.Env, cmd.Dir = strings.NewReader(script.String()), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, t.TempDir()
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			for i, value := range awkwardValues {
				if i >= len(got) || got[i] != value {
					t.Errorf("%q was not read back; got %q", value, got)
				}
			}
		})
	}
}

// desk is a machine with settings of its own, on which nothing is set.
func desk(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t, "", "off", "module example.com/project\n")
	m.env = slices.DeleteFunc(m.env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GOENV", "GOPROXY", "GOSUMDB", "GOFLAGS", "GOTOOLCHAIN", "GOVCS"}, name)
	})
	return m
}

// goEnv is what go env says there, after a script of sh.
func (m *machine) goEnv(t *testing.T, shell, script string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell, "-c", script+"\ngo env -json GOPROXY GOPRIVATE GONOPROXY GONOSUMDB GOSUMDB GOINSECURE GOVCS GOAUTH GOFLAGS")
	cmd.Env, cmd.Dir = m.env, m.project
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var values map[string]string
	if err := json.Unmarshal(out, &values); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return values
}

// Every profile comes out of go env as it went in, by weir env use and by the lines for
// every shell, and what is left when it is taken away again is what was there before.
func TestProfilesMakeARoundTripThroughGoEnv(t *testing.T) {
	t.Parallel()
	m := desk(t)
	everything := strings.Join([]string{
		"GOPROXY: 'https://goproxy.corp.test|file:///srv/modules,direct'", "GOPRIVATE: '*.corp.test,git.test/[a-c]?'", "GONOPROXY: 'none'", "GONOSUMDB: 'a.test'",
		"GOSUMDB: 'sum.golang.org https://sum.test'", "GOINSECURE: 'old.corp.test'", "GOVCS: 'github.com:git,*:off'", "GOAUTH: 'netrc;weir auth'",
		`GOFLAGS: '"-ldflags=-X main.v=$HOME\it''s" -v'`,
	}, "\n")
	m.write(t, "all.yaml", everything)
	m.write(t, "nothing.yaml", "GOPROXY:\nGOPRIVATE:\nGOSUMDB:\n")
	before := m.goEnv(t, "sh", "")
	for _, name := range []string{"china", "ci", "home", "offline", "all.yaml", "nothing.yaml"} {
		want := m.expected(t, name, before)
		if out, err := m.weir(t, "", "env", "use", name); err != nil {
			t.Fatalf("use %s: %v %s", name, err, out)
		}
		m.same(t, name+" used", m.goEnv(t, "sh", ""), want)
		if out, err := m.weir(t, "", "env", "diff", name); err != nil {
			t.Errorf("diff %s: %v %s", name, err, out)
		}
		if out, err := m.weir(t, "", "env", "use", "none"); err != nil {
			t.Fatalf("use none: %v %s", err, out)
		}
		m.same(t, name+" left", m.goEnv(t, "sh", ""), before)
		for _, shell := range shells {
			script := m.rendered(t, shell.target, name)
			m.same(t, name+" in "+shell.name, m.goEnv(t, shell.name, script), want)
		}
	}
}

// profile reads a profile that is built in, or is a file of the project.
func (m *machine) profile(t *testing.T, name string) profile.Profile {
	t.Helper()
	if strings.HasSuffix(name, ".yaml") {
		name = filepath.Join(m.project, name)
	}
	p, err := profile.Folder(t.TempDir()).Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// expected is what go env has to say with a profile.
func (m *machine) expected(t *testing.T, name string, before map[string]string) map[string]string {
	t.Helper()
	want := map[string]string{}
	for variable, value := range before {
		want[variable] = value
	}
	for _, s := range m.profile(t, name).Settings {
		if _, asked := before[s.Name]; asked && !s.Unset {
			want[s.Name] = s.Value
		}
	}
	// The default of these is the value of that.
	for _, variable := range []string{"GONOPROXY", "GONOSUMDB"} {
		if want[variable] == "" {
			want[variable] = want["GOPRIVATE"]
		}
	}
	return want
}

func (m *machine) same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, want %q", what, name, got[name], value)
		}
	}
}

// rendered is the snippet of a profile.
func (m *machine) rendered(t *testing.T, target, name string) string {
	t.Helper()
	in := render.Input{Profile: m.profile(t, name)}
	if strings.HasSuffix(name, ".yaml") {
		in.Path = "./" + filepath.Base(name)
	}
	text, err := render.Render(target, in)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Many terminals switch at the same time; in the end there is one profile, whole.
func TestManyTerminalsMaySwitchAtTheSameTime(t *testing.T) {
	t.Parallel()
	m := desk(t)
	names := []string{"china", "ci", "offline"}
	errs := make(chan error)
	for i := range 6 {
		go func() {
			out, err := m.weir(t, "", "env", "use", names[i%len(names)])
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			errs <- err
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	out, err := m.weir(t, "", "env", "list", "--json")
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	var all []struct {
		Name    string
		Used    bool
		Changed []string
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Used && p.Changed == nil {
			before := map[string]string{"GOPROXY": "", "GOSUMDB": "", "GOVCS": "", "GOFLAGS": ""}
			want := m.expected(t, p.Name, before)
			delete(want, "GONOPROXY")
			delete(want, "GONOSUMDB")
			for name, value := range want {
				if value == "" {
					delete(want, name)
				}
			}
			m.same(t, p.Name, m.goEnv(t, "sh", ""), want)
			return
		}
	}
	t.Errorf("no profile is used as a whole: %s", out)
}

// The scripts of pipelines say nothing that sh does not know, and bring the credentials.
func TestThePipelinesBringTheCredentials(t *testing.T) {
	t.Parallel()
	m := desk(t)
	const entry = "machine goproxy.corp.test login me password hunter2"
	netrc := filepath.Join(m.home(), "secret")
	if err := os.WriteFile(netrc, []byte(entry+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for target, given := range map[string]string{"github": entry, "gitlab": netrc} {
		home := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", m.credentials(t, target))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "NETRC=" + given}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", target, err, out)
		}
		data, err := os.ReadFile(filepath.Join(home, ".netrc"))
		if err != nil || string(data) != entry+"\n" {
			t.Errorf("%s: the netrc file holds %q, %v", target, data, err)
		}
		if info, err := os.Stat(filepath.Join(home, ".netrc")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others can read the netrc file: %v", target, err)
		}
		cmd = exec.CommandContext(t.Context(), "sh", "-euc", m.credentials(t, target))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NETRC="}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s without credentials: %v %s", target, err, out)
		}
	}
}

// credentials is the script of a pipeline that brings the credentials.
func (m *machine) credentials(t *testing.T, target string) string {
	t.Helper()
	text := m.rendered(t, target, "offline")
	begin, end := "        run: |\n", "      - uses: actions/setup-go"
	if target == "gitlab" {
		begin, end = "  before_script:\n    - ", "  script:\n"
	}
	_, text, found := strings.Cut(text, begin)
	script, _, ok := strings.Cut(text, end)
	if !found || !ok {
		t.Fatalf("%s has no script that brings credentials", target)
	}
	return script
}

// The mirror that works is chosen and used, together with what the profile said before;
// private modules are asked of nobody.
func TestTheBestMirrorIsChosenAndUsed(t *testing.T) {
	t.Parallel()
	one := simple("example.com/one", "v1.0.0")
	good, broken := modtest.New(one), modtest.New(one)
	db := modtest.NewSumDB("sum.corp.test", good)
	broken.Break("", modtest.Status(503, 0))
	goodURL, brokenURL := good.Start(t), broken.Start(t)
	m := desk(t)
	m.write(t, "go.sum", "example.com/one v1.0.0 h1:unknown\nexample.com/one v1.0.0/go.mod h1:unknown\ngit.corp.test/plans v1.0.0 h1:unknown\ngit.corp.test/plans v1.0.0/go.mod h1:unknown\n")
	m.write(t, "here.yaml", "GOPROXY: '"+brokenURL+"|"+goodURL+",direct'\nGOPRIVATE: git.corp.test\nGOSUMDB: '"+db.Key()+"'\n")
	if out, err := m.weir(t, "", "env", "use", "./here.yaml"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	out, err := m.weir(t, "", "env", "best")
	if err != nil || !strings.Contains(out, "\nGOPROXY="+goodURL) || !strings.Contains(out, "Private modules (git.corp.test) come from version control") {
		t.Fatalf("%v %s", err, out)
	}
	before := m.goEnv(t, "sh", "")
	out, err = m.weir(t, "", "env", "best", "--write")
	if err != nil || !strings.Contains(out, "using best\n  GOPROXY="+goodURL+",direct  (was ") {
		t.Fatalf("%v %s", err, out)
	}
	after := m.goEnv(t, "sh", "")
	if after["GOPROXY"] != goodURL+",direct" || after["GOPRIVATE"] != "git.corp.test" || after["GOSUMDB"] != db.Key() {
		t.Errorf("go env says %v", after)
	}
	if out, err := m.weir(t, "", "env", "use", "-"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	m.same(t, "back", m.goEnv(t, "sh", ""), before)
	for _, p := range []*modtest.Proxy{good, broken} {
		for path := range p.Requests() {
			if strings.Contains(path, "git.corp.test") {
				t.Errorf("a mirror was asked for %s", path)
			}
		}
	}
	m.write(t, "through.yaml", "GOPROXY: '"+goodURL+"'\nGOPRIVATE: git.corp.test\nGONOPROXY: none\nGOSUMDB: '"+db.Key()+"'\n")
	if out, err := m.weir(t, "", "env", "use", "./through.yaml"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := m.weir(t, "", "env", "best", "--public"); err == nil || !strings.Contains(out, "private modules (git.corp.test) come through your proxies") {
		t.Errorf("%v %s", err, out)
	}
}
