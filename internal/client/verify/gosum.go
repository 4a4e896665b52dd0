package verify

import (
	"bytes"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modcache"
)

// A line is one line of a go.sum or go.work.sum.
type line struct {
	file string
	at   int // from 1
	mod  module.Version
	// isMod: the hash is that of the go.mod alone, not of the zip.
	isMod bool
	hash  string
}

// what says what the hash of a line is of.
func (l line) what() string {
	if l.isMod {
		return "go.mod"
	}
	return "zip"
}

// found makes a finding of a rule at the line.
func (l line) found(rule, format string, args ...any) Finding {
	f := found(rule, l.file, l.at, format, args...)
	f.Module, f.Version = l.mod.Path, l.mod.Version
	return f
}

// droppedHash is the hash of an empty go.mod, which the go command takes for a mistake
// that it once made, and passes over.
//
// Source: cmd/go/internal/modfetch/fetch.go, emptyGoModHash.
const droppedHash = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

// parseSums reads a go.sum as the go command does, but goes on after a bad line, and
// tells of what the go command would bear in silence: lines that stand there twice.
func parseSums(file string, data []byte) (lines []line, findings []Finding) {
	if marks := conflictMarks(file, data); len(marks) > 0 {
		findings = marks
	}
	first := map[line]int{}
	at := 0
	for text := range bytes.Lines(data) {
		at++
		fields := strings.Fields(string(text))
		if len(fields) == 0 || isConflictMark(text) {
			continue
		}
		l, problem := parseLine(fields)
		if problem != "" {
			findings = append(findings, found(GosumMalformed, file, at, "%s: %s", problem, artifact.Clean(string(text), 120)))
			continue
		}
		if l.hash == droppedHash {
			continue
		}
		if before := first[l]; before > 0 {
			l.file, l.at = file, at
			findings = append(findings, l.found(GosumDuplicate, "%s %s stands in line %d, too", l.mod, l.what(), before))
			continue
		}
		first[l] = at
		l.file, l.at = file, at
		lines = append(lines, l)
	}
	return lines, findings
}

// parseLine reads the fields of one line. The place is left open.
func parseLine(fields []string) (l line, problem string) {
	if len(fields) != 3 {
		return l, "it has not three fields"
	}
	version, isMod := strings.CutSuffix(fields[1], "/go.mod")
	l = line{mod: module.Version{Path: fields[0], Version: version}, isMod: isMod, hash: fields[2]}
	switch {
	case module.CheckPath(l.mod.Path) != nil:
		return l, "it begins with no path of a module"
	case !artifact.IsCanonical(l.mod.Path, version):
		return l, "it has no version that the module may have"
	case !modcache.IsHash(l.hash):
		return l, "it has no hash of the form h1:…"
	}
	return l, ""
}

// conflictMarks finds the marks that version control leaves where it could not merge.
func conflictMarks(file string, data []byte) (findings []Finding) {
	at := 0
	for text := range bytes.Lines(data) {
		at++
		if isConflictMark(text) {
			findings = append(findings, found(MergeConflict, file, at, "an unfinished merge: %s", artifact.Clean(string(text), 60)))
		}
	}
	return findings
}

func isConflictMark(text []byte) bool {
	for _, mark := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return true
		}
	}
	return false
}

// checkSyntax reads all sums.
func (r *run) checkSyntax() {
	for _, s := range r.sums() {
		lines, findings := parseSums(s.name, s.data)
		r.lines = append(r.lines, lines...)
		r.add(findings...)
	}
	r.report.Lines = len(r.lines)
	r.checkConflicts()
}

// checkConflicts finds versions that have different hashes, also in different files.
func (r *run) checkConflicts() {
	type key struct {
		mod   module.Version
		isMod bool
	}
	first := map[key]line{}
	for _, l := range r.lines {
		k := key{l.mod, l.isMod}
		before, ok := first[k]
		if !ok {
			first[k] = l
			continue
		}
		if before.hash != l.hash {
			r.add(l.found(GosumConflict, "%s %s has the hash %s here and %s in line %d of %s", l.mod, l.what(), l.hash, before.hash, before.at, before.file))
		}
	}
}
