package goenv

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// load loads the settings of a machine with these variables, file of the user and
// go.env of the installation.
func load(t *testing.T, user, installation string, variables map[string]string) *Env {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"GOENV": filepath.Join(dir, "env"), "GOROOT": dir}
	for name, text := range map[string]string{"env": user, "go.env": installation} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range variables {
		all[name] = value
	}
	return Load(func(name string) string { return all[name] })
}

func TestAllTellsWhatHidesWhat(t *testing.T) {
	env := load(t, "GOPROXY=user\nGOSUMDB=\nGOFLAGS=-v\n", "GOPROXY=goroot\nGOSUMDB=goroot\nGOTOOLCHAIN=auto\n", map[string]string{"GOPROXY": "environment", "GOFLAGS": ""})
	if !env.Complete() {
		t.Error("go.env of the installation was not found")
	}
	for name, want := range map[string][]Layer{
		"GOPROXY":     {Environment, UserFile, Installation},
		"GOSUMDB":     nil, // empty in the file of the user, which hides the installation
		"GOFLAGS":     {UserFile},
		"GOTOOLCHAIN": {Installation},
		"GOPRIVATE":   nil,
	} {
		var got []Layer
		for _, s := range env.All(name) {
			got = append(got, s.Layer)
		}
		if len(got) != len(want) {
			t.Errorf("%s is set in the layers %v, want %v", name, got, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s is set in the layers %v, want %v", name, got, want)
			}
		}
	}
	if s, _ := env.Lookup("GOFLAGS"); s.File != env.UserFile() || s.Origin() != "GOFLAGS in go env file "+env.UserFile() {
		t.Errorf("GOFLAGS comes from %q", s.Origin())
	}
	if got := env.InUserFile(); len(got) != 3 || got["GOPROXY"] != "user" {
		t.Errorf("in the file of the user are %v", got)
	}
}

func TestFirstIsOfTheFirstVariableThatIsSet(t *testing.T) {
	env := load(t, "GOPRIVATE=a.example.com\n", "", nil)
	if s, ok := env.First("GONOPROXY", "GOPRIVATE"); !ok || s.Name != "GOPRIVATE" || s.Value != "a.example.com" {
		t.Errorf("got %v, %v", s, ok)
	}
	if s, ok := env.First("GONOPROXY", "GONOSUMDB"); ok {
		t.Errorf("got %v of variables that are not set", s)
	}
}

func TestAskFillsInWhatNoFileSays(t *testing.T) {
	env := load(t, "GOPROXY=user\n", "", map[string]string{"GOTOOLCHAIN": "go1.1"})
	if err := env.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, ok := env.Lookup("GOMODCACHE")
	if !ok || s.Layer != Default || s.Value == "" {
		t.Errorf("GOMODCACHE is %v", s)
	}
	if all := env.All("GOPROXY"); len(all) != 1 || all[0].Layer != UserFile {
		t.Errorf("GOPROXY is %v; what a file says is no default", all)
	}
	if got := env.Value("GOTOOLCHAIN"); got != "go1.1" {
		t.Errorf("GOTOOLCHAIN is %q", got)
	}
}

func TestAskWithoutAGoCommandIsAnError(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := load(t, "", "", nil).Ask(t.Context()); err == nil {
		t.Error("no error although there is no go command")
	}
}

// TestTheGoCommandSeesTheSameSettings compares with what go env says of the variables
// that are set in files and in the environment.
func TestTheGoCommandSeesTheSameSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("# a comment\nGOPROXY=https://user.example.com|direct\nGOPRIVATE=a.example.com\nGOPRIVATE=b.example.com\n GOSUMDB=off\nGONOSUMDB=c.example.com=d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", file)
	t.Setenv("GOPROXY", "")
	t.Setenv("GOPRIVATE", "")
	t.Setenv("GONOSUMDB", "")
	t.Setenv("GOSUMDB", "")
	t.Setenv("GOVCS", "github.com:git")
	t.Setenv("GOTOOLCHAIN", "")
	out, err := exec.CommandContext(t.Context(), "go", "env", "-json", "GOPROXY", "GOPRIVATE", "GONOSUMDB", "GOSUMDB", "GOVCS", "GOTOOLCHAIN").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	env := Load(os.Getenv)
	for name, value := range want {
		if got := env.Value(name); got != value {
			t.Errorf("%s is %q, for the go command %q", name, got, value)
		}
	}
}

func TestASwitchIsOnAsTheGoCommandReadsIt(t *testing.T) {
	for flags, want := range map[string]bool{
		"": false, "-modcacherw": true, "--modcacherw": true, "-v '-modcacherw'": true, "'-tags=a -modcacherw'": false,
		"-modcacherw=true": true, "-modcacherw=0": false, "-modcacherw -modcacherw=false": false, "-modcacherw=maybe": false,
	} {
		if got := load(t, "", "", map[string]string{"GOFLAGS": flags}).Switch("modcacherw"); got != want {
			t.Errorf("GOFLAGS=%s: %t", flags, got)
		}
	}
}

func TestFlagIsTheLastOneOfGOFLAGS(t *testing.T) {
	for _, c := range []struct {
		flags, want string
		ok          bool
	}{
		{"", "", false}, {"-v", "", false}, {"-tags=a", "a", true}, {"--tags=a,b", "a,b", true}, {"-tags=a -v -tags=b", "b", true}, {"-tags", "", true},
		{"\t'-tags=a b' -v", "a b", true}, {`"-tags=it's"`, "it's", true}, {`-tags="a`, `"a`, true}, {"-tagsx=a tags=a ---tags=a", "", false},
		{"-tags=a '-v", "", false}, // the go command refuses that
	} {
		got, ok := load(t, "", "", map[string]string{"GOFLAGS": c.flags}).Flag("tags")
		if got != c.want || ok != c.ok {
			t.Errorf("GOFLAGS=%s has -tags=%q, %v", c.flags, got, ok)
		}
	}
}

func TestGOROOTIsWhereItIsSetOrWhereGoEnvLies(t *testing.T) {
	if env := load(t, "", "", map[string]string{"GOROOT": "/set"}); env.GOROOT() != "/set" {
		t.Errorf("GOROOT is %q", env.GOROOT())
	}
	cmd := exec.CommandContext(t.Context(), "go", "env", "GOROOT")
	cmd.Env = append(os.Environ(), "GOROOT=", "GOENV=off", "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, errWant := os.Stat(strings.TrimSpace(string(out)))
	got, errGot := os.Stat(Load(func(string) string { return "" }).GOROOT())
	if errWant != nil || errGot != nil || !os.SameFile(got, want) {
		t.Errorf("GOROOT is %v, %v, for the go command %s", got, errGot, out)
	}
}

func TestWordsAreJoinedSoThatTheyAreTheSame(t *testing.T) {
	for value, want := range map[string]string{
		"":                                 "",
		" -v   '-mod=mod' ":                "-v -mod=mod",
		`"-ldflags=-X 'main.v=a b'" -race`: `"-ldflags=-X 'main.v=a b'" -race`,
		`'-tags=a b' '' '"x' "'y"`:         `'-tags=a b' '' '"x' "'y"`,
		`-a='b"`:                           `-a='b"`,
	} {
		words, err := Words(value)
		if got := Joined(words); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", value, got, err, want)
		}
	}
}
