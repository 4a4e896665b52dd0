package render

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/goweir/weir/internal/client/profile"
)

// awkward are values that mean something to one language or another.
var awkward = []string{
	"https://a.test|https://b.test,direct",
	`it's "quoted" and 'quoted'`,
	`$HOME ${HOME} $$ $(id) $1 $`,
	"`id` !! #x ; & | > < * ? [a] {b} ~ %PATH% ^",
	`back\slash \\ \n \' \" \$ \`,
	`-ldflags=-X 'main.v=a b'`,
	"${{ secrets.NETRC }} ${{ '}}' }} {{ x }}",
	": - # @ & * ! | > ' \" % ",
	" blanks around ",
	"中文 ‘typographic’ ‚quotes‛ \u2028 \U0001F600",
	"", "true", "0123", "null", "~", "#",
}

// of is an input with a value of GOFLAGS.
func of(value string) Input {
	return Input{Profile: profile.Profile{Name: "test", Description: "for tests", Settings: []profile.Setting{{Name: "GOFLAGS", Value: value}}}}
}

func mustRender(t *testing.T, target string, in Input) string {
	t.Helper()
	text, err := Render(target, in)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return text
}

// parse reads YAML as those who take the snippet would.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return doc
}

// at walks down a document.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			section, ok := doc.(map[string]any)
			if !ok || section[step] == nil {
				t.Fatalf("there is no %v of %v in %v", step, path, doc)
			}
			doc = section[step]
		case int:
			doc = doc.([]any)[step]
		}
	}
	return doc
}

func TestComposeReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		doc := parse(t, mustRender(t, "compose", of(value)))
		text := at(t, doc, "services", "build", "environment", "GOFLAGS").(string)
		if strings.Contains(strings.ReplaceAll(text, "$$", ""), "$") {
			t.Errorf("%q: compose would replace a variable in %q", value, text)
		}
		if got := strings.ReplaceAll(text, "$$", "$"); got != value {
			t.Errorf("%q became %q", value, got)
		}
		if got := at(t, doc, "services", "build", "secrets", 0); at(t, doc, "secrets", got, "file") == nil {
			t.Errorf("there is no secret %v", got)
		}
		for _, volume := range []string{"go-modules", "go-build"} {
			at(t, doc, "volumes", volume)
		}
	}
}

func TestKubernetesReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		text := mustRender(t, "kubernetes", of(value))
		first, second, ok := strings.Cut(text, "\n---\n")
		if !ok {
			t.Fatalf("there are no two objects in\n%s", text)
		}
		settings, job := parse(t, first), parse(t, second)
		if got := at(t, settings, "data", "GOFLAGS"); got != value {
			t.Errorf("%q became %q", value, got)
		}
		container := at(t, job, "spec", "template", "spec", "containers", 0)
		if got, want := at(t, container, "envFrom", 0, "configMapRef", "name"), at(t, settings, "metadata", "name"); got != want {
			t.Errorf("the job takes the variables of %v, not those of %v", got, want)
		}
		volumes := map[any]bool{}
		for _, v := range at(t, job, "spec", "template", "spec", "volumes").([]any) {
			volumes[at(t, v, "name")] = true
		}
		for _, mount := range at(t, container, "volumeMounts").([]any) {
			if !volumes[at(t, mount, "name")] {
				t.Errorf("there is no volume for %v", mount)
			}
		}
	}
}

func TestNamesOfKubernetesAreAllowed(t *testing.T) {
	t.Parallel()
	allowed := regexp.MustCompile(`^go-env-[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	for _, name := range []string{"a", "my_team.office", "/p/Go Env.yaml", strings.Repeat("a", 64), "a" + strings.Repeat(".", 63)} {
		in := of("x")
		in.Profile.Name = name
		doc := parse(t, strings.Split(mustRender(t, "kubernetes", in), "\n---\n")[0])
		if got := at(t, doc, "metadata", "name").(string); !allowed.MatchString(got) || len(got) > 63 {
			t.Errorf("%q became %q", name, got)
		}
	}
}

func TestGitHubReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		doc := parse(t, mustRender(t, "github", of(value)))
		text := at(t, doc, "jobs", "build", "env", "GOFLAGS").(string)
		// The only expressions are those that stand for the beginning of one.
		const escaped = "${{ '${{' }}"
		pieces := strings.Split(text, escaped)
		if slices.ContainsFunc(pieces, func(p string) bool { return strings.Contains(p, "${{") }) {
			t.Errorf("%q: an expression is evaluated in %q", value, text)
		}
		if got := strings.Join(pieces, "${{"); got != value {
			t.Errorf("%q became %q", value, got)
		}
		if at(t, doc, "permissions", "contents") != "read" {
			t.Error("the workflow may do more than it needs")
		}
		script := at(t, doc, "jobs", "build", "steps", 1, "run").(string)
		if out, err := shCheck(t, script); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestGitLabReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		doc := parse(t, mustRender(t, "gitlab", of(value)))
		switch got := at(t, doc, "build", "variables", "GOFLAGS").(type) {
		case string:
			if got != value || strings.Contains(got, "$") {
				t.Errorf("%q became %q", value, got)
			}
		case map[string]any:
			if got["value"] != value || got["expand"] != false {
				t.Errorf("%q became %v", value, got)
			}
		}
		if out, err := shCheck(t, at(t, doc, "build", "before_script", 0).(string)); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// shCheck has sh read a script without running it.
func shCheck(t *testing.T, script string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(script)
	return cmd.CombinedOutput()
}

// jenkinsValue reads a value as Groovy and then Jenkins do: a string between single
// quotes, then $NAME and ${NAME} are variables and $$ is a dollar.
func jenkinsValue(t *testing.T, text string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^    GOFLAGS = '((?:[^'\\]|\\.)*)'$`).FindStringSubmatch(text)
	if line == nil {
		t.Fatalf("there is no string in\n%s", text)
	}
	groovy := regexp.MustCompile(`\\.`).ReplaceAllStringFunc(line[1], func(escape string) string { return escape[1:] })
	return regexp.MustCompile(`\$(\w+|\{[\w.]+\}|\$)`).ReplaceAllStringFunc(groovy, func(name string) string {
		if name != "$$" {
			t.Errorf("Jenkins would replace %s in %q", name, groovy)
		}
		return "$"
	})
}

func TestJenkinsReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		if got := jenkinsValue(t, mustRender(t, "jenkins", of(value))); got != value {
			t.Errorf("%q became %q", value, got)
		}
	}
	text := mustRender(t, "jenkins", of("x"))
	if strings.Count(text, "{") != strings.Count(text, "}") {
		t.Errorf("a block is not closed in\n%s", text)
	}
}

// dockerValue reads the value of an ENV line as BuildKit does: a backslash between double
// quotes stands before a quote, a dollar or another one; a dollar is a variable.
func dockerValue(t *testing.T, line string) string {
	t.Helper()
	text, ok := strings.CutPrefix(line, `ENV GOFLAGS="`)
	text, closed := strings.CutSuffix(text, `"`)
	if !ok || !closed {
		t.Fatalf("%s is not a variable between double quotes", line)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && strings.ContainsRune(`"$\`, rune(text[i+1])):
			i++
		case text[i] == '$' || text[i] == '"' || text[i] == '\\' && i+1 == len(text):
			t.Errorf("Docker would take %q at %d for something else", text, i)
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func TestDockerReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		for line := range strings.Lines(mustRender(t, "docker", of(value))) {
			if strings.HasPrefix(line, "ENV GOFLAGS") {
				if got := dockerValue(t, strings.TrimSuffix(line, "\n")); got != value {
					t.Errorf("%q became %q", value, got)
				}
			}
		}
	}
}

// Every instruction that runs something has its caches and the secret, and nothing else
// of the build stage gets into the image.
func TestTheDockerfileKeepsCachesAndSecretsOutOfLayers(t *testing.T) {
	t.Parallel()
	text := mustRender(t, "docker", of("-v"))
	if !strings.HasPrefix(text, "# syntax=docker/dockerfile:1\n") {
		t.Error("the first line does not say which syntax is wanted")
	}
	instructions := regexp.MustCompile(`\\\n *`).ReplaceAllString(text, "")
	stage, last, _ := strings.Cut(instructions, "\nFROM scratch\n")
	for _, run := range regexp.MustCompile(`(?m)^RUN .*go (?:mod|build).*$`).FindAllString(stage, -1) {
		for _, mount := range []string{"--mount=type=cache,target=/go/pkg/mod ", "--mount=type=secret,id=netrc "} {
			if !strings.Contains(run, mount) {
				t.Errorf("there is no %s in %s", mount, run)
			}
		}
	}
	if strings.Count(stage, "\nRUN ") != 3 || last != "COPY --from=build /out/ /bin/\n" || strings.Contains(text, "ARG") {
		t.Errorf("got\n%s", text)
	}
}

func TestVSCodeReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		text, err := Render("vscode", of(value))
		if strings.Contains(value, "${") {
			if err == nil {
				t.Errorf("%q was written although VS Code would replace a part of it", value)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]map[string]*string
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		for _, section := range []string{"go.toolsEnvVars", "terminal.integrated.env.linux", "terminal.integrated.env.osx", "terminal.integrated.env.windows"} {
			if v := got[section]["GOFLAGS"]; v == nil || *v != value {
				t.Errorf("%s: %q became %v", section, value, v)
			}
		}
	}
	in := of("")
	in.Profile.Settings[0] = profile.Setting{Name: "GOFLAGS", Unset: true}
	var got map[string]map[string]*string
	if err := json.Unmarshal([]byte(mustRender(t, "vscode", in)), &got); err != nil {
		t.Fatal(err)
	}
	if v, ok := got["terminal.integrated.env.osx"]["GOFLAGS"]; !ok || v != nil || len(got["go.toolsEnvVars"]) != 0 {
		t.Errorf("a variable that is unset became %v", got)
	}
}

// powerShellValue reads a string between single quotes as PowerShell does: two quotes of
// any kind that follow each other are one, the second of them.
func powerShellValue(t *testing.T, line string) string {
	t.Helper()
	text, ok := strings.CutPrefix(line, "$env:GOFLAGS = '")
	runes := []rune(text)
	var b strings.Builder
	for i := 0; ok && i < len(runes); i++ {
		if !strings.ContainsRune("'‘’‚‛", runes[i]) {
			b.WriteRune(runes[i])
			continue
		}
		if i+1 == len(runes) {
			return b.String()
		}
		if i++; !strings.ContainsRune("'‘’‚‛", runes[i]) {
			break
		}
		b.WriteRune(runes[i])
	}
	t.Errorf("%s is not one string", line)
	return ""
}

func TestPowerShellReadsBackTheValue(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		_, line, _ := strings.Cut(strings.TrimSuffix(mustRender(t, "powershell", of(value)), "\n"), "\n")
		if got := powerShellValue(t, line); got != value {
			t.Errorf("%q became %q", value, got)
		}
	}
}

// FuzzQuote has every language read back a value that may be anything.
func FuzzQuote(f *testing.F) {
	for _, value := range awkward {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ToValidUTF8(value, "") != value || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			return // no profile has such values
		}
		if got := dockerValue(t, "ENV GOFLAGS="+quoteDocker(value)); got != value {
			t.Errorf("docker: %q became %q", value, got)
		}
		if got := jenkinsValue(t, "    GOFLAGS = "+quoteJenkins(value)); got != value {
			t.Errorf("jenkins: %q became %q", value, got)
		}
		if got := powerShellValue(t, "$env:GOFLAGS = "+quotePowerShell(value)); got != value {
			t.Errorf("powershell: %q became %q", value, got)
		}
		var fromJSON string
		if err := json.Unmarshal([]byte(quoteJSON(value)), &fromJSON); err != nil || fromJSON != value {
			t.Errorf("json: %q became %q, %v", value, fromJSON, err)
		}
		if got := parse(t, "a: "+quoteJSON(value))["a"]; got != value {
			t.Errorf("yaml: %q became %q", value, got)
		}
	})
}

// What the user's programs give at home comes as a file elsewhere.
func TestElsewhereCredentialsComeAsAFile(t *testing.T) {
	t.Parallel()
	in := of("-v")
	in.Profile.Settings = append(in.Profile.Settings, profile.Setting{Name: "GOAUTH", Value: "netrc;weir auth"}, profile.Setting{Name: "GOVCS", Unset: true})
	for _, target := range Targets() {
		text := mustRender(t, target.Name, in)
		here := slices.Contains([]string{"shell", "fish", "powershell", "direnv", "vscode"}, target.Name)
		if got := strings.Contains(text, "weir auth"); got != here {
			t.Errorf("%s has GOAUTH: %v\n%s", target.Name, got, text)
		}
		if !here && !strings.Contains(text, "GOAUTH is left out") {
			t.Errorf("%s does not say that GOAUTH is left out", target.Name)
		}
		if got := strings.Contains(text, "GOVCS"); got != here {
			t.Errorf("%s has a variable that is unset: %v", target.Name, got)
		}
	}
}

func TestAProfileWithoutSettingsCanBeRendered(t *testing.T) {
	t.Parallel()
	for _, target := range Targets() {
		text := mustRender(t, target.Name, Input{Profile: profile.Profile{Name: "empty"}})
		switch target.Name {
		case "compose", "github", "gitlab":
			parse(t, text)
		case "kubernetes":
			for doc := range strings.SplitSeq(text, "\n---\n") {
				parse(t, doc)
			}
		}
	}
}

func TestUnknownTargetsAreRefused(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{"dokcer": "did you mean docker?", "emacs": "there are docker, compose"} {
		if _, err := Render(target, of("x")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v", target, err)
		}
	}
}

func TestDirenvFollowsAFileOfTheProject(t *testing.T) {
	t.Parallel()
	in := of("x")
	in.Path = "./it's.yaml"
	text := mustRender(t, "direnv", in)
	for _, want := range []string{`watch_file './it'\''s.yaml'`, `eval "$(weir env render shell --profile './it'\''s.yaml')"`} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if out, err := shCheck(t, text); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTargetsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, target := range Targets() {
		names[target.Name] = true
	}
	want := []string{"compose", "direnv", "docker", "fish", "github", "gitlab", "jenkins", "kubernetes", "powershell", "shell", "vscode"}
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
		t.Errorf("the targets are %v, want %v", got, want)
	}
}

// The page about the command shows what is really rendered.
func TestThePageShowsWhatIsRendered(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/env.md")
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Profile: profile.Profile{Name: "office", Description: "at the desk", Settings: []profile.Setting{
		{Name: "GOPROXY", Value: "https://goproxy.corp.internal,direct"}, {Name: "GOPRIVATE", Value: "git.corp.internal"},
	}}}
	for _, target := range []string{"docker", "fish", "powershell", "direnv"} {
		if text := mustRender(t, target, in); !strings.Contains(string(page), text) {
			t.Errorf("the page does not show this for %s:\n%s", target, text)
		}
	}
	for _, target := range []string{"compose", "kubernetes", "github", "gitlab", "jenkins"} {
		_, block, ok := strings.Cut(string(page), " "+target+"\n")
		block, _, closed := strings.Cut(block, "```")
		if !ok || !closed {
			t.Errorf("the page shows nothing for %s", target)
		}
		text := mustRender(t, target, in)
		for line := range strings.Lines(block) {
			if !strings.Contains(text, line) {
				t.Errorf("the page shows for %s what is not rendered: %s", target, line)
			}
		}
	}
}
