package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const canary = "canary"

func TestSecretsAreNeverPrinted(t *testing.T) {
	environ := machine(t, goEnvText,
		"WEIR_UPSTREAM=https://user:canary@proxy.example.com/a,canary@mirror.example.com|direct", "WEIR_SUMDB=sum.golang.org https://canary:x@sum.example.com")
	c, from := load(t, Flags{}, environ)
	if !strings.Contains(c.Upstream.Reveal()+c.Sumdb.Reveal(), canary) {
		t.Fatal("the secrets got lost")
	}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%10v", "%!"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", *c)
		fmt.Fprintf(&out, verb+"\n", c.Upstream)
		fmt.Fprintf(&out, verb+"\n", &c.Sumdb)
	}
	fmt.Fprintln(&out, c, c.Upstream, []Secret{c.Sumdb}, map[Secret]bool{c.Sumdb: true})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "config", c, "upstream", c.Upstream)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "config", c, "upstream", c.Upstream)
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
