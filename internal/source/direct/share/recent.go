package share

import (
	"sync"
	"time"
)

// Recent remembers a bounded number of values for a while.
type Recent[K comparable, V any] struct {
	age time.Duration
	max int

	mu     sync.Mutex
	values map[K]dated[V]
}

type dated[V any] struct {
	value V
	until time.Time
}

// NewRecent returns a Recent that remembers so many values, each for so long.
func NewRecent[K comparable, V any](age time.Duration, max int) *Recent[K, V] {
	return &Recent[K, V]{age: age, max: max, values: map[K]dated[V]{}}
}

// Get returns the value of a key, if it is remembered.
func (r *Recent[K, V]) Get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.values[key]
	if !ok || time.Now().After(d.until) {
		var none V
		return none, false
	}
	return d.value, true
}

// Put remembers a value instead of the one before.
func (r *Recent[K, V]) Put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.values[key]; !ok && len(r.values) >= r.max {
		r.makeRoom()
	}
	r.values[key] = dated[V]{value: value, until: time.Now().Add(r.age)}
}

// makeRoom forgets all that is too old, or else anything.
func (r *Recent[K, V]) makeRoom() {
	now := time.Now()
	for key, d := range r.values {
		if now.After(d.until) {
			delete(r.values, key)
		}
	}
	for key := range r.values {
		if len(r.values) < r.max {
			return
		}
		delete(r.values, key)
	}
}
