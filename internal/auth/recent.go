package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// A digest stands for a secret that must not be kept.
type digest [sha256.Size]byte

// recent remembers for a while what was found out about secrets. There is a
// bound to how much it remembers: beyond, any of what it has is forgotten. It is
// safe for concurrent use.
type recent[V any] struct {
	limit int

	mu      sync.Mutex
	entries map[digest]finding[V]
}

type finding[V any] struct {
	value V
	until time.Time
}

func newRecent[V any](limit int) *recent[V] {
	return &recent[V]{limit: limit, entries: map[digest]finding[V]{}}
}

// get returns what is remembered of a secret.
func (r *recent[V]) get(key digest, now time.Time) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.entries[key]
	if !ok || !now.Before(f.until) {
		return value, false
	}
	return f.value, true
}

// put remembers something until a time.
func (r *recent[V]) put(key digest, value V, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.entries[key]; !known && len(r.entries) >= r.limit {
		r.forget()
	}
	r.entries[key] = finding[V]{value, until}
}

// forget makes room for one entry.
func (r *recent[V]) forget() {
	for key := range r.entries { // in random order
		delete(r.entries, key)
		return
	}
}
