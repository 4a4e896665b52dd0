package project

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/gosum"
	"github.com/goweir/weir/internal/h1"
)

// sums are the lines of go.sum that are about go.mod files: hashes by module version.
type sums map[module.Version][]string

func (p *Project) addSums(file string) error {
	data, err := ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for l := range gosum.Lines(data) {
		if l.IsMod {
			p.sums[l.Module] = append(p.sums[l.Module], l.Hash)
		}
	}
	return nil
}

// CheckSum compares the go.mod of a version with the lines of go.sum about it, if there
// are any. where says where it comes from.
func (p *Project) CheckSum(m module.Version, data []byte, where string) error {
	lines := p.sums[m]
	if len(lines) == 0 {
		return nil
	}
	sum := h1.GoMod(data)
	if slices.Contains(lines, sum) {
		return nil
	}
	return &artifact.Error{
		Class: artifact.ErrIntegrity,
		Reason: fmt.Sprintf("the go.mod of %s is not the one that go.sum knows: %s has %s, go.sum says %s",
			Format(m), where, sum, strings.Join(lines, ", ")),
		Hint: "one of them was changed. Look where the line of go.sum comes from (git log -S); do not just delete it",
	}
}
