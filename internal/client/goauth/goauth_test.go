package goauth

import (
	"encoding/base64"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/goenv"
)

// machine are the settings of a machine with these variables and this netrc file.
func machine(t *testing.T, netrc string, variables map[string]string) *goenv.Env {
	t.Helper()
	name := filepath.Join(t.TempDir(), "netrc")
	if netrc != "" {
		if err := os.WriteFile(name, []byte(netrc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return goenv.Load(func(variable string) string {
		switch variable {
		case "NETRC":
			return name
		case "GOENV":
			return "off"
		}
		return variables[variable]
	})
}

func target(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// helper writes a command that says text, when it is asked for a URL or when it is not.
func helper(t *testing.T, always, asked string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"always": always, "asked": asked} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "helper")
	script := "#!/bin/sh\nif [ $# -gt 0 ]; then cat " + dir + "/asked; else cat " + dir + "/always; fi\n"
	if err := os.WriteFile(name, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCredentialsAreThoseTheGoCommandWouldSend(t *testing.T) {
	const netrc = "machine go.example.com login u password secret\nmachine go.example.com:8443 login port password secret\ndefault login d password secret\n"
	known := helper(t, "https://go.example.com/a\n\nAuthorization: Bearer known\n\n", "")
	asked := helper(t, "", "https://go.example.com\nhttps://b.example.com\n\nAuthorization: Bearer asked\nX-Team: a\n\n")
	failing := "/nonexistent/helper"
	for what, c := range map[string]struct {
		netrc, goauth, url string
		want               string // the user, or the token
	}{
		"netrc":                               {netrc, "", "https://go.example.com/path", "u"},
		"netrc with a port":                   {netrc, "netrc", "https://go.example.com:8443", "port"},
		"the machine is written otherwise":    {netrc, "", "https://go.example.com:443", ""},
		"default is for nobody":               {netrc, "", "https://other.example.com", ""},
		"nothing over http":                   {netrc, "", "http://go.example.com", ""},
		"the URL has its own":                 {netrc, "", "https://x:y@go.example.com", ""},
		"off":                                 {netrc, "off", "https://go.example.com", ""},
		"no file":                             {"", "", "https://go.example.com", ""},
		"a command that knows":                {"", known, "https://go.example.com/a/b", "known"},
		"a command that knows another path":   {"", known, "https://go.example.com/ab", ""},
		"a command that is asked":             {"", asked, "https://b.example.com/x", "asked"},
		"the first one wins":                  {netrc, known + ";netrc", "https://go.example.com/a", "known"},
		"the second one helps out":            {netrc, known + " ; netrc", "https://go.example.com/b", "u"},
		"what is known wins over asking":      {netrc, asked + ";netrc", "https://go.example.com/b", "u"},
		"one that fails does not hide others": {netrc, failing + ";netrc", "https://go.example.com", "u"},
	} {
		t.Run(what, func(t *testing.T) {
			h, from, _ := Header(t.Context(), machine(t, c.netrc, map[string]string{"GOAUTH": c.goauth}), target(t, c.url))
			got := strings.TrimPrefix(h.Get("Authorization"), "Bearer ")
			if pair, ok := strings.CutPrefix(got, "Basic "); ok {
				data, _ := base64.StdEncoding.DecodeString(pair)
				got, _, _ = strings.Cut(string(data), ":")
			}
			if got != c.want || (from == "") != (c.want == "") {
				t.Errorf("the credentials are those of %q, from %q, want %q", got, from, c.want)
			}
		})
	}
}

func TestGitIsAskedForItsCredentials(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"init", "-q", dir}, {"-C", dir, "config", "credential.helper", "!f() { echo username=u; echo password=p; }; f"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git: %v: %s", err, out)
		}
	}
	h, _, err := Header(t.Context(), machine(t, "", map[string]string{"GOAUTH": "git " + dir}), target(t, "https://go.example.com/mod"))
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))
	if got := h.Get("Authorization"); got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMistakesInGOAUTHAreErrorsWithoutSecrets(t *testing.T) {
	for _, goauth := range []string{";", "netrc;", "off;netrc", "'open secret", "git relative", "git", "false secret", helper(t, "secret", "secret"), helper(t, "https://go.example.com\n\nsecret\n\n", "")} {
		h, _, err := Header(t.Context(), machine(t, "", map[string]string{"GOAUTH": goauth}), target(t, "https://go.example.com"))
		if h != nil || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("GOAUTH=%s: got %v, %v", goauth, h, err)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add("https://go.example.com/\nhttps://b.example.com\n\nAuthorization: Bearer x\n\n")
	f.Add("https://go.example.com\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		known, err := parseCredentials(text)
		if err != nil {
			return
		}
		for prefix := range known {
			if strings.Contains(prefix, "\n") {
				t.Errorf("the prefix %q has two lines", prefix)
			}
		}
	})
}
