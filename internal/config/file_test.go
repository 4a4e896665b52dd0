package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProblemsOfTheFileShowTheLineWithACaret(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "lisen: x\n", `
weir.yaml:1:1: unknown key "lisen"; did you mean "listen"?
    1 | lisen: x
      | ^`},
		{"unknown key of a section", "cache:\n  # comment\n  frsh: 1m\n", `
weir.yaml:3:3: unknown key "frsh"; did you mean "fresh"?
    3 |   frsh: 1m
      |   ^`},
		{"key of another section", "fresh: 1m\n", `
weir.yaml:1:1: unknown key "fresh"; did you mean "cache.fresh", which belongs elsewhere?
    1 | fresh: xxxxx
      | ^`},
		{"key like none", "store:\n  colour: blue\n", `
weir.yaml:2:3: unknown key; the keys here are memory
    2 |   colour: xxxxx
      |   ^`},
		{"key with dots", "cache.fresh: 1m\n", `
weir.yaml:1:1: unknown key "cache.fresh"; did you mean "cache.fresh", which belongs elsewhere?
    1 | cache.fresh: 1m
      | ^`},
		{"key twice", "listen: :1\nlisten: :2\n", `
weir.yaml:2:1: "listen" is already in line 1; keep one of them
    2 | listen: :2
      | ^`},
		{"duration", "cache:\n  fresh: 60\n", `
weir.yaml:2:10: cache.fresh: "60" is not a duration; write for instance "10s", "5m", "1h30m" or "7d"
    2 |   fresh: 60
      |          ^`},
		{"size", "store: {memory: 32MB}\n", `
weir.yaml:1:17: store.memory: "32MB" is not a size; write a number of bytes or, for instance, "64KiB", "32MiB" or "1GiB"
    1 | store: {memory: 32MB}
      |                 ^`},
		{"size that is too little", "limits:\n  header_bytes: 100\n", `
weir.yaml:2:17: limits.header_bytes: 100 is too little; it must be at least 4KiB
    2 |   header_bytes: 100
      |                 ^`},
		{"size that is too much", "cache:\n  stream_above: 2GiB\n", `
weir.yaml:2:17: cache.stream_above: 2GiB is too much; it must be at most 1GiB
    2 |   stream_above: 2GiB
      |                 ^`},
		{"negative duration", "shutdown:\n  drain: -1s\n", `
weir.yaml:2:10: shutdown.drain: -1s is too little; it must be at least 0
    2 |   drain: -1s
      |          ^`},
		{"number", "cache:\n  max_fills: 1_000\n", `
weir.yaml:2:14: cache.max_fills: "1_000" is not a whole number
    2 |   max_fills: 1_000
      |              ^`},
		{"number that is too little", "cache:\n  max_fills: 0\n", `
weir.yaml:2:14: cache.max_fills: 0 is too little; it must be at least 1
    2 |   max_fills: 0
      |              ^`},
		{"choice", "sumdb_policy: never\n", `
weir.yaml:1:15: sumdb_policy: "never" is not one of require, when-available
    1 | sumdb_policy: never
      |               ^`},
		{"address", "listen: http://localhost:3000\n", `
weir.yaml:1:9: listen: "http://localhost:3000" is not host:port; write for instance "localhost:3000", or ":3000" for every address of the machine
    1 | listen: http://localhost:3000
      |         ^`},
		{"folder", "data: \"\"\n", `
weir.yaml:1:7: data: there is no folder to keep artifacts in; set --data (or WEIR_DATA, or data: in the configuration file), for instance to /var/lib/weir
    1 | data: ""
      |       ^`},
		{"path prefix", "path_prefix: go/\n", `
weir.yaml:1:14: path_prefix: "go/" is not the path of a URL; write for instance "/go", without a slash at the end, or nothing to serve at the root
    1 | path_prefix: go/
      |              ^`},
		{"path prefix that is taken", "path_prefix: /metrics/go\n", `
weir.yaml:1:14: path_prefix: "/metrics/go" is taken: /metrics is for the operation of the server; choose another path
    1 | path_prefix: /metrics/go
      |              ^`},
		{"upstream", "upstream: https://u:canary@proxy.example.com,,socks://u:canary@mirror.example.com,direct\n", `
weir.yaml:1:11: upstream: entry 2, "socks://xxxxx@mirror.example.com": the scheme must be https, http or file
    1 | upstream: https://xxxxx@proxy.example.com,,socks://xxxxx@mirror.example.com,direct
      |           ^`},
		{"empty upstream", "upstream: ' , |'\n", `
weir.yaml:1:11: upstream: the list names no upstream; name one, for instance https://proxy.example.com, or write "off" to serve only what is stored
    1 | upstream:  , |
      |           ^`},
		{"pattern of a list", "private:\n  - good.example.com\n  - \"[bad\"\n", `
weir.yaml:3:5: private: "[bad" is not a glob pattern; write for instance "*.corp.example.com" or "github.com/org/*"
    3 |   - "[bad"
      |     ^`},
		{"pattern with a scheme", "no_sumdb: https://git.example.com\n", `
weir.yaml:1:11: no_sumdb: "https://git.example.com" matches no module path; write the beginning of one, for instance "git.example.com/team"
    1 | no_sumdb: https://git.example.com
      |           ^`},
		{"list for a value", "listen: [a, b]\n", `
weir.yaml:1:9: listen: one value is wanted here, not a list
    1 | listen: [a, b]
      |         ^`},
		{"section for a value", "listen:\n  host: x\n", `
weir.yaml:2:7: listen: one value is wanted here, not a list or a section
    2 |   host: xxxxx
      |       ^`},
		{"value for a section", "cache: 1m\n", `
weir.yaml:1:8: cache: write keys with values here, such as "stream_above: …"
    1 | cache: 1m
      |        ^`},
		{"missing value", "listen:\n", `
weir.yaml:1:9: listen: the value is missing; remove the key to have the default
    1 | listen:
      |        ^`},
		{"file that is a list", "- listen\n", `
weir.yaml:1:1: write keys with values here, such as "listen: …"
    1 | - xxxxx
      | ^`},
		{"not YAML", "listen: \"x\ncache:\n", `
weir.yaml:1:9: not YAML: could not find end character of double-quoted text
    1 | listen: "x
      |         ^`},
		{"anchor", "listen: &a x\n", `
weir.yaml:1:9: an anchor (&) is not possible here; put a text that begins so in quotes
    1 | listen: &a x
      |         ^`},
		{"glob that looks like an alias", "private:\n  - *.example.com\n", `
weir.yaml:2:5: an alias (*) is not possible here; put a text that begins so in quotes
    2 |   - *.example.com
      |     ^`},
		{"depth", "private: [[[[[[[[[[\n", `
weir.yaml:1:18: lists and sections do not go so deep; put a text that begins so in quotes
    1 | private: [[[[[[[[[[
      |                  ^`},
		{"second document", "listen: :1\n---\nlisten: :2\n", `
weir.yaml:3:7: a second document; a configuration file holds one
    3 | listen: :2
      |       ^`},
		{"tabs", "data: \"a\tb\" x\n", `
weir.yaml:1:13: not YAML: value is not allowed in this context. map key-value is pre-defined
    1 | data: "a	b" x
      |         	   ^`},
		{"control characters", "listen: x # \x1b[31m\n", `
weir.yaml:1:9: listen: "x" is not host:port; write for instance "localhost:3000", or ":3000" for every address of the machine
    1 | listen: x # ?[31m
      |         ^`},
		{"all at once", "lisen: x\r\nlog: {level: loud}\r\ncache: {fresh: x}\r\n", `
weir.yaml:1:1: unknown key "lisen"; did you mean "listen"?
    1 | lisen: x
      | ^
weir.yaml:3:16: cache.fresh: "x" is not a duration; write for instance "10s", "5m", "1h30m" or "7d"
    3 | cache: {fresh: x}
      |                ^
weir.yaml:2:14: log.level: "loud" is not one of debug, info, warn, error
    2 | log: {level: loud}
      |              ^`},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "weir.yaml"), c.text)
			got := loadError(t, Flags{Config: file}, machine(t, goEnvText))
			got = strings.ReplaceAll(got, filepath.Dir(file)+string(filepath.Separator), "")
			if want := strings.TrimPrefix(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEveryWayToWriteAValueIsRead(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "weir.yaml"), "\ufeff"+`# comment
---
listen: ':1' # comment
data: |
  /data
"upstream": "https://a.example.com|\u0062.example.com"
private: [a.example.com, "*.b.example.com"]
no_sumdb:
- c.example.com
- d.example.com,e.example.com
log:
  # level: debug
store:
  memory: 4096
cache: {stale: 0, fresh: 1d12h,
  max_fills: "9"}
`)
	c, _ := load(t, Flags{Config: file}, machine(t, goEnvText))
	for key, want := range map[string]string{
		"listen": ":1", "upstream": "https://a.example.com|b.example.com", "private": "a.example.com,*.b.example.com",
		"no_sumdb": "c.example.com,d.example.com,e.example.com", "log.level": "info", "store.memory": "4KiB",
		"cache.stale": "0s", "cache.fresh": "1d12h", "cache.max_fills": "9",
	} {
		if got := textOf(t, c, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestFilesWithoutAnyKeyAreFine(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "{}\n", "...\n", "null\n", "cache:\n", "cache: {}\n", "upstreams:\nroutes:\n", "groups: {}\nroutes: []\n"} {
		if f := parseFile("weir.yaml", text); f.settings != nil || f.blocks != nil || f.problems != nil {
			t.Errorf("%q: %v, %v, %v", text, f.settings, f.blocks, f.problems)
		}
	}
}

func TestADeepFileTakesNoLongTime(t *testing.T) {
	for _, text := range []string{"[", "{a: ", "- ", "? ", "- [", "a: [", "!x ", "&a ", "a:\n ", "- - [", "a: - ", "-\n ", "x: y\n", "- x: y\n", "|\n"} {
		start := time.Now()
		if f := parseFile("weir.yaml", strings.Repeat(text, 50<<10/len(text))); f.problems == nil {
			t.Errorf("%q without end is accepted", text)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q without end takes %v", text, took)
		}
	}
}

// Whatever a file holds, it gives problems of a readable kind or a configuration
// that survives being printed and read again.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"", referenceExample, "listen: [a, {b: c}]\n", "cache: {fresh: 1m, stale: 0}\n", "private:\n- a\n- '*.b'\n", "a: &x 1\nb: *x\n<<: *x\n", "? a\n: b\n",
		"listen: \"\\x41\\u00e4\"\n", "data: |\n  x\n", "data: >-\n  x\n  y\n", "log:\n\tlevel: info\n", "%YAML 1.2\n---\nlisten: x\n...\n---\n", "!!str a: !!int 1\n",
		"upstream: https://u:p@h,off\n", "\ufeff{listen: x}\r\n", "store: {memory: 0x10}\n", "cache: {max_fills: .inf, fresh: .nan}\n", "data: \"\\U0010FFFF\"\n", "- - -\n", "{a: {b: [", "'\"", "x: >\n\n\n",
		"upstreams: {a: {url: a.example.com, headers: {x-a: 1, X-B: ''}, password_file: /p, username: u}}\nupstream_file: /f\nupstream: a\n",
		"upstreams:\n  a:\n    url: file:///x\n  a-1:\n    url: http://a\n    headers_file: {X-C: /c}\n    http2: false\n    weight: 2\ngroups:\n  g: {members: [a, a-1], strategy: weighted}\nupstream: g|a\n",
		"routes:\n- match: a.example.com\n  private: true\n  upstream: https://a.example.com\n- match:\n  - \"*.b\"\n  stale: 0\n  fresh: 1d\n  prefetch: false\n  sumdb_policy: off\n",
		"routes: [{match: [a, b]}, {match: c}, null]\n", "upstreams: {null: , a: {}, A: x}\n", "routes:\n  - - a\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := parseFile("weir.yaml", text)
		for _, err := range file.problems {
			if !strings.HasPrefix(err.Error(), "weir.yaml") || strings.ContainsAny(err.Error(), "\x00\x1b\r") {
				t.Errorf("problem %q", err)
			}
		}
		if len(file.problems) > 0 {
			return
		}
		l := build(file, newSetting("upstream", "off", ""), newSetting("data", "/data", ""))
		l.validate()
		if l.problems != nil || holdsSecrets(file) {
			return
		}
		if again := reload(t, &l.config); !reflect.DeepEqual(again, &l.config) {
			t.Errorf("a configuration changes when it is printed and read again:\n%+v\n%+v", l.config, again)
		}
	})
}

// build applies what a file says, on top of the defaults and some more. Of secrets in
// places of their own it takes the name for the content.
func build(f *file, more ...setting) *loader {
	l := &loader{origins: map[string]origin{}}
	for _, s := range slices.Concat(defaults(), more, namesForContents(f.settings)) {
		l.apply(&l.config, s)
	}
	for _, b := range f.blocks {
		b.settings = namesForContents(b.settings)
		l.build(b)
	}
	return l
}

func namesForContents(settings []setting) []setting {
	settings = slices.Clone(settings)
	for i, s := range settings {
		if s.at != (place{}) {
			settings[i].text = s.at.name
		}
	}
	return settings
}

// holdsSecrets reports whether a file loses something when it is printed.
func holdsSecrets(f *file) bool {
	all := slices.Clone(f.settings)
	for _, b := range f.blocks {
		all = append(all, b.settings...)
	}
	return slices.ContainsFunc(all, func(s setting) bool {
		return s.at == (place{}) && s.leaf.isSecret() && (s.leaf.isCredential() || redact(s.text) != s.text)
	})
}

// reload prints a configuration and reads it again.
func reload(t *testing.T, c *Config) *Config {
	t.Helper()
	var b strings.Builder
	if err := Print(&b, c, Provenance{}); err != nil {
		t.Fatal(err)
	}
	f := parseFile("printed.yaml", b.String())
	if len(f.settings) != len(leaves) || f.problems != nil {
		t.Fatalf("%d settings, problems %v, in\n%s", len(f.settings), f.problems, b.String())
	}
	l := build(f)
	if l.problems != nil {
		t.Fatal(l.problems)
	}
	return &l.config
}
