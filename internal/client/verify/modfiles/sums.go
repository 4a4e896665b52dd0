package modfiles

import (
	"bytes"
	"errors"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/gosum"
	"github.com/goweir/weir/internal/h1"
)

// A Line is one line of a go.sum or go.work.sum.
type Line struct {
	gosum.Line
	File string
	At   int // from 1
}

// Found makes a finding of a rule at the line.
func (l Line) Found(rule, format string, args ...any) finding.Finding {
	f := finding.New(rule, l.File, l.At, format, args...)
	f.Module, f.Version = l.Module.Path, l.Module.Version
	return f
}

// parseSums reads a go.sum as the go command does, but goes on after a bad line, and
// tells of what the go command would bear in silence: lines that stand there twice.
func parseSums(file string, data []byte) (lines []Line, findings []finding.Finding) {
	findings = mergeMarks(file, data)
	first := map[gosum.Line]int{}
	at := 0
	for text := range bytes.Lines(data) {
		at++
		if len(bytes.TrimSpace(text)) == 0 || isConflictMark(text) {
			continue
		}
		hash, err := gosum.Parse(string(text))
		if err == nil && !h1.Is(hash.Hash) {
			err = errors.New("it has no hash of the form h1:…")
		}
		if err != nil {
			findings = append(findings, finding.New(finding.GosumMalformed, file, at, "%s: %s", err, artifact.Clean(string(text), 120)))
			continue
		}
		if hash.Ignored() {
			continue
		}
		l := Line{Line: hash, File: file, At: at}
		if before := first[hash]; before > 0 {
			findings = append(findings, l.Found(finding.GosumDuplicate, "%s %s stands in line %d, too", l.Module, l.What(), before))
			continue
		}
		first[hash] = at
		lines = append(lines, l)
	}
	return lines, findings
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
