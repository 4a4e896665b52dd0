package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// loadText loads a configuration file with the text; PATH in it is a folder with the
// files given.
func loadText(t *testing.T, text string, files map[string]string, variables ...string) (c *Config, printed, folder string, err error) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(folder, name), content)
	}
	name := write(t, filepath.Join(folder, "weir.yaml"), strings.ReplaceAll(text, "PATH", folder))
	c, from, err := Load(t.Context(), Flags{Config: name}, machine(t, goEnvText, variables...))
	if err != nil {
		return nil, "", folder, err
	}
	var b strings.Builder
	if err := Print(&b, c, from); err != nil {
		t.Fatal(err)
	}
	return c, b.String(), folder, nil
}

const everySetting = `
upstream: company|public,direct
sumdb_policy: when-available
cache: {fresh: 2m, stale: 7d}
fetch: {connect: 3s}
upstreams:
  company:
    url: go.corp.example.com/x
    username: ci
    password_file: PATH/password
    ca_file: PATH/ca.pem
    cert_file: PATH/cert.pem
    key_file: PATH/key.pem
    proxy: http://u:p@proxy.example.com:3128
    headers: {x-org: team a, X-Empty: ""}
    headers_file:
      X-Token: PATH/token
    http2: false
    first_byte: 5s
    max_concurrent: 7
    weight: 3
  official: {url: 'https://proxy.example.com'}
  cn:
    url: https://goproxy.cn
    netrc: PATH/netrc
  token: {url: https://t.example.com, bearer: canary, proxy: off}
  files: {url: file:///srv/modules}
groups:
  public:
    strategy: fastest
    members: [official, cn]
  other: {members: "cn, official"}
routes:
  - match: [corp.example.com, "*.corp.example.com"]
    upstream: company
    private: true
    fresh: 0
    stale: 0s
    prefetch: false
  - match: github.com/our-team
    not_found: 1h
  - upstream: https://u:canary@git.example.com
    match:
      - git.example.com
    sumdb_policy: off
    list_not_found: 1s
`

var everyFile = map[string]string{"password": " canary \n", "token": "canary\n"}

func TestUpstreamsGroupsAndRoutesAreRead(t *testing.T) {
	c, _, dir, err := loadText(t, everySetting, everyFile)
	if err != nil {
		t.Fatal(err)
	}
	usual := Upstream{
		HTTP2: true, Connect: Duration(3 * time.Second), FirstByte: Duration(30 * time.Second), Stall: Duration(10 * time.Second),
		Total: Duration(15 * time.Minute), MaxConcurrent: 128, Weight: 1,
	}
	company, official, cn, token, files := usual, usual, usual, usual, usual
	company.URL, company.Username, company.Password, company.Proxy = "https://go.corp.example.com/x", "ci", "canary", "http://u:p@proxy.example.com:3128"
	company.CAFile, company.CertFile, company.KeyFile = dir+"/ca.pem", dir+"/cert.pem", dir+"/key.pem"
	company.Headers = map[string]Credential{"X-Org": "team a", "X-Empty": "", "X-Token": "canary"}
	company.HTTP2, company.FirstByte, company.MaxConcurrent, company.Weight = false, Duration(5*time.Second), 7, 3
	official.URL = "https://proxy.example.com"
	cn.URL, cn.Netrc = "https://goproxy.cn", dir+"/netrc"
	token.URL, token.Bearer, token.Proxy = "https://t.example.com", "canary", ProxyOff
	files.URL = "file:///srv/modules"
	compare(t, c.Upstreams, map[string]Upstream{"company": company, "official": official, "cn": cn, "token": token, "files": files})

	compare(t, c.Groups, map[string]Group{
		"public": {Strategy: StrategyFastest, Members: Names{"official", "cn"}},
		"other":  {Strategy: StrategyOrdered, Members: Names{"cn", "official"}},
	})

	general := Route{
		Upstream: "company|public,direct", SumdbPolicy: PolicyWhenAvailable, Fresh: Duration(2 * time.Minute), NotFound: Duration(10 * time.Second),
		ListNotFound: Duration(time.Minute), Stale: Duration(7 * day), Prefetch: true,
	}
	private, team, git := general, general, general
	private.Match, private.Upstream, private.Private, private.SumdbPolicy = Patterns{"corp.example.com", "*.corp.example.com"}, "company", true, PolicyOff
	private.Fresh, private.Stale, private.Prefetch = 0, 0, false
	team.Match, team.NotFound = Patterns{"github.com/our-team"}, Duration(time.Hour)
	git.Match, git.Upstream, git.SumdbPolicy, git.ListNotFound = Patterns{"git.example.com"}, "https://u:canary@git.example.com", PolicyOff, Duration(time.Second)
	compare(t, c.Routes, []Route{private, team, git})
}

func compare[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestFilesAreAllThatAreReadOrNamed(t *testing.T) {
	c, _, dir, err := loadText(t, everySetting, everyFile)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ca.pem", "cert.pem", "key.pem", "netrc", "password", "token", "weir.yaml"}
	for i, name := range want {
		want[i] = filepath.Join(dir, name)
	}
	compare(t, c.Files(), want)

	list := write(t, filepath.Join(dir, "list"), "off")
	c, _ = load(t, Flags{}, machine(t, goEnvText, "WEIR_UPSTREAM_FILE="+list))
	compare(t, c.Files(), []string{list})

	flag := "off"
	c, _ = load(t, Flags{Upstream: &flag}, machine(t, goEnvText, "WEIR_UPSTREAM_FILE="+list))
	if got := c.Files(); len(got) != 0 {
		t.Errorf("without any file in force there are %q", got)
	}
}

func TestPrintShowsEveryEntryAndItsSource(t *testing.T) {
	_, printed, dir, err := loadText(t, everySetting, everyFile)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(printed, "upstreams:\n")
	want := `  cn:
    url: "https://goproxy.cn" # weir.yaml:24
    netrc: "netrc" # weir.yaml:25
    http2: true # default
    connect: 3s # fetch.connect
    first_byte: 30s # fetch.first_byte
    stall: 10s # fetch.stall
    total: 15m # fetch.total
    max_concurrent: 128 # default
    weight: 1 # default
  company:
    url: "https://go.corp.example.com/x" # weir.yaml:8
    username: "ci" # weir.yaml:9
    password_file: "password" # weir.yaml:10
    ca_file: "ca.pem" # weir.yaml:11
    cert_file: "cert.pem" # weir.yaml:12
    key_file: "key.pem" # weir.yaml:13
    proxy: "http://xxxxx@proxy.example.com:3128" # weir.yaml:14
    headers: {"X-Empty": "", "X-Org": "xxxxx"} # weir.yaml:15
    headers_file: {"X-Token": "token"} # weir.yaml:17
    http2: false # weir.yaml:18
    connect: 3s # fetch.connect
    first_byte: 5s # weir.yaml:19
    stall: 10s # fetch.stall
    total: 15m # fetch.total
    max_concurrent: 7 # weir.yaml:20
    weight: 3 # weir.yaml:21
  files:
`
	if got = strings.ReplaceAll(got, dir+"/", ""); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, got, _ = strings.Cut(got, "groups:\n")
	want = `  other:
    strategy: "ordered" # default
    members: ["cn", "official"] # weir.yaml:32
  public:
    strategy: "fastest" # weir.yaml:30
    members: ["official", "cn"] # weir.yaml:31
routes:
  - match: ["corp.example.com", "*.corp.example.com"] # weir.yaml:34
    upstream: "company" # weir.yaml:35
    private: true # weir.yaml:36
    sumdb_policy: "off" # private
    fresh: 0s # weir.yaml:37
    not_found: 10s # cache.not_found
    list_not_found: 1m # cache.list_not_found
    stale: 0s # weir.yaml:38
    prefetch: false # weir.yaml:39
  - match: ["github.com/our-team"] # weir.yaml:40
    upstream: "company|public,direct" # upstream
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrintedEntriesLoadBack(t *testing.T) {
	text := everySetting
	for _, secret := range []string{"\n    headers: {x-org: team a, X-Empty: \"\"}", "u:p@", "u:canary@", "bearer: canary, "} {
		text = strings.ReplaceAll(text, secret, "")
	}
	c, printed, dir, err := loadText(t, text, everyFile)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := load(t, Flags{Config: write(t, filepath.Join(dir, "weir.yaml"), printed)}, machine(t, ""))
	compare(t, again, c)
}

// The name of the file is printed where a file was given, so that nothing is lost.
func TestPrintNamesTheFileOfASecret(t *testing.T) {
	c, printed, dir, err := loadText(t, "sumdb_file: PATH/sumdb\n", map[string]string{"sumdb": "sum.golang.org https://u:canary@sum.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	want := `sumdb_file: "` + dir + `/sumdb" # ` + dir + "/weir.yaml:1: sum.golang.org https://xxxxx@sum.example.com\n"
	if !strings.Contains(printed, want) || c.Sumdb.Reveal() != "sum.golang.org https://u:canary@sum.example.com" {
		t.Errorf("%s is missing in\n%s", want, printed)
	}
	again, _ := load(t, Flags{Config: write(t, filepath.Join(dir, "weir.yaml"), printed)}, machine(t, ""))
	compare(t, again, c)
}

func TestEntriesAreCheckedWithLineAndCaret(t *testing.T) {
	const good = "upstream: off\nupstreams:\n  company: {url: https://a.example.com}\n"
	for _, c := range []struct{ name, text, want string }{
		{"name that does not exist", "upstream: compani|off\nupstreams: {company: {url: a.example.com}}\n", `
weir.yaml:1:11: upstream: entry 1, "compani": no upstream or group has this name; did you mean "company"?
    1 | upstream: compani|off
      |           ^`},
		{"name where there are none", "upstream: company\n", `
weir.yaml:1:11: upstream: entry 1, "company": no upstream or group has this name; add it to upstreams, or write a URL
    1 | upstream: company
      |           ^`},
		{"no name", "upstream: Company\n", `
weir.yaml:1:11: upstream: entry 1, "Company": neither a URL, nor a name of upstreams or groups, nor "off" or "direct"
    1 | upstream: Company
      |           ^`},
		{"name with a meaning", "upstream: off\nupstreams:\n  direct: {url: a.example.com}\n", `
weir.yaml:3:3: upstreams: "direct" means something else in a list of upstreams; choose another name
    3 |   direct: {url: a.example.com}
      |   ^`},
		{"name of odd letters", "upstream: off\nupstreams:\n  go.corp:\n    url: a.example.com\n", `
weir.yaml:3:3: upstreams: "go.corp" is no name; write small letters, digits and dashes, beginning with a letter, such as "company"
    3 |   go.corp:
      |   ^`},
		{"name twice", "upstream: off\nupstreams:\n  a: {url: a.example.com}\n  a: {url: a.example.com}\n", `
weir.yaml:4:3: "a" is already in line 3; keep one of them
    4 |   a: {url: a.example.com}
      |   ^`},
		{"name of both", good + "groups: {company: {members: company}}\n", `
weir.yaml:4:10: groups.company: "company" is the name of an upstream already; choose another name
    4 | groups: xxxxx
      |         ^`},
		{"unknown key", good + "routes:\n  - match: a\n    patern: b\n", `
weir.yaml:6:5: unknown key; the keys here are match, upstream, private, sumdb_policy, fresh, not_found, list_not_found, stale, prefetch
    6 |     patern: xxxxx
      |     ^`},
		{"list for a map", "upstream: off\nupstreams:\n  - url: a.example.com\n", `
weir.yaml:3:3: upstreams: write keys with values here, such as "company: …"
    3 |   - url: xxxxx
      |   ^`},
		{"map for a list", "upstream: off\nroutes:\n  match: a\n", `
weir.yaml:3:3: routes: a list is wanted here; begin each entry with "- "
    3 |   match: xxxxx
      |   ^`},
		{"text for an entry", "upstream: off\nupstreams:\n  company: https://u:canary@a.example.com\n", `
weir.yaml:3:12: upstreams.company: write keys with values here, such as "url: …"
    3 |   company: xxxxx
      |            ^
weir.yaml:3:3: upstreams.company.url: there is no URL; write where the upstream is, for instance https://proxy.example.com
    3 |   company: xxxxx
      |   ^`},
		{"no URL", "upstream: off\nupstreams:\n  company:\n", `
weir.yaml:3:3: upstreams.company.url: there is no URL; write where the upstream is, for instance https://proxy.example.com
    3 |   company:
      |   ^`},
		{"URL in a list", "upstream: off\nupstreams:\n  company:\n    url: a.example.com|b.example.com\n", `
weir.yaml:4:10: upstreams.company.url: one URL is wanted here, not a list; in a user name or password write "," and "|" as %2C and %7C
    4 |     url: a.example.com|b.example.com
      |          ^`},
		{"name for a URL", "upstream: off\nupstreams:\n  company:\n    url: off\n", `
weir.yaml:4:10: upstreams.company.url: not a URL; write for instance https://proxy.example.com
    4 |     url: off
      |          ^`},
		{"other scheme", "upstream: off\nupstreams:\n  company:\n    url: ftp://u:canary@a.example.com\n", `
weir.yaml:4:10: upstreams.company.url: the scheme must be https, http or file
    4 |     url: ftp://xxxxx@a.example.com
      |          ^`},
		{"credentials twice", "upstream: off\nupstreams:\n  company:\n    url: https://u:canary@a.example.com\n    bearer: canary\n    netrc: /n\n", `
weir.yaml:5:13: upstreams.company.bearer: there are credentials in url already; keep one of them
    5 |     bearer: xxxxx
      |             ^
weir.yaml:6:12: upstreams.company.netrc: there are credentials in url already; keep one of them
    6 |     netrc: /n
      |            ^`},
		{"password without user", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    password: canary\n", `
weir.yaml:5:15: upstreams.company.password: there is no user name to it; set username, or bearer instead if it is a token
    5 |     password: xxxxx
      |               ^`},
		{"password in two places", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    username: u\n    password: canary\n    password_file: FOLDER/weir.yaml\n", `
weir.yaml:7:20: upstreams.company.password: already in line 6; keep one of them
    7 |     password_file: FOLDER/weir.yaml
      |                    ^`},
		{"user name and password in one", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    username: u:canary\n", `
weir.yaml:5:15: upstreams.company.username: a user name cannot have a ":" in it; the password belongs to password or password_file
    5 |     username: u:canary
      |               ^`},
		{"two lines", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    username: u\n    password: |\n      canary\n", `
weir.yaml:6:15: upstreams.company.password: there is a control character in it, such as the end of a line; write it on one line
    6 |     password: xxxxx
      |               ^`},
		{"bearer with its scheme", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    bearer: Bearer canary\n", `
weir.yaml:5:13: upstreams.company.bearer: a token has no blanks in it; write it without "Bearer"
    5 |     bearer: xxxxx
      |             ^`},
		{"secret file that does not exist", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    bearer_file: FOLDER/absent\n", `
weir.yaml:5:18: upstreams.company.bearer: open FOLDER/absent: no such file or directory
    5 |     bearer_file: FOLDER/absent
      |                  ^`},
		{"half a certificate", "upstream: off\nupstreams:\n  a: {url: a.example.com, cert_file: /c}\n  b:\n    url: a.example.com\n    key_file: /k\n", `
weir.yaml:3:38: upstreams.a.cert_file: there is no key to the certificate; set key_file
    3 |   a: {url: a.example.com, cert_file: /c}
      |                                      ^
weir.yaml:6:15: upstreams.b.key_file: there is no certificate to the key; set cert_file
    6 |     key_file: /k
      |               ^`},
		{"proxy", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    proxy: u:canary@proxy.example.com:3128\n", `
weir.yaml:5:12: upstreams.company.proxy: the scheme must be http, https or socks5; write for instance http://proxy.example.com:3128, or off for none
    5 |     proxy: xxxxx@proxy.example.com:3128
      |            ^`},
		{"headers", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    headers:\n      authorization: canary\n      content-type: canary\n      HOST: canary\n      X-Org: \"a\\nb\"\n      \"X Y\": canary\n      x-org: canary\n", `
weir.yaml:6:7: upstreams.company.headers: "authorization" cannot be set as a header; set bearer, or username and password
    6 |       authorization: xxxxx
      |       ^
weir.yaml:7:7: upstreams.company.headers: "content-type" belongs to the request itself and cannot be set; remove it
    7 |       content-type: xxxxx
      |       ^
weir.yaml:8:7: upstreams.company.headers: "HOST" belongs to the request itself and cannot be set; remove it
    8 |       HOST: xxxxx
      |       ^
weir.yaml:10:7: upstreams.company.headers: what stands here is not the name of a header; write for instance "X-Header: value"
   10 |       xxxxx
      |       ^
weir.yaml:11:7: upstreams.company.headers.X-Org: already in line 9; keep one of them
   11 |       x-org: xxxxx
      |       ^
weir.yaml:9:7: upstreams.company.headers.X-Org: there is a control character in it, such as the end of a line; write it on one line
    9 |       X-Org: xxxxx
      |       ^`},
		{"headers that are no map", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    headers: [\"X-Token: canary\"]\n", `
weir.yaml:5:14: upstreams.company.headers: write keys with values here, such as "X-Header: …"
    5 |     headers: xxxxx
      |              ^`},
		{"settings of the web for a folder", "upstream: off\nupstreams:\n  files:\n    url: file:///srv\n    proxy: off\n    http2: false\n    ca_file: /c\n", `
weir.yaml:7:14: upstreams.files.ca_file: this is for https and http only, and the URL is a file; remove it
    7 |     ca_file: /c
      |              ^
weir.yaml:5:12: upstreams.files.proxy: this is for https and http only, and the URL is a file; remove it
    5 |     proxy: off
      |            ^
weir.yaml:6:12: upstreams.files.http2: this is for https and http only, and the URL is a file; remove it
    6 |     http2: false
      |            ^`},
		{"numbers", "upstream: off\nupstreams:\n  company:\n    url: a.example.com\n    weight: 0\n    max_concurrent: -1\n    connect: 0s\n    http2: yes\n", `
weir.yaml:8:12: upstreams.company.http2: "yes" is neither true nor false
    8 |     http2: yes
      |            ^
weir.yaml:7:14: upstreams.company.connect: 0s is too little; it must be at least 1ms
    7 |     connect: 0s
      |              ^
weir.yaml:6:21: upstreams.company.max_concurrent: -1 is too little; it must be at least 1
    6 |     max_concurrent: -1
      |                     ^
weir.yaml:5:13: upstreams.company.weight: 0 is too little; it must be at least 1
    5 |     weight: 0
      |             ^`},
		{"what is wrong for all is told once", good + "fetch: {connect: -1s}\nroutes: [{match: a}]\nsumdb_policy: x\n", `
weir.yaml:6:15: sumdb_policy: "x" is not one of require, when-available
    6 | sumdb_policy: x
      |               ^
weir.yaml:4:18: fetch.connect: -1s is too little; it must be at least 1ms
    4 | fetch: {connect: -1s}
      |                  ^`},
		{"members", good + "groups:\n  a: {members: [company, b, compani, company, nobody]}\n  b:\n    strategy: random\n", `
weir.yaml:5:26: groups.a.members: "b": members of a group are upstreams, not groups
    5 |   a: {members: [company, b, compani, company, nobody]}
      |                          ^
weir.yaml:5:29: groups.a.members: "compani": no upstream has this name; did you mean "company"?
    5 |   a: {members: [company, b, compani, company, nobody]}
      |                             ^
weir.yaml:5:38: groups.a.members: "company" is a member already; remove it here
    5 |   a: {members: [company, b, compani, company, nobody]}
      |                                      ^
weir.yaml:5:47: groups.a.members: "nobody": no upstream has this name; add it to upstreams
    5 |   a: {members: [company, b, compani, company, nobody]}
      |                                               ^
weir.yaml:7:15: groups.b.strategy: "random" is not one of ordered, fastest, weighted
    7 |     strategy: random
      |               ^
weir.yaml:6:3: groups.b.members: a group has at least one member; write names of upstreams, such as [company]
    6 |   b:
      |   ^`},
		{"routes", good + "routes:\n  - match: [a.example.com/, \"[b\"]\n    private: true\n    sumdb_policy: require\n  - upstream: compani\n  -\n  - match: a.example.com\n", `
weir.yaml:5:29: routes[0].match: "[b" is not a glob pattern; write for instance "*.corp.example.com" or "github.com/org/*"
    5 |   - match: [a.example.com/, "[b"]
      |                             ^
weir.yaml:5:5: routes[0].upstream: a private route asks none of the upstreams for all; write which upstream has these modules
    5 |   - match: [a.example.com/, "[b"]
      |     ^
weir.yaml:7:19: routes[0].sumdb_policy: no checksum database is asked for private modules; remove this or write "off"
    7 |     sumdb_policy: require
      |                   ^
weir.yaml:8:5: routes[1].match: a route has at least one pattern; write for instance ["git.example.com", "github.com/our-team/*"]
    8 |   - upstream: compani
      |     ^
weir.yaml:8:15: routes[1].upstream: entry 1, "compani": no upstream or group has this name; did you mean "company"?
    8 |   - upstream: compani
      |               ^
weir.yaml:9:4: routes[2].match: a route has at least one pattern; write for instance ["git.example.com", "github.com/our-team/*"]
    9 |   -
      |    ^
weir.yaml:10:12: routes[3].match: "a.example.com" is in routes[0] already, which decides; remove it here
   10 |   - match: a.example.com
      |            ^`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := write(t, filepath.Join(dir, "weir.yaml"), strings.ReplaceAll(c.text, "FOLDER", dir))
			got := loadError(t, Flags{Config: file}, machine(t, goEnvText))
			got = strings.ReplaceAll(strings.ReplaceAll(got, file+":", "weir.yaml:"), dir, "FOLDER")
			if want := strings.TrimPrefix(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestNamesOfTheFileCanBeGivenInTheEnvironment(t *testing.T) {
	const text = "upstreams: {company: {url: a.example.com}}\ngroups: {all: {members: company}}\n"
	if _, _, _, err := loadText(t, text, nil, "WEIR_UPSTREAM=all|company"); err != nil {
		t.Error(err)
	}
	_, _, _, err := loadText(t, text, nil, "WEIR_UPSTREAM=al")
	if want := `upstream (WEIR_UPSTREAM): entry 1, "al": no upstream or group has this name; did you mean "all"?`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestValidateChecksEntriesThatWereNotLoaded(t *testing.T) {
	c, _ := load(t, Flags{}, machine(t, goEnvText))
	c.Upstreams = map[string]Upstream{"Company": {URL: "a.example.com", HTTP2: true, Connect: 1e9, FirstByte: 1e9, Stall: 1e9, Total: 1e9, MaxConcurrent: 1, Weight: 1, Headers: map[string]Credential{"X Y": "canary"}}}
	want := `upstreams.Company: "Company" is no name; write small letters, digits and dashes, beginning with a letter, such as "company"
upstreams.Company.headers: what stands here is not the name of a header; write for instance "X-Header: value"`
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestOfManyWrongItemsOnlySomeAreTold(t *testing.T) {
	wrong := strings.Repeat("nobody, ", 1000)
	_, _, _, err := loadText(t, "upstream: off\ngroups: {a: {members: ["+wrong+"]}}\nprivate: ["+strings.ReplaceAll(wrong, "nobody", "\"[\"")+"]\n", nil)
	if err == nil || strings.Count(err.Error(), "\n")/3 > 2*maxItems {
		t.Errorf("%d lines are told", strings.Count(err.Error(), "\n"))
	}
}

func TestHeaderNamesAreTokensOfOnesOwn(t *testing.T) {
	for name, good := range map[string]bool{
		"X-Org": true, "x": true, "User-Agent": true, "a.b_c~!": true, "": false, "X Y": false, "X:": false, "Ä": false, "X\n": false, "X\x7f": false, "a(b)": false,
		"Host": false, "authorization": false, "Content-Length": false, "CONTENT-X": false, "connection": false, "Transfer-encoding": false,
	} {
		if text := checkHeaderName(name); (text == "") != good {
			t.Errorf("%q: %q", name, text)
		}
	}
}

func TestProxiesAreURLsOfAHost(t *testing.T) {
	for proxy, good := range map[Secret]bool{
		"": true, "off": true, "http://proxy.example.com:3128": true, "https://u:p@proxy.example.com/": true, "socks5://[::1]:1080": true,
		"proxy.example.com": false, "ftp://proxy.example.com": false, "http://": false, "http://proxy.example.com/x": false, "http://proxy.example.com?x": false, "http://a:b": false, "none": false,
	} {
		if text := checkProxy(proxy, "http", "https", "socks5"); (text == "") != good {
			t.Errorf("%q: %q", proxy.Reveal(), text)
		}
	}
}

func TestEveryEntryIsInTheReferencePageAndTheSchema(t *testing.T) {
	page, schema := string(Reference()), string(Schema())
	for _, l := range allLeaves[len(leaves):] {
		for _, text := range []string{"### `" + l.key + "`", fieldDocs[l.key]} {
			if fieldDocs[l.key] == "" || !strings.Contains(page, text) {
				t.Errorf("the page has no %q", text)
			}
		}
		if !strings.Contains(schema, `"`+l.name()+`": {`) || kinds[l.field.Type].name == "" {
			t.Errorf("the schema has no %s", l.key)
		}
		if above, ok := l.above(); ok && above.field.Type != l.field.Type || ok != (l.field.Tag.Get("inherit") != "") {
			t.Errorf("%s cannot have the value of %s", l.key, l.field.Tag.Get("inherit"))
		}
		if slices.ContainsFunc(allLeaves, func(other leaf) bool {
			return l.isSecret() && (other.key == l.key+fileSuffix || other.key == l.key+variableSuffix)
		}) {
			t.Errorf("%s and the place it is in have the same key", l.key)
		}
	}
}
