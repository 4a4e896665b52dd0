package tier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/disk"
	"github.com/goweir/weir/internal/store/mem"
	"github.com/goweir/weir/internal/store/storetest"
	"github.com/goweir/weir/internal/store/tier"
)

var small = tier.Options{MaxItem: 64 << 10}

func openDisk(t testing.TB) *disk.Store {
	t.Helper()
	s, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStoreOverMemory(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return tier.New(mem.New(64<<20), mem.New(64<<20), small) })
}

func TestStoreOverDisk(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return tier.New(mem.New(64<<20), openDisk(t), small) })
}

// A hot store that forgets all the time changes nothing.
func TestStoreWithTinyHotStore(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return tier.New(mem.New(3000), openDisk(t), small) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, tier.New(mem.New(64<<20), openDisk(b), small))
}

// watched is a cold store that counts Gets, and can be held up.
type watched struct {
	store.Store
	gets   atomic.Int64
	opened func() // called after a Get, before it returns
	during func() // called after a Put, before it returns
	err    error  // what Put and Delete return after they have happened
}

func (w *watched) Get(ctx context.Context, key string) (*blob.Blob, error) {
	w.gets.Add(1)
	b, err := w.Store.Get(ctx, key)
	if w.opened != nil {
		w.opened()
	}
	return b, err
}

func (w *watched) Put(ctx context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	info, err := w.Store.Put(ctx, key, body, o)
	if w.during != nil {
		w.during()
	}
	return info, errors.Join(err, w.err)
}

func (w *watched) Delete(ctx context.Context, key string) error {
	return errors.Join(w.Store.Delete(ctx, key), w.err)
}

func put(t testing.TB, s store.Store, key, body string) {
	t.Helper()
	if _, err := s.Put(context.Background(), key, strings.NewReader(body), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, s store.Store, key string) string {
	t.Helper()
	b, err := s.Get(context.Background(), key)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.ReadAll(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHitOfHotStoreReadsNothingElse(t *testing.T) {
	cold := &watched{Store: openDisk(t)}
	s := tier.New(mem.New(1<<20), cold, small)
	put(t, s, "a", "body")
	for range 5 {
		if got := get(t, s, "a"); got != "body" {
			t.Fatalf("Get = %q", got)
		}
	}
	if n := cold.gets.Load(); n != 1 {
		t.Errorf("5 Gets read the cold store %d times, want 1", n)
	}
}

func TestCopyHasTimeAndTagOfTheEntry(t *testing.T) {
	cold := openDisk(t)
	s := tier.New(mem.New(1<<20), cold, small)
	put(t, s, "a", "body")
	want, err := cold.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for range 2 {
		got, err := s.Get(t.Context(), "a")
		if err != nil || got.Info != want.Info || string(got.Data) != "body" {
			t.Errorf("Get = %+v, %v, want the info %+v", got, err, want.Info)
		}
	}
}

func TestOnlySmallAdmittedKeysAreCopied(t *testing.T) {
	cold := &watched{Store: openDisk(t)}
	s := tier.New(mem.New(1<<20), cold, tier.Options{MaxItem: 10, Admit: func(key string) bool { return key != "moving" }})
	for key, c := range map[string]struct {
		body  string
		reads int64
	}{
		"at-limit": {"0123456789", 1},
		"above":    {"0123456789x", 3},
		"moving":   {"x", 3},
		"empty":    {"", 1},
	} {
		put(t, s, key, c.body)
		before := cold.gets.Load()
		for range 3 {
			if got := get(t, s, key); got != c.body {
				t.Errorf("%s holds %q", key, got)
			}
		}
		if n := cold.gets.Load() - before; n != c.reads {
			t.Errorf("3 Gets of %s read the cold store %d times, want %d", key, n, c.reads)
		}
	}
}

func TestAbsenceIsNotRemembered(t *testing.T) {
	cold := openDisk(t)
	s := tier.New(mem.New(1<<20), cold, small)
	if got := get(t, s, "a"); got != "absent" {
		t.Fatalf("Get = %q", got)
	}
	put(t, cold, "a", "behind the tier's back")
	if got := get(t, s, "a"); got != "behind the tier's back" {
		t.Errorf("Get = %q", got)
	}
}

func TestTextIsHeldCompressedOnce(t *testing.T) {
	s := tier.New(mem.New(1<<20), openDisk(t), tier.Options{
		MaxItem:  64 << 10,
		Compress: func(key string) bool { return strings.HasSuffix(key, ".mod") },
	})
	text := strings.Repeat("require example.com/mod v1.0.0\n", 100)
	put(t, s, "a.mod", text)
	put(t, s, "a.zip", text)
	first, err := s.Get(t.Context(), "a.mod")
	if err != nil || len(first.Gzip) == 0 || len(first.Gzip) >= len(text) {
		t.Fatalf("compressed form has %d of %d bytes, %v", len(first.Gzip), len(text), err)
	}
	second, err := s.Get(t.Context(), "a.mod")
	if err != nil || !bytes.Equal(second.Gzip, first.Gzip) || &second.Gzip[0] != &first.Gzip[0] {
		t.Errorf("the compressed form is made anew: %v", err)
	}
	if z, err := s.Get(t.Context(), "a.zip"); err != nil || z.Gzip != nil {
		t.Errorf("a zip has %d compressed bytes, %v", len(z.Gzip), err)
	}
}

// A reader that found the old entry must not leave a copy of it behind a write
// that has returned meanwhile.
func TestSlowReaderDoesNotBringBackTheOld(t *testing.T) {
	for name, write := range map[string]func(s store.Store) string{
		"Put":    func(s store.Store) string { put(t, s, "a", "new"); return "new" },
		"Delete": func(s store.Store) string { s.Delete(t.Context(), "a"); return "absent" },
	} {
		t.Run(name, func(t *testing.T) {
			cold := &watched{Store: openDisk(t)}
			s := tier.New(mem.New(1<<20), cold, small)
			put(t, s, "a", "old")
			var want string
			cold.opened = func() {
				cold.opened = nil
				want = write(s)
			}
			if got := get(t, s, "a"); got != "old" {
				t.Errorf("the slow reader has %q, it opened %q", got, "old")
			}
			if got := get(t, s, "a"); got != want {
				t.Errorf("afterwards Get = %q, want %q", got, want)
			}
		})
	}
}

// Nor must one that found it while the write was under way.
func TestReaderThatBeganDuringAPutDoesNotBringBackTheOld(t *testing.T) {
	cold := &watched{Store: openDisk(t)}
	s := tier.New(mem.New(1<<20), cold, small)
	put(t, s, "a", "old")
	body := &inTheMiddle{Reader: strings.NewReader("new")}
	opened, written := make(chan struct{}), make(chan struct{})
	body.call = func() {
		cold.opened = func() {
			cold.opened = nil
			close(opened)
			<-written
		}
		go func() {
			defer close(body.done)
			if got := get(t, s, "a"); got != "old" {
				t.Errorf("the slow reader has %q, it opened %q", got, "old")
			}
		}()
		<-opened
	}
	body.done = make(chan struct{})
	if _, err := s.Put(t.Context(), "a", body, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	close(written)
	<-body.done
	if got := get(t, s, "a"); got != "new" {
		t.Errorf("afterwards Get = %q", got)
	}
}

// inTheMiddle is a body that calls a function before its first byte is read.
type inTheMiddle struct {
	*strings.Reader
	call func()
	done chan struct{}
}

func (b *inTheMiddle) Read(p []byte) (int, error) {
	if call := b.call; call != nil {
		b.call = nil
		call()
	}
	return b.Reader.Read(p)
}

// While a Put is under way readers may see either entry, but never the old one
// after the new one.
func TestThereIsNoCopyDuringAPut(t *testing.T) {
	cold := &watched{Store: openDisk(t)}
	s := tier.New(mem.New(1<<20), cold, small)
	put(t, s, "a", "old")
	get(t, s, "a") // makes a copy
	before := cold.gets.Load()
	cold.during = func() {
		for range 3 {
			if got := get(t, s, "a"); got != "new" {
				t.Errorf("Get after the cold store has the new entry = %q", got)
			}
		}
	}
	put(t, s, "a", "new")
	if n := cold.gets.Load() - before; n != 3 {
		t.Errorf("Gets during a Put read the cold store %d times, want 3", n)
	}
}

// A write that failed may have happened.
func TestFailedWriteDropsTheCopy(t *testing.T) {
	cold := &watched{Store: openDisk(t)}
	s := tier.New(mem.New(1<<20), cold, small)
	put(t, s, "a", "old")
	get(t, s, "a")
	cold.err = errors.New("outcome unknown")
	ctx, cancel := context.WithCancel(t.Context())
	cold.during = cancel
	if _, err := s.Put(ctx, "a", strings.NewReader("new"), store.PutOptions{}); !errors.Is(err, cold.err) {
		t.Errorf("Put = %v", err)
	}
	if got := get(t, s, "a"); got != "new" {
		t.Errorf("after a Put of unknown outcome Get = %q, the cold store holds %q", got, "new")
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, cold.err) {
		t.Errorf("Delete = %v", err)
	}
	if got := get(t, s, "a"); got != "absent" {
		t.Errorf("after a Delete of unknown outcome Get = %q", got)
	}
}

// One writer per key counts up; readers must never see less than what had been
// acknowledged before they began, nor count down.
func TestReadersNeverSeeLessThanWasAcknowledged(t *testing.T) {
	s := tier.New(mem.New(4000), openDisk(t), small) // too small for all, so that copies come and go
	const keys, writes = 8, 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var acked [keys]atomic.Int64
	var done atomic.Int64
	var wg sync.WaitGroup
	for k := range keys {
		put(t, s, fmt.Sprint(k), "0")
		wg.Go(func() {
			defer done.Add(1)
			for i := 1; i <= writes; i++ {
				if _, err := s.Put(t.Context(), fmt.Sprint(k), strings.NewReader(strconv.Itoa(i)), store.PutOptions{}); err != nil {
					t.Error(err)
					return
				}
				acked[k].Store(int64(i))
			}
		})
	}
	for r := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(r)))
			var last [keys]int64
			for done.Load() < keys {
				k := random.IntN(keys)
				least := max(acked[k].Load(), last[k])
				n, err := strconv.ParseInt(get(t, s, fmt.Sprint(k)), 10, 64)
				if err != nil || n < least {
					t.Errorf("key %d reads %d, %v, after %d had been acknowledged or read", k, n, err, least)
					return
				}
				last[k] = n
			}
		})
	}
	wg.Wait()
}

func TestAbilitiesAreThoseOfTheColdStore(t *testing.T) {
	cold := openDisk(t)
	for name, c := range map[string]struct {
		cold           store.Store
		spools, checks bool
	}{
		"both": {cold, true, true},
		"spooler": {struct {
			store.Store
			store.Spooler
		}{cold, cold}, true, false},
		"checker": {struct {
			store.Store
			store.Checker
		}{cold, cold}, false, true},
		"neither": {mem.New(1000), false, false},
	} {
		s := tier.New(mem.New(1000), c.cold, small)
		_, spools := s.(store.Spooler)
		_, checks := s.(store.Checker)
		if spools != c.spools || checks != c.checks {
			t.Errorf("%s: spools %v, checks %v", name, spools, checks)
		}
	}
}

func BenchmarkHotGet(b *testing.B) {
	s := tier.New(mem.New(1<<20), openDisk(b), small)
	const key = "github.com/burntsushi/toml/@v/v1.2.3.mod"
	put(b, s, key, "module")
	get(b, s, key)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(context.Background(), key); err != nil {
			b.Fatal(err)
		}
	}
}
