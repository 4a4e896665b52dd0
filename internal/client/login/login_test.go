package login

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLoginsAreKeptForTheirOwnerOnly(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "weir", "logins.json"))
	for _, l := range []Login{{"https://b.example.com", "2"}, {"https://a.example.com/go", "1"}, {"https://b.example.com", "3"}} {
		if err := f.Put(l); err != nil {
			t.Fatal(err)
		}
	}
	all, err := f.All()
	if want := []Login{{"https://a.example.com/go", "1"}, {"https://b.example.com", "3"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	info, err := os.Stat(string(f))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for url, want := range map[string]bool{"https://b.example.com": true, "https://c.example.com": false} {
		if was, err := f.Remove(url); was != want || err != nil {
			t.Errorf("%s: %v, %v", url, was, err)
		}
	}
	if all, err := f.All(); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestWithoutAFileThereAreNoLogins(t *testing.T) {
	if all, err := File(filepath.Join(t.TempDir(), "logins.json")).All(); len(all) != 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}

func TestADamagedFileIsNotOverwritten(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "logins.json"))
	if err := os.WriteFile(string(f), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(Login{"https://a.example.com", "1"}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
	if data, err := os.ReadFile(string(f)); string(data) != "{" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

func TestTokensGoToProxiesOverTLSOnly(t *testing.T) {
	for text, want := range map[string]string{
		"proxy.example.com":             "https://proxy.example.com",
		"https://proxy.example.com/":    "https://proxy.example.com",
		"https://proxy.example.com/go/": "https://proxy.example.com/go",
		"https://localhost:3000":        "https://localhost:3000",
		"http://proxy.example.com":      "",
		"https://me:pw@example.com":     "",
		"https://example.com?x":         "",
		"https://":                      "",
		"":                              "",
	} {
		if got, err := ParseURL(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestTheGoCommandGetsEachTokenWithItsURL(t *testing.T) {
	var b strings.Builder
	if err := Help(&b, []Login{{"https://a.example.com", "1"}, {"https://b.example.com/go", "2"}}); err != nil {
		t.Fatal(err)
	}
	want := "https://a.example.com\n\nAuthorization: Bearer 1\n\nhttps://b.example.com/go\n\nAuthorization: Bearer 2\n\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}
