package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const canary = "canary"

func TestSecretsAreNeverPrinted(t *testing.T) {
	environ := machine(t, goEnvText,
		"WEIR_UPSTREAM=https://user:canary@proxy.example.com/a,canary@mirror.example.com|direct", "WEIR_SUMDB=sum.golang.org https://canary:x@sum.example.com")
	file := write(t, filepath.Join(t.TempDir(), "weir.yaml"), filesOfSecrets(t, "upstreams:\n  b: {url: 'https://canary@b.example.com', headers: {X-A: canary}, proxy: 'http://canary:x@proxy.example.com'}\n"+secrets))
	c, from := load(t, Flags{Config: file}, environ)
	company := c.Upstreams["company"]
	for _, secret := range []string{
		c.Upstream.Reveal(), c.Sumdb.Reveal(), company.Password.Reveal(), company.Headers["X-Org"].Reveal(), company.Headers["X-Token"].Reveal(),
		c.Upstreams["token"].Bearer.Reveal(), c.Upstreams["b"].URL.Reveal(), c.Upstreams["b"].Proxy.Reveal(), c.Routes[0].Upstream.Reveal(),
	} {
		if !strings.Contains(secret, canary) {
			t.Errorf("a secret got lost: %q", secret)
		}
	}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%10v", "%!"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", *c)
		fmt.Fprintf(&out, verb+"\n", c.Upstream)
		fmt.Fprintf(&out, verb+"\n", &c.Sumdb)
		fmt.Fprintf(&out, verb+"\n", company)
		fmt.Fprintf(&out, verb+"\n", company.Password)
		fmt.Fprintf(&out, verb+"\n", company.Headers)
		fmt.Fprintf(&out, verb+"\n", ParseUpstreams(c.Upstream)[:1])
	}
	fmt.Fprintln(&out, c, c.Upstream, []Secret{c.Sumdb}, map[Secret]bool{c.Sumdb: true})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "config", c, "upstream", c.Upstream, "password", company.Password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "config", c, "upstream", c.Upstream, "password", company.Password)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(asJSON)
	out.Write(asYAML)
	if err := Print(&out, c, from); err != nil {
		t.Fatal(err)
	}

	if text := out.String(); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) || strings.Contains(text, fmt.Sprintf("%X", canary)) {
		t.Errorf("a secret is shown:\n%s", text)
	}
	if want := `upstream: "https://xxxxx@proxy.example.com/a,xxxxx@mirror.example.com|direct" # WEIR_UPSTREAM`; !strings.Contains(out.String(), want) {
		t.Errorf("%s is missing in\n%s", want, out.String())
	}
}

func TestProblemsTellNoSecrets(t *testing.T) {
	for _, value := range []string{
		"ftp://user:canary@proxy.example.com",
		"https://user:canary@proxy.example.com:port",
		"https://user:canary@proxy.example.com/%zz",
		"https://user:canary,more@proxy.example.com",
		"https://user:more,canary@proxy.example.com",
		"https://canary|more@proxy.example.com",
		"https://user:canary/more@proxy.example.com",
		"https://user:canary more@proxy.example.com",
		"https://user:canary@more@proxy.example.com",
		"user:canary@proxy.example.com:port",
		"https:/user:canary@proxy.example.com",
		"file://user:canary@proxy.example.com/x",
		"https://a.example.com,ftp://user:canary@proxy.example.com",
		"https://user:canary@proxy.example.com,ftp://a.example.com",
	} {
		for name, environ := range map[string]func(string) (string, bool){
			"upstream":      machine(t, goEnvText, "WEIR_UPSTREAM="+value),
			"go env":        machine(t, "GOPROXY="+value+"\n"),
			"sumdb":         machine(t, goEnvText, "WEIR_SUMDB="+value),
			"sumdb URL":     machine(t, goEnvText, "WEIR_SUMDB=sum.golang.org "+value),
			"other place":   machine(t, goEnvText, "WEIR_LISTEN="+value, "WEIR_CACHE_FRESH="+value, "WEIR_LOG_LEVEL="+value, "WEIR_STORE_MEMORY="+value, "WEIR_PATH_PREFIX="+value, "WEIR_CACHE_MAX_FILLS="+value),
			"plain":         withFile(t, "upstream: "+value+"\n"),
			"quoted":        withFile(t, "upstream: \""+value+"\"\nlisen: x\n"),
			"in two lines":  withFile(t, "upstream: "+strings.Replace(value, canary, canary+"\n  ", 1)+"\n"),
			"folded":        withFile(t, "upstream: >-\n  "+strings.Replace(value, canary, canary+"\n  ", 1)+"\n"),
			"not YAML":      withFile(t, "upstream: \""+value+"\n"),
			"not YAML too":  withFile(t, "upstream: "+value+": x\n"),
			"in flow":       withFile(t, "{upstream: "+value+", x: y\n"),
			"other key":     withFile(t, "upsteam: "+value+"\nlisten: "+value+"\n"),
			"as key":        withFile(t, "\""+value+"\": x\n"),
			"as list":       withFile(t, "upstream:\n  - "+value+"\n"),
			"as pattern":    withFile(t, "private:\n  - \"["+value+"\"\n"),
			"behind a mark": withFile(t, "upstream: &a "+value+"\n"),
		} {
			_, _, err := Load(t.Context(), Flags{}, environ)
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s of %s: a secret is shown:\n%v", name, value, err)
			}
		}
	}
}

// secrets is the end of a configuration file with many of them. CANARY stands for the
// name of a file that holds one.
const secrets = `  company:
    url: https://a.example.com
    username: ci
    password: canary
    weight: 2
    headers:
      X-Org: canary
      data: "canary"
    headers_file: {X-Token: CANARY}
  token: {url: b.example.com, bearer: 'canary', weight: 3}
groups:
  public: {members: [company, token]}
routes:
- match: a.example.com
  upstream: https://u:canary@a.example.com
`

// filesOfSecrets writes the files that a configuration file names.
func filesOfSecrets(t *testing.T, text string) string {
	t.Helper()
	return strings.ReplaceAll(text, "CANARY", write(t, filepath.Join(t.TempDir(), "secret"), canary))
}

// However a file is broken in one place, nothing of a password gets into a message.
func TestProblemsOfABrokenFileTellNoSecrets(t *testing.T) {
	whole := "upstream: public\nupstreams:\n" + strings.Replace(secrets, "u:canary@", "", 1)
	check := func(text string) {
		f := parseFile("weir.yaml", text)
		l := build(f, newSetting("data", "/d", ""))
		l.validate()
		for _, err := range append(f.problems, l.problems...) {
			if strings.Contains(err.Error(), canary) {
				t.Fatalf("a secret is shown:\n%v\nin\n%s", err, text)
			}
		}
	}
	for i := range strings.Index(whole, "groups:") + len("groups:") {
		check(whole[:i] + whole[i+1:])
		for _, odd := range []string{"\n", " ", "\"", "{", "}", "[", ":", "#", "- ", ",", "|"} {
			check(whole[:i] + odd + whole[i:])
		}
	}
	lines := strings.SplitAfter(whole, "\n")
	for i := range lines {
		check(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), ""))
		check(strings.Join(slices.Insert(slices.Clone(lines), i, lines[i]), ""))
		for _, odd := range []string{"    ", "odd: x\n", "  odd:\n", "]\n", "- "} {
			check(strings.Join(slices.Insert(slices.Clone(lines), i, odd), ""))
		}
		check(strings.Join(slices.Replace(slices.Clone(lines), i, i+1, strings.TrimLeft(lines[i], " ")), ""))
	}
}

func withFile(t *testing.T, text string) func(string) (string, bool) {
	t.Helper()
	return machine(t, goEnvText, "WEIR_CONFIG="+write(t, filepath.Join(t.TempDir(), "weir.yaml"), text))
}

func TestRedactionKeepsWhatIsNoSecret(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"off":                            "off",
		"https://proxy.example.com,off":  "https://proxy.example.com,off",
		"https://u:p@proxy.example.com":  "https://xxxxx@proxy.example.com",
		"https://a:8080,https://u:p@b/c": "https://a:8080,https://xxxxx@b/c",
		"https://a.example.com , https://u@b | direct": "https://a.example.com , https://xxxxx@b | direct",
		"https://u:p@a|https://b":                      "https://xxxxx@a|https://b",
		"name+hash+key https://u:p@a":                  "name+hash+key https://xxxxx@a",
	} {
		if got := redact(text); got != want {
			t.Errorf("redact(%q) is %q, want %q", text, got, want)
		}
	}
}
