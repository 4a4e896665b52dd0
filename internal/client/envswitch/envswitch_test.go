package envswitch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/client/profile"
)

// A desk is a machine with a file of go env -w and a folder of profiles of its own.
type desk struct {
	Switch
	t    *testing.T
	file string
}

// newDesk makes a desk whose file holds a text. The go command is the real one.
func newDesk(t *testing.T, text string, environment map[string]string) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{t: t, file: filepath.Join(dir, "go", "env")}
	if text != "" {
		write(t, d.file, text)
	}
	all := map[string]string{"GOENV": d.file}
	maps.Copy(all, environment)
	d.Switch = Switch{
		Folder: profile.Folder(filepath.Join(dir, "weir", "profiles")),
		Getenv: func(name string) string { return all[name] },
		Go:     gocmd.Command{Env: []string{"GOENV=" + all["GOENV"]}},
	}
	d.save("a", "GOPROXY: https://a.test\nGOVCS: '*:git'\n")
	d.save("b", "GOPROXY: https://b.test|direct\nGOSUMDB:\n")
	return d
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) save(name, text string) {
	d.t.Helper()
	if err := d.Folder.Save(name, text); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) use(name string) Change {
	d.t.Helper()
	c, err := d.Use(d.t.Context(), name)
	if err != nil {
		d.t.Fatalf("use %s: %v", name, err)
	}
	return c
}

func (d *desk) back() Change {
	d.t.Helper()
	c, err := d.Back(d.t.Context())
	if err != nil {
		d.t.Fatalf("use -: %v", err)
	}
	return c
}

// holds compares the file with a text, in which the order of the lines does not count.
func (d *desk) holds(want string) {
	d.t.Helper()
	data, err := os.ReadFile(d.file)
	if err != nil {
		d.t.Fatal(err)
	}
	got := strings.Fields(string(data))
	wanted := strings.Fields(want)
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		d.t.Errorf("the file holds %q, want %q", got, wanted)
	}
}

func TestUseIsWhatTheGoCommandSays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	c := d.use("a")
	want := []Changed{{Name: "GOPROXY", Is: "https://a.test", Set: true}, {Name: "GOVCS", Is: "*:git", Set: true}}
	if c.From != profile.None || c.To != "a" || !slices.Equal(c.Settings, want) || c.Overridden != nil {
		t.Errorf("%+v", c)
	}
	cmd := exec.CommandContext(t.Context(), "go", "env", "-json", "GOPROXY", "GOVCS")
	cmd.Env = append(cmd.Environ(), "GOENV="+d.file, "GOPROXY=", "GOVCS=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(out, &got); err != nil || got["GOPROXY"] != "https://a.test" || got["GOVCS"] != "*:git" {
		t.Errorf("go env says %s", out)
	}
	if name, changed, err := d.Current(); name != "a" || changed != nil || err != nil {
		t.Errorf("the current profile is %s, %v, %v", name, changed, err)
	}
}

func TestAProfileLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOSUMDB=off\nGOFLAGS=-v\nGOBIN=/b\n", nil)
	d.use("a")
	d.holds("GOSUMDB=off GOFLAGS=-v GOBIN=/b GOPROXY=https://a.test GOVCS=*:git")
	d.use("b")
	d.holds("GOFLAGS=-v GOBIN=/b GOPROXY=https://b.test|direct")
	d.use(profile.None)
	d.holds("GOSUMDB=off GOFLAGS=-v GOBIN=/b")
	if name, _, _ := d.Current(); name != profile.None {
		t.Errorf("the current profile is %s", name)
	}
}

func TestBackToggles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOPROXY=https://me:pw@old.test\n", nil)
	if _, err := d.Back(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing to go back to") {
		t.Errorf("the error is %v", err)
	}
	d.use("a")
	if c := d.back(); c.From != "a" || c.To != profile.None {
		t.Errorf("%+v", c)
	}
	d.holds("GOPROXY=https://me:pw@old.test")
	d.back()
	d.holds("GOPROXY=https://a.test GOVCS=*:git")
	d.use("b")
	d.back()
	d.holds("GOPROXY=https://a.test GOVCS=*:git")
	d.back()
	d.holds("GOPROXY=https://b.test|direct")
	d.use(profile.None)
	d.holds("GOPROXY=https://me:pw@old.test")
	info, err := os.Stat(d.memoryFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what is remembered can be read by others: %v, %v", info.Mode(), err)
	}
}

func TestWhatWasChangedByHandIsKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.use("a")
	write(t, d.file, "GOPROXY=https://mine.test\nGOVCS=*:git\nGOFLAGS=-x\n")
	if _, changed, _ := d.Current(); !slices.Equal(changed, []string{"GOPROXY", "GOFLAGS"}) {
		t.Errorf("changed by hand: %v", changed)
	}
	d.use("b")
	d.holds("GOPROXY=https://b.test|direct GOFLAGS=-x")
	d.back()
	d.holds("GOPROXY=https://mine.test GOVCS=*:git GOFLAGS=-x")
	d.use(profile.None)
	d.holds("GOPROXY=https://mine.test GOFLAGS=-x")
}

func TestAFileWithLinesOfWindowsCanBeHadAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOPROXY=off\r\nGOFLAGS=-v\r\n", nil)
	d.use("a")
	d.back()
	d.holds("GOPROXY=off GOFLAGS=-v")
}

func TestAnEditedProfileCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOPROXY=off\n", nil)
	d.use("a")
	d.save("a", "GOPROXY: https://new.test\n")
	d.use("a")
	d.holds("GOPROXY=https://new.test")
	d.back()
	d.holds("GOPROXY=off")
}

func TestUseTellsWhatTheEnvironmentHides(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOFLAGS=-v\n", map[string]string{"GOPROXY": "https://shell.test", "GOSUMDB": "off", "GOVCS": "*:git", "GOFLAGS": "-x"})
	want := []Override{{Name: "GOPROXY", Environment: "https://shell.test", Profile: "https://a.test"}}
	if c := d.use("a"); !slices.Equal(c.Overridden, want) {
		t.Errorf("%+v", c.Overridden)
	}
	want = []Override{{Name: "GOPROXY", Environment: "https://shell.test", Profile: "https://b.test|direct"}, {Name: "GOSUMDB", Environment: "off", Unset: true}}
	if c := d.use("b"); !slices.Equal(c.Overridden, want) {
		t.Errorf("%+v", c.Overridden)
	}
}

func TestUseTellsWhichModulesAreNoLongerPrivate(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.save("desk", "GOPRIVATE: a.test,b.test\nGONOPROXY: none\nGONOSUMDB: a.test,c.test\n")
	d.save("train", "GOPRIVATE: b.test\n")
	d.use("desk")
	for _, c := range []struct {
		name string
		want []string
	}{
		{"train", []string{"a.test", "c.test"}},
		{"desk", nil},
		{"offline", nil},
	} {
		if got := d.use(c.name).Exposed; !slices.Equal(got, c.want) {
			t.Errorf("use %s exposes %v, want %v", c.name, got, c.want)
		}
	}
	d.use("desk")
	if got, want := d.use(profile.None).Exposed, []string{"a.test", "b.test", "c.test"}; !slices.Equal(got, want) {
		t.Errorf("use none exposes %v, want %v", got, want)
	}
}

func TestWhatCannotBeUsedChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOPROXY=off\n", nil)
	d.save("flags", "GOPROXY: direct\nGOFLAGS: -no-such-flag\n")
	write(t, filepath.Join(string(d.Folder), "broken.yaml"), "GOPROXXY: direct\n")
	for name, want := range map[string]string{
		"flags":  "unknown flag -no-such-flag",
		"broken": "broken.yaml:1:1: ",
		"office": "is an example",
		"other":  "there is no profile",
		"../a":   "no such file",
	} {
		if _, err := d.Use(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("use %s: the error is %v, want one about %q", name, err, want)
		}
	}
	d.holds("GOPROXY=off")
	d.Getenv = func(name string) string { return map[string]string{"GOENV": "off"}[name] }
	if _, err := d.Use(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "GOENV=off") {
		t.Errorf("the error is %v", err)
	}
}

// fakeGo puts a shell script in the place of the go command. It is run with the real one
// in $GO.
func (d *desk) fakeGo(script string) {
	d.t.Helper()
	real, err := exec.LookPath("go")
	if err != nil {
		d.t.Fatal(err)
	}
	d.Go.Path = filepath.Join(d.t.TempDir(), "go")
	write(d.t, d.Go.Path, "#!/bin/sh\n"+script+"\nexec \"$GO\" \"$@\"\n")
	if err := os.Chmod(d.Go.Path, 0o700); err != nil {
		d.t.Fatal(err)
	}
	d.Go.Env = append(d.Go.Env, "GO="+real)
}

func TestASwitchThatFailsMidwayIsUndone(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"go env -u fails":   `[ "$2" = -u ] && { echo "go: no https://me:s3cr3t@x.test" >&2; exit 1; }`,
		"go env -w breaks":  `[ "$2" = -w ] && { printf 'GOPR' >"$GOENV"; kill -9 $$; }`,
		"go env lies":       `[ "$2" = -w ] && exit 0`,
		"the go command is": `exit 1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const text = "# mine\nGOPROXY=https://me:s3cr3t@old.test\nGOSUMDB=off\n"
			d := newDesk(t, text, nil)
			d.use("a")
			before, err := os.ReadFile(d.file)
			if err != nil {
				t.Fatal(err)
			}
			d.fakeGo(script)
			_, err = d.Use(t.Context(), "b")
			if err == nil || !strings.Contains(err.Error(), "nothing has been changed") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error is %v", err)
			}
			if after, err := os.ReadFile(d.file); err != nil || string(after) != string(before) {
				t.Errorf("the file holds %q, %v, want %q", after, err, before)
			}
			if name, _, err := d.Current(); name != "a" || err != nil {
				t.Errorf("the current profile is %s, %v", name, err)
			}
		})
	}
}

func TestAFileThatWasNotThereIsNotThereAfterAFailure(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.fakeGo(`mkdir -p "${GOENV%/*}"; echo x >"$GOENV"; exit 1`)
	if _, err := d.Use(t.Context(), "a"); err == nil {
		t.Fatal("no error although the go command fails")
	}
	for _, name := range []string{d.file, d.memoryFile()} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
}

// A switch that is killed after the go command has begun leaves what it takes to go back.
func TestAKilledSwitchCanBeUndone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOPROXY=off\nGOSUMDB=off\n", nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	d.fakeGo(`[ "$2" = -u ] && { echo >` + started + `; while :; do sleep 1; done; }`)
	done := make(chan error, 1)
	go func() {
		_, err := d.Use(ctx, "b")
		done <- err
	}()
	for !exists(started) {
		select {
		case err := <-done:
			t.Fatalf("the switch has ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	// As a crash at this moment would leave it, copied to another desk.
	crashed := newDesk(t, read(t, d.file), nil)
	write(t, crashed.memoryFile(), strings.ReplaceAll(read(t, d.memoryFile()), d.file, crashed.file))
	cancel(errors.New("the user left"))
	if err := <-done; err == nil || !strings.Contains(err.Error(), "the user left") {
		t.Errorf("the error is %v", err)
	}
	d.holds("GOPROXY=off GOSUMDB=off")
	crashed.holds("GOPROXY=https://b.test|direct GOSUMDB=off")
	crashed.back()
	crashed.holds("GOPROXY=off GOSUMDB=off")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Whatever the order is, each switch begins where the one before has ended.
func TestSwitchesTakeTurns(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "GOFLAGS=-v\n", nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := d.Use(t.Context(), []string{"a", "b"}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	switch name, changed, err := d.Current(); {
	case err != nil || changed != nil:
		t.Errorf("%v, %v", changed, err)
	case name == "a":
		d.holds("GOFLAGS=-v GOPROXY=https://a.test GOVCS=*:git")
	default:
		d.holds("GOFLAGS=-v GOPROXY=https://b.test|direct")
	}
	d.use(profile.None)
	d.holds("GOFLAGS=-v")
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	release, err := lock(t.Context(), filepath.Join(string(d.Folder), "..", "profile.lock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Use(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	d.use("a")
}

func TestEachFileOfTheGoCommandHasItsOwnMemory(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.use("a")
	other := newDesk(t, "GOPROXY=off\n", nil)
	other.Folder = d.Folder
	if name, _, err := other.Current(); name != profile.None || err != nil {
		t.Errorf("the current profile is %s, %v", name, err)
	}
	if _, err := other.Back(t.Context()); err == nil {
		t.Error("it went back to what was in another file")
	}
	other.use("b")
	other.back()
	other.holds("GOPROXY=off")
	write(t, d.memoryFile(), "{")
	if _, err := other.Use(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("the error is %v", err)
	}
}
