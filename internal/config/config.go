// Package config is the configuration of weir serve as pure data: one commented
// struct, [Config], and the four places its values come from.
//
// [Load] promises that a flag wins over an environment variable, which wins over
// the configuration file, which wins over what the go command is told on this
// machine, which wins over the built-in default; that nothing it returns breaks a
// rule of the struct; and that it reports all problems at once, each with the
// place it comes from. Unknown keys are refused, so that a misspelt one is not
// quietly without effect. What may hold a secret is a [Secret], which nothing
// here ever prints; what is wholly secret is a [Credential].
//
// Upstreams, groups and routes are maps and lists, which only the file can hold.
// What an entry of them leaves out is filled in, from the defaults or from the
// setting for all that it stands in for.
//
// The reference page, the JSON schema and the defaults are read from the struct
// too: its comments are the text and its tags the rules.
//
// The package opens no network connection and imports nothing of the project.
package config

import "slices"

//go:generate go test -run ^TestGeneratedFilesAreFresh$ . -update

// Values of [Config.SumdbPolicy] and [Route.SumdbPolicy].
const (
	PolicyRequire       = "require"
	PolicyWhenAvailable = "when-available"
	PolicyOff           = "off" // of a route only
)

// Values of [Group.Strategy].
const (
	StrategyOrdered  = "ordered"
	StrategyFastest  = "fastest"
	StrategyWeighted = "weighted"
)

// ProxyOff is the value of [Upstream.Proxy] for no proxy at all.
const ProxyOff = "off"

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
// a number, a size or a duration (min is 0 unless told); flag names the flag. In an
// entry of a map or list, inherit names the key whose value is the default, and private
// is the default of a route that is private. Of a value with hide messages show nothing.
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
	// ends it too: then version control is asked. A URL
	// may be https, http or file, may hold a user name and a password, and is
	// https if it has no scheme. An entry may also be a name of `upstreams` or
	// `groups`.
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
	// private: they are fetched from version control, and no upstream and no checksum
	// database ever hears of them. Private modules that come from elsewhere belong to
	// a private route of `routes` instead.
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

	// How modules are fetched from version control.
	Direct Direct `yaml:"direct"`

	// Who may come in.
	Auth Auth `yaml:"auth"`

	// Certificates, and encryption on the way to clients.
	TLS TLS `yaml:"tls"`

	// Who may see how the server fares: the paths `/metrics` and `/-/`.
	Admin Admin `yaml:"admin"`

	// The record of who asked for what, and how it was decided.
	Audit Audit `yaml:"audit"`

	// What clients may take of the server.
	Limits Limits `yaml:"limits"`

	// What is logged, to standard error.
	Log Log `yaml:"log"`

	// What is fetched before it is asked for.
	Prefetch Prefetch `yaml:"prefetch"`

	// When the configuration is read again.
	Reload Reload `yaml:"reload"`

	// How the server ends after SIGTERM.
	Shutdown Shutdown `yaml:"shutdown"`

	// Upstreams by name, for `upstream`, `groups` and `routes`. A name is of small
	// letters, digits and dashes and begins with a letter.
	Upstreams map[string]Upstream `yaml:"upstreams"`

	// Groups of upstreams by name, for `upstream` and `routes`. A group stands for one
	// entry of a list, behind which are several upstreams. None has the name of an
	// upstream.
	Groups map[string]Group `yaml:"groups"`

	// Where some modules come from instead. The first route that matches a module
	// decides: what its upstreams do not have is not looked for elsewhere. What is
	// `private` or `no_sumdb` by its pattern is not proven, whatever the route says.
	Routes []Route `yaml:"routes"`

	// What version control is asked with, by name. Of several that fit a repository, the
	// one with the longest URL counts.
	Credentials map[string]Credentials `yaml:"credentials"`

	// Who else vouches for clients, by name: providers of OpenID Connect, such as that of
	// a company for its people, or of a CI service for its jobs.
	Issuers map[string]Issuer `yaml:"issuers"`

	// Who may read or administer what. The first rule that fits the client, the action
	// and the module decides. A module that some rule matches, but none for this
	// client, does not exist for it; what no rule matches may be read by whoever may come
	// in. Nobody may administer without a rule.
	Access []AccessRule `yaml:"access"`

	file   string           // the configuration file; empty if there is none
	places map[string]place // where a secret was read from, by key
}

func (c *Config) setPlace(key string, at place) {
	if c.places == nil {
		c.places = map[string]place{}
	}
	c.places[key] = at
}

// Files are the names of all files that the configuration comes from or names: the
// configuration file, files of secrets, certificates, netrc files. They are sorted.
func (c *Config) Files() []string {
	files := []string{c.file}
	for _, at := range c.places {
		if at.suffix == fileSuffix {
			files = append(files, at.name)
		}
	}
	for _, u := range c.Upstreams {
		files = append(files, u.Netrc, u.CAFile, u.CertFile, u.KeyFile)
	}
	for _, u := range c.Credentials {
		files = append(files, u.Netrc, u.SSHKeyFile, u.KnownHostsFile)
	}
	for _, i := range c.Issuers {
		files = append(files, i.CAFile)
	}
	files = append(files, c.Direct.Netrc, c.Direct.CAFile, c.Auth.Tokens)
	files = slices.DeleteFunc(files, func(name string) bool { return name == "" })
	slices.Sort(files)
	return slices.Compact(files)
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

// Fetch says how long an upstream may take, and what happens if it takes longer.
type Fetch struct {
	// Time to connect, TLS included.
	Connect Duration `yaml:"connect" default:"10s" min:"1ms"`

	// Time from the request to the first byte of the answer.
	FirstByte Duration `yaml:"first_byte" default:"30s" min:"1ms"`

	// Time without a single byte after which a fetch is given up.
	Stall Duration `yaml:"stall" default:"10s" min:"1ms"`

	// Time for the whole of a fetch.
	Total Duration `yaml:"total" default:"15m" min:"1ms"`

	// Time an upstream may be silent before the next one of the list is asked as
	// well, where any failure leads to the next one; the first good answer wins.
	// Once enough answers of an upstream are known, it is five times what it usually
	// takes instead, but at least 1s and at most this. With 0 the next one is asked
	// only after a failure, and nothing is asked for twice for the sake of speed.
	Patience Duration `yaml:"patience" default:"3s"`

	// How often a fetch that failed in passing is tried again. All such tries
	// together are at most a tenth of the requests.
	Retries int `yaml:"retries" default:"2" max:"10"`
}

// Direct says how modules are fetched from version control.
type Direct struct {
	// The go command that fetches them; empty is the one in PATH. What it starts sees
	// nothing of the environment and the settings of this machine.
	Go string `yaml:"go" default:""`

	// Systems of version control that are spoken: `git`, `hg`.
	VCS Names `yaml:"vcs" default:"git"`

	// Hosts and networks that may be reached besides the public internet: names such as
	// `git.corp.example.com` or `*.corp.example.com`, addresses, and networks such as
	// `10.0.0.0/8`.
	AllowHosts Names `yaml:"allow_hosts" default:""`

	// File of certificates in PEM that are trusted instead of those of the system.
	CAFile string `yaml:"ca_file" default:""`

	// URL of the HTTP proxy on the way to repositories and their pages; not to those
	// behind ssh. If empty it is taken from HTTPS_PROXY and NO_PROXY of the environment;
	// with `off` there is none. It is the proxy that connects then, so that it must
	// keep strangers from what is inside.
	Proxy Secret `yaml:"proxy" default:""`

	// File in netrc format with the user names and passwords of hosts, for all that
	// `credentials` says nothing of.
	Netrc string `yaml:"netrc" default:""`

	// Go commands at one time.
	MaxProcesses int `yaml:"max_processes" default:"4" min:"1"`

	// Time for one of them.
	Timeout Duration `yaml:"timeout" default:"10m" min:"1ms"`

	// Disk space that one fetch may take. A repository that needs more is refused.
	FetchSize Size `yaml:"fetch_size" default:"2GiB" min:"1MiB" max:"1048576GiB"`

	// Disk space for what is kept of repositories, so that a second version costs only
	// what is new in it. What was not used for longest goes first.
	CacheSize Size `yaml:"cache_size" default:"10GiB" min:"1MiB" max:"1048576GiB"`
}

// Auth says who may come in.
type Auth struct {
	// Whether who shows no credentials may come in.
	Anonymous bool `yaml:"anonymous" default:"true"`

	// File of the tokens that `weir token` makes; empty is `tokens.json` in the data
	// folder.
	Tokens string `yaml:"tokens" default:""`

	// Networks of the proxies in front of Weir, which are believed in what
	// X-Forwarded-For says of the address of a client.
	TrustedProxies Names `yaml:"trusted_proxies" default:""`

	// Networks that clients may come from; empty is all.
	AllowNetworks Names `yaml:"allow_networks" default:""`

	// Networks that no client may come from.
	DenyNetworks Names `yaml:"deny_networks" default:""`
}

// Values of [TLS.ClientCerts].
const (
	ClientCertsOff     = "off"
	ClientCertsRequest = "request"
	ClientCertsRequire = "require"
)

// TLS says how the way to clients is encrypted.
type TLS struct {
	// File of the certificate of the server, in PEM, with those between it and its
	// authority. It is read again when it changes.
	CertFile string `yaml:"cert_file" default:""`

	// File of its key, in PEM.
	KeyFile string `yaml:"key_file" default:""`

	// Host names that certificates are ordered for by ACME, as from Let's Encrypt. Port
	// 443 of these must lead to Weir, or port 80 to `http_listen`.
	ACMEHosts Names `yaml:"acme_hosts" default:""`

	// Address for plain http, such as `:80`: whoever comes there is sent to https, and
	// ACME may prove the hosts there, too. Empty is none.
	HTTPListen string `yaml:"http_listen" default:""`

	// Address that the certificate authority may write to.
	ACMEEmail string `yaml:"acme_email" default:""`

	// URL of the ACME directory; empty is that of Let's Encrypt.
	ACMEDirectory string `yaml:"acme_directory" default:""`

	// Whether clients show certificates: `off`, `request` from those who have one, or
	// `require` from all.
	ClientCerts string `yaml:"client_certs" default:"off" enum:"off,request,require"`

	// File of the authorities, in PEM, whose certificates clients may show.
	ClientCAFile string `yaml:"client_ca_file" default:""`

	// Whether HTTP/2 is spoken without encryption, with clients that begin with it.
	H2C bool `yaml:"h2c" default:"false"`
}

// Admin says who may see how the server fares.
type Admin struct {
	// Address of its own for `/metrics` and `/-/`, as `host:port`; empty is the address
	// for all.
	Listen string `yaml:"listen" default:""`

	// Networks that need no credentials for it; all others need an access rule with the
	// action `admin`.
	AllowNetworks Names `yaml:"allow_networks" default:"127.0.0.0/8,::1/128"`
}

// Audit says where the record of decisions is kept.
type Audit struct {
	// File that a line of JSON is added to for each request; empty is none.
	File string `yaml:"file" default:""`

	// Size at which a new file is begun.
	MaxSize Size `yaml:"max_size" default:"100MiB" min:"4KiB" max:"1024GiB"`

	// Old files that are kept.
	MaxFiles int `yaml:"max_files" default:"10" min:"1"`
}

// Limits says what clients may take of the server.
type Limits struct {
	// Connections at one time, at each address that the server listens on.
	Connections int `yaml:"connections" default:"10000" min:"1"`

	// Connections at one time from one client address, at each that the server
	// listens on.
	ConnectionsPerClient int `yaml:"connections_per_client" default:"1000" min:"1"`

	// Size of the request line and headers together.
	HeaderBytes Size `yaml:"header_bytes" default:"64KiB" min:"4KiB" max:"16MiB"`

	// Time to send the request line and headers.
	HeaderTimeout Duration `yaml:"header_timeout" default:"5s" min:"1ms"`

	// Time a connection may stay open between two requests.
	IdleTimeout Duration `yaml:"idle_timeout" default:"2m" min:"1ms"`

	// Time for each 512KiB of an answer, after which a client that has not taken them is
	// cut off.
	WriteStall Duration `yaml:"write_stall" default:"30s" min:"1ms"`

	// Requests of one client in a second; 0 is no limit. A client is a user, or an
	// address where there is none.
	Rate int `yaml:"rate" default:"0"`

	// Requests of one client that may come at once on top of that.
	Burst int `yaml:"burst" default:"1000"`

	// Requests being answered at one time. Those that wait for what is not stored yet
	// take none of these places: they have as many of their own.
	InFlight int `yaml:"in_flight" default:"10000" min:"1"`

	// Requests of one client being answered at one time, and as many that wait for what
	// is not stored yet.
	InFlightPerClient int `yaml:"in_flight_per_client" default:"1000" min:"1"`
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

// Prefetch says what is fetched before it is asked for.
type Prefetch struct {
	// Whether what a client will ask for next is fetched ahead: what the go.mod files
	// that it gets require.
	Enabled bool `yaml:"enabled" default:"true"`

	// Artifacts fetched ahead at one time.
	MaxConcurrent int `yaml:"max_concurrent" default:"32" min:"1"`
}

// Reload says when the configuration is read again.
type Reload struct {
	// Whether the configuration file, and the files it names, are read again when
	// they change.
	Watch bool `yaml:"watch" default:"true"`
}

// Shutdown says how the server ends.
type Shutdown struct {
	// Time that running requests get to finish once the listener is closed.
	Drain Duration `yaml:"drain" default:"30s"`

	// Time between `/readyz` turning unready and the listener being closed, for
	// load balancers to notice.
	Delay Duration `yaml:"delay" default:"0s"`
}

// Upstream is how one upstream is reached.
type Upstream struct {
	// Where it is: one https, http or file URL, https if it has no scheme. It may hold
	// a user name and a password if none are given otherwise.
	URL Secret `yaml:"url"`

	// User name for basic authentication.
	Username string `yaml:"username"`

	// Password for basic authentication.
	Password Credential `yaml:"password"`

	// Token that is sent as `Authorization: Bearer`, instead of a user name and a
	// password.
	Bearer Credential `yaml:"bearer"`

	// File in netrc format that the user name and password for the host of the
	// upstream are taken from.
	Netrc string `yaml:"netrc"`

	// File of certificates in PEM that are trusted besides those of the system.
	CAFile string `yaml:"ca_file"`

	// File of the certificate, in PEM, that Weir shows to the upstream.
	CertFile string `yaml:"cert_file"`

	// File of the key of that certificate, in PEM.
	KeyFile string `yaml:"key_file"`

	// URL of the HTTP or SOCKS5 proxy on the way. If empty it is taken from
	// HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment; with `off` there is
	// none.
	Proxy Secret `yaml:"proxy"`

	// Headers that are sent with each request to the host of the upstream, and to no
	// other.
	Headers map[string]Credential `yaml:"headers"`

	// Whether HTTP/2 is spoken where the upstream speaks it.
	HTTP2 bool `yaml:"http2" default:"true"`

	// Time to connect, TLS included.
	Connect Duration `yaml:"connect" inherit:"fetch.connect" min:"1ms"`

	// Time from the request to the first byte of the answer.
	FirstByte Duration `yaml:"first_byte" inherit:"fetch.first_byte" min:"1ms"`

	// Time without a single byte after which a fetch is given up.
	Stall Duration `yaml:"stall" inherit:"fetch.stall" min:"1ms"`

	// Time for the whole of a fetch.
	Total Duration `yaml:"total" inherit:"fetch.total" min:"1ms"`

	// Requests under way at one time.
	MaxConcurrent int `yaml:"max_concurrent" default:"128" min:"1"`

	// Share of the requests in a group that is `weighted`, in proportion to those of
	// the others.
	Weight int `yaml:"weight" default:"1" min:"1"`
}

// Group is several upstreams of which one is asked first.
type Group struct {
	// Which member is asked first, of those that are well: the first one of the list
	// (`ordered`), the `fastest` one, or each in turn according to its weight
	// (`weighted`). The others are asked if it fails or does not have what is wanted.
	Strategy string `yaml:"strategy" default:"ordered" enum:"ordered,fastest,weighted"`

	// Names of the upstreams.
	Members Names `yaml:"members"`
}

// Route is where the modules that it matches come from.
type Route struct {
	// Glob patterns of module path prefixes, in the syntax of GOPRIVATE. No two routes
	// have the same.
	Match Patterns `yaml:"match"`

	// Where these modules come from, in the syntax of the `upstream` for all.
	Upstream Secret `yaml:"upstream" inherit:"upstream" private:""`

	// Whether the modules are private: no other upstream hears their names, and no
	// checksum database. A private route names its upstreams itself.
	Private bool `yaml:"private" default:"false"`

	// As the `sumdb_policy` for all, or `off`: then what these upstreams send is not
	// proven, and the checksum database does not hear of it. It is always off for a
	// private route.
	SumdbPolicy string `yaml:"sumdb_policy" inherit:"sumdb_policy" private:"off" enum:"require,when-available,off"`

	// How long a version list, `@latest` or the version of a branch is served without
	// asking upstream again.
	Fresh Duration `yaml:"fresh" inherit:"cache.fresh"`

	// How long "not found" is served for a version, branch, tag or commit without
	// asking upstream again.
	NotFound Duration `yaml:"not_found" inherit:"cache.not_found"`

	// How long "not found" is served for a version list or `@latest` without asking
	// upstream again.
	ListNotFound Duration `yaml:"list_not_found" inherit:"cache.list_not_found"`

	// How old an answer may be that is served while every upstream fails. 0 is no
	// limit.
	Stale Duration `yaml:"stale" inherit:"cache.stale"`

	// Whether these modules are fetched ahead, if any are.
	Prefetch bool `yaml:"prefetch" default:"true"`
}

// Credentials are what version control is asked with below a URL.
type Credentials struct {
	// Where they are shown: the beginning of the URL of a repository, such as
	// `https://github.com/our-team` or `ssh://git@git.example.com`. They go to no other
	// host, scheme or port.
	URL string `yaml:"url"`

	// User name.
	Username string `yaml:"username"`

	// Password, or a token in its place.
	Password Credential `yaml:"password"`

	// File in netrc format that the user name and password for the host are taken from.
	Netrc string `yaml:"netrc"`

	// File of the private key for ssh.
	SSHKeyFile string `yaml:"ssh_key_file"`

	// File of the keys that the host may have, in the format of ssh. It is needed for
	// ssh.
	KnownHostsFile string `yaml:"known_hosts_file"`

	// Number of a GitHub App, whose tokens are made here instead of a password.
	GitHubApp int `yaml:"github_app" default:"0"`

	// Number of the installation of the GitHub App.
	GitHubInstallation int `yaml:"github_installation" default:"0"`

	// Private key of the GitHub App, in PEM.
	GitHubKey Credential `yaml:"github_key"`

	// URL of the GitHub API; of GitHub Enterprise it is another one.
	GitHubAPI string `yaml:"github_api" default:"https://api.github.com"`

	// Program that git asks for the user name and password, as its credential.helper.
	// It runs with the rights of the server. Commands of the shell, which begin with
	// `!`, are not taken.
	Helper string `yaml:"helper" hide:"yes"`
}

// Issuer is a provider of OpenID Connect whose tokens are accepted.
type Issuer struct {
	// Its URL, as in the claim `iss` of its tokens.
	URL string `yaml:"url"`

	// Whom the tokens are for, as in the claim `aud`: one of these.
	Audience Names `yaml:"audience"`

	// Claims that a token must have as well, each as NAME=VALUE, where the value may hold
	// a `*`. Some issuers give tokens to anybody, such as those of public CI services.
	Claims Names `yaml:"claims"`

	// What is put before names and groups, to keep them apart from those of other
	// issuers.
	Prefix string `yaml:"prefix"`

	// Claim that is the name of the client.
	NameClaim string `yaml:"name_claim" default:"sub"`

	// Claim that holds the groups of the client.
	GroupsClaim string `yaml:"groups_claim" default:"groups"`

	// Time that its keys are good for while it cannot be reached.
	Grace Duration `yaml:"grace" default:"1d" min:"1m"`

	// File of certificates in PEM that are trusted besides those of the system.
	CAFile string `yaml:"ca_file"`
}

// Values of [AccessRule.Effect] and [AccessRule.Actions].
const (
	EffectAllow   = "allow"
	EffectDeny    = "deny"
	ActionRead    = "read"
	ActionPublish = "publish"
	ActionAdmin   = "admin"
)

// AccessRule says who may do what with which modules.
type AccessRule struct {
	// Name, for the log and for who asks why.
	Name string `yaml:"name"`

	// Glob patterns of module path prefixes, in the syntax of GOPRIVATE; none is every
	// module.
	Match Patterns `yaml:"match"`

	// Whom the rule is about, any of: `anyone`, `authenticated`, `user:NAME`,
	// `group:NAME`, `claim:NAME=VALUE`, `net:10.0.0.0/8`, where names and values may hold
	// a `*`. With `&` between them, all of these.
	Subjects Names `yaml:"subjects"`

	// What they may do: `read`, `publish`, `admin`.
	Actions Names `yaml:"actions" default:"read"`

	// Whether the rule allows or denies it.
	Effect string `yaml:"effect" default:"allow" enum:"allow,deny"`

	// What those are told who are denied. Without it, for them the module does not exist.
	Reason string `yaml:"reason"`
}
