package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runExplain runs the command with a text for standard input and a locale.
func runExplain(t *testing.T, locale, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("LC_ALL", locale)
	var out, errs strings.Builder
	code = Main(append([]string{"explain"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

const refusedByServer = "go: example.com/m@v1.0.0: reading https://alice:canary@proxy.example.com/example.com/m/@v/v1.0.0.info: 403 Forbidden\n\tserver response: too young\n"

func TestExplainEndsAsItPromises(t *testing.T) {
	file := filepath.Join(t.TempDir(), "build.log")
	if err := os.WriteFile(file, []byte(refusedByServer), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		stdin          string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"known", refusedByServer, nil, 0, "proxy.example.com refuses example.com/m\n", ""},
		{"a hyphen", refusedByServer, []string{"-"}, 0, "server  too young\n", ""},
		{"a file", "", []string{file}, 0, "        curl -sSi https://proxy.example.com/example.com/m/@v/v1.0.0.info\n", ""},
		{"Chinese", refusedByServer, []string{"--lang", "zh"}, 0, "位置    模块代理 · proxy.example.com · example.com/m@v1.0.0\n", ""},
		{"unknown", "go: what is this?\n", nil, 1, "Not known\ntext    go: what is this? (line 1)\n", "1 of 1 messages are not known"},
		{"several", refusedByServer + "go: what is this?\n", nil, 1, "\n\nNot known\n", "1 of 2 messages are not known"},
		{"nothing to explain", "hello\n", nil, 1, "", "nothing in it looks like"},
		{"nothing", "", nil, 1, "", "2>&1"},
		{"no such file", "", []string{file + ".missing"}, 1, "", "build.log.missing"},
		{"two files", "", []string{file, file}, 2, "", "one file"},
		{"no such language", refusedByServer, []string{"--lang", "de"}, 2, "", "en and zh"},
	} {
		code, stdout, stderr := runExplain(t, "C", c.stdin, c.args...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || (code == 0) != (stderr == "") {
			t.Errorf("%s: exit %d\nstdout: %s\nstderr: %s", c.name, code, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, "canary") || strings.Contains(stdout, "\x1b") {
			t.Errorf("%s: a secret or a colour shows: %s", c.name, stdout)
		}
	}
}

func TestExplainSpeaksTheLanguageOfTheLocale(t *testing.T) {
	for locale, want := range map[string]string{"zh_CN.UTF-8": "拒绝", "zh_TW": "拒绝", "en_US.UTF-8": "refuses", "C": "refuses", "de_DE.UTF-8": "refuses"} {
		if _, stdout, _ := runExplain(t, locale, refusedByServer); !strings.Contains(stdout, want) {
			t.Errorf("%s: %s", locale, stdout)
		}
	}
}

func TestExplainForMachines(t *testing.T) {
	code, stdout, _ := runExplain(t, "C", refusedByServer+"go: what is this?\n", "--json")
	var got struct {
		Findings []struct {
			ID, Hop, Title, Cause, Fix, Text, Server string
			Known                                    bool
			Values                                   map[string]string
			Commands                                 []string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 1 || len(got.Findings) != 2 {
		t.Fatalf("exit %d, %v: %s", code, err, stdout)
	}
	f := got.Findings[0]
	if f.ID != "proxy-403" || f.Hop != "proxy" || !f.Known || f.Values["module"] != "example.com/m" || f.Server != "too young" || f.Title == "" || f.Cause == "" || f.Fix == "" || len(f.Commands) == 0 {
		t.Errorf("got %+v", f)
	}
	if got.Findings[1].Known || got.Findings[1].ID != "" || got.Findings[1].Text != "go: what is this?" {
		t.Errorf("got %+v", got.Findings[1])
	}
	if _, empty, _ := runExplain(t, "C", "hello\n", "--json"); empty != "{\n  \"findings\": []\n}\n" {
		t.Errorf("without findings: %s", empty)
	}
}

func TestExplainReadsNoMoreThanItsLimitAndAllThatComes(t *testing.T) {
	text, cut, err := readInterruptibly(t.Context(), io.LimitReader(endless{}, 1<<20), 1000)
	if len(text) != 1000 || !cut || err != nil {
		t.Errorf("got %d bytes, %v, %v", len(text), cut, err)
	}
	if text, cut, err := readInterruptibly(t.Context(), strings.NewReader("abc"), 3); text != "abc" || cut || err != nil {
		t.Errorf("got %q, %v, %v", text, cut, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestExplainTakesWhatCameBeforeAnInterrupt(t *testing.T) {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		io.WriteString(w, "before")
		cancel()
		io.WriteString(w, " after")
		w.Close()
	}()
	if text, _, err := readInterruptibly(ctx, r, 100); text != "before after" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}
