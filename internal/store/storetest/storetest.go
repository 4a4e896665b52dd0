// Package storetest checks that a store keeps the promises of package store.
//
// [Test] is the suite every implementation passes, [Benchmark] measures it. A
// store that may drop entries, such as a bounded one in memory, passes when its
// bound is some 64 MiB. A property test compares a random history with a model;
// it prints its seed, and repeats it from WEIR_STORETEST_SEED.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

// Test runs the suite. Each part opens a store of its own, which must be empty.
func Test(t *testing.T, open func(t *testing.T) store.Store) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) { p.check(t, open(t)) })
	}
}

var promises = []struct {
	name  string
	check func(*testing.T, store.Store)
}{
	{"GetOfAbsentMatchesNotExist", getAbsent},
	{"GetReturnsWhatWasPut", getReturnsWhatWasPut},
	{"PutReplaces", putReplaces},
	{"PutReadsBodyFromItsStart", putReadsFromStart},
	{"PutDoesNotCloseBody", putDoesNotCloseBody},
	{"EmptyBodyIsAnEntry", emptyBody},
	{"LargeBodyComesBackWhole", largeBody},
	{"FailedBodyLeavesEntryAsItWas", failedBody},
	{"ReadersNeverSeeHalfABody", wholeOrAbsent},
	{"PutIfAbsentNeverReplaces", ifAbsent},
	{"PutIfAbsentHasOneWinner", ifAbsentRace},
	{"PutIfMatchNeedsTheCurrentTag", ifMatch},
	{"PutIfMatchLosesNoUpdate", ifMatchRace},
	{"PutWithExpiresWorksOrIsUnsupported", expires},
	{"ReaderKeepsItsBody", readerKeepsBody},
	{"DeleteRemoves", deleteRemoves},
	{"ListIsByPrefixInOrder", list},
	{"ListEndsWithItsContext", listContext},
	{"KeysAreApart", keysApart},
	{"HostileKeysAreRefused", hostileKeys},
	{"CancelledContextDoesNothing", cancelled},
	{"SpooledFileIsStoredWhole", spooled},
	{"UnspooledFileLeavesNothing", unspooled},
	{"CheckOfHealthyStoreIsNil", check},
	{"RandomHistoryMatchesModel", history},
}

const (
	key   = "example.com/mod/@v/v1.0.0.zip"
	other = "example.com/mod/@v/v1.1.0.zip"
)

var always = store.PutOptions{}

func put(t *testing.T, s store.Store, key, body string) blob.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(body), always)
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return info
}

// read returns an entry's body, and "" with false when there is none.
func read(t *testing.T, s store.Store, key string) (body string, ok bool) {
	t.Helper()
	b, err := s.Get(t.Context(), key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return drain(t, b), true
}

func drain(t *testing.T, b *blob.Blob) string {
	t.Helper()
	defer b.Close()
	data, err := io.ReadAll(b.Reader())
	if err != nil {
		t.Fatalf("read %q: %v", b.Key, err)
	}
	if b.Size != int64(len(data)) {
		t.Errorf("%q: Size is %d, the body has %d bytes", b.Key, b.Size, len(data))
	}
	return string(data)
}

func wantBody(t *testing.T, s store.Store, key, want string) {
	t.Helper()
	if got, ok := read(t, s, key); !ok || got != want {
		t.Errorf("%q holds %s (present: %v), want %s", key, brief(got), ok, brief(want))
	}
}

func wantAbsent(t *testing.T, s store.Store, key string) {
	t.Helper()
	if got, ok := read(t, s, key); ok {
		t.Errorf("%q holds %s, want no entry", key, brief(got))
	}
}

func brief(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%.40q… (%d bytes)", s, len(s))
	}
	return fmt.Sprintf("%q", s)
}

func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	var got []string
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		got = append(got, info.Key)
	}
	return got
}

func getAbsent(t *testing.T, s store.Store) {
	put(t, s, key, "x")
	for _, k := range []string{other, "example.com", "example.com/mod", "example.com/mod/@v", key + "/below", "example.com/" + strings.Repeat("long", 200)} {
		if _, err := s.Get(t.Context(), k); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%.80q) = %v, want fs.ErrNotExist", k, err)
		}
	}
}

func getReturnsWhatWasPut(t *testing.T, s store.Store) {
	before := time.Now().Add(-2 * time.Second) // stores may keep whole seconds
	stored := put(t, s, key, "module")
	b, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(t, b); got != "module" {
		t.Errorf("body is %q", got)
	}
	if b.Key != key || b.Size != 6 || stored.Key != key || stored.Size != 6 {
		t.Errorf("Get has %q, %d bytes, Put has %q, %d bytes; want %q, 6 bytes", b.Key, b.Size, stored.Key, stored.Size, key)
	}
	if b.ETag != stored.ETag || len(b.ETag) < 3 || b.ETag[0] != '"' || b.ETag[len(b.ETag)-1] != '"' {
		t.Errorf("ETag of Get is %s, of Put %s; want the same, strong and quoted", b.ETag, stored.ETag)
	}
	if b.Time.Before(before) || b.Time.After(time.Now().Add(2*time.Second)) {
		t.Errorf("Time is %v, now it is %v", b.Time, time.Now())
	}
	for info, err := range s.List(t.Context(), key) {
		if err != nil || info.Key != key || info.Size != 6 {
			t.Errorf("List has %+v, %v", info, err)
		}
	}
}

func putReplaces(t *testing.T, s store.Store) {
	first := put(t, s, key, "one")
	second := put(t, s, key, "two")
	wantBody(t, s, key, "two")
	if first.ETag == second.ETag {
		t.Errorf("two bodies have one ETag, %s", first.ETag)
	}
}

func putReadsFromStart(t *testing.T, s store.Store) {
	body := strings.NewReader("0123456789")
	if _, err := body.Seek(5, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), key, body, always); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, key, "0123456789")
}

type closer struct {
	io.ReadSeeker
	closed bool
}

func (c *closer) Close() error {
	c.closed = true
	return nil
}

func putDoesNotCloseBody(t *testing.T, s store.Store) {
	body := &closer{ReadSeeker: strings.NewReader("x")}
	if _, err := s.Put(t.Context(), key, body, always); err != nil {
		t.Fatal(err)
	}
	if body.closed {
		t.Error("Put closed the body")
	}
}

func emptyBody(t *testing.T, s store.Store) {
	put(t, s, key, "")
	wantBody(t, s, key, "")
	if got := keys(t, s, ""); !slices.Equal(got, []string{key}) {
		t.Errorf("List has %q", got)
	}
}

// pattern returns n bytes that differ from block to block.
func pattern(n int, salt byte) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17 ^ salt
	}
	return data
}

func largeBody(t *testing.T, s store.Store) {
	data := pattern(5<<20, 0)
	if _, err := s.Put(t.Context(), key, bytes.NewReader(data), always); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, s, key); got != string(data) {
		t.Errorf("%d bytes came back changed as %d", len(data), len(got))
	}
}

// breaking is a body whose second half cannot be read.
type breaking struct{ *bytes.Reader }

var errBroken = errors.New("the source broke off")

func (b breaking) Read(p []byte) (int, error) {
	left := b.Len() - int(b.Size()/2)
	if left <= 0 {
		return 0, errBroken
	}
	return b.Reader.Read(p[:min(len(p), left)])
}

// WriteTo hides that of bytes.Reader.
func (b breaking) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{b}) }

func (b breaking) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func failedBody(t *testing.T, s store.Store) {
	put(t, s, other, "old")
	for _, k := range []string{key, other} {
		body := breaking{bytes.NewReader(pattern(200_000, 1))}
		if _, err := s.Put(t.Context(), k, body, always); err == nil {
			t.Errorf("Put(%q) of a body that fails succeeded", k)
		}
	}
	wantAbsent(t, s, key)
	wantBody(t, s, other, "old")
	if got := keys(t, s, ""); !slices.Equal(got, []string{other}) {
		t.Errorf("List has %q, want %q only", got, other)
	}
}

// halting is a body that gives half of itself and waits.
type halting struct {
	data    *bytes.Reader
	reached chan struct{}
	resume  chan struct{}
	once    sync.Once
}

func (h *halting) Seek(offset int64, whence int) (int64, error) { return h.data.Seek(offset, whence) }

func (h *halting) Read(p []byte) (int, error) {
	half := int(h.data.Size() / 2)
	done := int(h.data.Size()) - h.data.Len()
	if done < half {
		return h.data.Read(p[:min(len(p), half-done)])
	}
	h.once.Do(func() {
		close(h.reached)
		<-h.resume
	})
	return h.data.Read(p)
}

func wholeOrAbsent(t *testing.T, s store.Store) {
	old, fresh := string(pattern(300_000, 2)), string(pattern(400_000, 3))
	put(t, s, other, old)
	for _, k := range []string{key, other} {
		body := &halting{data: bytes.NewReader([]byte(fresh)), reached: make(chan struct{}), resume: make(chan struct{})}
		result := make(chan error, 1)
		go func() {
			_, err := s.Put(t.Context(), k, body, always)
			result <- err
		}()
		select {
		case <-body.reached:
		case err := <-result:
			t.Fatalf("Put(%q) ended without reading its body: %v", k, err)
		}
		if k == key {
			wantAbsent(t, s, k)
		} else {
			wantBody(t, s, k, old)
		}
		if got := keys(t, s, key); k == key && len(got) > 0 {
			t.Errorf("a Put in progress is listed as %q", got)
		}
		close(body.resume)
		readers(t, s, k, old, fresh, result)
		wantBody(t, s, k, fresh)
	}
}

// readers reads a key until a Put of it ends.
func readers(t *testing.T, s store.Store, key, old, fresh string, result chan error) {
	t.Helper()
	for {
		select {
		case err := <-result:
			if err != nil {
				t.Errorf("Put(%q): %v", key, err)
			}
			return
		default:
			if got, ok := read(t, s, key); ok && got != old && got != fresh {
				t.Errorf("%q holds %s while it is put", key, brief(got))
			}
		}
	}
}

func ifAbsent(t *testing.T, s store.Store) {
	o := store.PutOptions{IfAbsent: true}
	if _, err := s.Put(t.Context(), key, strings.NewReader("first"), o); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"second", "first"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader(body), o); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Put of %q = %v, want ErrConflict", body, err)
		}
	}
	wantBody(t, s, key, "first")
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), key, strings.NewReader("third"), o); err != nil {
		t.Errorf("Put after Delete: %v", err)
	}
	wantBody(t, s, key, "third")
}

// race runs n functions at once and returns what they return.
func race[T any](n int, f func(i int) T) []T {
	results := make([]T, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return results
}

func ifAbsentRace(t *testing.T, s store.Store) {
	const writers = 32
	body := func(i int) string { return string(pattern(20_000+i, byte(i))) }
	errs := race(writers, func(i int) error {
		_, err := s.Put(t.Context(), key, strings.NewReader(body(i)), store.PutOptions{IfAbsent: true})
		return err
	})
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("writers %d and %d both won", winner, i)
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("writer %d: %v, want ErrConflict", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	wantBody(t, s, key, body(winner))
}

func ifMatch(t *testing.T, s store.Store) {
	putIf := func(etag, body string) (blob.Info, error) {
		return s.Put(t.Context(), key, strings.NewReader(body), store.PutOptions{IfMatch: etag})
	}
	if _, err := putIf(`"none"`, "x"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("IfMatch of an absent entry = %v, want ErrConflict", err)
	}
	wantAbsent(t, s, key)
	one := put(t, s, key, "one")
	two, err := putIf(one.ETag, "two")
	if err != nil {
		t.Fatalf("IfMatch of the current tag: %v", err)
	}
	if _, err := putIf(one.ETag, "three"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("IfMatch of an old tag = %v, want ErrConflict", err)
	}
	wantBody(t, s, key, "two")
	if _, err := putIf(two.ETag, "four"); err != nil {
		t.Errorf("IfMatch of the tag that Put returned: %v", err)
	}
	wantBody(t, s, key, "four")
}

// ifMatchRace counts with compare-and-swap; all bodies have one size.
func ifMatchRace(t *testing.T, s store.Store) {
	const writers, each = 8, 5
	put(t, s, key, "0000")
	errs := race(writers, func(int) error {
		for range each {
			if err := increment(t.Context(), s, 25*writers*each); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, key, fmt.Sprintf("%04d", writers*each))
}

// increment tries until it wins. A loss is another's win as a rule, so that there
// is a bound to them.
func increment(ctx context.Context, s store.Store, tries int) error {
	for range tries {
		b, err := s.Get(ctx, key)
		if err != nil {
			return err
		}
		data, err := b.ReadAll(16)
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(string(data), "%d", &n); err != nil {
			return err
		}
		body := strings.NewReader(fmt.Sprintf("%04d", n+1))
		_, err = s.Put(ctx, key, body, store.PutOptions{IfMatch: b.ETag})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("lost %d times in a row, with tags just read", tries)
}

func expires(t *testing.T, s store.Store) {
	_, err := s.Put(t.Context(), key, strings.NewReader("x"), store.PutOptions{Expires: time.Hour})
	switch {
	case err == nil:
		wantBody(t, s, key, "x")
	case errors.Is(err, errors.ErrUnsupported):
		wantAbsent(t, s, key)
	default:
		t.Errorf("Put with Expires = %v, want nil or errors.ErrUnsupported", err)
	}
}

func readerKeepsBody(t *testing.T, s store.Store) {
	old := string(pattern(3<<20, 4))
	open := func() *blob.Blob {
		b, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put(t, s, key, old)
	replaced := open()
	put(t, s, key, "new")
	if got := drain(t, replaced); got != old {
		t.Errorf("after a replacement the reader has %s", brief(got))
	}
	put(t, s, key, old)
	deleted := open()
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, deleted); got != old {
		t.Errorf("after a deletion the reader has %s", brief(got))
	}
}

func deleteRemoves(t *testing.T, s store.Store) {
	put(t, s, key, "x")
	put(t, s, other, "y")
	for _, k := range []string{key, key, "example.com/never", "never.example/a/b", key + "/below"} {
		if err := s.Delete(t.Context(), k); err != nil {
			t.Errorf("Delete(%q): %v", k, err)
		}
	}
	for _, folder := range []string{"example.com", "example.com/mod/@v"} {
		if err := s.Delete(t.Context(), folder); err != nil {
			t.Errorf("Delete(%q), which other keys go on from: %v", folder, err)
		}
	}
	wantAbsent(t, s, key)
	wantBody(t, s, other, "y")
	put(t, s, key, "z")
	wantBody(t, s, key, "z")
}

func list(t *testing.T, s store.Store) {
	all := []string{ // in the order of bytes, in which - . and ! come before /
		"a!b/x", "a-b/x", "a-b/y", "a.b/x", "a/b-c/x", "a/b/x", "a/b/y/z", "a/c", "a0/x", "b/x",
	}
	for _, i := range []int{7, 2, 9, 0, 5, 1, 8, 3, 6, 4} {
		put(t, s, all[i], "x")
	}
	for _, prefix := range []string{"", "a", "a/", "a-", "a/b", "a/b/", "a/b/y", "a/b/y/", "a/c", "a/c/", "a0", "b/x", "c", "a/b/y/z/q", "/", "..", "../", "a//", "a/../a"} {
		var want []string
		for _, k := range all {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k)
			}
		}
		if got := keys(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
	for info, err := range s.List(t.Context(), "a") {
		if err != nil || info.Key != all[0] {
			t.Errorf("List begins with %q, %v", info.Key, err)
		}
		break // must not go on calling
	}
}

func listContext(t *testing.T, s store.Store) {
	for i := range 10 {
		put(t, s, fmt.Sprintf("a/%d", i), "x")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	n := 0
	for _, err := range s.List(ctx, "") {
		last = err
		n++
	}
	if !errors.Is(last, context.Canceled) || n != 1 {
		t.Errorf("List with a cancelled context yields %d times, at last %v; want context.Canceled once", n, last)
	}
}

func keysApart(t *testing.T, s store.Store) {
	name := func(i int) string { return fmt.Sprintf("example.com/m%d/@v/v1.0.%d.mod", i%7, i) }
	errs := race(40, func(i int) error {
		_, err := s.Put(t.Context(), name(i), strings.NewReader(name(i)), always)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		wantBody(t, s, name(i), name(i))
	}
	if got := keys(t, s, "example.com/"); len(got) != 40 || !slices.IsSorted(got) {
		t.Errorf("List has %d keys, want 40 in order: %q", len(got), got)
	}
}

func hostileKeys(t *testing.T, s store.Store) {
	for _, k := range []string{"", ".", "..", "/", "/a", "a/", "a//b", "../a", "a/..", "a/../b", "a/../../b", "./a", "a/./b", "a\xff"} {
		if _, err := s.Put(t.Context(), k, strings.NewReader("x"), always); err == nil {
			t.Errorf("Put(%q) succeeded", k)
		}
		if b, err := s.Get(t.Context(), k); err == nil {
			b.Close()
			t.Errorf("Get(%q) succeeded", k)
		}
	}
	if got := keys(t, s, ""); len(got) > 0 {
		t.Errorf("refused keys are listed: %q", got)
	}
}

func cancelled(t *testing.T, s store.Store) {
	put(t, s, other, "old")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, other)
	_, putErr := s.Put(ctx, key, strings.NewReader("x"), always)
	_, replaceErr := s.Put(ctx, other, strings.NewReader("new"), always)
	for call, err := range map[string]error{"Get": getErr, "Put": putErr, "Put over an entry": replaceErr, "Delete": s.Delete(ctx, other)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", call, err)
		}
	}
	wantAbsent(t, s, key)
	wantBody(t, s, other, "old")
}

// borrow calls use with a file lent by the store that has data in it, and gives
// the file back. A store that lends none promises nothing about them.
func borrow(t *testing.T, s store.Store, data []byte, use func(*os.File)) {
	t.Helper()
	lender, ok := s.(store.Spooler)
	if !ok {
		return
	}
	f, err := lender.Spool()
	if err != nil {
		t.Fatalf("Spool: %v", err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	use(f)
	if err := lender.Unspool(f); err != nil {
		t.Errorf("Unspool: %v", err)
	}
}

func spooled(t *testing.T, s store.Store) {
	data := pattern(1<<20, 5)
	for k, o := range map[string]store.PutOptions{key: {}, other: {IfAbsent: true}} {
		borrow(t, s, data, func(f *os.File) {
			putLent(t, s, k, f, o)
			got := make([]byte, len(data))
			if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, data) {
				t.Errorf("a lent file that was put can no longer be read: %v", err)
			}
			putLent(t, s, k+"-again", f, o)
			wantBody(t, s, k, string(data))
		})
	}
	for _, k := range keys(t, s, "") { // none, where the store lends no files
		wantBody(t, s, k, string(data))
	}
}

func putLent(t *testing.T, s store.Store, key string, f *os.File, o store.PutOptions) {
	t.Helper()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Put(t.Context(), key, f, o)
	if err != nil || info.Size != fi.Size() {
		t.Fatalf("Put of a lent file of %d bytes: %d bytes, %v", fi.Size(), info.Size, err)
	}
}

func unspooled(t *testing.T, s store.Store) {
	put(t, s, key, "first")
	borrow(t, s, []byte("second"), func(f *os.File) {
		if _, err := s.Put(t.Context(), key, f, store.PutOptions{IfAbsent: true}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Put = %v, want ErrConflict", err)
		}
		if got := keys(t, s, ""); !slices.Equal(got, []string{key}) {
			t.Errorf("List has %q while a file is lent", got)
		}
	})
	wantBody(t, s, key, "first")
}

func check(t *testing.T, s store.Store) {
	c, ok := s.(store.Checker)
	if !ok {
		return
	}
	for range 3 {
		if err := c.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
	}
}
