package config

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// machine is an environment of its own: no file of the user, and a Go installation
// with the go.env given.
func machine(t *testing.T, goEnvText string, variables ...string) func(string) (string, bool) {
	t.Helper()
	goroot := t.TempDir()
	write(t, filepath.Join(goroot, "go.env"), goEnvText)
	env := map[string]string{"GOENV": "off", "GOROOT": goroot, "XDG_CACHE_HOME": "/cache"}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

const goEnvText = "# Defaults.\n\nGOPROXY=https://proxy.example.com,direct\nGOSUMDB=sum.golang.org\n"

func write(t *testing.T, name, text string) string {
	t.Helper()
	writeFile(t, name, []byte(text))
	return name
}

func load(t *testing.T, flags Flags, environ func(string) (string, bool)) (*Config, Provenance) {
	t.Helper()
	c, from, err := Load(t.Context(), flags, environ)
	if err != nil {
		t.Fatal(err)
	}
	return c, from
}

func loadError(t *testing.T, flags Flags, environ func(string) (string, bool)) string {
	t.Helper()
	c, from, err := Load(t.Context(), flags, environ)
	if err == nil {
		t.Fatalf("no error, but %+v", c)
	}
	if c != nil || from != nil {
		t.Error("an error comes with a configuration")
	}
	return err.Error()
}

func TestWithoutAnyConfigurationTheDefaultsAreThoseOfTheMachine(t *testing.T) {
	got, from := load(t, Flags{}, machine(t, goEnvText))
	want := &Config{
		Listen: "localhost:3000", Data: filepath.FromSlash("/cache/weir"), Upstream: "https://proxy.example.com,direct",
		Sumdb: "sum.golang.org", SumdbPolicy: PolicyRequire,
		Store: Store{Memory: 32 << 20},
		Cache: Cache{
			StreamAbove: 4 << 20, Fresh: Duration(time.Minute), NotFound: Duration(10 * time.Second),
			ListNotFound: Duration(time.Minute), MaxFills: 256, MaxWaiting: 1024,
		},
		Fetch: Fetch{
			Connect: Duration(10 * time.Second), FirstByte: Duration(30 * time.Second),
			Stall: Duration(10 * time.Second), Total: Duration(15 * time.Minute),
			Patience: Duration(3 * time.Second), Retries: 2,
		},
		Direct: Direct{VCS: Names{"git"}, MaxProcesses: 4, Timeout: Duration(10 * time.Minute), FetchSize: 2 << 30, CacheSize: 10 << 30},
		Auth:   Auth{Anonymous: true},
		TLS:    TLS{ClientCerts: ClientCertsOff},
		Admin:  Admin{AllowNetworks: Names{"127.0.0.0/8", "::1/128"}},
		Audit:  Audit{MaxSize: 100 << 20, MaxFiles: 10},
		Limits: Limits{
			Connections: 10000, ConnectionsPerClient: 1000, HeaderBytes: 64 << 10, HeaderTimeout: Duration(5 * time.Second),
			IdleTimeout: Duration(2 * time.Minute), WriteStall: Duration(30 * time.Second),
			Burst: 1000, InFlight: 10000, InFlightPerClient: 1000,
		},
		Log:      Log{Level: "info", Format: "text", Access: AccessMisses},
		Prefetch: Prefetch{Enabled: true, MaxConcurrent: 32},
		Reload:   Reload{Watch: true},
		Shutdown: Shutdown{Drain: Duration(30 * time.Second)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, l := range leaves {
		if l.key != "upstream" && l.key != "sumdb" && from[l.key] != "default" {
			t.Errorf("%s comes from %q", l.key, from[l.key])
		}
	}
}

func TestFlagsWinOverEnvironmentOverFileOverMachineOverDefaults(t *testing.T) {
	text := func(s string) *string { return &s }
	file := write(t, filepath.Join(t.TempDir(), "weir.yaml"), `
listen: file:1
data: /file
upstream: https://file.example.com
sumdb: off
private: [file.example.com]
no_sumdb: file.example.com, other.example.com
cache:
  fresh: 1d
`)
	variables := []string{
		"WEIR_LISTEN=env:1", "WEIR_DATA=/env", "WEIR_UPSTREAM=env.example.com", "WEIR_SUMDB=sum.golang.org https://env.example.com",
		"WEIR_PRIVATE=a.example.com,b.example.com", "WEIR_NO_SUMDB=env.example.com", "WEIR_CACHE_FRESH=2d", "WEIR_STORE_MEMORY=1GiB", "WEIR_CACHE_MAX_FILLS=7",
	}
	flags := Flags{Listen: text("flag:1"), Data: text("/flag"), Upstream: text("off"), Sumdb: text("sum.golang.google.cn"), Private: text("")}
	withFile := flags
	withFile.Config = file

	for _, c := range []struct {
		name      string
		flags     Flags
		variables []string
		key       string
		want      string
		from      string
	}{
		{"default", Flags{}, nil, "listen", "localhost:3000", "default"},
		{"default", Flags{}, nil, "cache.fresh", "1m", "default"},
		{"file", Flags{Config: file}, nil, "listen", "file:1", file + ":2"},
		{"file", Flags{Config: file}, nil, "data", "/file", file + ":3"},
		{"file", Flags{Config: file}, nil, "upstream", "https://file.example.com", file + ":4"},
		{"file", Flags{Config: file}, nil, "sumdb", "off", file + ":5"},
		{"file", Flags{Config: file}, nil, "private", "file.example.com", file + ":6"},
		{"file", Flags{Config: file}, nil, "no_sumdb", "file.example.com,other.example.com", file + ":7"},
		{"file", Flags{Config: file}, nil, "cache.fresh", "1d", file + ":9"},
		{"file of the environment", Flags{}, []string{"WEIR_CONFIG=" + file}, "listen", "file:1", file + ":2"},
		{"environment", Flags{Config: file}, variables, "listen", "env:1", "WEIR_LISTEN"},
		{"environment", Flags{Config: file}, variables, "data", "/env", "WEIR_DATA"},
		{"environment", Flags{Config: file}, variables, "upstream", "env.example.com", "WEIR_UPSTREAM"},
		{"environment", Flags{Config: file}, variables, "sumdb", "sum.golang.org https://env.example.com", "WEIR_SUMDB"},
		{"environment", Flags{Config: file}, variables, "private", "a.example.com,b.example.com", "WEIR_PRIVATE"},
		{"environment", Flags{Config: file}, variables, "no_sumdb", "env.example.com", "WEIR_NO_SUMDB"},
		{"environment", Flags{Config: file}, variables, "cache.fresh", "2d", "WEIR_CACHE_FRESH"},
		{"environment", Flags{Config: file}, variables, "store.memory", "1GiB", "WEIR_STORE_MEMORY"},
		{"environment", Flags{Config: file}, variables, "cache.max_fills", "7", "WEIR_CACHE_MAX_FILLS"},
		{"empty variable", Flags{Config: file}, []string{"WEIR_LISTEN="}, "listen", "file:1", file + ":2"},
		{"flag", withFile, variables, "listen", "flag:1", "flag --listen"},
		{"flag", withFile, variables, "data", "/flag", "flag --data"},
		{"flag", withFile, variables, "upstream", "off", "flag --upstream"},
		{"flag", withFile, variables, "sumdb", "sum.golang.google.cn", "flag --sumdb"},
		{"empty flag", withFile, variables, "private", "", "flag --private"},
		{"flag over machine", flags, nil, "upstream", "off", "flag --upstream"},
	} {
		t.Run(c.name+" "+c.key, func(t *testing.T) {
			cfg, from := load(t, c.flags, machine(t, goEnvText, c.variables...))
			if got := textOf(t, cfg, c.key); got != c.want || from[c.key] != c.from {
				t.Errorf("%s is %q from %q, want %q from %q", c.key, got, from[c.key], c.want, c.from)
			}
		})
	}
}

// textOf is the value of a key, as a file would hold it.
func textOf(t *testing.T, c *Config, key string) string {
	t.Helper()
	l, ok := leafOf(key)
	if !ok {
		t.Fatalf("no key %s", key)
	}
	switch v := l.value(c).(type) {
	case Secret:
		return v.Reveal()
	case string:
		return v
	case Patterns:
		return v.String()
	case Names:
		return v.String()
	default:
		return yamlText(v)
	}
}

func TestEveryKeyHasAVariable(t *testing.T) {
	values := map[string]string{
		"listen": ":1", "data": "/d", "path_prefix": "/p", "upstream": "off", "sumdb": "off", "sumdb_policy": "when-available",
		"private": "p", "no_sumdb": "n", "log.level": "warn", "log.format": "json", "log.access": "misses",
		"direct.vcs": "hg", "direct.proxy": "off", "direct.fetch_size": "3GiB", "direct.cache_size": "5GiB", "admin.listen": ":2",
		"auth.trusted_proxies": "10.0.0.1", "auth.allow_networks": "10.0.0.0/8", "auth.deny_networks": "::1", "admin.allow_networks": "10.1.0.0/16",
		"tls.client_certs": "request", "tls.acme_directory": "https://acme.example.com", "tls.http_listen": ":80",
	}
	others := map[string][]string{ // without which a value breaks a rule
		"tls.cert_file":    {"WEIR_TLS_KEY_FILE=k"},
		"tls.key_file":     {"WEIR_TLS_CERT_FILE=c"},
		"tls.http_listen":  {"WEIR_TLS_KEY_FILE=k", "WEIR_TLS_CERT_FILE=c"},
		"tls.client_certs": {"WEIR_TLS_KEY_FILE=k", "WEIR_TLS_CERT_FILE=c", "WEIR_TLS_CLIENT_CA_FILE=a"},
	}
	for _, l := range leaves {
		t.Run(l.key, func(t *testing.T) {
			want := values[l.key]
			if want == "" {
				want = map[reflect.Type]string{reflect.TypeFor[bool](): "false", reflect.TypeFor[int](): "9", reflect.TypeFor[Size](): "128KiB", reflect.TypeFor[Duration](): "11s", reflect.TypeFor[string](): "x", reflect.TypeFor[Names](): "n"}[l.field.Type]
			}
			variable := "WEIR_" + strings.ToUpper(strings.ReplaceAll(l.key, ".", "_"))
			cfg, from := load(t, Flags{}, machine(t, goEnvText, append(others[l.key], variable+"="+want)...))
			if got := textOf(t, cfg, l.key); got != want || from[l.key] != variable {
				t.Errorf("%s is %q from %q, want %q from %q", l.key, got, from[l.key], want, variable)
			}
		})
	}
}

func TestSecretsCanBeInAFile(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "upstream"), "\n https://u:p@proxy.example.com \r\n\n")
	cfg, from := load(t, Flags{}, machine(t, goEnvText, "WEIR_UPSTREAM_FILE="+file))
	if got, want := cfg.Upstream.Reveal(), "https://u:p@proxy.example.com"; got != want || from["upstream"] != "WEIR_UPSTREAM_FILE" {
		t.Errorf("upstream is %q from %q", got, from["upstream"])
	}
}

func TestSecretFilesThatCannotBeReadAreAnError(t *testing.T) {
	empty := write(t, filepath.Join(t.TempDir(), "empty"), "\n")
	absent := filepath.Join(t.TempDir(), "absent")
	for _, c := range []struct {
		variables []string
		want      string
	}{
		{[]string{"WEIR_UPSTREAM_FILE=" + absent}, "WEIR_UPSTREAM_FILE: open " + absent + ": no such file or directory"},
		{[]string{"WEIR_SUMDB_FILE=" + empty}, "WEIR_SUMDB_FILE: " + empty + " is empty"},
		{[]string{"WEIR_SUMDB=off", "WEIR_SUMDB_FILE=" + write(t, filepath.Join(t.TempDir(), "off"), "off")}, "WEIR_SUMDB and WEIR_SUMDB_FILE are both set; keep one of them"},
	} {
		if got := loadError(t, Flags{}, machine(t, goEnvText, c.variables...)); got != c.want {
			t.Errorf("%v:\ngot  %s\nwant %s", c.variables, got, c.want)
		}
	}
}

func TestNoUpstreamAnywhereSaysWhatToSet(t *testing.T) {
	want := `no upstream: GOPROXY is set nowhere on this machine; set --upstream (or WEIR_UPSTREAM, or upstream: in the configuration file), ` +
		`for instance to https://proxy.example.com, or to "off" to serve only what is stored`
	if got := loadError(t, Flags{}, machine(t, "")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestProblemsOfTheEnvironmentAndTheCommandLineNameTheirSource(t *testing.T) {
	listen, upstream := "3000", "https://proxy.example.com, ftp://mirror.example.com"
	want := `cache.fresh (WEIR_CACHE_FRESH): "soon" is not a duration; write for instance "10s", "5m", "1h30m" or "7d"
limits.connections (WEIR_LIMITS_CONNECTIONS): "many" is not a whole number
fetch.total (WEIR_FETCH_TOTAL): -1s is too little; it must be at least 1ms
listen (flag --listen): "3000" is not host:port; write for instance "localhost:3000", or ":3000" for every address of the machine
upstream (flag --upstream): entry 2, "ftp://mirror.example.com": the scheme must be https, http or file
private (GOPRIVATE in ` + "GOROOT" + `): "[a" is not a glob pattern; write for instance "*.corp.example.com" or "github.com/org/*"
no_sumdb (GOPRIVATE in ` + "GOROOT" + `): "[a" is not a glob pattern; write for instance "*.corp.example.com" or "github.com/org/*"`
	environ := machine(t, "GOPRIVATE=a.example.com,[a\n", "WEIR_CACHE_FRESH=soon", "WEIR_LIMITS_CONNECTIONS=many", "WEIR_FETCH_TOTAL=-1s")
	goroot, _ := environ("GOROOT")
	got := loadError(t, Flags{Listen: &listen, Upstream: &upstream}, environ)
	if got = strings.ReplaceAll(got, filepath.Join(goroot, "go.env"), "GOROOT"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAConfigurationFileThatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	large := write(t, filepath.Join(dir, "large.yaml"), strings.Repeat("#\n", maxFile/2)+"#")
	absent := filepath.Join(dir, "absent.yaml")
	for name, want := range map[string]string{
		absent: "configuration file: open " + absent + ": no such file or directory",
		large:  "configuration file: " + large + " is larger than 1MiB; is it the right file?",
	} {
		if got := loadError(t, Flags{Config: name}, machine(t, goEnvText)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Load(ctx, Flags{}, machine(t, goEnvText)); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error is %v", err)
	}
}

func TestValidateReportsAllProblemsWithoutSources(t *testing.T) {
	c, _ := load(t, Flags{}, machine(t, goEnvText))
	if err := c.Validate(); err != nil {
		t.Errorf("a configuration that was loaded is refused: %v", err)
	}
	c.Log.Level, c.Cache.Fresh = "loud", -1
	want := "cache.fresh: -1ns is too little; it must be at least 0\nlog.level: \"loud\" is not one of debug, info, warn, error"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNothingIsDefaultedWhereTheUserHasNoCacheFolder(t *testing.T) {
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
	}
	want := "data: there is no folder to keep artifacts in; set --data (or WEIR_DATA, or data: in the configuration file), for instance to /var/lib/weir"
	if got := loadError(t, Flags{}, machine(t, goEnvText, "XDG_CACHE_HOME=")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	t.Setenv("HOME", os.TempDir())
	if c, _ := load(t, Flags{}, machine(t, goEnvText, "XDG_CACHE_HOME=")); c.Data == "" {
		t.Error("no data folder although the user has a home")
	}
}
