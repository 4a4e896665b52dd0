package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestListsAreTakenApartAsTheGoCommandDoes(t *testing.T) {
	for list, want := range map[Secret][]Entry{
		"":        nil,
		" , | ":   nil,
		"off":     {{Text: "off"}},
		"company": {{Name: "company", Text: "company"}},
		"company|public,direct": {
			{Name: "company", Text: "company", FallBackOnError: true}, {Name: "public", Text: "public"}, {Text: "direct"},
		},
		"https://u:p@a.example.com | b.example.com,off,nonsense": {
			{Text: "https://u:p@a.example.com", FallBackOnError: true}, {Text: "b.example.com"}, {Text: "off"},
		},
		",a,,b|": {{Name: "a", Text: "a"}, {Name: "b", Text: "b", FallBackOnError: true}},
		"direct|a": {
			{Text: "direct", FallBackOnError: true},
		},
		"noproxy,none,Company,a_b,1a,a.b,a-1": {
			{Text: "noproxy"}, {Text: "none"}, {Text: "Company"}, {Text: "a_b"}, {Text: "1a"}, {Text: "a.b"}, {Name: "a-1", Text: "a-1"},
		},
	} {
		if got := ParseUpstreams(list); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", list.Reveal(), got, want)
		}
	}
}

// Entries put together again are the list, up to where the go command stops reading.
func FuzzParseUpstreams(f *testing.F) {
	for _, seed := range []string{"", "a|b,direct", "https://u:p@h,off|x", " , |a", "a||b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		entries := ParseUpstreams(Secret(list))
		var b strings.Builder
		for i, e := range entries {
			text := e.Text.Reveal()
			if text == "" || text != strings.TrimSpace(text) || strings.ContainsAny(text, ",|") || e.Name != "" && (e.Name != text || checkName(text) != "") {
				t.Errorf("entry %d of %q is %+v", i, list, e)
			}
			b.WriteString(text)
			if e.FallBackOnError {
				b.WriteString("|")
				continue
			}
			b.WriteString(",")
		}
		if again := ParseUpstreams(Secret(b.String())); len(entries) > 0 && !reflect.DeepEqual(again, entries) {
			t.Errorf("%q is %+v, and put together again %+v", list, entries, again)
		}
	})
}
