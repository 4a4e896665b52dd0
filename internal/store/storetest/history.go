package storetest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

const steps = 300

// history does random operations on a store and on a map, and compares.
func history(t *testing.T, s store.Store) {
	seed := rand.Uint64()
	if v := os.Getenv("WEIR_STORETEST_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("WEIR_STORETEST_SEED=%d", seed)
	h := &model{t: t, s: s, rand: rand.New(rand.NewPCG(seed, 0)), entries: map[string]entry{}}
	for range steps {
		h.step()
		if t.Failed() {
			t.Fatalf("after %d operations, the last of them:\n%s", len(h.log), strings.Join(h.log[max(0, len(h.log)-20):], "\n"))
		}
	}
	h.finish()
}

type entry struct {
	body string
	etag string
}

// A held reader was opened when the entry had a body that may since be gone.
type held struct {
	blob *blob.Blob
	body string
}

type model struct {
	t       *testing.T
	s       store.Store
	rand    *rand.Rand
	entries map[string]entry
	held    []held
	tags    []string // of all times
	log     []string
}

func (h *model) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *model) key() string {
	return [...]string{"a/b", "a/c", "a-b/c", "d/e/f/g", "d/e/h", "z"}[h.rand.IntN(6)]
}

func (h *model) body() string {
	size := [...]int{0, 1, 10, 1000, 70_000}[h.rand.IntN(5)]
	return string(pattern(size, byte(h.rand.Uint32())))
}

func (h *model) step() {
	switch h.rand.IntN(10) {
	case 0, 1:
		h.put(store.PutOptions{})
	case 2, 3:
		h.put(store.PutOptions{IfAbsent: true})
	case 4:
		h.put(store.PutOptions{IfMatch: h.tag()})
	case 5:
		h.remove()
	case 6:
		h.list()
	case 7:
		h.hold()
	default:
		h.get()
	}
}

// tag is one that some entry has or had.
func (h *model) tag() string {
	if len(h.tags) == 0 {
		return `"never"`
	}
	return h.tags[max(0, len(h.tags)-1-h.rand.IntN(4))]
}

func (h *model) put(o store.PutOptions) {
	k, body := h.key(), h.body()
	old, exists := h.entries[k]
	allowed := !(o.IfAbsent && exists) && (o.IfMatch == "" || exists && old.etag == o.IfMatch)
	h.note("Put(%q, %s, %+v), allowed: %v", k, brief(body), o, allowed)
	info, err := h.s.Put(h.t.Context(), k, strings.NewReader(body), o)
	if allowed && err != nil || !allowed && !errors.Is(err, store.ErrConflict) {
		h.t.Errorf("Put = %v, allowed: %v", err, allowed)
	}
	if err != nil {
		return
	}
	h.entries[k] = entry{body, info.ETag}
	h.tags = append(h.tags, info.ETag)
}

func (h *model) remove() {
	k := h.key()
	h.note("Delete(%q)", k)
	if err := h.s.Delete(h.t.Context(), k); err != nil {
		h.t.Errorf("Delete: %v", err)
	}
	delete(h.entries, k)
}

func (h *model) get() {
	k := h.key()
	h.note("Get(%q)", k)
	h.compare(k)
}

func (h *model) compare(k string) {
	want, exists := h.entries[k]
	got, ok := read(h.t, h.s, k)
	if ok != exists || got != want.body {
		h.t.Errorf("%q holds %s (present: %v), want %s (present: %v)", k, brief(got), ok, brief(want.body), exists)
	}
}

func (h *model) list() {
	prefix := [...]string{"", "a", "a/", "d/", "d/e/", "z", "q"}[h.rand.IntN(7)]
	h.note("List(%q)", prefix)
	var want []string
	for _, k := range slices.Sorted(maps.Keys(h.entries)) {
		if strings.HasPrefix(k, prefix) {
			want = append(want, k)
		}
	}
	if got := keys(h.t, h.s, prefix); !slices.Equal(got, want) {
		h.t.Errorf("List(%q) = %q, want %q", prefix, got, want)
	}
}

// hold opens a reader that reads later.
func (h *model) hold() {
	k := h.key()
	h.note("Get(%q), to be read later", k)
	if len(h.held) > 8 {
		h.drain()
	}
	e, exists := h.entries[k]
	b, err := h.s.Get(h.t.Context(), k)
	if (err == nil) != exists {
		h.t.Errorf("Get = %v, present: %v", err, exists)
	}
	if err == nil {
		h.held = append(h.held, held{b, e.body})
	}
}

func (h *model) drain() {
	for _, r := range h.held {
		data, err := io.ReadAll(r.blob.Reader())
		if err != nil || string(data) != r.body {
			h.t.Errorf("a reader of %q has %s, %v; it was opened on %s", r.blob.Key, brief(string(data)), err, brief(r.body))
		}
		r.blob.Close()
	}
	h.held = nil
}

func (h *model) finish() {
	h.drain()
	for _, k := range []string{"a/b", "a/c", "a-b/c", "d/e/f/g", "d/e/h", "z"} {
		h.compare(k)
	}
}
