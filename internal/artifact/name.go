// Package artifact names every file of the module proxy protocol.
//
// A [Name] is what a client asks for, what the cache files it under, what an
// upstream is asked for and what logs and metrics speak of: version lists,
// @latest, .info, .mod and .zip of a version, branch queries, and the paths of
// checksum databases. [Parse] is the one way in from outside: what it returns
// is valid by the rules of golang.org/x/mod/module, has exactly one spelling
// ([Name.Key]) and cannot leave a directory tree. What it refuses is no
// artifact at all, for which the answer is "not found" ([ErrNotFound]) and
// never a request to an upstream.
//
// The package also holds the one table between errors and HTTP statuses
// ([Status], [FromStatus]). It does no input or output.
//
// Sources: the Go Modules Reference, sections "GOPROXY protocol" and "Checksum
// database"; golang.org/x/mod/module; cmd/go/internal/modfetch/proxy.go.
package artifact

import (
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/tlog"
)

// Kind says which file of the protocol a Name stands for.
type Kind uint8

// The kinds of artifacts. The zero Kind is none of them.
const (
	List         Kind = iota + 1 // <module>/@v/list: the known versions
	Latest                       // <module>/@latest: the .info of the newest version
	Query                        // <module>/@v/<branch, tag or commit>.info: resolved by the source
	Info                         // <module>/@v/<version>.info
	Mod                          // <module>/@v/<version>.mod
	Zip                          // <module>/@v/<version>.zip
	SumSupported                 // sumdb/<database>/supported: may the database be asked here?
	SumLatest                    // sumdb/<database>/latest: the newest signed tree head
	SumLookup                    // sumdb/<database>/lookup/<module>@<version>
	SumTile                      // sumdb/<database>/tile/<height>/<level>/<number>
	kinds                        // how many there are
)

// Kinds are all kinds, for those who make a table of them.
func Kinds() []Kind {
	all := make([]Kind, 0, kinds-1)
	for k := List; k < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// String returns a short name that is fit for logs and metric labels.
func (k Kind) String() string {
	if k >= kinds {
		return kindNames[0]
	}
	return kindNames[k]
}

var kindNames = [kinds]string{"none", "list", "latest", "query", "info", "mod", "zip", "sumdb-supported", "sumdb-latest", "sumdb-lookup", "sumdb-tile"}

// ContentType is the media type an artifact of this kind is served with.
func (k Kind) ContentType() string {
	switch k {
	case Latest, Query, Info:
		return "application/json"
	case Zip:
		return "application/zip"
	case SumTile:
		return "application/octet-stream"
	default:
		return "text/plain; charset=utf-8"
	}
}

// MaxSize is the largest artifact of this kind that is accepted, in bytes. The
// limits of .mod and .zip are those of golang.org/x/mod/zip.
func (k Kind) MaxSize() int64 {
	switch k {
	case Zip:
		return 500 << 20
	case Mod, List, SumTile:
		return 16 << 20
	default:
		return 1 << 20
	}
}

// IsSum reports whether the kind belongs to a checksum database.
func (k Kind) IsSum() bool { return k >= SumSupported && k <= SumTile }

// A Name is the name of one artifact. Names are comparable; two names are the
// same artifact exactly when they are equal.
type Name struct {
	Kind    Kind
	Module  string // module path, unescaped; empty for most paths of checksum databases
	Version string // canonical version for Info, Mod, Zip and SumLookup; the query for Query
	DB      string // name of the checksum database, for the Sum kinds
	Tile    string // path of the tile from "tile/" on, for SumTile
}

// maxKey and maxElem bound the length of names, so that each can be a file on
// any file system with room for the suffix of a temporary file.
const (
	maxKey  = 1024
	maxElem = 240
)

// Parse reads the decoded path of a request, without leading slash and without
// the prefix the server lives under. Errors match [ErrNotFound] and say what is
// wrong with the path.
func Parse(path string) (Name, error) {
	if len(path) > maxKey {
		return Name{}, malformed("the path is longer than 1024 bytes")
	}
	if rest, ok := strings.CutPrefix(path, "sumdb/"); ok {
		return parseSum(rest)
	}
	if escaped, ok := strings.CutSuffix(path, "/@latest"); ok {
		mod, err := unescapePath(escaped)
		return Name{Kind: Latest, Module: mod}, err
	}
	escaped, file, ok := strings.Cut(path, "/@v/")
	if !ok {
		return Name{}, malformed("the path has neither /@v/ nor /@latest")
	}
	mod, err := unescapePath(escaped)
	if err != nil {
		return Name{}, err
	}
	if file == "list" {
		return Name{Kind: List, Module: mod}, nil
	}
	return parseVersionFile(mod, file)
}

// parseVersionFile reads the part of a path after /@v/.
func parseVersionFile(mod, file string) (Name, error) {
	dot := strings.LastIndexByte(file, '.')
	if dot < 0 {
		return Name{}, malformed("the file after /@v/ has no known ending")
	}
	version, err := unescapeVersion(file[:dot])
	if err != nil {
		return Name{}, err
	}
	n := Name{Module: mod, Version: version}
	switch file[dot:] {
	case ".info":
		n.Kind = Info
	case ".mod":
		n.Kind = Mod
	case ".zip":
		n.Kind = Zip
	default:
		return Name{}, malformed("the file after /@v/ has no known ending")
	}
	if IsCanonical(mod, version) {
		return n, nil
	}
	if n.Kind != Info {
		return Name{}, malformed("only canonical versions that fit the module path have a " + n.Kind.String() + " file")
	}
	if resolvedByClient(version) {
		return Name{}, malformed("the go command resolves the query \"" + version + "\" by itself, from the version list")
	}
	n.Kind = Query
	return n, nil
}

// IsCanonical reports whether version is a canonical version that a module of
// this path may have, as in v1.2.3, v2.0.0+incompatible or a pseudo-version.
func IsCanonical(mod, version string) bool {
	if module.CanonicalVersion(version) != version || !semver.IsValid(version) {
		return false
	}
	_, major, ok := module.SplitPathVersion(mod)
	if !ok || module.CheckPathMajor(version, major) != nil {
		return false
	}
	if semver.Build(version) == "" {
		return true
	}
	// +incompatible: a path without major, a version with one above v1.
	return major == "" && semver.Compare(version, "v2.0.0-0") >= 0
}

// resolvedByClient reports whether the go command never asks a proxy for the
// query, so that an answer could only be a branch of a misleading name.
func resolvedByClient(query string) bool {
	switch query {
	case "latest", "upgrade", "patch", "none":
		return true
	}
	return false
}

// parseSum reads the part of a path after sumdb/. Names of databases may hold
// slashes, so the operation is looked for from the end where it stands at the
// end, and the rest is the name.
func parseSum(rest string) (Name, error) {
	if db, ok := strings.CutSuffix(rest, "/supported"); ok {
		return sumName(Name{Kind: SumSupported, DB: db})
	}
	if db, ok := strings.CutSuffix(rest, "/latest"); ok {
		return sumName(Name{Kind: SumLatest, DB: db})
	}
	if db, what, ok := strings.Cut(rest, "/lookup/"); ok {
		return parseLookup(db, what)
	}
	if db, what, ok := strings.Cut(rest, "/tile/"); ok {
		return parseTile(db, "tile/"+what)
	}
	return Name{}, malformed("the checksum database path is none of supported, latest, lookup and tile")
}

func parseLookup(db, what string) (Name, error) {
	escPath, escVersion, ok := strings.Cut(what, "@")
	if !ok {
		return Name{}, malformed("the lookup has no @version")
	}
	mod, err := unescapePath(escPath)
	if err != nil {
		return Name{}, err
	}
	version, err := unescapeVersion(escVersion)
	if err != nil {
		return Name{}, err
	}
	if !IsCanonical(mod, version) {
		return Name{}, malformed("the checksum database holds canonical versions only")
	}
	return sumName(Name{Kind: SumLookup, DB: db, Module: mod, Version: version})
}

func parseTile(db, tile string) (Name, error) {
	t, err := tlog.ParseTilePath(tile)
	if err != nil || t.Path() != tile {
		return Name{}, malformed("the tile path is not of the form tile/H/L/K or tile/H/L/K.p/W")
	}
	return sumName(Name{Kind: SumTile, DB: db, Tile: tile})
}

// sumName checks the database's name, which becomes part of a storage key.
func sumName(n Name) (Name, error) {
	if module.CheckImportPath(n.DB) != nil || strings.ToLower(n.DB) != n.DB || strings.Contains(n.DB, "@") {
		return Name{}, malformed("the name of the checksum database is not of the form host[/path]")
	}
	return n, nil
}

func unescapePath(escaped string) (string, error) {
	mod, err := module.UnescapePath(escaped)
	if err != nil {
		return "", malformed("the module path is malformed: capital letters are written !a, and each element follows the rules of go.dev/ref/mod#go-mod-file-ident")
	}
	for elem := range strings.SplitSeq(escaped, "/") {
		if len(elem) > maxElem {
			return "", malformed("an element of the module path is longer than 240 bytes")
		}
	}
	return mod, nil
}

func unescapeVersion(escaped string) (string, error) {
	version, err := module.UnescapeVersion(escaped)
	if err != nil || strings.HasPrefix(version, "-") || len(escaped) > maxElem {
		return "", malformed("the version is malformed")
	}
	return version, nil
}

// Key is the artifact's path in the protocol, in its escaped form and without
// leading slash. It is also the key it is stored under: two names never have
// keys that differ in the case of letters only.
func (n Name) Key() string {
	switch n.Kind {
	case List:
		return escapePath(n.Module) + "/@v/list"
	case Latest:
		return escapePath(n.Module) + "/@latest"
	case Query, Info:
		return escapePath(n.Module) + "/@v/" + escapeVersion(n.Version) + ".info"
	case Mod:
		return escapePath(n.Module) + "/@v/" + escapeVersion(n.Version) + ".mod"
	case Zip:
		return escapePath(n.Module) + "/@v/" + escapeVersion(n.Version) + ".zip"
	case SumSupported:
		return "sumdb/" + n.DB + "/supported"
	case SumLatest:
		return "sumdb/" + n.DB + "/latest"
	case SumLookup:
		return "sumdb/" + n.DB + "/lookup/" + escapePath(n.Module) + "@" + escapeVersion(n.Version)
	case SumTile:
		return "sumdb/" + n.DB + "/" + n.Tile
	default:
		return ""
	}
}

// Names are valid by construction, so that escaping cannot fail; a Name made by
// hand from an invalid path yields a key that no Parse accepts. Most paths have
// no capital and are what they are, which saves checking them once more.
func escapePath(mod string) string {
	if !hasCapital(mod) {
		return mod
	}
	esc, err := module.EscapePath(mod)
	if err != nil {
		return "!"
	}
	return esc
}

func escapeVersion(version string) string {
	if !hasCapital(version) {
		return version
	}
	esc, err := module.EscapeVersion(version)
	if err != nil {
		return "!"
	}
	return esc
}

func hasCapital(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// String describes the artifact to a person, as in
// "golang.org/x/mod@v0.40.0 (zip)".
func (n Name) String() string {
	switch n.Kind {
	case List, Latest:
		return n.Module + " (" + n.Kind.String() + ")"
	case Query, Info, Mod, Zip:
		return n.Module + "@" + n.Version + " (" + n.Kind.String() + ")"
	case SumLookup:
		return n.DB + ": lookup of " + n.Module + "@" + n.Version
	case SumTile:
		return n.DB + ": " + n.Tile
	default:
		return n.DB + " (" + n.Kind.String() + ")"
	}
}

// Immutable reports whether the bytes of the artifact never change: the files
// of a canonical version, records of a checksum database and its full tiles.
func (n Name) Immutable() bool {
	switch n.Kind {
	case Info, Mod, Zip, SumLookup:
		return true
	case SumTile:
		return !strings.Contains(n.Tile, ".p/")
	default:
		return false
	}
}

// Sibling is another file of the same module and version.
func (n Name) Sibling(k Kind) Name { return Name{Kind: k, Module: n.Module, Version: n.Version} }

// Impossible reports whether no public module can have this path, because the
// code host it starts with has repositories only two levels below. The go
// command asks for such paths when it looks for the module of a package.
//
// Source: the table vcsPaths in cmd/go/internal/vcs/vcs.go.
func (n Name) Impossible() bool {
	host, rest, _ := strings.Cut(n.Module, "/")
	switch host {
	case "github.com", "bitbucket.org":
		return !strings.Contains(rest, "/")
	}
	return false
}
