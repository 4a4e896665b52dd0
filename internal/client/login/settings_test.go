package login

import (
	"maps"
	"slices"
	"testing"
)

const weirURL = "https://weir.example.com"

// planned makes a plan for a machine and returns its settings by name.
func planned(p Proxy, command string, now map[string]string) (map[string]string, Plan) {
	plan := NewPlan(p, command, func(name string) string { return now[name] })
	settings := map[string]string{}
	for _, s := range plan.Settings {
		settings[s.Name] = s.Value
	}
	return settings, plan
}

func TestTheGoCommandIsToldWhatItTakes(t *testing.T) {
	proxy := Proxy{URL: weirURL, Private: []string{"corp.example.com", "*.corp.example.com"}, NoSumdb: []string{"old.example.net"}}
	const all = "corp.example.com,*.corp.example.com,old.example.net"
	for name, test := range map[string]struct {
		now, want map[string]string
		around    []string
	}{
		"of nothing that it knows": {
			now: map[string]string{"GOPROXY": weirURL, "GOAUTH": "netrc;weir auth", "GONOSUMDB": all},
		},
		"as it comes": {
			now:  map[string]string{"GOPROXY": "https://proxy.example.com,direct", "GOAUTH": "netrc"},
			want: map[string]string{"GOPROXY": weirURL, "GOAUTH": "netrc;weir auth", "GONOSUMDB": all},
		},
		"where GOPRIVATE names what the proxy has": {
			now: map[string]string{"GOPROXY": weirURL, "GOAUTH": "weir auth", "GONOPROXY": "corp.example.com/app,x.corp.example.com", "GONOSUMDB": "corp.example.com/app,x.corp.example.com"},
			want: map[string]string{
				"GONOPROXY": "none", "GONOSUMDB": "corp.example.com/app,x.corp.example.com," + all,
			},
		},
		"where GOPRIVATE names what the proxy has not": {
			now:    map[string]string{"GOPROXY": weirURL, "GOAUTH": "weir auth", "GONOPROXY": "mine.example.org,corp.example.com,*.example.com", "GONOSUMDB": "mine.example.org,corp.example.com,*.example.com"},
			want:   map[string]string{"GONOPROXY": "mine.example.org,*.example.com", "GONOSUMDB": "mine.example.org,corp.example.com,*.example.com,old.example.net"},
			around: []string{"mine.example.org", "*.example.com"},
		},
		"not around the proxy for what is only unproven": {
			now:    map[string]string{"GOPROXY": weirURL, "GOAUTH": "weir auth", "GONOPROXY": "old.example.net", "GONOSUMDB": all},
			around: []string{"old.example.net"},
		},
		"where none stands for nothing": {
			now:  map[string]string{"GOPROXY": weirURL, "GOAUTH": "weir auth", "GONOPROXY": "none", "GONOSUMDB": "none"},
			want: map[string]string{"GONOSUMDB": all},
		},
	} {
		got, plan := planned(proxy, "weir auth", test.now)
		if !maps.Equal(got, test.want) || !slices.Equal(plan.Around, test.around) || len(plan.Refused) > 0 {
			t.Errorf("%s: %+v, want %v around %v", name, plan, test.want, test.around)
		}
	}
}

// Special characters of a pattern count for what they mean: what is not surely private to
// the proxy is not told to it.
func TestOnlyWhatTheProxyHasIsAskedOfIt(t *testing.T) {
	for _, test := range []struct {
		private, noproxy string
		covered          bool
	}{
		{"corp.example.com", "corp.example.com", true},
		{"corp.example.com", "corp.example.com/team/*", true},
		{"*.example.com/team", "git.example.com/team/app", true},
		{"corp.example.com/team", "corp.example.com", false},
		{"git.example.com", "*.example.com", false},
		{"git?.example.com", "git*.example.com", false},
		{"git?.example.com", "git?.example.com", true},
		{"git[0-9].example.com", "git1.example.com", false}, // it does; but not to know is safe
	} {
		got, _ := planned(Proxy{URL: weirURL, Private: []string{test.private}}, "weir auth", map[string]string{"GONOPROXY": test.noproxy})
		if got["GONOPROXY"] == nothing != test.covered {
			t.Errorf("%s of a proxy that has %s: %v", test.noproxy, test.private, got)
		}
	}
}

// A proxy that could name what is public would be believed without proof.
func TestNoProxyTakesPublicModulesFromTheChecksumDatabase(t *testing.T) {
	bad := []string{"*", "*.com", "github.com", "github.com/*", "golang.org/x", "corp.example.com,*", "none", "", "[", "a b", "\x1b[2J.example.com"}
	got, plan := planned(Proxy{URL: weirURL, Private: append([]string{"github.com/our-team"}, bad...), NoSumdb: []string{"gopkg.in"}}, "weir auth",
		map[string]string{"GOPROXY": weirURL, "GOAUTH": "weir auth", "GONOPROXY": "github.com", "GONOSUMDB": ""})
	if want := map[string]string{"GONOSUMDB": "github.com/our-team"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if want := append(bad, "gopkg.in"); !slices.Equal(plan.Refused, want) {
		t.Errorf("refused %q, want %q", plan.Refused, want)
	}
}

func TestTheCommandFindsItsPlaceInGOAUTH(t *testing.T) {
	at := func(path string) string {
		command, err := Command(path)
		if err != nil {
			t.Fatal(err)
		}
		return command
	}
	for _, test := range []struct{ now, command, want string }{
		{"", "weir auth", "weir auth"},
		{"netrc", "weir auth", "netrc;weir auth"},
		{"off", "weir auth", "weir auth"},
		{" off ; weir auth", "weir auth", "weir auth"}, // of an older weir
		{"weir auth;netrc", "weir auth", "weir auth;netrc"},
		{"netrc;;weir auth;", "weir auth", "netrc;weir auth"},
		{"netrc;weir auth;git /src", at("/opt/weir/bin/weir"), "netrc;/opt/weir/bin/weir auth;git /src"},
		{"'/my programs/weir' auth;weir auth", "weir auth", "weir auth"},
		{"netrc", at("/my programs/weir"), "netrc;'/my programs/weir' auth"},
		{"netrc", at(`C:\Program Files\weir.exe`), `netrc;'C:\Program Files\weir.exe' auth`},
		{`C:\bin\weir.exe auth`, "weir auth", "weir auth"},
		{"weir-helper auth;helper weir auth", "weir auth", "weir-helper auth;helper weir auth;weir auth"},
	} {
		got, _ := planned(Proxy{URL: weirURL}, test.command, map[string]string{"GOAUTH": test.now})
		if value, changed := got["GOAUTH"]; value != test.want && (changed || test.now != test.want) {
			t.Errorf("%q with %q: %q, want %q", test.now, test.command, value, test.want)
		}
	}
}

func TestAPathThatGOAUTHCannotHoldIsRefused(t *testing.T) {
	for _, path := range []string{"/a;b/weir", `/it's "mine" here/weir`} {
		if command, err := Command(path); err == nil {
			t.Errorf("%s: %q", path, command)
		}
	}
}
