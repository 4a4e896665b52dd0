package walk

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/gosum"
	"github.com/goweir/weir/internal/h1"
)

// goSumLines are the lines of go.sum for what was fetched.
func (w *walk) goSumLines() []gosum.Line {
	var lines []gosum.Line
	if w.mod != nil {
		lines = append(lines, gosum.Line{Module: w.module, IsMod: true, Hash: h1.GoMod(w.mod)})
	}
	if w.zip != nil {
		n := artifact.Name{Kind: artifact.Zip, Module: w.module.Path, Version: w.module.Version}
		if sum, err := h1.Hash(n, bytes.NewReader(w.zip), int64(len(w.zip))); err == nil {
			lines = append(lines, gosum.Line{Module: w.module, Hash: sum})
		}
	}
	return lines
}

// contradicted is a line for the same file with another hash.
func contradicted(line gosum.Line, others []gosum.Line) bool {
	return !slices.Contains(others, line) && slices.ContainsFunc(others, line.Contradicts)
}

// compareWithGoSum compares with the go.sum of the folder.
func (w *walk) compareWithGoSum(context.Context) error {
	if w.settings.Folder.Dir == "" {
		return nil
	}
	recorded := w.settings.Folder.Sums()
	for _, line := range w.goSumLines() {
		if contradicted(line, recorded) {
			w.hop("go.sum", "hashes", check.Bad, "they differ")
			return settled{check.Trouble("go-sum-mismatch", fmt.Sprintf("%s has other bytes for %s than those that go.sum was made with", w.by.Name, w.module),
				"do not delete go.sum: find out with the checksum database who is right. A tag that was moved, or a proxy that was changed, does this").With("fetched: " + line.String())}
		}
	}
	return nil
}

// prove compares with the checksum database.
func (w *walk) prove(ctx context.Context) error {
	if !w.sums.Hears(w.module.Path) || !artifact.IsCanonical(w.module.Path, w.module.Version) {
		return nil
	}
	if r := w.sums.Way(ctx); r.State == check.Bad {
		w.hop(w.sums.Name(), "supported", check.Bad, r.Summary)
		return settled{r}
	}
	lines, r := w.sums.Lookup(ctx, w.module)
	if r.State == check.Bad {
		w.hop(w.sums.Name(), "lookup", check.Bad, r.Summary)
		if r.Kind == "not-in-sumdb" {
			r = w.notProven(r)
		}
		return settled{r}
	}
	for _, line := range w.goSumLines() {
		if contradicted(line, lines) {
			w.hop(w.sums.Name(), "hashes", check.Bad, "they differ")
			return settled{check.Trouble("sumdb-mismatch", fmt.Sprintf("%s has other bytes for %s than the checksum database", w.by.Name, w.module),
				"have the version fetched anew there; if it stays so, ask another proxy and tell the author: the tag may have been moved").With("fetched: " + line.String())}
		}
	}
	w.hop(w.sums.Name(), "lookup", check.OK, "proven, "+w.sums.Route())
	return nil
}

// notProven is a module that can be fetched, but that the checksum database does not
// know: as a rule it is private.
func (w *walk) notProven(r check.Result) check.Result {
	pattern := w.module.Path
	if prefix, _, ok := module.SplitPathVersion(w.module.Path); ok {
		pattern = prefix
	}
	return check.Trouble("pattern-missing", fmt.Sprintf("%s can be fetched, but %s does not know it: it seems to be private, and GOPRIVATE does not say so", w.module, w.sums.Name()),
		"name it, or its host, in GOPRIVATE", w.settings.MakePrivate(pattern)).With(r.Evidence...)
}
