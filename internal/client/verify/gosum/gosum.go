// Package gosum reads the lines of go.sum and go.work.sum, and compares them with all who
// know better: the checksum database, the module cache, and the bytes that proxies and
// version control serve.
//
// It promises to go on after a bad line, to tell of every line that could not be compared
// and why, and that no checksum database hears of a module that the settings of the go
// command keep from it.
//
// Sources: the Go Modules Reference, "go.sum files"; cmd/go/internal/modfetch/fetch.go,
// readGoSum.
package gosum

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

// what says what the hash of a line is of.
func (l Line) what() string {
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

// Read reads a go.sum as the go command does, but goes on after a bad line, and
// tells of what the go command would bear in silence: lines that stand there twice.
func Read(file string, data []byte) (lines []Line, findings []finding.Finding) {
	findings = MergeMarks(file, data)
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
			findings = append(findings, l.Found(finding.GosumDuplicate, "%s %s stands in line %d, too", l.Module, l.what(), before))
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

// MergeMarks finds the marks that version control leaves where it could not merge.
func MergeMarks(file string, data []byte) (findings []finding.Finding) {
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

// Contradictions finds versions that have different hashes, also in different files.
func Contradictions(lines []Line) (findings []finding.Finding) {
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
			findings = append(findings, l.Found(finding.GosumConflict, "%s %s has the hash %s here and %s in line %d of %s", l.Module, l.what(), l.Hash, before.Hash, before.At, before.File))
		}
	}
	return findings
}
