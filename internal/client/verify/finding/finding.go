// Package finding is what checks of a project find, as values: the rules that it can
// break, where it does, how bad that is and what to do; and as SARIF, for the tools that
// show such findings beside the code.
//
// It promises that the IDs of rules stay what they are, since people name them in the
// settings of such tools, and that what others have said is shown without their secrets.
package finding

import (
	"fmt"
	"regexp"

	"github.com/goweir/weir/internal/artifact"
)

// A Severity says how bad a finding is.
type Severity int

// The severities, the worst last.
const (
	None    Severity = iota
	Note             // good to know
	Warning          // others may get something else, or the project is not tidy
	Error            // wrong, or unproven although it should be proven
)

var severities = [...]string{"none", "note", "warning", "error"}

// String is the name of the severity, which is the level in SARIF, too.
func (s Severity) String() string { return severities[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It does not know none.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severities {
		if name == string(text) && Severity(i) != None {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of error, warning and note", text)
}

// A Finding is one thing that is not as it should be.
type Finding struct {
	Rule     string   `json:"rule"` // ID of the rule
	Severity Severity `json:"severity"`
	File     string   `json:"file"` // with slashes, relative to the project
	Line     int      `json:"line"` // from 1
	Module   string   `json:"module,omitempty"`
	Version  string   `json:"version,omitempty"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"` // what to do
}

// A Rule is what findings are about.
type Rule struct {
	ID       string
	Severity Severity // of most findings
	Title    string
	Hint     string // what to do, unless the finding knows better
}

// IDs of rules.
const (
	MergeConflict    = "merge-conflict"
	GosumMalformed   = "gosum-malformed"
	GosumDuplicate   = "gosum-duplicate"
	GosumConflict    = "gosum-conflict"
	GosumDatabase    = "gosum-database"
	GosumUnknown     = "gosum-unknown"
	GosumProxy       = "gosum-proxy"
	GosumCache       = "gosum-cache"
	GosumMissing     = "gosum-missing"
	GosumUnused      = "gosum-unused"
	CacheDamaged     = "cache-damaged"
	GomodMalformed   = "gomod-malformed"
	GomodUntidy      = "gomod-untidy"
	Readonly         = "readonly"
	ReplaceOutside   = "replace-outside"
	ReplaceMissing   = "replace-missing"
	ReplaceUnpinned  = "replace-unpinned"
	ReplaceLocal     = "replace-local"
	VendorOutOfStep  = "vendor-out-of-step"
	VendorChanged    = "vendor-changed"
	SettingModMod    = "setting-mod"
	SettingNoSumDB   = "setting-sumdb-off"
	SettingPublic    = "setting-public-unproven"
	NotChecked       = "not-checked"
	WorkspaceMissing = "workspace-missing"
)

// Rules are all rules.
func Rules() []Rule {
	return []Rule{
		{MergeConflict, Error, "The marks of an unfinished merge are in the file", "finish the merge: keep the lines of both sides, remove the marks, then run go mod tidy"},
		{GosumMalformed, Error, "A line is not of the form module version hash", "remove the line, then run go mod tidy"},
		{GosumDuplicate, Warning, "A line stands there twice", "remove one of them, or run go mod tidy"},
		{GosumConflict, Error, "Two lines give one version different hashes", "find out which one the checksum database has, remove the other, and ask where it came from"},
		{GosumDatabase, Error, "A hash differs from the one in the checksum database", "do not build: whoever wrote this line had other bytes than the rest of the world; find out from where, then remove the line and run go mod tidy with GOSUMDB on"},
		{GosumUnknown, Error, "The checksum database does not know the version", "if the module is private, set GOPRIVATE to a pattern that matches it; else its version or repository has gone, and go.sum cannot be proven"},
		{GosumProxy, Error, "A proxy serves other bytes than go.sum has a hash for", "do not build from there: the tag was moved, or the proxy has changed the module; compare with another proxy"},
		{GosumCache, Error, "A hash differs from what the module cache holds", "if the checksum database agrees with go.sum, the cache was filled from a bad source: go clean -modcache; else find out who wrote the line"},
		{GosumMissing, Error, "A line is missing", "run go mod tidy"},
		{GosumUnused, Warning, "Nothing needs the line", "run go mod tidy"},
		{CacheDamaged, Error, "What the module cache holds is damaged or was edited", "weir clean --repair --yes removes it, and the next go command fetches it again"},
		{GomodMalformed, Error, "The file cannot be read by the go command", "correct the line"},
		{GomodUntidy, Warning, "go mod tidy would change go.mod", "run go mod tidy"},
		{Readonly, Error, "A build that must not change go.mod and go.sum fails", "run go mod tidy"},
		{ReplaceOutside, Error, "A replacement is a folder outside the repository", "others do not have this folder: publish a version of the module, or use a go.work that is not committed"},
		{ReplaceMissing, Error, "A replacement is a folder that is not there", "correct the path, or remove the replace"},
		{ReplaceUnpinned, Warning, "A replacement is a commit or a branch, not a release", "tag a release of the fork: commits vanish when a branch is rebased or deleted"},
		{ReplaceLocal, Note, "A replacement is a folder of the repository", ""},
		{VendorOutOfStep, Error, "vendor/modules.txt contradicts go.mod", "run go mod vendor, or in a workspace go work vendor"},
		{VendorChanged, Error, "A vendored file is not the one of the module", "run go mod vendor, or in a workspace go work vendor; if the change is wanted, keep it in a fork, with a replace"},
		{SettingModMod, Warning, "GOFLAGS lets every build change go.mod and go.sum", "go env -u GOFLAGS, or take -mod=mod out of it"},
		{SettingNoSumDB, Warning, "The checksum database is turned off", "go env -u GOSUMDB, and set GOPRIVATE to what is private"},
		{SettingPublic, Warning, "A pattern keeps public modules from the checksum database", "make the pattern narrower, such as github.com/your-company/*"},
		{NotChecked, Error, "Something could not be checked", "make it reachable and run this again; until then nothing is known"},
		{WorkspaceMissing, Error, "A module of the workspace is not there", "correct go.work: go work edit -dropuse=DIR"},
	}
}

// rulesByID are the rules by their IDs.
var rulesByID = func() map[string]Rule {
	all := map[string]Rule{}
	for _, rule := range Rules() {
		all[rule.ID] = rule
	}
	return all
}()

// New makes a finding of a rule, in a line from 1 on; there is no line 0.
func New(rule, file string, line int, format string, args ...any) Finding {
	r := rulesByID[rule]
	return Finding{Rule: rule, Severity: r.Severity, File: file, Line: max(line, 1), Message: fmt.Sprintf(format, args...), Hint: r.Hint}
}

// Shown is a text of somebody else as it may be shown: one line, not too long, and
// without the secrets that URLs may have before the host.
func Shown(text string) string {
	return artifact.Clean(userinfo.ReplaceAllString(text, "://"), 400)
}

var userinfo = regexp.MustCompile(`://[^/\s@]+@`)
