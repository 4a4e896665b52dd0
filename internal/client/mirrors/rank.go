package mirrors

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Rank sorts mirrors, the best first: by how they fared, by how reliably they answer, by
// what they lack, and by what a module takes. Mirrors that are alike stay in their order.
func Rank(all []Result) {
	slices.SortStableFunc(all, func(a, b Result) int {
		return cmp.Or(
			cmp.Compare(a.State.rank(), b.State.rank()),
			cmp.Compare(a.grade(), b.grade()),
			cmp.Compare(a.lack(), b.lack()),
			cmp.Compare(a.cost(), b.cost()),
		)
	})
}

// rank is the place of a state.
func (s State) rank() int {
	return slices.Index([]State{Works, Limits, Hangs, Refuses, Fails, Lacks, Untested, Lies}, s)
}

// grade is how reliably a mirror answers: the sample is too small to tell 99 from 100
// percent. 0 is well, 3 is useless.
func (r Result) grade() int {
	rate, ok := r.SuccessRate()
	for grade, least := range []float64{0.98, 0.9, 0.5} {
		if ok && rate >= least {
			return grade
		}
	}
	return 3
}

// lack is how much of what was asked for a mirror does not have: nothing, a little, more.
func (r Result) lack() int {
	switch {
	case len(r.Missing) == 0:
		return 0
	case 10*len(r.Missing) <= r.Modules:
		return 1
	}
	return 2
}

// cost is what a module takes. Not to know is the worst.
func (r Result) cost() time.Duration {
	if r.PerModule == 0 && len(r.Zip) == 0 {
		return unknownCost
	}
	return time.Duration(r.PerModule)
}

const unknownCost = time.Duration(math.MaxInt64)
