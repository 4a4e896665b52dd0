package modcache

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
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
	Entry   Entry
	KeepMod bool // the .info and .mod stay: a project needs them to compute versions
	Reason  string
}

// Freed is how many bytes the removal frees.
func (r Removal) Freed() int64 {
	size := int64(0)
	if !r.KeepMod {
		return r.Entry.Size()
	}
	for _, ending := range contentEndings {
		if info := r.Entry.files[r.Entry.file(ending)]; info != nil {
			size += info.Size()
		}
	}
	return size + r.Entry.Tree
}

// contentEndings are the files that hold or describe the content of a version.
var contentEndings = []string{".zip", ".ziphash"}

// Plan applies the rules. What is unknown, and the checksum databases, always stay. The
// result is in the order of size, the largest first.
func (c *Contents) Plan(r Rules) []Removal {
	ranks := rank(c.Entries)
	var plan []Removal
	for _, e := range c.Entries {
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
func rank(entries []Entry) map[string]int {
	modules := map[string][]string{}
	for _, e := range entries {
		if e.Kind == Module {
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
func (r Rules) judge(e Entry, rank int) (Removal, bool) {
	age := r.Now.Sub(e.Used)
	if age < max(r.OlderThan, Young) {
		return Removal{}, false
	}
	removal := Removal{Entry: e, Reason: "not used for " + days(age)}
	switch e.Kind {
	case VCS:
		return removal, r.VCS
	case Toolchain:
		return removal, r.Toolchains && !isToolchain(e.Version, r.InUse) && !isToolchain(e.Version, r.Needed.goVersions())
	case Module:
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
	m := module.Version{Path: removal.Entry.Name, Version: removal.Entry.Version}
	switch {
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
