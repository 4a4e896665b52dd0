package source

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseListReadsAsTheGoCommand(t *testing.T) {
	p := func(url string, fallBack bool) Entry { return Entry{URL: url, FallBackOnError: fallBack} }
	for _, test := range []struct {
		list string
		want []Entry
	}{
		{"https://a.example", []Entry{p("https://a.example", false)}},
		{"https://a.example,https://b.example", []Entry{p("https://a.example", false), p("https://b.example", false)}},
		{"https://a.example|https://b.example", []Entry{p("https://a.example", true), p("https://b.example", false)}},
		{" a.example | b.example/x/ , direct", []Entry{p("https://a.example", true), p("https://b.example/x/", false), {Direct: true}}},
		{",,a.example,|,", []Entry{p("https://a.example", false)}},
		{"a.example||b.example", []Entry{p("https://a.example", true), p("https://b.example", false)}},
		{"a.example,|b.example", []Entry{p("https://a.example", false), p("https://b.example", false)}},
		{"a.example:8080", []Entry{p("https://a.example:8080", false)}},
		{"off", []Entry{{Off: true}}},
		{"off,nonsense", []Entry{{Off: true}}},
		{"direct|ftp://a.example", []Entry{{Direct: true}}},
		{"a.example|off", []Entry{p("https://a.example", true), {Off: true}}},
		{"http://user:pass@a.example:80/go?x=y", []Entry{p("http://user:pass@a.example:80/go?x=y", false)}},
		{"file:///srv/go", []Entry{p("file:///srv/go", false)}},
		{"https://a.example/a%2Fb", []Entry{p("https://a.example/a%2Fb", false)}},
	} {
		got, err := ParseList(test.list)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("ParseList(%q) = %#v, %v; want %#v", test.list, got, err, test.want)
		}
	}
}

func TestParseListRefusesWhatTheGoCommandRefuses(t *testing.T) {
	for _, test := range []struct{ list, want string }{
		{"", "no entries"},
		{" ", "no entries"},
		{",", "no entries"},
		{"|, |", "no entries"},
		{"proxy", "neither a URL nor direct nor off"},
		{"Direct", "neither a URL nor direct nor off"},
		{"/srv/go", "neither a URL"},
		{"ftp://a.example", "scheme must be"},
		{"a.example,ssh://b.example", "entry 2"},
		{"file://host/srv", "file URL"},
		{"file:///srv?x=y", "file URL"},
		{"file:/srv", "file URL"},
		{"https://a.example:port", "not a URL"},
		{"https://a.example/%zz", "not a URL"},
	} {
		got, err := ParseList(test.list)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseList(%q) = %v, %v; want an error with %q", test.list, got, err, test.want)
		}
	}
}

const canary = "c4n4ry"

func TestA17ListShowsNoSecret(t *testing.T) {
	for _, list := range []string{
		"https://user:" + canary + "@a.example",
		"https://" + canary + "@a.example/x",
		"https://a.example/x?token=" + canary,
		"https://a.example/x#" + canary,
		"https://user:" + canary + "/x@a.example", // a slash ends the host: no URL
		"https://user:%" + canary + "@a.example",
		"https://a.example:" + canary,
		"ftp://user:" + canary + "@a.example",
		"file://user:" + canary + "@a.example/x",
		"user:" + canary + "@a.example",
		"https://a.example\x7f" + canary,
	} {
		entries, err := ParseList(list)
		shown := fmt.Sprintf("%v %+v %s %v %s", entries, entries, entries, err, RedactList(list))
		if strings.Contains(shown, canary) {
			t.Errorf("ParseList(%q) shows the secret: %s", list, shown)
		}
	}
}

func TestAListIsShownEntryByEntry(t *testing.T) {
	for list, want := range map[string]string{
		"https://u:p@a.example | b.example/x?token=t,off": "https://xxxxx@a.example|https://b.example/x,off",
		"direct,https://a.example":                        "direct",
		"https://a.example|":                              "https://a.example",
		"":                                                "",
		"ftp://u:p@a.example":                             "",
	} {
		if got := RedactList(list); got != want {
			t.Errorf("%q is shown as %q, want %q", list, got, want)
		}
	}
}

func FuzzParseList(f *testing.F) {
	for _, seed := range []string{"https://a.example,direct", "a|b.c", "http://u:p@h:1/x?y", "file:///x,off", " , "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		entries, err := ParseList(list)
		if err != nil {
			if entries != nil {
				t.Fatalf("entries and an error: %v, %v", entries, err)
			}
			return
		}
		var again []string
		for i, e := range entries {
			if (e.Direct || e.Off) && i != len(entries)-1 {
				t.Fatalf("%v goes on after its end", entries)
			}
			word := e.URL
			if e.Direct || e.Off {
				word = e.Redacted()
			}
			again = append(again, word+e.Separator())
		}
		back, err := ParseList(strings.Join(again, ""))
		if err != nil || !reflect.DeepEqual(back, entries) {
			t.Fatalf("ParseList(%q) = %#v, %v; want %#v", again, back, err, entries)
		}
	})
}
