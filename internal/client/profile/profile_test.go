package profile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/goenv"
)

func TestParseReadsAProfile(t *testing.T) {
	t.Parallel()
	text := "\ufeff# a comment\r\nGOFLAGS: -mod=mod # why\r\ndescription: 'at the \"desk\"'\r\nGOPRIVATE: \"*.corp.test\"\r\nGOSUMDB: off\r\nGOPROXY:\r\nGOVCS: ''\r\n"
	p, err := Parse("a.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{"GOPROXY", "", true}, {"GOPRIVATE", "*.corp.test", false}, {"GOSUMDB", "off", false}, {"GOVCS", "", false}, {"GOFLAGS", "-mod=mod", false},
	}
	if p.Description != `at the "desk"` || !slices.Equal(p.Settings, want) {
		t.Errorf("got %+v", p)
	}
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		if p, err := Parse("a.yaml", text); err != nil || len(p.Settings) > 0 {
			t.Errorf("%q is %v, %v", text, p, err)
		}
	}
}

func TestParseShowsWhereTheMistakeIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"GOPROXXY: off\n", "a.yaml:1:1: \"GOPROXXY\" is not to be set here; did you mean GOPROXY?\n    1 | GOPROXXY: off\n      | ^"},
		{"# x\nGOPROXY:   dirct\n", "a.yaml:2:12: GOPROXY: entry 1 of the upstream list: \"dirct\" is neither a URL nor direct nor off\n    2 | GOPROXY:   dirct\n      |            ^"},
		{"GOVCS: off\nGOVCS: off\n", "a.yaml:2:1: GOVCS is already in line 1"},
		{"GOPRIVATE: [a, b]\n", "a.yaml:1:12: write plain lines"},
		{"GOPRIVATE: *.corp.test\n", "in quotes"},
		{"GOPRIVATE:\n- a\n", "a.yaml:2:1: write plain lines"},
		{"GOPROXY:\n  url: off\n", "GOPROXY: one value is wanted here"},
		{"GOPROXY: >-\n  off\n", "write plain lines"},
		{"GOPRIVATE: a,\n  b\n", "a.yaml:1: write each value in one line"},
		{"GOPROXY off\n", "write lines of a variable and its value"},
		{"- GOPROXY\n", "write plain lines"},
		{"GOPROXY: 'off\n", "a.yaml:1:10: "},
		{"GOPROXY: https://me:s3cr3t@a.example.com\n", "netrc file (machine HOST login USER password PASSWORD)"},
		{"GOPROXY: 'https://me:s3cr3t@a.example.com'\n", "    1 | GOPROXY: 'https://xxxxx@a.example.com'\n"},
		{"GOPROXY: me:s3cr3t@a.example.com\nGOPROXY: me:s3cr3t@a.example.com\n", "already in line 1"},
		{"GOPROXY: https://me:s3cr3t@a.example.com: x\n", ""},
		{"a: b\x1b[31m\n", ""},
		{strings.Repeat("GOPROXY: off\n", maxKeys+1), "not so many lines"},
		{strings.Repeat("#", maxFile+1), "larger than"},
	} {
		_, err := Parse("a.yaml", c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: the error is\n%v\nwant\n%s", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error shows a secret: %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "\x1b") {
			t.Errorf("the error can command the terminal: %q", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("description: 'it''s'\nGOPROXY: https://a.test|direct\nGOPRIVATE:\n")
	f.Add("GOFLAGS: \"-tags=\\u4e2d\"\n...\n---\nGOVCS: ''\n")
	f.Add("{GOPROXY: [*a, &b c]}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("a.yaml", text)
		if err != nil {
			return
		}
		again, err := Parse("", Format(p))
		p.File = ""
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%+v becomes %+v, %v", p, again, err)
		}
	})
}

func TestWhatIsBuiltInIsGood(t *testing.T) {
	t.Parallel()
	all, err := Folder(t.TempDir()).List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name)
		if e.Err != nil || e.Origin != BuiltIn || e.Description == "" || len(e.Settings) == 0 || e.File != "" {
			t.Errorf("%+v", e)
		}
		if wantExample := e.Name == "office"; (e.Example() != "") != wantExample {
			t.Errorf("%s is an example of %q", e.Name, e.Example())
		}
	}
	if want := []string{"china", "ci", "home", "office", "offline"}; !slices.Equal(names, want) {
		t.Errorf("there are %v, want %v", names, want)
	}
	if p, err := Parse("", Start); err != nil || len(p.Settings) > 0 {
		t.Errorf("the start of a new profile: %+v, %v", p, err)
	}
	// Lines of the start that are taken into use are good, too.
	started := strings.NewReplacer("\n#GO", "\nGO").Replace(Start)
	if p, err := Parse("", started); err != nil || len(p.Settings) != 10 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAFolderKeepsProfiles(t *testing.T) {
	t.Parallel()
	f := Folder(filepath.Join(t.TempDir(), "weir", "profiles"))
	if err := f.Save("desk", "GOPROXY: off\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Save("home", "GOPROXY: direct\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Save("bad", "GOPROXY: dirct\n"); err == nil || !strings.Contains(err.Error(), "bad.yaml:1:10") {
		t.Errorf("a bad profile was saved: %v", err)
	}
	if err := os.WriteFile(f.file("broken"), []byte("GOPROXXY: off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		line := e.Name + " " + string(e.Origin)
		if e.Err != nil {
			line += " broken"
		}
		got = append(got, line)
	}
	want := []string{"broken own broken", "china built in", "ci built in", "desk own", "home edited", "office built in", "offline built in"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := f.Remove("home"); err != nil {
		t.Error(err)
	}
	if err := f.Remove("home"); err == nil || !strings.Contains(err.Error(), "built in") {
		t.Errorf("what is built in was removed: %v", err)
	}
	if err := f.Remove("desk"); err != nil {
		t.Error(err)
	}
	if err := f.Remove("desk"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a profile that is not there was removed: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(string(f), ".*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestNamesStayWithinTheFolder(t *testing.T) {
	t.Parallel()
	f := Folder(t.TempDir())
	for _, name := range []string{"", ".", "..", "../a", "A", "a b", "-", "none", "ä", strings.Repeat("a", 65)} {
		if err := f.Save(name, ""); err == nil {
			t.Errorf("a profile was saved as %q", name)
		}
		if err := f.Remove(name); err == nil {
			t.Errorf("a profile %q was removed", name)
		}
	}
	_, err := f.Load("ofice")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "did you mean office?") {
		t.Errorf("the error is %v", err)
	}
	if _, ok, err := f.Text("other"); ok || err != nil {
		t.Errorf("there is a profile other: %v", err)
	}
}

func TestAProfileMayBeAFileOfAProject(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("go-env.yaml", []byte("GOPROXY: off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Folder("none").Load("./go-env.yaml")
	if err != nil || !filepath.IsAbs(p.Name) || p.File != "./go-env.yaml" || p.Settings[0].Value != "off" {
		t.Errorf("%+v, %v", p, err)
	}
}

// settings are those of a machine with this environment and file of go env -w.
func settings(t *testing.T, file string, environment map[string]string) *goenv.Env {
	t.Helper()
	name := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return goenv.Load(func(variable string) string {
		if variable == "GOENV" {
			return name
		}
		return environment[variable]
	})
}

func TestAProfileCanBeMadeOfWhatIsSet(t *testing.T) {
	t.Parallel()
	env := settings(t, "GOPROXY=https://file.test\nGOSUMDB=off\n", map[string]string{"GOPROXY": "https://shell.test", "GOFLAGS": "-v"})
	p, err := FromNow("now", env)
	want := []Setting{{"GOPROXY", "https://shell.test", false}, {"GOSUMDB", "off", false}, {"GOFLAGS", "-v", false}}
	if err != nil || !slices.Equal(p.Settings, want) {
		t.Errorf("%+v, %v", p, err)
	}
	env = settings(t, "", map[string]string{"GOPROXY": "https://me:s3cr3t@shell.test"})
	if _, err := FromNow("now", env); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("a password went into a profile: %v", err)
	}
}

func TestCompareTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	left, err := Parse("", "GOPROXY: off\nGOSUMDB:\nGOVCS: ''\n")
	if err != nil {
		t.Fatal(err)
	}
	right, err := Parse("", "GOPROXY: direct\nGOSUMDB:\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Difference{
		{"GOPROXY", Side{Value: "off", Said: true}, Side{Value: "direct", Said: true}},
		{"GOVCS", Side{Said: true}, Side{}},
	}
	if got := Compare(left, right); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	now := InForce(settings(t, "GOPROXY=direct\n", map[string]string{"GOSUMDB": "off"}))
	want = []Difference{{"GOSUMDB", Side{Value: "off", Said: true}, Side{Said: true, Unset: true}}}
	if got := CompareNow(now, right); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
