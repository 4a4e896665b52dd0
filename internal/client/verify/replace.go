package verify

import (
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
)

// checkReplacements finds replacements that others do not have, or that may vanish.
func (r *run) checkReplacements() {
	repository := r.Repository()
	check := func(file string, all []*modfile.Replace) {
		for _, replace := range all {
			r.checkReplacement(repository, file, replace)
		}
	}
	if r.Work != nil && r.Work.File != nil {
		check(r.Work.Name, r.Work.File.Replace)
	}
	for _, m := range r.Members {
		if m.Mod != nil {
			check(m.Name, m.Mod.Replace)
		}
	}
}

func (r *run) checkReplacement(repository, file string, replace *modfile.Replace) {
	by, at := replace.New, replace.Syntax.Start.Line
	var f finding.Finding
	switch {
	case by.Version == "":
		f = r.localReplacement(repository, file, replace)
	case !artifact.IsCanonical(by.Path, by.Version):
		f = finding.New(finding.ReplaceUnpinned, file, at, "%s is replaced by whatever %s of %s is at the moment", replace.Old.Path, by.Version, by.Path)
		f.Severity = finding.Error
	case module.IsPseudoVersion(by.Version):
		f = finding.New(finding.ReplaceUnpinned, file, at, "%s is replaced by a commit of %s, %s, that no release contains", replace.Old.Path, by.Path, by.Version)
	default:
		return
	}
	f.Module, f.Version = replace.Old.Path, replace.Old.Version
	r.add(f)
}

func (r *run) localReplacement(repository, file string, replace *modfile.Replace) finding.Finding {
	at := replace.Syntax.Start.Line
	dir := filepath.FromSlash(replace.New.Path)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(r.Abs(file)), dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return finding.New(finding.ReplaceMissing, file, at, "%s is replaced by %s, where there is no go.mod", replace.Old.Path, replace.New.Path)
	}
	if modfiles.IsIn(dir, repository) {
		return finding.New(finding.ReplaceLocal, file, at, "%s is replaced by %s", replace.Old.Path, replace.New.Path)
	}
	return finding.New(finding.ReplaceOutside, file, at, "%s is replaced by %s, which is outside the repository", replace.Old.Path, replace.New.Path)
}
