// Package repository follows the go command to where modules come from without a proxy: version
// control.
//
// It finds the repository of a module, by its path or by the go-import page of its host, looks
// whether GOVCS allows what is needed there, and asks git for its tags. What stops it on the way
// it explains, as far as git says enough. Nobody is asked for a password, nothing is cloned, and
// pages are asked for over https, except where GOINSECURE says otherwise.
//
// Sources: the Go Modules Reference, "Finding a repository for a module path"; cmd/go/internal/vcs.
package repository

import (
	"context"
	"fmt"
	"os/exec"
	slashpath "path"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/client/govars"
)

// A Finder follows the go command to repositories.
type Finder struct {
	settings *settings.Settings
	visitor  *visit.Visitor
	adviser  *advice.Adviser
}

// New returns a Finder.
func New(s *settings.Settings, v *visit.Visitor, a *advice.Adviser) *Finder {
	return &Finder{s, v, a}
}

// Checks are those of what version control needs, where it is used. One module is left out,
// since it is looked at elsewhere.
func (f *Finder) Checks(leftOut string) []*check.Check {
	if !f.isUsed() {
		return nil
	}
	git := &check.Check{ID: "vcs-git", Run: f.checkGit}
	checks := []*check.Check{git}
	for _, path := range f.samples(leftOut) {
		checks = append(checks, &check.Check{ID: "vcs-repository", Subject: path, After: []*check.Check{git}, Run: func(ctx context.Context) check.Result {
			return f.Follow(ctx, path, "", func(string, string, check.State, string) {})
		}})
	}
	return checks
}

// samples are modules that come from version control, one from each host.
func (f *Finder) samples(leftOut string) []string {
	if f.settings.GOPROXY() == "direct" {
		return []string{f.settings.Probe.Path}
	}
	var paths []string
	const enough = 3
	hosts := map[string]bool{}
	for _, r := range f.settings.Folder.Requirements() {
		host, _, _ := strings.Cut(r.Path, "/")
		if !f.settings.IsPrivate(r.Path) || hosts[host] || len(hosts) == enough || r.Path == leftOut {
			continue
		}
		hosts[host] = true
		paths = append(paths, r.Path)
	}
	return paths
}

// isUsed reports whether some modules come from version control.
func (f *Finder) isUsed() bool {
	return f.isNeeded() || slices.ContainsFunc(f.settings.Entries, func(e settings.Entry) bool { return e.Direct })
}

// isNeeded reports whether nothing else has some modules.
func (f *Finder) isNeeded() bool {
	private := f.settings.Patterns("GONOPROXY")
	return f.settings.GOPROXY() == "direct" || private != "" && private != "none"
}

// Follow follows the way to the repository of a module, and to a version there if one is
// named. Each step that is taken is noted: who is asked, what for, and what came of it.
func (f *Finder) Follow(ctx context.Context, path, version string, note func(who, what string, state check.State, text string)) check.Result {
	at, r := f.discover(ctx, path, note)
	if r.State == check.Bad {
		return r
	}
	if at.vcs == "mod" {
		return check.Well("its host says that it is at the proxy " + govars.RedactURL(at.url))
	}
	if !f.settings.AllowsVCS(at.prefix, at.vcs) {
		r := check.Trouble("govcs-forbids", fmt.Sprintf("%s forbids %s for %s", f.settings.From("GOVCS"), at.vcs, at.prefix), "allow it",
			f.settings.Set("GOVCS", strings.TrimSuffix(at.prefix+":"+at.vcs+","+f.settings.Value("GOVCS"), ",")))
		note(at.vcs, "", r.State, r.Summary)
		return r
	}
	if at.vcs != "git" {
		if _, err := exec.LookPath(at.vcs); err != nil {
			r := check.Trouble("vcs-missing", fmt.Sprintf("%s is in a repository of %s, which is not in PATH", path, at.vcs), "install it")
			note(at.vcs, "", r.State, r.Summary)
			return r
		}
		return check.Well("in a repository of " + at.vcs)
	}
	refs, r := f.lsRemote(ctx, at)
	if r.State == check.OK {
		r = at.find(path, version, refs)
	}
	note("git", "ls-remote", r.State, r.Summary)
	return r
}

// dir is the folder of a module in the repository, which its tags begin with.
//
// Source: cmd/go/internal/modfetch/coderepo.go, newCodeRepo.
func (at place) dir(path string) string {
	dir := ""
	if path != at.prefix { // which may have the major version at its end, as those of gopkg.in
		prefix, _, _ := module.SplitPathVersion(path)
		dir = strings.Trim(strings.TrimPrefix(prefix, at.prefix), "/")
	}
	return slashpath.Join(dir, at.subdir)
}

// find looks for the tag of a version.
func (at place) find(path, version, refs string) check.Result {
	if version == "" || !semver.IsValid(version) || module.IsPseudoVersion(version) {
		return check.Well("the repository answers")
	}
	tag := strings.TrimSuffix(slashpath.Join(at.dir(path), version), "+incompatible")
	for line := range strings.Lines(refs) {
		if _, ref, _ := strings.Cut(strings.TrimSpace(line), "\t"); ref == "refs/tags/"+tag {
			return check.Well("the repository has the tag " + tag)
		}
	}
	return check.Trouble("unknown-version", fmt.Sprintf("the repository %s has no tag %s", govars.RedactURL(at.url), tag), "push the tag, or ask for a version that exists", check.ByHand("git ls-remote --tags "+check.Quote(govars.RedactURL(at.url))))
}
