// Package gosum reads lines of go.sum files, in which checksum databases answer, too.
//
// It says what a line means, and which the go command would refuse or pass over.
// Whether a hash is true is for others to say.
package gosum

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
)

// A Line is one hash of a version of a module.
type Line struct {
	Module module.Version
	IsMod  bool   // the hash is that of the go.mod alone, not of the zip
	Hash   string // "h1:…", or of a kind that a newer go command knows
}

// What says what the hash is of.
func (l Line) What() string {
	if l.IsMod {
		return "go.mod"
	}
	return "zip"
}

// String is the line as in the file, without its end.
func (l Line) String() string {
	version := l.Module.Version
	if l.IsMod {
		version += "/go.mod"
	}
	return l.Module.Path + " " + version + " " + l.Hash
}

// Known reports whether the hash is of the kind that go commands know today.
func (l Line) Known() bool { return strings.HasPrefix(l.Hash, "h1:") }

// emptyGoMod is the hash of an empty go.mod.
const emptyGoMod = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

// Ignored reports whether the go command passes over the line: for an empty go.mod it
// once wrote one by mistake.
//
// Source: cmd/go/internal/modfetch/fetch.go, emptyGoModHash.
func (l Line) Ignored() bool { return l.Hash == emptyGoMod }

// Contradicts reports whether another line has another hash of the same kind for the same.
func (l Line) Contradicts(other Line) bool {
	return l.Module == other.Module && l.IsMod == other.IsMod && l.Hash != other.Hash && l.Known() && other.Known()
}

// Parse reads a line. Its hash may be any word, as for the go command. The error says
// what is wrong with the line in the form of "it …".
func Parse(line string) (Line, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return Line{}, errors.New("it has not three fields, a module, a version and a hash")
	}
	version, isMod := strings.CutSuffix(fields[1], "/go.mod")
	l := Line{Module: module.Version{Path: fields[0], Version: version}, IsMod: isMod, Hash: fields[2]}
	if module.CheckPath(l.Module.Path) != nil {
		return Line{}, errors.New("it begins with no path of a module")
	}
	if !artifact.IsCanonical(l.Module.Path, version) {
		return Line{}, fmt.Errorf("it has no version that %s may have", l.Module.Path)
	}
	return l, nil
}

// Lines are the lines of a file that count. Others, such as the marks of an unfinished
// merge, are passed over: what is on either side of them counts.
func Lines(data []byte) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		for text := range strings.Lines(string(data)) {
			if l, err := Parse(text); err == nil && !l.Ignored() && !yield(l) {
				return
			}
		}
	}
}
