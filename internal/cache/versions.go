package cache

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/maypok86/otter/v2"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

func bytesReader(data []byte) io.ReadSeeker { return bytes.NewReader(data) }

// held versions of one module, as the store has them.
type stored struct {
	any      bool     // there is some file of some version
	listed   []string // versions with a zip or an .info, without pseudo-versions
	complete []string // versions with a zip, without pseudo-versions
	pseudo   []string // pseudo-versions with an .info
}

// versionsStored looks up which versions of a module the store has.
func (c *Cache) versionsStored(ctx context.Context, mod string) (stored, error) {
	var s stored
	prefix := strings.TrimSuffix(artifact.Name{Kind: artifact.List, Module: mod}.Key(), "list")
	for info, err := range c.store.List(ctx, prefix) {
		if err != nil {
			return s, storeTrouble(err)
		}
		n, err := artifact.Parse(info.Key)
		if err != nil {
			continue // not a file of the protocol
		}
		s.add(n)
	}
	s.listed = slices.Compact(s.listed) // the store lists in the order of keys: .info and .zip of a version are neighbours
	return s, nil
}

func (s *stored) add(n artifact.Name) {
	switch n.Kind {
	case artifact.Info, artifact.Mod, artifact.Zip:
		s.any = true
	default:
		return
	}
	pseudo := module.IsPseudoVersion(n.Version)
	switch {
	case n.Kind == artifact.Info && pseudo:
		s.pseudo = append(s.pseudo, n.Version)
	case n.Kind == artifact.Mod || pseudo:
	case n.Kind == artifact.Zip:
		s.complete = append(s.complete, n.Version)
		s.listed = append(s.listed, n.Version)
	default:
		s.listed = append(s.listed, n.Version)
	}
}

// formatList writes a version list: sorted, each version once.
func formatList(mod string, versions ...[]string) []byte {
	var raw strings.Builder
	for _, v := range slices.Concat(versions...) {
		raw.WriteString(v)
		raw.WriteByte('\n')
	}
	sorted := source.Versions(mod, []byte(raw.String()))
	if len(sorted) == 0 {
		return []byte{}
	}
	return []byte(strings.Join(sorted, "\n") + "\n")
}

// finishList makes the list of a module: what the source says and what the
// store has. Where the source knows of no such module, the store alone decides.
func (c *Cache) finishList(ctx context.Context, f *flight, missing error) error {
	mod := f.name.Module
	have, err := c.versionsStored(ctx, mod)
	if err != nil {
		c.emit(Event{Op: OpList, Name: f.name, Err: err}) // an incomplete list is better than none
	}
	if missing == nil {
		c.compareTags(ctx, mod, have.listed, f.refs)
		c.keep(ctx, f, formatList(mod, source.Versions(mod, f.spool.Bytes()), have.listed), false)
		return nil
	}
	if e := c.held(ctx, f.name, f.key); e != nil && !e.local {
		c.keep(ctx, f, formatList(mod, source.Versions(mod, e.blob.Data), have.listed), false)
		return nil
	}
	if !have.any {
		return cmp.Or(err, missing) // it is missing only where the store could tell
	}
	c.keep(ctx, f, formatList(mod, have.complete), true)
	return nil
}

// finishLatest makes the answer to @latest: the source's, unless the store has
// a better version or the source has none to offer.
func (c *Cache) finishLatest(ctx context.Context, f *flight, missing error) error {
	var said []byte
	if missing == nil {
		said = f.spool.Bytes()
	}
	data, err := c.latest(ctx, f.name.Module, said, false)
	if missing != nil && artifact.Class(err) == artifact.ErrNotFound {
		return missing
	}
	if err != nil {
		return err
	}
	c.keep(ctx, f, data, false)
	return nil
}

// latest returns the .info of the version that @latest means: the highest
// release, else the highest pre-release, that its own module does not retract;
// else the newest pseudo-version. said is what the source answered; without it
// the list of the module decides.
func (c *Cache) latest(ctx context.Context, mod string, said []byte, storedOnly bool) ([]byte, error) {
	have, err := c.versionsStored(ctx, mod)
	if err != nil && said == nil {
		return nil, err
	}
	candidates := have.listed
	var saidVersion string
	if said != nil {
		if saidVersion = versionOf(said); !module.IsPseudoVersion(saidVersion) {
			candidates = append(candidates, saidVersion)
		}
	} else if candidates, err = c.listed(ctx, mod, storedOnly); err != nil {
		return nil, err
	}
	ordered := c.order(ctx, mod, candidates, saidVersion, storedOnly)
	if said == nil && len(ordered) == 0 {
		ordered = have.pseudo
		semver.Sort(ordered)
		slices.Reverse(ordered)
	}
	var first error
	for _, v := range ordered[:min(len(ordered), maxCandidates)] {
		if v == saidVersion {
			return said, nil
		}
		data, err := c.read(ctx, artifact.Name{Kind: artifact.Info, Module: mod, Version: v}, storedOnly)
		if err == nil {
			return data, nil
		}
		if first == nil {
			first = err
		}
	}
	switch {
	case said != nil:
		return said, nil
	case first != nil:
		return nil, first
	}
	return nil, artifact.NotFound("%s has no version stored here", mod)
}

// maxCandidates is how many versions of a list are tried for @latest, when the
// source does not have what it lists.
const maxCandidates = 5

// listed returns the versions in the list of a module.
func (c *Cache) listed(ctx context.Context, mod string, storedOnly bool) ([]string, error) {
	data, err := c.read(ctx, artifact.Name{Kind: artifact.List, Module: mod}, storedOnly)
	if err != nil {
		return nil, err
	}
	return source.Versions(mod, data), nil
}

func (c *Cache) read(ctx context.Context, n artifact.Name, storedOnly bool) ([]byte, error) {
	a, err := c.Open(ctx, Request{Name: n, StoredOnly: storedOnly})
	if err != nil {
		return nil, err
	}
	return a.ReadAll(n.Kind.MaxSize())
}

func versionOf(info []byte) string {
	var v struct{ Version string }
	if json.Unmarshal(info, &v) != nil {
		return ""
	}
	return v.Version
}

// order returns the candidates for @latest, the best first: releases before
// pre-releases, and retracted versions after all others, since the go command
// tells of them. The highest version says what is retracted. What the source
// itself answers to @latest is taken to be no retracted version.
func (c *Cache) order(ctx context.Context, mod string, candidates []string, trusted string, storedOnly bool) []string {
	sorted := source.Versions(mod, []byte(strings.Join(candidates, "\n")))
	slices.Reverse(sorted)
	preRelease := func(v string) bool { return semver.Prerelease(v) != "" }
	ordered := last(sorted, preRelease)
	if len(ordered) == 0 || ordered[0] == trusted {
		return ordered
	}
	return last(ordered, c.retracted(ctx, mod, ordered[0], storedOnly))
}

// last moves what matches behind all that does not, and else keeps the order.
func last(versions []string, match func(string) bool) []string {
	var front, back []string
	for _, v := range versions {
		if match(v) {
			back = append(back, v)
		} else {
			front = append(front, v)
		}
	}
	return append(front, back...)
}

// retracted returns what the go.mod of a version says of others. A go.mod that
// cannot be had retracts nothing.
func (c *Cache) retracted(ctx context.Context, mod, version string, storedOnly bool) func(string) bool {
	data, err := c.read(ctx, artifact.Name{Kind: artifact.Mod, Module: mod, Version: version}, storedOnly)
	if err != nil {
		return func(string) bool { return false }
	}
	file, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return func(string) bool { return false }
	}
	return func(v string) bool {
		return slices.ContainsFunc(file.Retract, func(r *modfile.Retract) bool {
			return semver.Compare(r.Low, v) <= 0 && semver.Compare(v, r.High) <= 0
		})
	}
}

// merged brings a held list or @latest up to date with the versions stored
// since it was made.
func (c *Cache) merged(ctx context.Context, n artifact.Name, key string, e *entry) *entry {
	clean := *e
	clean.dirty = false
	data, err := e.blob.Data, error(nil)
	switch n.Kind {
	case artifact.List:
		var have stored
		if have, err = c.versionsStored(ctx, n.Module); err == nil {
			data = formatList(n.Module, source.Versions(n.Module, data), have.listed)
		}
	case artifact.Latest:
		data, err = c.latest(ctx, n.Module, data, true)
	}
	if err == nil && !bytes.Equal(data, e.blob.Data) {
		clean.blob = text(key, data, e.fetched)
	}
	c.mutable.ComputeIfPresent(key, func(now *entry) (*entry, otter.ComputeOp) {
		if now != e { // a newer one, or one more version has been stored
			return now, otter.CancelOp
		}
		return &clean, otter.WriteOp
	})
	return &clean
}

// local makes a list or @latest from the store alone.
func (c *Cache) local(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	switch n.Kind {
	case artifact.List:
		have, err := c.versionsStored(ctx, n.Module)
		if err != nil {
			return nil, err
		}
		if len(have.complete) == 0 { // "no versions" would be a claim that nobody made
			return nil, notStored(n)
		}
		return blob.FromBytes(blob.Info{}, formatList(n.Module, have.complete)), nil
	case artifact.Latest:
		data, err := c.latest(ctx, n.Module, nil, true)
		if err != nil {
			return nil, err
		}
		return blob.FromBytes(blob.Info{}, data), nil
	}
	return nil, notStored(n)
}

// arrive lets a version that was just stored be seen in the list and in @latest of
// its module at once.
func (c *Cache) arrive(n artifact.Name) {
	if n.Kind != artifact.Info && n.Kind != artifact.Zip {
		return
	}
	c.mu.Lock()
	c.arrived.add(n.Module)
	c.mu.Unlock()
	for _, k := range []artifact.Kind{artifact.List, artifact.Latest} {
		key := artifact.Name{Kind: k, Module: n.Module}.Key()
		c.missing.Invalidate(key)
		c.soil(key)
	}
}

// soil has the entry of a key brought up to date before it is given out again.
func (c *Cache) soil(key string) {
	c.change(key, func(e *entry) { e.dirty = true })
}

// arrivedSince reports whether a version of its module may have been stored since a
// flight began.
func (c *Cache) arrivedSince(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, forgotten := c.arrived.since(f.stored, f.name.Module)
	return found || forgotten
}
