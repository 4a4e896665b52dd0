// Package prune judges what may go of a module cache: by age, by newer versions, and by
// what projects need.
//
// It promises that what has just been used stays, and so do the checksum databases and
// whatever the go command has not put there; and that what a project needs is read from
// all of its files or not at all: a go.mod that cannot be read is an error. It takes away
// nothing but by package modcache, under its locks.
//
// Sources: the Go Modules Reference, "go.mod files" and "Workspaces".
package prune

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/client/modcache"
)

// Rules say what may go. Versions of modules may go when all of OlderThan, KeepLatest
// and Needed that are set agree; when none is set, they stay.
type Rules struct {
	OlderThan  time.Duration // not used for so long; zero: of any age
	KeepLatest int           // not among so many newest versions of the module; zero: all
	Needed     *Needs        // not needed by these projects; nil: not asked

	VCS        bool     // repositories may go, too; of the rules above OlderThan holds for them
	Toolchains bool     // so may toolchains; of the rules above OlderThan and Needed hold
	InUse      []string // toolchains that stay in any case, as in go1.26.0

	Now time.Time
}

// Young is how long after its last use nothing is pruned: a go command that has just
// downloaded something may be about to need it.
const Young = 10 * time.Minute

// A Removal is what may go of one entry.
type Removal struct {
	Entry   modcache.Entry
	KeepMod bool // the .info and .mod stay: a project needs them to compute versions
	Reason  string
}

// Freed is how many bytes the removal frees.
func (r Removal) Freed() int64 {
	if r.KeepMod {
		return r.Entry.Content()
	}
	return r.Entry.Size()
}

// Do takes it away. The error matches modcache.ErrInUse where the entry has been used
// meanwhile: then nothing has happened.
func (r Removal) Do(ctx context.Context, cache *modcache.Cache) error {
	if r.KeepMod {
		return cache.RemoveContent(ctx, r.Entry)
	}
	return cache.Remove(ctx, r.Entry)
}

// Plan applies the rules. What is unknown, and the checksum databases, always stay. The
// result is in the order of size, the largest first.
func (r Rules) Plan(entries []modcache.Entry) []Removal {
	ranks := rank(entries)
	var plan []Removal
	for _, e := range entries {
		if removal, ok := r.judge(e, ranks[e.String()]); ok && removal.Freed() > 0 {
			plan = append(plan, removal)
		}
	}
	slices.SortStableFunc(plan, func(a, b Removal) int {
		return cmp.Or(cmp.Compare(b.Freed(), a.Freed()), cmp.Compare(a.Entry.String(), b.Entry.String()))
	})
	return plan
}

// rank numbers the versions of each module, the newest with 0.
func rank(entries []modcache.Entry) map[string]int {
	modules := map[string][]string{}
	for _, e := range entries {
		if e.Kind == modcache.Module {
			modules[e.Name] = append(modules[e.Name], e.Version)
		}
	}
	ranks := map[string]int{}
	for name, versions := range modules {
		slices.SortFunc(versions, func(a, b string) int { return semver.Compare(b, a) })
		for i, version := range versions {
			ranks[name+"@"+version] = i
		}
	}
	return ranks
}

// judge says whether an entry may go, and why.
func (r Rules) judge(e modcache.Entry, rank int) (Removal, bool) {
	age := r.Now.Sub(e.Used)
	if age < max(r.OlderThan, Young) {
		return Removal{}, false
	}
	removal := Removal{Entry: e, Reason: "not used for " + days(age)}
	switch e.Kind {
	case modcache.VCS:
		return removal, r.VCS
	case modcache.Toolchain:
		return removal, r.Toolchains && !isToolchain(e.Version, r.InUse) && !isToolchain(e.Version, r.Needed.goVersions())
	case modcache.Module:
		return r.judgeModule(removal, rank)
	}
	return Removal{}, false
}

func (r Rules) judgeModule(removal Removal, rank int) (Removal, bool) {
	switch {
	case r.OlderThan == 0 && r.KeepLatest == 0 && r.Needed == nil:
		return removal, false
	case r.KeepLatest > 0 && rank < r.KeepLatest:
		return removal, false
	case r.KeepLatest > 0:
		removal.Reason = fmt.Sprintf("%d newer in the cache", rank)
	}
	if r.Needed == nil {
		return removal, true
	}
	switch m := removal.Entry.Module(); {
	case r.Needed.whole[m]:
		return removal, false
	case r.Needed.mods[m]:
		removal.KeepMod, removal.Reason = true, "only its go.mod is needed"
	default:
		removal.Reason = "needed by none of the projects"
	}
	return removal, true
}

// days is a time in days, or in hours where it is less than two of them.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
