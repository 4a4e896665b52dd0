// Package recent remembers for a while what was found out.
//
// There is a bound to how much a [Memory] holds. Beyond, it forgets any of what
// it has, preferably what is too old: finding out again costs time, but changes no
// answer. It knows nothing of what it holds, and keeps it in memory only; whoever
// finds out about a secret gives it a digest that stands for that as the key.
package recent

import (
	"sync"
	"time"
)

// A Memory holds findings of one kind. It is safe for concurrent use.
type Memory[K comparable, V any] struct {
	limit int

	mu       sync.Mutex
	findings map[K]finding[V]
}

type finding[V any] struct {
	value V
	until time.Time
}

// New returns a Memory of so many findings at most.
func New[K comparable, V any](limit int) *Memory[K, V] {
	return &Memory[K, V]{limit: limit, findings: map[K]finding[V]{}}
}

// Get returns what is remembered for a key.
func (m *Memory[K, V]) Get(key K) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.findings[key]
	if !ok || !time.Now().Before(f.until) {
		return value, false
	}
	return f.value, true
}

// Put remembers something until a time, instead of what was there before.
func (m *Memory[K, V]) Put(key K, value V, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.findings[key]; !known && len(m.findings) >= m.limit {
		m.makeRoom()
	}
	m.findings[key] = finding[V]{value, until}
}

// maxLooks is how many findings are looked at for one that is too old.
const maxLooks = 20

// makeRoom forgets something, which is too old if such is found at once.
func (m *Memory[K, V]) makeRoom() {
	var victim K
	now, looks := time.Now(), 0
	for key, f := range m.findings { // in random order
		victim, looks = key, looks+1
		if !now.Before(f.until) || looks == maxLooks {
			break
		}
	}
	delete(m.findings, victim)
}
