package modfiles

import (
	"bytes"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/modcache/check"
	"github.com/goweir/weir/internal/client/verify/finding"
)

// A Line is one line of a go.sum or go.work.sum.
type Line struct {
	File   string
	At     int // from 1
	Module module.Version
	// IsMod: the hash is that of the go.mod alone, not of the zip.
	IsMod bool
	Hash  string
}

// What says what the hash of a line is of.
func (l Line) What() string {
	if l.IsMod {
		return "go.mod"
	}
	return "zip"
}

// Found makes a finding of a rule at the line.
func (l Line) Found(rule, format string, args ...any) finding.Finding {
	f := finding.New(rule, l.File, l.At, format, args...)
	f.Module, f.Version = l.Module.Path, l.Module.Version
	return f
}

// droppedHash is the hash of an empty go.mod, which the go command takes for a mistake
// that it once made, and passes over.
//
// Source: cmd/go/internal/modfetch/fetch.go, emptyGoModHash.
const droppedHash = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

// parseSums reads a go.sum as the go command does, but goes on after a bad line, and
// tells of what the go command would bear in silence: lines that stand there twice.
func parseSums(file string, data []byte) (lines []Line, findings []finding.Finding) {
	findings = mergeMarks(file, data)
	first := map[Line]int{}
	at := 0
	for text := range bytes.Lines(data) {
		at++
		fields := strings.Fields(string(text))
		if len(fields) == 0 || isConflictMark(text) {
			continue
		}
		l, problem := ParseLine(fields)
		if problem != "" {
			findings = append(findings, finding.New(finding.GosumMalformed, file, at, "%s: %s", problem, artifact.Clean(string(text), 120)))
			continue
		}
		if l.Hash == droppedHash {
			continue
		}
		if before := first[l]; before > 0 {
			l.File, l.At = file, at
			findings = append(findings, l.Found(finding.GosumDuplicate, "%s %s stands in line %d, too", l.Module, l.What(), before))
			continue
		}
		first[l] = at
		l.File, l.At = file, at
		lines = append(lines, l)
	}
	return lines, findings
}

// ParseLine reads the fields of one line. The place is left open.
func ParseLine(fields []string) (l Line, problem string) {
	if len(fields) != 3 {
		return l, "it has not three fields"
	}
	version, isMod := strings.CutSuffix(fields[1], "/go.mod")
	l = Line{Module: module.Version{Path: fields[0], Version: version}, IsMod: isMod, Hash: fields[2]}
	switch {
	case module.CheckPath(l.Module.Path) != nil:
		return l, "it begins with no path of a module"
	case !artifact.IsCanonical(l.Module.Path, version):
		return l, "it has no version that the module may have"
	case !check.IsHash(l.Hash):
		return l, "it has no hash of the form h1:…"
	}
	return l, ""
}

// mergeMarks finds the marks that version control leaves where it could not merge.
func mergeMarks(file string, data []byte) (findings []finding.Finding) {
	at := 0
	for text := range bytes.Lines(data) {
		at++
		if isConflictMark(text) {
			findings = append(findings, finding.New(finding.MergeConflict, file, at, "an unfinished merge: %s", artifact.Clean(string(text), 60)))
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

// Lines are the lines of all go.sum and go.work.sum, with what is wrong about them as such.
func (p *Project) Lines() (lines []Line, findings []finding.Finding) {
	for _, s := range p.sums() {
		more, found := parseSums(s.Name, s.Data)
		lines, findings = append(lines, more...), append(findings, found...)
	}
	return lines, append(findings, contradictions(lines)...)
}

// contradictions finds versions that have different hashes, also in different files.
func contradictions(lines []Line) (findings []finding.Finding) {
	type key struct {
		mod   module.Version
		isMod bool
	}
	first := map[key]Line{}
	for _, l := range lines {
		k := key{l.Module, l.IsMod}
		before, ok := first[k]
		if !ok {
			first[k] = l
			continue
		}
		if before.Hash != l.Hash {
			findings = append(findings, l.Found(finding.GosumConflict, "%s %s has the hash %s here and %s in line %d of %s", l.Module, l.What(), l.Hash, before.Hash, before.At, before.File))
		}
	}
	return findings
}
