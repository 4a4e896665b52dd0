// Package walk follows the way that the go command takes to a module, step by step, to the end or
// to where it breaks, and says why it breaks there.
//
// It asks the entries of GOPROXY in their order, with "," and "|", goes on to version control
// where the list says so, and compares what it fetches with go.sum and with the checksum database.
// If nobody knows the module, it looks whether another one is meant. A module that is private is
// named to no proxy and to no checksum database. Nothing that is fetched is kept.
package walk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/proxy"
	"github.com/goweir/weir/internal/client/doctor/repository"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/sums"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/source"
)

// A Hop is one step on the way to a module.
type Hop struct {
	Where string      `json:"where"` // whom the go command asks
	What  string      `json:"what"`  // what for
	State check.State `json:"state"` // Skipped: it goes on to the next
	Text  string      `json:"text"`
}

// A Walker knows the machine that walks begin at.
type Walker struct {
	settings     *settings.Settings
	proxies      []*proxy.Proxy
	sums         *sums.Database
	repositories *repository.Finder
}

// New returns a Walker.
func New(s *settings.Settings, proxies []*proxy.Proxy, db *sums.Database, repositories *repository.Finder) *Walker {
	return &Walker{s, proxies, db, repositories}
}

// patience is how many times the bound of a check a walk may take: it has many steps.
const patience = 4

// To is the walk to a module, to the end or to where the way breaks. Without a version it is
// that which the go command would take. The steps are in hops when it has run.
func (w *Walker) To(m module.Version, hops *[]Hop) *check.Check {
	return &check.Check{ID: "module", Subject: m.String(), Patience: patience, Run: func(ctx context.Context) check.Result {
		way := w.begin(m)
		r := way.take(ctx, way.checkName, way.goPrivate, way.resolve, way.fetchMod, way.fetchZip, way.compareWithGoSum, way.prove)
		*hops = way.hops
		return r
	}}
}

// A walk is the way that the go command takes to a module.
type walk struct {
	*Walker
	module module.Version
	hops   []Hop
	direct bool         // version control has it
	by     *proxy.Proxy // which brought it last
	mod    []byte
	zip    []byte
}

func (w *Walker) begin(m module.Version) *walk { return &walk{Walker: w, module: m} }

// settled is the end of a walk, and what came of it.
type settled struct{ check.Result }

func (settled) Error() string { return "the walk is at its end" }

// take takes some steps.
func (w *walk) take(ctx context.Context, steps ...func(context.Context) error) check.Result {
	for _, step := range steps {
		if end, ok := errors.AsType[settled](step(ctx)); ok {
			return end.Result
		}
	}
	return check.Well(w.module.String() + " can be fetched")
}

// hop notes a step.
func (w *walk) hop(where, what string, state check.State, text string) {
	w.hops = append(w.hops, Hop{where, what, state, text})
}

// checkName looks whether the version fits the path.
func (w *walk) checkName(context.Context) error {
	if !semver.IsValid(w.module.Version) || module.CanonicalVersion(w.module.Version) != w.module.Version || artifact.IsCanonical(w.module.Path, w.module.Version) {
		return nil
	}
	prefix, _, _ := module.SplitPathVersion(w.module.Path)
	fitting := prefix
	if major := semver.Major(w.module.Version); major != "v0" && major != "v1" {
		fitting += "/" + major
	}
	w.hop("go", "version", check.Bad, w.module.Version+" does not fit the path")
	return settled{check.Trouble("major-version", fmt.Sprintf("no %s can be of %s: from v2 on the major version is part of the path", w.module.Version, w.module.Path),
		fmt.Sprintf("ask for %s@%s, or for %[2]s+incompatible if the repository has no go.mod", fitting, w.module.Version), check.ByHand(fmt.Sprintf("go get %s@%s", fitting, w.module.Version)))}
}

// goPrivate goes to version control, where no proxy may hear of the module.
func (w *walk) goPrivate(ctx context.Context) error {
	if !w.settings.IsPrivate(w.module.Path) || w.settings.GOPROXY() == "direct" {
		return nil
	}
	s, _ := w.settings.First("GONOPROXY", "GOPRIVATE")
	w.hop("go", "GONOPROXY", check.OK, fmt.Sprintf("no proxy hears of it: %s=%s", s.Name, s.Value))
	return w.goDirect(ctx)
}

// goDirect goes to version control.
func (w *walk) goDirect(ctx context.Context) error {
	r := w.repositories.Follow(ctx, w.module.Path, w.module.Version, w.hop)
	if r.State == check.Bad {
		return settled{r}
	}
	w.direct = true
	return nil
}

// name is an artifact of the module.
func (w *walk) name(k artifact.Kind) artifact.Name {
	return artifact.Name{Kind: k, Module: w.module.Path, Version: w.module.Version}
}

// resolve finds out which version is meant, and that it exists.
func (w *walk) resolve(ctx context.Context) error {
	if w.direct {
		return nil
	}
	if w.module.Version == "" {
		if err := w.resolveLatest(ctx); err != nil || w.direct {
			return err
		}
	}
	kind := artifact.Info
	if !artifact.IsCanonical(w.module.Path, w.module.Version) {
		kind = artifact.Query
	}
	a, err := w.ask(ctx, w.name(kind), ".info")
	if err != nil || w.direct {
		return err
	}
	info, err := source.ParseInfo(w.name(kind), a.Body)
	if err != nil {
		return w.broken(check.Trouble("not-info", fmt.Sprintf("%s answers for the .info of %s with something else: %s", w.by.Name, w.module, err), "it has to be mended there"))
	}
	w.module.Version = info.Version
	return nil
}

// resolveLatest takes the newest version of the list, or what @latest says.
func (w *walk) resolveLatest(ctx context.Context) error {
	list, err := w.ask(ctx, w.name(artifact.List), "list")
	if err != nil || w.direct {
		return err
	}
	versions := source.Versions(w.module.Path, list.Body)
	if released := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return semver.Prerelease(v) != "" }); len(released) > 0 {
		versions = released
	}
	if len(versions) > 0 {
		w.module.Version = slices.MaxFunc(versions, semver.Compare)
		return nil
	}
	latest, err := w.ask(ctx, w.name(artifact.Latest), "@latest")
	if err != nil || w.direct {
		return err
	}
	info, err := source.ParseInfo(w.name(artifact.Latest), latest.Body)
	if err != nil {
		return w.broken(check.Trouble("not-info", fmt.Sprintf("%s answers for @latest of %s with something else: %s", w.by.Name, w.module.Path, err), "name a version"))
	}
	w.module.Version = info.Version
	return nil
}

// broken ends the walk at the last hop.
func (w *walk) broken(r check.Result) error {
	last := &w.hops[len(w.hops)-1]
	last.State, last.Text = check.Bad, r.Summary
	return settled{r}
}

// ask asks the entries of GOPROXY in order, as the go command does. When it comes to
// "direct", the rest of the walk is there.
func (w *walk) ask(ctx context.Context, n artifact.Name, what string) (visit.Answer, error) {
	var worst *check.Result // of those that "|" let pass
	for _, p := range w.proxies {
		switch {
		case p.Direct:
			w.hop("direct", what, check.Skipped, "on to version control")
			return visit.Answer{}, w.goDirect(ctx)
		case p.Off:
			return visit.Answer{}, w.stop(what)
		}
		a := p.Read(ctx, n.Key(), limits[n.Kind])
		if n.Kind == artifact.Zip && a.Trouble != nil && a.Trouble.Kind == visit.Slow {
			a.Trouble, a.Cut = nil, true // the beginning has to do
		}
		r, ill := p.Explain(ctx, a)
		switch {
		case !ill && a.OK():
			w.by = p
			w.hop(p.Name, what, check.OK, fmt.Sprintf("%d, %s", a.Status, check.Millis(a.Took)))
			return a, nil
		case !ill:
			w.hop(p.Name, what, check.Skipped, fmt.Sprintf("%d: it does not have it", a.Status))
		case p.FallBackOnError && !advice.IsSilence(r.Kind):
			w.hop(p.Name, what, check.Skipped, r.Summary)
			worst = &r
		default:
			w.hop(p.Name, what, check.Bad, r.Summary)
			return a, settled{w.whyForbidden(ctx, r)}
		}
	}
	w.hop("GOPROXY", what, check.Bad, "the list ends here")
	if worst != nil {
		return visit.Answer{}, settled{*worst}
	}
	return visit.Answer{}, settled{w.unknown(ctx)}
}

// stop ends the walk at "off": well, if the module cache has the version.
func (w *walk) stop(what string) error {
	if w.isCached() {
		w.hop("off", what, check.OK, "it is in the module cache")
		return settled{check.Well(w.module.String() + " is in the module cache")}
	}
	w.hop("off", what, check.Bad, "GOPROXY ends here")
	return settled{check.Trouble("goproxy-off", fmt.Sprintf("%s is off, and %s is not in the module cache", w.settings.From("GOPROXY"), w.module),
		"fetch it where there is a network, or set a proxy", w.settings.Unset("GOPROXY"))}
}

// isCached reports whether the module cache has the version.
func (w *walk) isCached() bool {
	_, err := os.Stat(filepath.Join(w.settings.Value("GOMODCACHE"), "cache", "download", filepath.FromSlash(w.name(artifact.Zip).Key())))
	return err == nil
}

// fetchMod fetches the go.mod, and looks whether it is of this module.
func (w *walk) fetchMod(ctx context.Context) error {
	if w.direct {
		return nil
	}
	a, err := w.ask(ctx, w.name(artifact.Mod), ".mod")
	if err != nil || w.direct {
		return err
	}
	w.mod = a.Body
	declared := modfile.ModulePath(a.Body)
	switch {
	case declared == w.module.Path:
		return nil
	case declared == "":
		return w.broken(check.Trouble("not-mod", fmt.Sprintf("%s answers for the go.mod of %s with something else", w.by.Name, w.module), "it has to be mended there"))
	}
	kind, hint := "other-path", "require it under that path, or replace it"
	if strings.EqualFold(declared, w.module.Path) {
		kind, hint = "letter-case", "write it as its go.mod does: small and capital letters differ"
	}
	return w.broken(check.Trouble(kind, fmt.Sprintf("the go.mod of %s says that it is %s", w.module, artifact.Clean(declared, 200)), hint, check.ByHand("go get "+check.Quote(artifact.Clean(declared, 200)+"@"+w.module.Version))))
}

// limits are up to which size artifacts are fetched whole, in bytes: of large zips the
// beginning has to do.
var limits = map[artifact.Kind]int64{
	artifact.List: visit.Text, artifact.Mod: visit.Text, artifact.Latest: visit.Page, artifact.Info: visit.Page, artifact.Query: visit.Page, artifact.Zip: 16 << 20,
}

// fetchZip fetches the zip: whole, if it is not large.
func (w *walk) fetchZip(ctx context.Context) error {
	if w.direct {
		return nil
	}
	a, err := w.ask(ctx, w.name(artifact.Zip), ".zip")
	if err != nil || w.direct {
		return err
	}
	if !proxy.IsZip(a.Body) {
		return w.broken(check.Trouble("not-zip", fmt.Sprintf("%s answers for the zip of %s with something else", w.by.Name, w.module), "have the version fetched anew there"))
	}
	if !a.Cut {
		w.zip = a.Body
	}
	return nil
}
