package config

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestPrintShowsEveryValueAndItsSource(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "weir.yaml"), "private:\n  - git.example.com\n  - '*.corp.example.com'\ncache:\n  stale: 30d\n")
	listen := ":8080"
	c, from := load(t, Flags{Config: file, Listen: &listen}, machine(t, goEnvText, "WEIR_SUMDB_POLICY=when-available", "GOPROXY=https://u:p@proxy.example.com,direct"))
	delete(from, "sumdb") // comes from a folder of this test
	var b strings.Builder
	if err := Print(&b, c, from); err != nil {
		t.Fatal(err)
	}
	want := `listen: ":8080" # flag --listen
data: "/cache/weir" # default
path_prefix: "" # default
upstream: "https://xxxxx@proxy.example.com,direct" # GOPROXY
sumdb: "sum.golang.org" # 
sumdb_policy: "when-available" # WEIR_SUMDB_POLICY
private: ["git.example.com", "*.corp.example.com"] # FILE:2
no_sumdb: [] # default
store:
  memory: 32MiB # default
cache:
  stream_above: 4MiB # default
  fresh: 1m # default
  not_found: 10s # default
  list_not_found: 1m # default
  stale: 30d # FILE:5
  max_fills: 256 # default
  max_waiting: 1024 # default
fetch:
  connect: 10s # default
  first_byte: 30s # default
  stall: 10s # default
  total: 15m # default
  patience: 3s # default
  retries: 2 # default
direct:
  go: "" # default
  vcs: ["git"] # default
  allow_hosts: [] # default
  ca_file: "" # default
  proxy: "" # default
  netrc: "" # default
  max_processes: 4 # default
  timeout: 10m # default
  fetch_size: 2GiB # default
  cache_size: 10GiB # default
auth:
  anonymous: true # default
  tokens: "" # default
  trusted_proxies: [] # default
  allow_networks: [] # default
  deny_networks: [] # default
tls:
  cert_file: "" # default
  key_file: "" # default
  acme_hosts: [] # default
  http_listen: "" # default
  acme_email: "" # default
  acme_directory: "" # default
  client_certs: "off" # default
  client_ca_file: "" # default
  h2c: false # default
admin:
  listen: "" # default
  allow_networks: ["127.0.0.0/8", "::1/128"] # default
audit:
  file: "" # default
  max_size: 100MiB # default
  max_files: 10 # default
limits:
  connections: 10000 # default
  connections_per_client: 1000 # default
  header_bytes: 64KiB # default
  header_timeout: 5s # default
  idle_timeout: 2m # default
  write_stall: 30s # default
  rate: 0 # default
  burst: 1000 # default
  in_flight: 10000 # default
  in_flight_per_client: 1000 # default
log:
  level: "info" # default
  format: "text" # default
  access: "misses" # default
prefetch:
  enabled: true # default
  max_concurrent: 32 # default
reload:
  watch: true # default
shutdown:
  drain: 30s # default
  delay: 0s # default
upstreams: {} # default
groups: {} # default
routes: [] # default
credentials: {} # default
issuers: {} # default
access: [] # default
`
	if got := strings.ReplaceAll(b.String(), file, "FILE"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatIsPrintedLoadsBack(t *testing.T) {
	for name, variables := range map[string][]string{
		"defaults": nil,
		"odd":      {"WEIR_DATA=/a b\"#:\t'\\ä€😀\x01", "WEIR_PRIVATE=*.example.com,[a-z]?,\\*", "WEIR_CACHE_FRESH=1d1h1ms", "WEIR_STORE_MEMORY=1000", "WEIR_SUMDB=off"},
	} {
		t.Run(name, func(t *testing.T) {
			c, from := load(t, Flags{}, machine(t, goEnvText, variables...))
			var b strings.Builder
			if err := Print(&b, c, from); err != nil {
				t.Fatal(err)
			}
			again, _ := load(t, Flags{Config: write(t, filepath.Join(t.TempDir(), "weir.yaml"), b.String())}, machine(t, ""))
			if again.file, c.file = "", ""; !reflect.DeepEqual(again, c) {
				t.Errorf("got  %+v\nwant %+v", again, c)
			}
		})
	}
}

func TestTheExampleOfTheReferencePageLoads(t *testing.T) {
	page := string(Reference())
	_, example, ok := strings.Cut(page, "```yaml\n")
	example, _, closed := strings.Cut(example, "```")
	if !ok || !closed {
		t.Fatal("the page has no example")
	}
	password := write(t, filepath.Join(t.TempDir(), "password"), "x")
	example = strings.ReplaceAll(example, "/run/secrets/go.corp.example.com", password)
	c, _ := load(t, Flags{Config: write(t, filepath.Join(t.TempDir(), "weir.yaml"), example)}, machine(t, ""))
	if got := c.Cache.Stale.String(); got != "30d" {
		t.Errorf("cache.stale of the example is %s", got)
	}
}

func TestTheReferencePageAndTheSchemaNameEveryKey(t *testing.T) {
	page := string(Reference())
	var root struct {
		Properties map[string]struct {
			Description string
			Properties  map[string]struct{ Description string }
		}
	}
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		for _, text := range []string{"### `" + l.key + "`", fieldDocs[l.key], "`" + l.variable() + "`"} {
			if !strings.Contains(page, text) {
				t.Errorf("the page has no %q", text)
			}
		}
		section, name := split(l.key)
		description := root.Properties[name].Description
		if section != "" {
			description = root.Properties[section].Properties[name].Description
		}
		if description == "" || description != fieldDocs[l.key] {
			t.Errorf("the schema says of %s %q", l.key, description)
		}
	}
}

func TestEveryKindOfValueIsDescribed(t *testing.T) {
	for _, l := range leaves {
		if kinds[l.field.Type].name == "" {
			t.Errorf("%s is a %v, which no text explains", l.key, l.field.Type)
		}
		l.bound("min") // panics if a tag is wrong
		l.bound("max")
	}
}
