// Package config is the configuration of weir serve as pure data: one commented
// struct, [Config], and the four places its values come from.
//
// [Load] promises that a flag wins over an environment variable, which wins over
// the configuration file, which wins over what the go command is told on this
// machine, which wins over the built-in default; that nothing it returns breaks a
// rule of the struct; and that it reports all problems at once, each with the
// place it comes from. Unknown keys are refused, so that a misspelt one is not
// quietly without effect. What may hold a secret is a [Secret], which nothing
// here ever prints.
//
// The reference page, the JSON schema and the defaults are read from the struct
// too: its comments are the text and its tags the rules.
//
// The package opens no network connection and imports nothing of the project.
package config

//go:generate go test -run ^TestGeneratedFilesAreFresh$ . -update

// Values of [Config.SumdbPolicy].
const (
	PolicyRequire       = "require"
	PolicyWhenAvailable = "when-available"
)

// Values of [Log.Access].
const (
	AccessAll    = "all"
	AccessMisses = "misses"
	AccessOff    = "off"
)

// Config is the configuration of weir serve. Load makes a valid one; it is not
// changed afterwards, and so safe for concurrent use.
//
// Tags: default is the built-in value and machine says where the value comes from
// instead, if the machine has one; enum lists the values allowed; min and max bound
// a number, a size or a duration (min is 0 unless told); flag names the flag.
type Config struct {
	// Address to listen on, as `host:port`. Without a host it is every address
	// of the machine; port 0 takes a free one.
	Listen string `yaml:"listen" default:"localhost:3000" flag:"listen"`

	// Folder that artifacts are kept in. It is created if it does not exist.
	Data string `yaml:"data" machine:"weir in $XDG_CACHE_HOME or else in the cache folder of the user" flag:"data"`

	// URL path under which the protocol is served, such as `/go`. Clients then
	// set GOPROXY to `http://localhost:3000/go`.
	PathPrefix string `yaml:"path_prefix" default:""`

	// Where modules come from, in the syntax of GOPROXY: after a `,` the next
	// entry is asked if the one before answers "not found", after a `|` if it
	// fails in any way. `off` ends the list: nothing more is fetched. `direct`
	// ends it too: version control is not read directly yet. A URL
	// may be https, http or file, may hold a user name and a password, and is
	// https if it has no scheme.
	Upstream Secret `yaml:"upstream" machine:"GOPROXY" flag:"upstream"`

	// Checksum database that proves what upstreams send, in the syntax of GOSUMDB:
	// `off`, a name, or `name+hash+key`, the last two optionally followed by a
	// blank and the URL to reach it at. Only sum.golang.org and
	// sum.golang.google.cn are known by name alone. With `off` nothing is proven.
	Sumdb Secret `yaml:"sumdb" default:"sum.golang.org" machine:"GOSUMDB" flag:"sumdb"`

	// What happens to a version that is new here while the checksum database
	// cannot be reached: `require` refuses it until it can be proven,
	// `when-available` serves and stores it, proves it later, and withdraws it if
	// that fails.
	SumdbPolicy string `yaml:"sumdb_policy" default:"require" enum:"require,when-available"`

	// Glob patterns of module path prefixes, in the syntax of GOPRIVATE, that are
	// private: no upstream and no checksum database is ever asked for them.
	Private Patterns `yaml:"private" machine:"GONOPROXY, or else GOPRIVATE," flag:"private"`

	// Glob patterns of module path prefixes that are fetched from upstream but not
	// proven by the checksum database, which never hears of them.
	NoSumdb Patterns `yaml:"no_sumdb" machine:"GONOSUMDB, or else GOPRIVATE,"`

	// Where artifacts are kept.
	Store Store `yaml:"store"`

	// How long answers are good for, and how much is fetched at one time.
	Cache Cache `yaml:"cache"`

	// How long an upstream may take. Every bound is for one request to one
	// upstream; the next one of the list starts anew.
	Fetch Fetch `yaml:"fetch"`

	// What clients may take of the server.
	Limits Limits `yaml:"limits"`

	// What is logged, to standard error.
	Log Log `yaml:"log"`

	// How the server ends after SIGTERM.
	Shutdown Shutdown `yaml:"shutdown"`
}

// Store says where artifacts are kept.
type Store struct {
	// Memory for small artifacts that are asked for often, in front of the disk.
	// 0 keeps none in memory.
	Memory Size `yaml:"memory" default:"32MiB" max:"1024GiB"`
}

// Cache says how long answers are good for, and how much is fetched at one time.
type Cache struct {
	// Artifacts above this size are sent while they still arrive, with the end held
	// back until they are proven; smaller ones are proven before the first byte.
	StreamAbove Size `yaml:"stream_above" default:"4MiB" max:"1GiB"`

	// How long a version list, `@latest` or the version of a branch is served
	// without asking upstream again.
	Fresh Duration `yaml:"fresh" default:"1m"`

	// How long "not found" is served for a version, branch, tag or commit
	// without asking upstream again.
	NotFound Duration `yaml:"not_found" default:"10s"`

	// How long "not found" is served for a version list or `@latest`
	// without asking upstream again.
	ListNotFound Duration `yaml:"list_not_found" default:"1m"`

	// How old an answer may be that is served while every upstream fails.
	// 0 is no limit.
	Stale Duration `yaml:"stale" default:"0s"`

	// Fetches from upstream at one time.
	MaxFills int `yaml:"max_fills" default:"256" min:"1"`

	// Fetches that wait for their turn; what comes on top is told to try again
	// later.
	MaxWaiting int `yaml:"max_waiting" default:"1024"`
}

// Fetch says how long an upstream may take.
type Fetch struct {
	// Time to connect, TLS included.
	Connect Duration `yaml:"connect" default:"10s" min:"1ms"`

	// Time from the request to the first byte of the answer.
	FirstByte Duration `yaml:"first_byte" default:"30s" min:"1ms"`

	// Time without a single byte after which a fetch is given up.
	Stall Duration `yaml:"stall" default:"20s" min:"1ms"`

	// Time for the whole of a fetch.
	Total Duration `yaml:"total" default:"15m" min:"1ms"`
}

// Limits says what clients may take of the server.
type Limits struct {
	// Connections at one time.
	Connections int `yaml:"connections" default:"10000" min:"1"`

	// Connections at one time from one client address.
	ConnectionsPerClient int `yaml:"connections_per_client" default:"1000" min:"1"`

	// Size of the request line and headers together.
	HeaderBytes Size `yaml:"header_bytes" default:"64KiB" min:"4KiB" max:"16MiB"`

	// Time to send the request line and headers.
	HeaderTimeout Duration `yaml:"header_timeout" default:"5s" min:"1ms"`

	// Time a connection may stay open between two requests.
	IdleTimeout Duration `yaml:"idle_timeout" default:"2m" min:"1ms"`

	// Time without a single byte taken after which a client is cut off.
	WriteStall Duration `yaml:"write_stall" default:"30s" min:"1ms"`
}

// Log says what is logged.
type Log struct {
	// The least severe level that is logged.
	Level string `yaml:"level" default:"info" enum:"debug,info,warn,error"`

	// Form of a log line: `text` for people, `json` for machines.
	Format string `yaml:"format" default:"text" enum:"text,json"`

	// Which requests are logged: `all`, only `misses` (and whatever failed), or `off`.
	// The many that are answered from the store are counted in any case.
	Access string `yaml:"access" default:"misses" enum:"all,misses,off"`
}

// Shutdown says how the server ends.
type Shutdown struct {
	// Time that running requests get to finish once the listener is closed.
	Drain Duration `yaml:"drain" default:"30s"`

	// Time between `/readyz` turning unready and the listener being closed, for
	// load balancers to notice.
	Delay Duration `yaml:"delay" default:"0s"`
}
