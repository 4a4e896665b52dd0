package explain

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// ids are the messages of findings; "?" where it is not known.
func ids(findings []Finding) string {
	var all []string
	for _, f := range findings {
		id := "?"
		if f.Known() {
			id = f.Message.ID
		}
		all = append(all, id)
	}
	return strings.Join(all, " ")
}

func TestEveryExampleIsRecognised(t *testing.T) {
	for _, m := range Messages() {
		if got := ids(Text(m.Example)); got != m.ID {
			t.Errorf("%s: the example is taken for %s", m.ID, got)
		}
	}
}

// samples are values of each kind.
var samples = map[string]string{
	"word": "word", "module": "example.com/m", "version": "v1.2.3", "query": "feature/x", "package": "example.com/m/p",
	"url": "https://proxy.example.com/example.com/m/@v/v1.2.3.info", "host": "host.example.com", "port": "22", "addr": "192.0.2.1:443",
	"resolver": "[::1]:53", "file": "a.go", "dir": "/src", "line": "3", "number": "42", "text": "some text", "hash": "h1:abc=",
	"toolchain": "go1.99.1", "goversion": "1.99", "variable": "GOPROXY", "plainurl": "http://proxy.example.com/example.com/m/@v/v1.2.3.info",
	"latest": "https://proxy.example.com/example.com/m/@latest", "flags": "-modcacherw ", "list": "https://proxy.example.com/example.com/m/@v/list",
	"zip": "https://proxy.example.com/example.com/m/@v/v1.2.3.zip", "fileurl": "file:///srv/x.info", "goget": "https://example.com/m?go-get=1",
	"lookup": "https://sum.golang.org/lookup/example.com/m@v1.2.3", "tile": "https://sum.golang.org/tile/8/0/000", "helper": "git dir",
	"supported": "https://proxy.example.com/sumdb/sum.golang.org/supported", "sumdb": "https://proxy.example.com/sumdb/sum.golang.org/supported",
	"trouble": "404 Not Found", "path": "/src/x", "status": "421 Misdirected Request", "system": "git",
}

func TestEveryPatternMeansItsMessage(t *testing.T) {
	for kind := range kinds {
		if samples[kind] == "" {
			t.Errorf("there is no sample of the kind %s", kind)
		}
	}
	for _, m := range Messages() {
		for _, written := range m.Patterns {
			text := mark.ReplaceAllStringFunc(written, func(found string) string {
				parts := mark.FindStringSubmatch(found)
				if isStatus.MatchString(parts[1]) {
					return parts[1] + " Whatever its Name"
				}
				for _, kind := range []string{parts[2], parts[1]} {
					if samples[kind] != "" {
						return samples[kind]
					}
				}
				if parts[1] != "" {
					return samples["word"]
				}
				return found
			})
			if got := ids(Text("go: " + text)); got != m.ID {
				t.Errorf("%s: %s\n\tas in %s\n\tis taken for %q", m.ID, written, text, got)
			}
		}
	}
}

func TestEveryMessageIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Messages() {
		if seen[m.ID] || !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(m.ID) {
			t.Errorf("%q is no id, or there twice", m.ID)
		}
		seen[m.ID] = true
		for _, p := range []Phrase{m.Title, m.Cause, m.Fix} {
			if p.EN == "" || !regexp.MustCompile(`\p{Han}`).MatchString(p.ZH) {
				t.Errorf("%s lacks a text in one language: %+v", m.ID, p)
			}
			if en, zh := valuesIn(p.EN), valuesIn(p.ZH); len(en) != len(zh) {
				t.Errorf("%s: the languages name other values: %v, %v", m.ID, en, zh)
			}
		}
		if strings.HasSuffix(m.Title.EN, ".") || !strings.HasSuffix(m.Cause.EN, ".") || !strings.HasSuffix(m.Fix.EN, ".") || !strings.HasSuffix(m.Fix.ZH, "。") {
			t.Errorf("%s: titles are no sentences, causes and fixes are", m.ID)
		}
	}
	for _, m := range Messages() {
		for _, id := range m.Follows {
			if !strings.HasSuffix(id, "*") && !seen[id] {
				t.Errorf("%s follows %s, which is no message", m.ID, id)
			}
		}
	}
}

func TestExplanationsAreFilledIn(t *testing.T) {
	for _, m := range Messages() {
		for _, f := range Text(m.Example) {
			for _, lang := range []Lang{English, Chinese} {
				e := f.In(lang)
				if gaps := valuesIn(e.Title, e.Where, e.Cause, e.Fix); len(gaps) > 0 {
					t.Errorf("%s has gaps: %+v", m.ID, e)
				}
				if e.Where == "" || f.Hop == FromURL {
					t.Errorf("%s does not say where", m.ID)
				}
			}
		}
	}
}

// Commands are pasted without much thought: none turns off what protects, replaces a
// setting that may be worth something, or has to be edited first.
func TestCommandsDoNoHarm(t *testing.T) {
	harm := regexp.MustCompile(`go env -w GO(?:PROXY|PRIVATE|NOPROXY|SUMDB|NOSUMDB|INSECURE|VCS|AUTH|FLAGS)|GO(?:SUMDB|PROXY)=(?:off|direct)|clean -modcache|git config --global|proxy\.example\.com|/path/to|@[A-Z]+$|\bcat .*netrc`)
	for _, m := range Messages() {
		for _, command := range m.Commands {
			if found := harm.FindString(command); found != "" && !regexp.MustCompile(`^go env [A-Z ]+$|^printenv `).MatchString(command) {
				t.Errorf("%s: %q should not have %q", m.ID, command, found)
			}
		}
		if filled := Text(m.Example)[0].In(English).Commands; len(filled) != len(m.Commands) {
			t.Errorf("%s: of %q there is only %q", m.ID, m.Commands, filled)
		}
	}
}

func TestTheRepositoryIsReadFromThePath(t *testing.T) {
	for path, want := range map[string]string{
		"github.com/a/b": "github.com/a/b", "github.com/a/b/v2": "github.com/a/b", "github.com/a/b/sub/v3": "github.com/a/b",
		"gopkg.in/yaml.v3": "gopkg.in/yaml.v3", "example.com/m/v2": "example.com/m", "gitlab.com/group/sub/m": "gitlab.com/group/sub/m",
	} {
		if got := repository(path); got != want {
			t.Errorf("the repository of %s is %s, want %s", path, got, want)
		}
	}
}

// tools are what commands begin with.
var tools = regexp.MustCompile(`^(?:go|git|curl|weir|env|printenv|df|export|unset|grep|cat|getent|openssl|date|ssh|ssh-keyscan|ip|df|ls|apt-get|apk|GO\w+=\S+ go) `)

func TestCommandsAreWellFormed(t *testing.T) {
	var script strings.Builder
	for _, m := range Messages() {
		for _, f := range Text(m.Example) {
			for _, command := range f.In(English).Commands {
				if !tools.MatchString(command) {
					t.Errorf("%s: %q does not begin with a known program", m.ID, command)
				}
				script.WriteString(command + "\n")
			}
		}
	}
	if out, err := exec.Command("sh", "-n", "-c", script.String()).CombinedOutput(); err != nil {
		t.Errorf("a shell does not take them: %v: %s", err, out)
	}
}

const refused = `go: example.com/a@v1.0.0: Get "https://proxy.example.com/example.com/a/@v/v1.0.0.info": dial tcp 192.0.2.1:443: connect: connection refused`

const notFound = "go: example.com/a@v1.0.0: reading https://proxy.example.com/example.com/a/@v/v1.0.0.info: 404 Not Found\n\tserver response: not found"

func TestWhatOthersAddToLinesIsNoHindrance(t *testing.T) {
	for name, text := range map[string]string{
		"plain":              notFound,
		"carriage returns":   strings.ReplaceAll(notFound, "\n", "\r\n"),
		"colours":            "\x1b[1m\x1b[31m" + strings.Replace(notFound, ": reading", "\x1b[0m: \x1b[4mreading", 1) + "\x1b[0m",
		"a terminal's title": "\x1b]0;build\x07" + notFound,
		"progress before it": "fetching 10 %\rfetching 20 %\r" + notFound,
		"GitHub Actions":     each("2026-11-21T12:43:42.1234567Z ", notFound),
		"GitHub error":       each("2026-11-21T12:43:42.1234567Z ##[error]", notFound),
		"GitLab":             each("2026-11-21T12:43:42.123456Z 01O ", notFound),
		"Jenkins":            each("[2026-11-21T12:43:42.123Z] ", notFound),
		"Jenkins times":      each("12:43:42  ", notFound),
		"BuildKit":           each("#12 1.234 ", notFound),
		"BuildKit repeated":  each("1.234 ", notFound),
		"Docker Compose":     each("web-1  | ", notFound),
		"a quoted mail":      each("> ", notFound),
		"a code block":       each("    ", notFound),
		"PowerShell":         "go : " + notFound + "\nAt line:1 char:1\n+ go build\n+ ~~~~~~~~\n    + CategoryInfo          : NotSpecified",
		"PowerShell UTF-16":  utf16le(notFound),
		"a byte order mark":  "\ufeff" + notFound,
		"an older command":   strings.Replace(notFound, "go: ", "go mod download: ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			findings := Text(text)
			if got := ids(findings); got != "proxy-404-version" {
				t.Fatalf("it is taken for %q", got)
			}
			v := findings[0].Values
			if v["module"] != "example.com/a" || v["version"] != "v1.0.0" || v["host"] != "proxy.example.com" || findings[0].Server != "not found" {
				t.Errorf("the values are %v", v)
			}
		})
	}
}

func each(prefix, text string) string {
	return prefix + strings.ReplaceAll(text, "\n", "\n"+prefix)
}

func utf16le(text string) string {
	out := "\xff\xfe"
	for _, b := range []byte(text) {
		out += string([]byte{b, 0})
	}
	return out
}

func TestMessagesBrokenAnywhereAreReadWhole(t *testing.T) {
	message, _, _ := strings.Cut(notFound, "\n")
	for width := 30; width < len(message); width++ {
		text := "go: downloading example.com/a v1.0.0\n" + broken(message, width) + "\tserver response: not found\nexit status 1\n"
		findings := Text(text)
		if got := ids(findings); got != "proxy-404-version" || findings[0].Values["version"] != "v1.0.0" || findings[0].Line != 2 {
			t.Errorf("in %d columns it is taken for %q: %+v\n%s", width, got, findings, text)
		}
	}
	words := strings.ReplaceAll(refused, " ", "\n")
	words = strings.Replace(words, "\n", " ", 1)
	if got := ids(Text("go: example.com/a@v1.0.0: Get \"https://proxy.example.com/example.com/a/@v/v1.0.0.info\": dial\ntcp 192.0.2.1:443: connect: connection\nrefused\n")); got != "net-refused" {
		t.Errorf("broken at blanks it is taken for %q (%s)", got, words)
	}
}

// broken breaks a text as a terminal does that has no idea of words.
func broken(text string, width int) string {
	var b strings.Builder
	for len(text) > width {
		b.WriteString(text[:width] + "\n")
		text = text[width:]
	}
	return b.String() + text + "\n"
}

// folded breaks a line as a terminal of so many columns does.
func folded(line string, columns int) string {
	var b strings.Builder
	piece := ""
	for _, r := range line {
		if width(piece+string(r)) > columns {
			b.WriteString(piece + "\n")
			piece = ""
		}
		piece += string(r)
	}
	return b.String() + piece + "\n"
}

func TestExamplesAreRecognisedInEveryWidth(t *testing.T) {
	for _, m := range Messages() {
		if len(m.Patterns) == 0 {
			continue
		}
		for _, width := range []int{72, 80, 100, 120} {
			var text strings.Builder
			for line := range strings.SplitSeq(m.Example, "\n") {
				text.WriteString(folded(line, width))
			}
			if got := ids(Text(text.String())); got != m.ID {
				t.Errorf("%s in %d columns is taken for %q\n%s", m.ID, width, got, text.String())
			}
		}
	}
}

// A server may write any phrase behind a status, or none.
func TestTheNumberOfAStatusCountsNotItsPhrase(t *testing.T) {
	const before = "go: example.com/m@v1.0.0: reading https://proxy.example.com/example.com/m/@v/v1.0.0.info: "
	for status, want := range map[string]string{
		"404": "proxy-404-version", "404 File not found": "proxy-404-version", "410 ": "proxy-410", "401": "proxy-401", "403 Verboten": "proxy-403", "429": "proxy-429",
		"451 ": "proxy-451", "500": "proxy-500", "503 Service Temporarily Unavailable": "proxy-unavailable", "504 Gateway Time-out": "proxy-unavailable", "502 Proxy Error": "proxy-unavailable",
		"4040 Strange": "proxy-status",
	} {
		if got := ids(Text(before + status + "\n\tserver response: no\n")); got != want {
			t.Errorf("%q is taken for %q, not %q", status, got, want)
		}
	}
}

func TestWhatOtherProgramsSayIsNotTakenForTheGoCommands(t *testing.T) {
	for text, want := range map[string]string{
		"cgo: C compiler \"gcc\" not found: exec: \"gcc\": executable file not found in $PATH\n":                                               "?",
		"--- FAIL: TestDB (0.00s)\n    db_test.go:12: dial tcp 127.0.0.1:5432: connect: connection refused\nFAIL\nFAIL\texample.com/m\t0.1s\n": "",
		"    db_test.go:12: exec: \"docker\": executable file not found in $PATH\n":                                                            "",
		"panic: dial tcp 127.0.0.1:5432: connect: connection refused\n\ngoroutine 1 [running]:\nmain.main()\n":                                 "",
		"main_test.go:3:8: no required module provides package example.com/p; to add it:\n\tgo get example.com/p\n":                            "no-required-module",
		"go: updating go.sum: open /mnt/go.sum: read-only file system\n":                                                                       "file-unwritable",
		"go: updating go.mod: open /src/go.mod: permission denied\n":                                                                           "file-unwritable",
		"# example.com/m\nwrite $WORK/b005/_pkg_.a: no space left on device\n":                                                                 "file-unwritable",
		"go: write /home/a/go/pkg/mod/cache/download/x.zip: no space left on device\n":                                                         "modcache-unwritable",
	} {
		if got := ids(Text(text)); got != want {
			t.Errorf("%q is taken for %q, not %q", text, got, want)
		}
	}
}

func TestWhatIsNotKnownIsNotSwallowed(t *testing.T) {
	for _, text := range []string{
		"go: updating go.work: strange", "error obtaining VCS status: exit status 128\n\tUse -buildvcs=false to disable VCS stamping.",
		"package a\n\timports b\n\timports a: import cycle not allowed", "failed to initialize build cache at /.cache/go-build: mkdir /.cache: permission denied",
		"build cache is disabled by GOCACHE=off, but required as of Go 1.12", "no Go files in /src", "flag provided but not defined: -x",
	} {
		if got := ids(Text(text)); got != "?" {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
	for _, text := range []string{"go: downloading example.com/a v1.0.0", "go: updating go.mod", "go: to add module requirements and sums:\n\tgo mod tidy", "go: finding module for package example.com/a"} {
		if got := ids(Text(text)); got != "" {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
}

func TestALogOfEverythingLosesNothing(t *testing.T) {
	var log strings.Builder
	wanted := map[string]bool{}
	for _, m := range Messages() {
		if len(m.Patterns) > 0 { // silence is known by what does not follow
			log.WriteString(each("#12 1.234 ", m.Example) + "\n#12 1.235 go: downloading example.com/m v1.0.0\n")
			wanted[m.ID] = true
		}
	}
	for _, f := range Text(log.String()) {
		if !f.Known() {
			t.Errorf("line %d is not known: %s", f.Line, f.Text)
			continue
		}
		delete(wanted, f.Message.ID)
	}
	if len(wanted) > 0 {
		t.Errorf("not found: %v", wanted)
	}
}

func TestTheSameCauseIsToldOnce(t *testing.T) {
	text := refused + "\n" + strings.ReplaceAll(refused, "example.com/a", "example.com/b") + "\n" + refused + "\n"
	findings := Text(text)
	if len(findings) != 1 || findings[0].Count != 3 || fmt.Sprint(findings[0].Others) != "[example.com/b@v1.0.0]" {
		t.Errorf("got %+v", findings)
	}
	other := Text(refused + "\n" + strings.ReplaceAll(refused, "proxy.example.com", "other.example.com"))
	if len(other) != 2 {
		t.Errorf("two servers became %+v", other)
	}
	if got := ids(Text(notFound + "\n" + strings.ReplaceAll(notFound, "example.com/a", "example.com/b"))); got != "proxy-404-version proxy-404-version" {
		t.Errorf("two modules became %s", got)
	}
}

func TestCausesComeBeforeWhatFollowsFromThem(t *testing.T) {
	text := "main.go:3:8: missing go.sum entry for module providing package example.com/a (imported by example.com/main); to add:\n\tgo get example.com/main\n" +
		"go: warning: example.com/c@v1.0.0: retracted by module author: no\n" +
		refused + "\n" +
		"go: parsing $GOFLAGS: non-flag \"x\"\n" +
		"go: something that nobody has ever seen\n"
	findings := Text(text)
	if got := ids(findings); got != "goflags-malformed net-refused retracted gosum-missing-package ?" {
		t.Fatalf("the order is %s", got)
	}
	if findings[3].Follows != "net-refused" || findings[1].Follows != "" {
		t.Errorf("what follows from what is wrong: %+v", findings)
	}
}

func TestTheWordsOfAServerAreNotThoseOfTheGoCommand(t *testing.T) {
	text := "go: example.com/a@v1.0.0: reading https://proxy.example.com/example.com/a/@v/v1.0.0.info: 403 Forbidden\n\tserver response: not found: example.com/x@v1: invalid version: unknown revision v1: dial tcp 192.0.2.1:443: connect: connection refused\n"
	if got := ids(Text(text)); got != "proxy-403" {
		t.Errorf("it is taken for %s", got)
	}
}

func TestTheHopIsReadFromTheURL(t *testing.T) {
	for url, want := range map[string]Hop{
		"https://proxy.example.com/example.com/a/@v/list":                        Proxy,
		"https://proxy.example.com/go/example.com/a/@latest":                     Proxy,
		"https://proxy.example.com/sumdb/sum.golang.org/lookup/example.com/a@v1": ProxiedSumDB,
		"https://sum.golang.org/lookup/example.com/a@v1":                         SumDB,
		"https://sum.example.com/tile/8/0/000":                                   SumDB,
		"https://example.com/a?go-get=1":                                         Discovery,
		"https://git.example.com/a.git/":                                         VCS,
		"file:///srv/example.com/a/@v/v1.0.0.zip":                                Proxy,
		"": FromURL, "https://example.com/": FromURL, "https://example.com/%zz": FromURL,
	} {
		if got := hopOf(url); got != want {
			t.Errorf("%s is at hop %d, want %d", url, got, want)
		}
	}
}

func TestTheProxyIsToldFromTheModule(t *testing.T) {
	for _, c := range []struct{ text, module, version, proxy string }{
		{"go: example.com/a@v1.0.0: reading https://repo.example.com/api/go.v2/virtual/example.com/a/@v/v1.0.0.info: 403 Forbidden", "example.com/a", "v1.0.0", "https://repo.example.com/api/go.v2/virtual"},
		{"go: github.com/Azure/x@v1.0.0: reading https://proxy.example.com/github.com/!azure/x/@v/v1.0.0.mod: 403 Forbidden", "github.com/Azure/x", "v1.0.0", "https://proxy.example.com"},
		{"go: example.com/a@v1.0.0 requires\n\texample.com/b@v2.0.0+incompatible: reading https://proxy.example.com/example.com/b/@v/v2.0.0+incompatible.mod: 403 Forbidden", "example.com/b", "v2.0.0+incompatible", "https://proxy.example.com"},
		{"main.go:3:8: reading https://proxy.example.com/sub/example.com/b/@v/list: 403 Forbidden", "example.com/b", "", "https://proxy.example.com/sub"},
	} {
		f := Text(c.text)
		if len(f) != 1 || f[0].Values["module"] != c.module || f[0].Values["version"] != c.version || f[0].Values["proxy"] != c.proxy {
			t.Errorf("%s: %+v", c.text, f)
		}
	}
}

func TestModulesAreEscapedInURLs(t *testing.T) {
	f := Text("verifying github.com/Azure/x@v1.0.0: checksum mismatch\n\tdownloaded: h1:a=\n\tgo.sum:     h1:b=\n")
	if got := ids(f); got != "gosum-mismatch" || f[0].In(English).Commands[0] != "curl -sS 'https://sum.golang.org/lookup/github.com/!azure/x@v1.0.0'" {
		t.Errorf("got %s: %+v", got, f)
	}
}

func TestUnknownIsSaidToBeUnknown(t *testing.T) {
	text := "go: something that nobody has ever seen\ngo: something that nobody has ever seen\nbuilding …\n"
	f := Text(text)
	if len(f) != 1 || f[0].Known() || f[0].Count != 2 || f[0].In(English).Fix == "" || f[0].In(Chinese).Fix == "" {
		t.Errorf("got %+v", f)
	}
	if f := Text("hello, world\nall is well\ngo: downloading example.com/a v1.0.0\nok  \texample.com/a\t0.1s\n"); len(f) != 0 {
		t.Errorf("there is nothing to explain, but %+v", f)
	}
}

func TestRequestsThatWereAnsweredAreNotSilence(t *testing.T) {
	waiting := "# get https://proxy.example.com/example.com/a/@v/list\n"
	if got := ids(Text(waiting)); got != "proxy-silent" {
		t.Errorf("a request without an answer is %q", got)
	}
	if got := ids(Text(waiting + "# get https://proxy.example.com/example.com/a/@v/list: 200 OK (0.1s)\n")); got != "" {
		t.Errorf("a request with an answer is %q", got)
	}
	if got := ids(Text(waiting + refused)); got != "net-refused" {
		t.Errorf("a request that failed is %q", got)
	}
}

func TestNoPasswordIsShown(t *testing.T) {
	for _, secret := range []string{"alice:canary@", "canary@", "alice:ca@nary@", "alice:canary%40@"} {
		text := strings.ReplaceAll(refused, "https://", "https://"+secret) + "\ngo: unknown thing at https://" + secret + "example.com/\n"
		if all := fmt.Sprintf("%+v %+v", Text(text), explained(text)); strings.Contains(all, "canary") || strings.Contains(all, "nary") {
			t.Errorf("%s shows in %s", secret, all)
		}
	}
}

func explained(text string) (all []Explanation) {
	for _, f := range Text(text) {
		all = append(all, f.In(English), f.In(Chinese))
	}
	return all
}

func TestCommandsCannotBeSmuggledIn(t *testing.T) {
	for _, evil := range []string{"example.com/$(touch${IFS}x)", "example.com/`id`", "example.com/a;reboot", "example.com/a&&id", "-example.com/a|sh", "example.com/a'b", "example.com/!a", "example.com/a\\b"} {
		text := "main.go:1:2: no required module provides package " + evil + "; to add it:\n"
		for _, e := range explained(text) {
			for _, command := range e.Commands {
				if strings.Contains(command, evil) && !strings.Contains(command, "'"+evil+"'") || strings.Contains(command, "''") {
					t.Errorf("%s became the command %s", evil, command)
				}
			}
		}
	}
}

func TestMuchTextIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 2 * maxFindings {
		fmt.Fprintf(&b, "go: unknown thing number %d\ngo: example.com/m%d@v1.0.0: no matching versions for query \"x\"\n", i, i)
	}
	f := Text(b.String())
	if len(f) > maxFindings+maxUnknown {
		t.Errorf("there are %d findings", len(f))
	}
	again := strings.Repeat("go: the same unknown thing\n", 2*maxUnknown) + "go: another one\n"
	if f := Text(again); len(f) != 2 || f[0].Count != 2*maxUnknown {
		t.Errorf("one message often hides another: %+v", f)
	}
	if f := Text("go: " + strings.Repeat("x", 1<<20)); len(f) != 1 || len(f[0].Text) > 4*maxText {
		t.Error("a long line is shown whole")
	}
}

func FuzzText(f *testing.F) {
	f.Add(notFound)
	f.Add(broken(refused, 60))
	f.Add("#1 0.1 go: a.b/c@v1: reading http://u:p@h/x?go-get=1: 404\n\tserver response: \x1b[31mx\r\n")
	f.Add("SECURITY ERROR\ngo.sum database server misbehavior detected!\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, finding := range Text(text) {
			for _, lang := range []Lang{English, Chinese} {
				e := finding.In(lang)
				for _, shown := range append([]string{e.Title, e.Where, e.Cause, e.Fix, finding.Text, finding.Server}, e.Commands...) {
					if i := strings.IndexFunc(shown, func(r rune) bool { return !unicode.IsGraphic(r) && r != '\t' }); i >= 0 {
						t.Errorf("%q has a control character", shown)
					}
				}
			}
		}
	})
}
