package gosumdb

import (
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func TestValuesAreReadAsTheGoCommandDoes(t *testing.T) {
	_, vkey, err := note.GenerateKey(nil, "localhost.localdev/sumdb")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Config{
		"off":                          {Off: true},
		"sum.golang.org":               {Name: "sum.golang.org"},
		" sum.golang.org  https://x/y": {Name: "sum.golang.org", URL: "https://x/y"},
		"sum.golang.google.cn":         {Name: "sum.golang.org", URL: "https://sum.golang.google.cn"},
		vkey:                           {Name: "localhost.localdev/sumdb"},
		vkey + " http://127.0.0.1:1":   {Name: "localhost.localdev/sumdb", URL: "http://127.0.0.1:1"},
	} {
		got, err := Parse(text)
		got.Key = ""
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	_, funny, err := note.GenerateKey(nil, "a.b/../c")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "sum.example.com", "sum.golang.org a b", "sum.golang.org ftp://x", "sum.golang.org+bad+key", "off https://x", funny} {
		if c, err := Parse(text); err == nil {
			t.Errorf("%q: %+v", text, c)
		}
	}
}
