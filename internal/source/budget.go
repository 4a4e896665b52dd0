package source

import "sync/atomic"

// A Budget lets a share of all requests cause one more each, so that help for
// single requests never becomes a storm when all of them fail. It is safe for
// concurrent use.
type Budget struct {
	percent int64
	full    int64
	balance atomic.Int64 // in hundredths of a request
}

// NewBudget returns a Budget that grows by so many percent of a request with
// each one, up to burst, which is also what it begins with.
func NewBudget(percent, burst int) *Budget {
	b := &Budget{percent: int64(percent), full: int64(burst) * 100}
	b.balance.Store(b.full)
	return b
}

// Earn notes a request.
func (b *Budget) Earn() {
	for {
		have := b.balance.Load()
		if have == b.full || b.balance.CompareAndSwap(have, min(have+b.percent, b.full)) {
			return
		}
	}
}

// Spend takes out one request and reports whether there was one.
func (b *Budget) Spend() bool {
	for {
		have := b.balance.Load()
		if have < 100 {
			return false
		}
		if b.balance.CompareAndSwap(have, have-100) {
			return true
		}
	}
}
