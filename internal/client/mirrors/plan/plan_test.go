package plan

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/mirrors/survey"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
)

// machine are the settings of a go command.
func machine(settings map[string]string) *goenv.Env {
	return goenv.Load(func(name string) string {
		if name == "GOENV" {
			return "off"
		}
		return settings[name]
	})
}

// folder is a folder below a module with this go.sum.
func folder(t *testing.T, sums string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "deep", "er")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module example.com/own\n", "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sumsOf(mods ...survey.Module) string {
	var b strings.Builder
	for _, m := range mods {
		b.WriteString(m.Path + " " + m.Version + " " + m.Zip + "\n" + m.Path + " " + m.Version + "/go.mod " + m.Mod + "\n")
	}
	return b.String()
}

// Neither the names that the settings keep private nor those that nobody has declared, but
// that the checksum database does not know, ever reach a mirror.
func TestNoPrivateNameIsSentToAMirror(t *testing.T) {
	public := modtest.New(threeModules...)
	db := modtest.NewSumDB("sum.example.com", public)
	proxyURL, spy := public.Start(t), modtest.New(threeModules...)
	var own []survey.Module
	for _, path := range []string{"corp.example.com/secret", "noproxy.example.com/secret", "nosumdb.example.com/secret", "undeclared.example.com/secret"} {
		own = append(own, survey.Module{Path: path, Version: "v1.0.0", Zip: "h1:x", Mod: "h1:y"})
	}
	own = append(own, records(t, threeModules...)...)
	for what, patterns := range map[string]map[string]string{
		"GOPRIVATE":               {"GOPRIVATE": "corp.example.com/*,noproxy.example.com,*.example.com/secret"},
		"GONOPROXY and GONOSUMDB": {"GONOPROXY": "noproxy.example.com,corp.example.com/*", "GONOSUMDB": "nosumdb.example.com,noproxy.example.com,corp.example.com/*"},
	} {
		settings := maps.Clone(patterns)
		settings["GOPROXY"], settings["GOSUMDB"] = proxyURL, db.Key()
		o, err := Make(t.Context(), machine(settings), Request{URLs: current(t, spy.Start(t)), Dir: folder(t, sumsOf(own...))})
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Modules) != len(threeModules) {
			t.Fatalf("asked for would be %v", o.Modules)
		}
		r, err := survey.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if m := r.Mirrors[0]; len(r.Mirrors) != 1 || m.State != mirrors.Works || m.Proven == 0 {
			t.Errorf("the mirror %s: %s", m.State, m.Problem)
		}
		for path := range spy.Requests() {
			if strings.Contains(path, "secret") {
				t.Errorf("%s: the mirror was asked for %s", what, path)
			}
		}
	}
	for path := range public.Requests() {
		if strings.Contains(path, "secret") && !strings.Contains(path, "undeclared.example.com") {
			t.Errorf("the checksum database was asked for %s", path)
		}
	}
}

// The record of the checksum database counts, not what go.sum says.
func TestTheChecksumDatabaseCountsNotTheFolder(t *testing.T) {
	p := modtest.New(threeModules...)
	db := modtest.NewSumDB("sum.example.com", p)
	good := records(t, threeModules...)
	edited := slices.Clone(good)
	edited[0].Zip = "h1:edited"
	o, err := Make(t.Context(), machine(map[string]string{"GOPROXY": p.Start(t), "GOSUMDB": db.Key()}), Request{Dir: folder(t, sumsOf(edited...))})
	if err != nil || !slices.Equal(o.Modules, good) || o.SumDB != "sum.example.com" {
		t.Errorf("the modules are %v of %s, %v", o.Modules, o.SumDB, err)
	}
}

func TestWithoutAChecksumDatabasePopularModulesAreAskedFor(t *testing.T) {
	p := modtest.New(threeModules...)
	url := p.Start(t)
	dead := modtest.NewSumDB("sum.example.com", p)
	dead.SetDown(true)
	for what, sumdb := range map[string]string{"off": "off", "down": dead.Key()} {
		env := machine(map[string]string{"GOPROXY": url, "GOSUMDB": sumdb + map[string]string{"off": "", "down": " " + url + "/nothing"}[what]})
		o, err := Make(t.Context(), env, Request{Dir: folder(t, sumsOf(records(t, threeModules...)...))})
		if err != nil || !slices.Equal(o.Modules, popular()) || len(o.Notes) == 0 {
			t.Errorf("%s: asked for is %v: %v, %v", what, o.Modules, o.Notes, err)
		}
	}
}

func TestItIsSaidWhyTheFolderDoesNotCount(t *testing.T) {
	p := modtest.New(threeModules...)
	env := map[string]string{"GOPROXY": p.Start(t), "GOSUMDB": "off", "GOFLAGS": "-modfile=alt"}
	for dir, want := range map[string]bool{folder(t, ""): true, t.TempDir(): false} {
		o, err := Make(t.Context(), machine(env), Request{Dir: dir})
		if err != nil || !slices.Equal(o.Modules, popular()) || strings.Contains(strings.Join(o.Notes, " "), "-modfile=alt of GOFLAGS") != want {
			t.Errorf("%s: the notes are %q, %v", dir, o.Notes, err)
		}
	}
}

func TestMirrorsAreThoseOfGOPROXYOrThoseNamed(t *testing.T) {
	const goproxy = "file:///mods,https://a.example.com|https://b.example.com/,https://a.example.com,direct"
	list := func(o survey.Options) (all []string) {
		for _, m := range o.Mirrors {
			all = append(all, m.Entry.URL)
		}
		return all
	}
	for _, c := range []struct {
		what    string
		request Request
		want    []string
		listed  int
	}{
		{"those of GOPROXY", Request{}, []string{"https://a.example.com", "https://b.example.com/"}, 2},
		{"those named", Request{URLs: current(t, "https://b.example.com,https://c.example.com")}, []string{"https://b.example.com", "https://c.example.com"}, 1},
		{"and the public ones", Request{Public: true}, append([]string{"https://a.example.com", "https://b.example.com/"}, Public()...), 2},
		{"a public one that is named", Request{URLs: current(t, "https://goproxy.cn/"), Public: true}, append([]string{"https://goproxy.cn/"}, Public()[1:]...), 0},
	} {
		o, err := Make(t.Context(), machine(map[string]string{"GOPROXY": goproxy, "GOSUMDB": "off", "GOAUTH": "off"}), c.request)
		listed := 0
		for _, m := range o.Mirrors {
			if m.Listed {
				listed++
			}
		}
		if err != nil || !slices.Equal(list(o), c.want) || listed != c.listed || len(o.Current) != 5 {
			t.Errorf("%s: %v, %d of them listed, %v", c.what, list(o), listed, err)
		}
	}
}

// Credentials of the go command go to the entries of GOPROXY, and to no mirror that is
// only named on the command line.
func TestCredentialsAreForTheEntriesOfGOPROXY(t *testing.T) {
	netrc := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrc, []byte("machine a.example.com login u password p\nmachine b.example.com login u password p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := machine(map[string]string{"GOPROXY": "https://a.example.com", "GOSUMDB": "off", "NETRC": netrc})
	o, err := Make(t.Context(), env, Request{URLs: current(t, "https://a.example.com,https://b.example.com")})
	if err != nil || len(o.Mirrors) != 2 || !strings.HasPrefix(o.Mirrors[0].Header.Get("Authorization"), "Basic ") || len(o.Mirrors[1].Header) != 0 {
		t.Errorf("the mirrors are %v, %v", o.Mirrors, err)
	}
}

func TestPrivateModulesThatComeThroughProxiesAreFound(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     []string
	}{
		{map[string]string{}, nil},
		{map[string]string{"GOPRIVATE": "a.example.com,b.example.com"}, nil},
		{map[string]string{"GOPRIVATE": "a.example.com,b.example.com", "GONOPROXY": "none"}, []string{"a.example.com", "b.example.com"}},
		{map[string]string{"GOPRIVATE": "a.example.com,b.example.com", "GONOPROXY": "b.example.com"}, []string{"a.example.com"}},
		{map[string]string{"GONOSUMDB": "a.example.com"}, []string{"a.example.com"}},
		{map[string]string{"GONOPROXY": "a.example.com"}, nil},
	} {
		c.settings["GOPROXY"] = "off"
		o, err := Make(t.Context(), machine(c.settings), Request{})
		if err != nil || !slices.Equal(o.Private, c.want) {
			t.Errorf("%v: %v, %v", c.settings, o.Private, err)
		}
	}
}

func TestThereMayBeNothingToMeasure(t *testing.T) {
	for _, goproxy := range []string{"off", "direct", "file:///mods"} {
		o, err := Make(t.Context(), machine(map[string]string{"GOPROXY": goproxy}), Request{})
		if err != nil || len(o.Mirrors) != 0 {
			t.Errorf("GOPROXY=%s: %v, %v", goproxy, o.Mirrors, err)
		}
	}
}

func TestURLsOfMirrorsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"https://proxy.example.com/go": "https://proxy.example.com/go", "proxy.example.com": "https://proxy.example.com", "http://localhost:3000": "http://localhost:3000",
		"": "", "direct": "", "off": "", "word": "", "file:///mods": "", "ftp://user:s3cr3t@host": "", "https://a.example.com,https://b.example.com": "", "https://user:s3cr3t@%zz": "",
	} {
		e, err := ParseURL(text)
		if e.URL != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q is read as %q, %v", text, e.URL, err)
		}
	}
}

func TestPopularModulesCanBeAskedFor(t *testing.T) {
	all := popular()
	if len(all) < 20 || len(all) > survey.MaxModules {
		t.Errorf("there are %d", len(all))
	}
	for _, m := range all {
		if len(m.Zip) != 47 || len(m.Mod) != 47 {
			t.Errorf("%s has the hashes %s and %s", m.Path, m.Zip, m.Mod)
		}
	}
}

func TestPublicMirrorsAreURLs(t *testing.T) {
	for _, u := range Public() {
		if e, err := ParseURL(u); err != nil || e.URL != u || !strings.HasPrefix(u, "https://") || strings.HasSuffix(u, "/") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestSumsAreRead(t *testing.T) {
	const a, b = "h1:a", "h1:b"
	const text = "example.com/a v1.0.0 " + a + "\nexample.com/a v1.0.0/go.mod " + b + "\nexample.com/modonly v1.0.0/go.mod " + a + "\nexample.com/ziponly v1.0.0 " + a +
		"\nmalformed\n../../etc v1.0.0 " + a + "\n../../etc v1.0.0/go.mod " + a + "\nexample.com/new v1.0.0 h2:x\nexample.com/new v1.0.0/go.mod h2:x\n"
	if got := parseSums([]byte(text)); !slices.Equal(got, []survey.Module{{Path: "example.com/a", Version: "v1.0.0", Zip: a, Mod: b}}) {
		t.Errorf("read was %v", got)
	}
}

func TestASampleIsSpreadEvenly(t *testing.T) {
	all := make([]survey.Module, 100)
	for i := range all {
		all[i].Version = string(rune('A' + i))
	}
	got := sample(all, 4)
	if len(got) != 4 || got[0] != all[0] || got[1] != all[25] || got[3] != all[75] || len(sample(all[:3], 4)) != 3 {
		t.Errorf("picked were %v", got)
	}
}

func FuzzParseSums(f *testing.F) {
	f.Add([]byte("example.com/a v1.0.0 h1:a\nexample.com/a v1.0.0/go.mod h1:b\n"))
	f.Add([]byte(" \x00 h1:"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, m := range parseSums(text) {
			n := artifact.Name{Kind: artifact.Zip, Module: m.Path, Version: m.Version}
			if parsed, err := artifact.Parse(n.Key()); err != nil || parsed != n || m.Zip == "" || m.Mod == "" {
				t.Errorf("%q gives %v", text, m)
			}
		}
	})
}
