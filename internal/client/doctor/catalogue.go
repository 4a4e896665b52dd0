package doctor

import "github.com/goweir/weir/internal/client/doctor/check"

// The groups of checks. Most are rooms below this one, too.
const (
	groupSettings = "settings"
	GroupModule   = "module"
	groupFolder   = "this folder"
	groupCaches   = "caches"
	GroupProxy    = "GOPROXY"
	groupSums     = "checksum database"
	groupVCS      = "version control"
)

// catalogue are all checks there are. Of two that are not well, the one further up is
// the likelier cause.
var catalogue = check.Catalogue{
	{ID: "go-command", Group: groupSettings, Title: "go command", Looks: "Is there a go command in PATH, does it run, which version is it?"},
	{ID: "gotoolchain", Group: groupSettings, Title: "GOTOOLCHAIN", Looks: "Is it well-formed? Can the version that it, or go.mod here, asks for be had: not with `local`, not with `path` if it is not there, not with `GOPROXY=off`, and not without a checksum database."},
	{ID: "goproxy", Group: groupSettings, Title: "GOPROXY", Looks: "Is it well-formed? Entries after `direct` or `off`, which nobody asks; semicolons and blanks between entries; passwords that would go over http."},
	{ID: "gosumdb", Group: groupSettings, Title: "GOSUMDB", Looks: "Is it well-formed? Is nothing verified, because it is `off` or because patterns take everything from it?"},
	{ID: "goflags", Group: groupSettings, Title: "GOFLAGS", Looks: "Is it well-formed? `-mod=mod`, which changes go.mod on the way; `-mod=vendor` without a folder vendor; flags that are no more."},
	{ID: "go111module", Group: groupSettings, Title: "GO111MODULE", Looks: "`off`, which switches modules off."},
	{ID: "goauth", Group: groupSettings, Title: "GOAUTH", Looks: "Is it well-formed? Are its commands and folders there?"},
	{ID: "govcs", Group: groupSettings, Title: "GOVCS", Looks: "Is it well-formed? Does it forbid what GOPRIVATE, GONOPROXY or GOPROXY=direct need?"},
	{ID: "goprivate", Group: groupSettings, Title: "GOPRIVATE", Looks: "Are its patterns, and those of GONOPROXY, GONOSUMDB and GOINSECURE, well-formed? Does one of them hide what GOPRIVATE says? GOINSECURE for a proxy, for which it does nothing."},
	{ID: "netrc", Group: groupSettings, Title: "netrc", Looks: "May others read the passwords, and may we? A file that NETRC names and that is not there."},
	{ID: "http-proxy", Group: groupSettings, Title: "HTTP_PROXY", Looks: "Are HTTP_PROXY, HTTPS_PROXY and NO_PROXY well-formed, and the same in capital and in small letters?"},
	{ID: "ca-files", Group: groupSettings, Title: "certificates", Looks: "Do the files and folders of SSL_CERT_FILE, SSL_CERT_DIR and GIT_SSL_CAINFO exist?"},
	{ID: "hidden", Group: groupSettings, Title: "go env -w", Looks: "Settings of `go env -w` that the environment hides; names that the go command does not know."},
	{ID: "module", Group: GroupModule, Title: "way", Looks: "With a module: every step that the go command would take, to the first that fails. Case of letters, major version, paths above; bytes against go.sum and the checksum database."},
	{ID: "go-work", Group: groupFolder, Title: "go.work", Looks: "Can it be read, and are its members there?"},
	{ID: "go-mod", Group: groupFolder, Title: "go.mod", Looks: "Can it be read, and are the folders of its replacements there?"},
	{ID: "go-sum", Group: groupFolder, Title: "go.sum", Looks: "Can it be read? Marks of a merge conflict are the usual reason why not."},
	{ID: "private-modules", Group: groupFolder, Title: "private modules", Looks: "Does go.mod require modules whose names belong to nobody on the internet, and that GOPRIVATE does not keep from public proxies?"},
	{ID: "cache-modules", Group: groupCaches, Title: "module cache", Looks: "Can a file be written in GOMODCACHE? How much room is left?"},
	{ID: "cache-build", Group: groupCaches, Title: "build cache", Looks: "The same for GOCACHE."},
	{ID: "cache-temporary", Group: groupCaches, Title: "temporary files", Looks: "The same for GOTMPDIR, or else the folder of the system."},
	{ID: "proxy-route", Group: GroupProxy, Title: "route", Looks: "Does the way go through an HTTP proxy, and does that let through? NO_PROXY."},
	{ID: "proxy-dns", Group: GroupProxy, Title: "DNS", Looks: "Does the name have an address?"},
	{ID: "proxy-connection", Group: GroupProxy, Title: "connection", Looks: "Does something listen there? What localhost means in a container."},
	{ID: "proxy-tls", Group: GroupProxy, Title: "TLS", Looks: "Is the certificate signed by somebody who is trusted here, for this name, for now? Is the clock right? https at a port for http, and the other way round."},
	{ID: "proxy-login", Group: GroupProxy, Title: "login", Looks: "Are credentials wanted, which ones does the go command have (netrc with its rule for ports, GOAUTH, the URL), and are they taken?"},
	{ID: "proxy-list", Group: GroupProxy, Title: "list", Looks: "A list of versions: an answer in time, no page of HTML, no redirects without end, no error of the server."},
	{ID: "proxy-info", Group: GroupProxy, Title: ".info", Looks: "The .info of a version: JSON for this very version."},
	{ID: "proxy-mod", Group: GroupProxy, Title: ".mod", Looks: "The go.mod of a version."},
	{ID: "proxy-zip", Group: GroupProxy, Title: ".zip", Looks: "The beginning of the zip of a version."},
	{ID: "requirements", Group: groupFolder, Title: "requirements", Looks: "Can the go.mod files of what go.mod requires be fetched, as far as they are not in the module cache (at most 20 of them), and are they in go.sum or in the checksum database?"},
	{ID: "sumdb-way", Group: groupSums, Title: "way", Looks: "Which way the go command takes to the checksum database: the first proxy that says it has it (`supported`), or the database itself. An answer that blocks the way."},
	{ID: "sumdb-lookup", Group: groupSums, Title: "lookup", Looks: "A record, proven with the tiles of the log and the key of the database."},
	{ID: "sumdb-direct", Group: groupSums, Title: "directly", Looks: "Can the database be reached without a proxy? For your information, where it is asked through one."},
	{ID: "vcs-git", Group: groupVCS, Title: "git", Looks: "Is git there, where modules come from version control? Is ssh there, where git is told to use it? Are its certificates there?"},
	{ID: "vcs-repository", Group: groupVCS, Title: "repositories", Looks: "For one private module of go.mod from each host, and with GOPROXY=direct for a public one: the go-import page, and git ls-remote without a prompt."},
	{ID: "go-version", Group: groupSettings, Title: "version of Go", Looks: "Is it older than go1.26.6, which takes changed modules for good (CVE-2026-42501, CVE-2026-56864, CVE-2026-56865)?"},
}
