package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
)

// MaxLines is how many lines of a version list are read. The longest lists
// there are, of toolchains, have a tenth of it.
const MaxLines = 1 << 18

// Versions returns the versions that a list names: canonical ones that fit the
// major version of the module's path, without pseudo-versions, each once, in
// the order of semantic versioning. Lines that name none, and those after the
// first [MaxLines], are left out. What follows a version in its line is not
// looked at.
func Versions(mod string, list []byte) []string {
	var versions []string
	for line := range lines(list) {
		v := firstField(line)
		if artifact.IsCanonical(mod, v) && !module.IsPseudoVersion(v) {
			versions = append(versions, v)
		}
	}
	semver.Sort(versions)
	return slices.Compact(versions)
}

// CheckList reports what is wrong with an answer that should be a version list.
// Single lines that name no version are no reason, since the go command skips
// them; an answer that has no other lines is no list.
func CheckList(list []byte) error {
	if err := checkText(list, artifact.List); err != nil {
		return err
	}
	if bytes.Count(list, []byte("\n")) > MaxLines {
		return fmt.Errorf("the list has more than %d lines", MaxLines)
	}
	blank := true
	for line := range lines(list) {
		v := firstField(line)
		if semver.IsValid(v) {
			return nil
		}
		blank = blank && v == ""
	}
	if !blank {
		return errors.New("the list names no version, only other text")
	}
	return nil
}

// lines yields up to MaxLines lines.
func lines(text []byte) func(yield func(line []byte) bool) {
	return func(yield func([]byte) bool) {
		n := 0
		for line := range bytes.Lines(text) {
			if n++; n > MaxLines || !yield(line) {
				return
			}
		}
	}
}

// maxVersion is longer than any version that can be asked for.
const maxVersion = 256

func firstField(line []byte) string {
	for field := range bytes.FieldsSeq(line) {
		if len(field) > maxVersion {
			return "too long"
		}
		return string(field)
	}
	return ""
}
