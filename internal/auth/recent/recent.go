// Package recent remembers for a while what was found out about secrets.
//
// It never holds a secret, only a [Digest] that stands for it, which the caller
// makes: a plain one of what nobody can guess, a keyed one of what somebody can.
// There is a bound to how much a [Memory] holds. Beyond, it forgets any of what
// it has: finding out again costs time, but changes no answer.
package recent

import (
	"crypto/sha256"
	"sync"
	"time"
)

// A Digest stands for a secret that must not be kept.
type Digest [sha256.Size]byte

// A Memory holds findings of one kind. It is safe for concurrent use.
type Memory[V any] struct {
	limit int

	mu      sync.Mutex
	entries map[Digest]finding[V]
}

type finding[V any] struct {
	value V
	until time.Time
}

// New returns a Memory of so many findings at most.
func New[V any](limit int) *Memory[V] {
	return &Memory[V]{limit: limit, entries: map[Digest]finding[V]{}}
}

// Get returns what is remembered of a secret.
func (m *Memory[V]) Get(key Digest, now time.Time) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.entries[key]
	if !ok || !now.Before(f.until) {
		return value, false
	}
	return f.value, true
}

// Put remembers something until a time.
func (m *Memory[V]) Put(key Digest, value V, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.entries[key]; !known && len(m.entries) >= m.limit {
		m.forget()
	}
	m.entries[key] = finding[V]{value, until}
}

// forget makes room for one entry.
func (m *Memory[V]) forget() {
	for key := range m.entries { // in random order
		delete(m.entries, key)
		return
	}
}
