package netrc

import (
	"slices"
	"strings"
	"testing"
)

func TestNetrcIsReadAsTheGoCommandDoes(t *testing.T) {
	const host = "go.example.com"
	for what, test := range map[string]struct{ data, login, password string }{
		"one line":                {"machine go.example.com login u password p", "u", "p"},
		"lines":                   {"machine go.example.com\nlogin u\n\tpassword p\n", "u", "p"},
		"Windows":                 {"machine go.example.com\r\nlogin u\r\npassword p\r\n", "u", "p"},
		"password first":          {"machine go.example.com password p login u", "u", "p"},
		"others":                  {"machine a login x password y\nmachine go.example.com login u password p", "u", "p"},
		"the first one":           {"machine go.example.com login u password p\nmachine go.example.com login x password y", "u", "p"},
		"a half one":              {"machine go.example.com login x\nmachine go.example.com login u password p", "u", "p"},
		"account":                 {"machine go.example.com login u account a password p", "u", "p"},
		"a macro":                 {"macdef init\nmachine go.example.com login x password y\n\nmachine go.example.com login u password p", "u", "p"},
		"a macro, Windows":        {"macdef init\r\nmachine go.example.com login x password y\r\n\r\nmachine go.example.com login u password p\r\n", "u", "p"},
		"words as values":         {"machine go.example.com login machine password default", "machine", "default"},
		"behind the default":      {"default login x password y\nmachine go.example.com login u password p", "u", "p"},
		"capitals":                {"machine Go.Example.COM login u password p", "u", "p"},
		"nothing":                 {"", "", ""},
		"default":                 {"default login x password y", "", ""},
		"default after a machine": {"machine go.example.com\ndefault\nlogin x\npassword y", "", ""},
		"another":                 {"machine example.com login x password y", "", ""},
		"below":                   {"machine sub.go.example.com login x password y", "", ""},
		"another port":            {"machine go.example.com:8443 login x password y", "", ""},
		"a URL":                   {"machine https://go.example.com login x password y", "", ""},
		"no password":             {"machine go.example.com login x", "", ""},
		"no login":                {"machine go.example.com password y", "", ""},
		"no value":                {"machine go.example.com login x password", "", ""},
		"nothing but a macro":     {"macdef a\nmachine go.example.com login x password y", "", ""},
		"of another machine":      {"machine a login x\nmachine go.example.com password y\nmachine b", "", ""},
	} {
		login, password, ok := Find(test.data, host)
		if ok != (test.login != "") || login != test.login || password != test.password {
			t.Errorf("%s: got %q, %q, %v", what, login, password, ok)
		}
	}
	const withPort = "machine go.example.com login x password y\nmachine go.example.com:8443 login u password p"
	if login, _, ok := Find(withPort, "go.example.com:8443"); !ok || login != "u" {
		t.Errorf("with a port: %q, %v", login, ok)
	}
}

func TestHostsAreThoseWithALoginAndAPassword(t *testing.T) {
	const data = "machine a login u password p\nmachine half login u\ndefault login u password p\nmachine b:8443 password p login u\nmacdef m\nmachine c login u password p\n\nmachine A login v password q"
	if got := slices.Collect(Hosts(data)); !slices.Equal(got, []string{"a", "b:8443", "A"}) {
		t.Errorf("hosts %q", got)
	}
}

func FuzzFindNetrc(f *testing.F) {
	f.Add("machine h login u password p", "h")
	f.Add("macdef m\nx\n\nmachine h\nlogin u\r\npassword p\ndefault login a password b", "h")
	f.Add("default\nmachine h:1 login u password p", "h:1")
	f.Fuzz(func(t *testing.T, data, host string) {
		login, password, ok := Find(data, host)
		if !ok {
			return
		}
		if login == "" || password == "" || !strings.Contains(strings.ToLower(data), strings.ToLower(host)) {
			t.Fatalf("for %q: %q, %q", host, login, password)
		}
		for _, word := range []string{"machine", "login", login, "password", password} {
			if !strings.Contains(data, word) || strings.ContainsAny(word, " \t\r\n") {
				t.Fatalf("%q is not a word of %q", word, data)
			}
		}
	})
}
