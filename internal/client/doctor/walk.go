package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/source"
)

// A Hop is one step on the way to a module.
type Hop struct {
	Where string `json:"where"` // whom the go command asks
	What  string `json:"what"`  // what for
	State State  `json:"state"` // Skipped: it goes on to the next
	Text  string `json:"text"`
}

// walkTime is how many times the bound of a check the walk may take: it has many steps.
const walkTime = 4

// walkChecks is the walk, if there is somewhere to go.
func (m *machine) walkChecks() []*Check {
	if m.Target.Path == "" || m.listError != nil {
		return nil
	}
	return []*Check{{ID: "module", Subject: m.Target.String(), Patience: walkTime, Run: func(ctx context.Context) Result {
		w := &walk{machine: m, path: m.Target.Path, version: m.Target.Query}
		r := w.run(ctx)
		m.path = w.hops
		return r
	}}}
}

// A walk is the way that the go command takes to a module.
type walk struct {
	*machine
	path, version string
	hops          []Hop
	direct        bool   // version control has it
	by            *proxy // which brought it last
	mod, zip      []byte
}

// settled is the end of a walk, and what came of it.
type settled struct{ Result }

func (settled) Error() string { return "the walk is at its end" }

// run walks to the end, or to where the way breaks.
func (w *walk) run(ctx context.Context) Result {
	return w.take(ctx, w.checkName, w.goPrivate, w.resolve, w.fetchMod, w.fetchZip, w.compareWithGoSum, w.prove)
}

// take takes some steps.
func (w *walk) take(ctx context.Context, steps ...func(context.Context) error) Result {
	for _, step := range steps {
		if end, ok := errors.AsType[settled](step(ctx)); ok {
			return end.Result
		}
	}
	return well(w.target() + " can be fetched")
}

func (w *walk) target() string { return Target{w.path, w.version}.String() }

// hop notes a step.
func (w *walk) hop(where, what string, state State, text string) {
	w.hops = append(w.hops, Hop{where, what, state, text})
}

// checkName looks whether the version fits the path.
func (w *walk) checkName(context.Context) error {
	if !semver.IsValid(w.version) || module.CanonicalVersion(w.version) != w.version || artifact.IsCanonical(w.path, w.version) {
		return nil
	}
	prefix, _, _ := module.SplitPathVersion(w.path)
	fitting := prefix
	if major := semver.Major(w.version); major != "v0" && major != "v1" {
		fitting += "/" + major
	}
	w.hop("go", "version", Bad, w.version+" does not fit the path")
	return settled{bad("major-version", fmt.Sprintf("no %s can be of %s: from v2 on the major version is part of the path", w.version, w.path),
		fmt.Sprintf("ask for %s@%s, or for %[2]s+incompatible if the repository has no go.mod", fitting, w.version), byHand(fmt.Sprintf("go get %s@%s", fitting, w.version)))}
}

// goPrivate goes to version control, where no proxy may hear of the module.
func (w *walk) goPrivate(ctx context.Context) error {
	if !w.isPrivate(w.path) || w.proxyValue() == "direct" {
		return nil
	}
	s, _ := w.env.First("GONOPROXY", "GOPRIVATE")
	w.hop("go", "GONOPROXY", OK, fmt.Sprintf("no proxy hears of it: %s=%s", s.Name, s.Value))
	return w.goDirect(ctx)
}

// goDirect goes to version control.
func (w *walk) goDirect(ctx context.Context) error {
	hops, r := w.repository(ctx, w.path, w.version)
	w.hops = append(w.hops, hops...)
	if r.State == Bad {
		return settled{r}
	}
	w.direct = true
	return nil
}

// name is an artifact of the module.
func (w *walk) name(k artifact.Kind) artifact.Name {
	return artifact.Name{Kind: k, Module: w.path, Version: w.version}
}

// resolve finds out which version is meant, and that it exists.
func (w *walk) resolve(ctx context.Context) error {
	if w.direct {
		return nil
	}
	if w.version == "" {
		if err := w.resolveLatest(ctx); err != nil || w.direct {
			return err
		}
	}
	kind := artifact.Info
	if !artifact.IsCanonical(w.path, w.version) {
		kind = artifact.Query
	}
	a, err := w.ask(ctx, w.name(kind), ".info")
	if err != nil || w.direct {
		return err
	}
	info, err := source.ParseInfo(w.name(kind), a.Body)
	if err != nil {
		return w.broken(bad("not-info", fmt.Sprintf("%s answers for the .info of %s with something else: %s", w.by.Name, w.target(), err), "it has to be mended there"))
	}
	w.version = info.Version
	return nil
}

// resolveLatest takes the newest version of the list, or what @latest says.
func (w *walk) resolveLatest(ctx context.Context) error {
	list, err := w.ask(ctx, w.name(artifact.List), "list")
	if err != nil || w.direct {
		return err
	}
	versions := source.Versions(w.path, list.Body)
	if released := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return semver.Prerelease(v) != "" }); len(released) > 0 {
		versions = released
	}
	if len(versions) > 0 {
		w.version = slices.MaxFunc(versions, semver.Compare)
		return nil
	}
	latest, err := w.ask(ctx, w.name(artifact.Latest), "@latest")
	if err != nil || w.direct {
		return err
	}
	info, err := source.ParseInfo(w.name(artifact.Latest), latest.Body)
	if err != nil {
		return w.broken(bad("not-info", fmt.Sprintf("%s answers for @latest of %s with something else: %s", w.by.Name, w.path, err), "name a version"))
	}
	w.version = info.Version
	return nil
}

// broken ends the walk at the last hop.
func (w *walk) broken(r Result) error {
	last := &w.hops[len(w.hops)-1]
	last.State, last.Text = Bad, r.Summary
	return settled{r}
}

// ask asks the entries of GOPROXY in order, as the go command does. When it comes to
// "direct", the rest of the walk is there.
func (w *walk) ask(ctx context.Context, n artifact.Name, what string) (visit.Answer, error) {
	var worst *Result // of those that "|" let pass
	for _, p := range w.proxies {
		switch {
		case p.Direct:
			w.hop("direct", what, Skipped, "on to version control")
			return visit.Answer{}, w.goDirect(ctx)
		case p.Off && w.isCached():
			w.hop("off", what, OK, "it is in the module cache")
			return visit.Answer{}, settled{well(w.target() + " is in the module cache")}
		case p.Off:
			w.hop("off", what, Bad, "GOPROXY ends here")
			return visit.Answer{}, settled{bad("goproxy-off", fmt.Sprintf("%s is off, and %s is not in the module cache", w.from("GOPROXY"), w.target()), "fetch it where there is a network, or set a proxy", w.unset("GOPROXY"))}
		}
		a := p.read(ctx, n.Key(), 0, limits[n.Kind])
		if n.Kind == artifact.Zip && a.Trouble != nil && a.Trouble.Kind == visit.Slow {
			a.Trouble, a.Cut = nil, true // the beginning has to do
		}
		r, ill := p.explain(ctx, a)
		switch {
		case !ill && a.OK():
			w.by = p
			w.hop(p.Name, what, OK, fmt.Sprintf("%d, %s", a.Status, millis(a.Took)))
			return a, nil
		case !ill:
			w.hop(p.Name, what, Skipped, fmt.Sprintf("%d: it does not have it", a.Status))
		case p.FallBackOnError && !isSilence(r.Kind):
			w.hop(p.Name, what, Skipped, r.Summary)
			worst = &r
		default:
			w.hop(p.Name, what, Bad, r.Summary)
			if r.Kind != "forbidden" {
				return a, settled{r}
			}
			if other, ok := w.otherName(ctx); ok { // some refuse what they do not know
				r = other.with(r.Summary)
			}
			return a, settled{r}
		}
	}
	w.hop("GOPROXY", what, Bad, "the list ends here")
	if worst != nil {
		return visit.Answer{}, settled{*worst}
	}
	return visit.Answer{}, settled{w.unknown(ctx)}
}

// isCached reports whether the module cache has the version.
func (w *walk) isCached() bool {
	_, err := os.Stat(filepath.Join(w.env.Value("GOMODCACHE"), "cache", "download", filepath.FromSlash(w.name(artifact.Zip).Key())))
	return err == nil
}

// unknown says why no proxy may know the module or the version.
func (w *walk) unknown(ctx context.Context) Result {
	if r, ok := w.otherName(ctx); ok {
		return r
	}
	if list, ok := w.peek(ctx, w.path); ok && w.version != "" {
		hint := "ask for a version that exists; a new tag may take half an hour to be seen"
		if versions := source.Versions(w.path, list); len(versions) > 0 {
			slices.SortFunc(versions, semver.Compare)
			hint += "; there are " + strings.Join(versions[max(0, len(versions)-3):], ", ")
		}
		return bad("unknown-version", fmt.Sprintf("no proxy has the version %s of %s", w.version, w.path), hint)
	}
	host, _, _ := strings.Cut(w.path, "/")
	return bad("unknown-module", fmt.Sprintf("no proxy in GOPROXY has %s, and the list does not go on to version control", w.path),
		"check the spelling; if it is private, name it in GOPRIVATE", byHand(w.makePrivate(host).Command))
}

// peek asks for the list of versions of another path.
func (w *walk) peek(ctx context.Context, path string) (list []byte, ok bool) {
	for _, p := range w.proxies {
		if p.url == nil {
			return nil, false
		}
		if a := p.get(ctx, artifact.Name{Kind: artifact.List, Module: path}, 0); a.OK() && source.CheckPage(a.Body) == nil {
			return a.Body, true
		}
	}
	return nil, false
}

// otherName looks whether a path that is like the one that was asked for is meant.
func (w *walk) otherName(ctx context.Context) (Result, bool) {
	if lower := strings.ToLower(w.path); lower != w.path {
		if _, ok := w.peek(ctx, lower); ok {
			return bad("letter-case", fmt.Sprintf("%s is unknown, but there is %s: small and capital letters differ", w.path, lower), "write it as its go.mod does", byHand("go get "+Target{lower, w.version}.String())), true
		}
	}
	for above := parent(w.path); strings.Contains(above, "/"); above = parent(above) {
		if list, ok := w.peek(ctx, above); ok && len(bytes.TrimSpace(list)) > 0 {
			return bad("path-of-package", fmt.Sprintf("%s is no module: it may be a package of %s", w.path, above), "ask for the module above it", byHand("weir doctor "+Target{above, w.version}.String())), true
		}
	}
	return Result{}, false
}

func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
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
	case declared == w.path:
		return nil
	case declared == "":
		return w.broken(bad("not-mod", fmt.Sprintf("%s answers for the go.mod of %s with something else", w.by.Name, w.target()), "it has to be mended there"))
	}
	kind, hint := "other-path", "require it under that path, or replace it"
	if strings.EqualFold(declared, w.path) {
		kind, hint = "letter-case", "write it as its go.mod does: small and capital letters differ"
	}
	return w.broken(bad(kind, fmt.Sprintf("the go.mod of %s says that it is %s", w.target(), artifact.Clean(declared, 200)), hint, byHand("go get "+quote(artifact.Clean(declared, 200)+"@"+w.version))))
}

// limits are up to which size artifacts are fetched whole, in bytes: of large zips the
// beginning has to do.
var limits = map[artifact.Kind]int64{
	artifact.List: maxText, artifact.Mod: maxText, artifact.Latest: maxPage, artifact.Info: maxPage, artifact.Query: maxPage, artifact.Zip: 16 << 20,
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
	if !isZip(a.Body) {
		return w.broken(bad("not-zip", fmt.Sprintf("%s answers for the zip of %s with something else", w.by.Name, w.target()), "have the version fetched anew there"))
	}
	if !a.Cut {
		w.zip = a.Body
	}
	return nil
}

// goSumLines are the lines of go.sum for what was fetched.
func (w *walk) goSumLines() []string {
	var lines []string
	if w.mod != nil {
		sum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(w.mod)), nil })
		if err == nil {
			lines = append(lines, fmt.Sprintf("%s %s/go.mod %s", w.path, w.version, sum))
		}
	}
	if sum, err := hashZip(w.zip); w.zip != nil && err == nil {
		lines = append(lines, fmt.Sprintf("%s %s %s", w.path, w.version, sum))
	}
	return lines
}

// hashZip is the h1 hash of a zip.
func hashZip(data []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", err
	}
	files := map[string]*zip.File{}
	var names []string
	for _, f := range z.File {
		files[f.Name], names = f, append(names, f.Name)
	}
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return files[name].Open() })
}

// contradicted is a line for the same file with another hash.
func contradicted(line string, others []string) bool {
	file := line[:strings.LastIndexByte(line, ' ')+1]
	return !slices.Contains(others, line) && slices.ContainsFunc(others, func(other string) bool { return strings.HasPrefix(other, file+"h1:") })
}

// compareWithGoSum compares with the go.sum of the folder.
func (w *walk) compareWithGoSum(context.Context) error {
	if w.folder.dir == "" {
		return nil
	}
	recorded := w.folder.sums()
	for _, line := range w.goSumLines() {
		if contradicted(line, recorded) {
			w.hop("go.sum", "hashes", Bad, "they differ")
			return settled{bad("go-sum-mismatch", fmt.Sprintf("%s has other bytes for %s than those that go.sum was made with", w.by.Name, w.target()),
				"do not delete go.sum: find out with the checksum database who is right. A tag that was moved, or a proxy that was changed, does this").with("fetched: " + line)}
		}
	}
	return nil
}

// prove compares with the checksum database.
func (w *walk) prove(ctx context.Context) error {
	if w.sums.isUnproven(w.path) || !artifact.IsCanonical(w.path, w.version) {
		return nil
	}
	if r := w.sums.findWay(ctx); r.State == Bad {
		w.hop(w.sums.config.Name, "supported", Bad, r.Summary)
		return settled{r}
	}
	lines, r := w.sums.lookup(ctx, module.Version{Path: w.path, Version: w.version})
	where, way := w.sums.config.Name, "directly"
	if w.sums.via != nil {
		way = "through " + w.sums.via.Name
	}
	if r.State == Bad {
		w.hop(where, "lookup", Bad, r.Summary)
		if r.Kind == "not-in-sumdb" {
			r = w.notProven(r)
		}
		return settled{r}
	}
	for _, line := range w.goSumLines() {
		if contradicted(line, lines) {
			w.hop(where, "hashes", Bad, "they differ")
			return settled{bad("sumdb-mismatch", fmt.Sprintf("%s has other bytes for %s than the checksum database", w.by.Name, w.target()),
				"have the version fetched anew there; if it stays so, ask another proxy and tell the author: the tag may have been moved").with("fetched: " + line)}
		}
	}
	w.hop(where, "lookup", OK, "proven, "+way)
	return nil
}

// notProven is a module that can be fetched, but that the checksum database does not
// know: as a rule it is private.
func (w *walk) notProven(r Result) Result {
	pattern := w.path
	if prefix, _, ok := module.SplitPathVersion(w.path); ok {
		pattern = prefix
	}
	return bad("pattern-missing", fmt.Sprintf("%s can be fetched, but %s does not know it: it seems to be private, and GOPRIVATE does not say so", w.target(), w.sums.config.Name),
		"name it, or its host, in GOPRIVATE", w.makePrivate(pattern)).with(r.Evidence...)
}
