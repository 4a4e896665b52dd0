package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/storetest"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *Store, key, body string) blob.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(body), store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// wantEntry checks that key holds body, or nothing when body is empty.
func wantEntry(t testing.TB, s *Store, key, body string) {
	t.Helper()
	b, err := s.Get(t.Context(), key)
	if body == "" {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%q) = %v, want fs.ErrNotExist", key, err)
		}
		return
	}
	if err != nil {
		t.Errorf("Get(%q): %v", key, err)
		return
	}
	if data, err := b.ReadAll(1 << 20); err != nil || string(data) != body {
		t.Errorf("%q holds %.40q, %v, want %.40q", key, data, err, body)
	}
}

func wantNoTemps(t testing.TB, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".weir", "tmp", "*"))
	if err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %q, %v", names, err)
	}
}

func list(t testing.TB, s *Store, prefix string) (got []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Key)
	}
	return got
}

func TestStore(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

// The way of systems without openat2.
func TestStoreReadThroughRoot(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store {
		s := open(t, t.TempDir())
		if err := s.files.close(); err != nil {
			t.Fatal(err)
		}
		s.files = opener{root: s.root}
		return s
	})
}

// The way of file systems without hard links.
func TestStoreWithoutLinks(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store {
		s := open(t, t.TempDir())
		s.link = func(string, string) error { return errors.ErrUnsupported }
		return s
	})
}

func TestFolderHasLayoutOfProtocol(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "open")
	s := open(t, dir)
	const key = "github.com/!burnt!sushi/toml/@v/v1.0.0.mod"
	put(t, s, key, "module github.com/BurntSushi/toml\n")
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(key)))
	if err != nil || string(data) != "module github.com/BurntSushi/toml\n" {
		t.Errorf("the file of the key holds %q, %v", data, err)
	}
	wantNoTemps(t, dir)
}

func TestForeignFilesAreEntries(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "example.com", "@v"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "example.com", "@v", "v1.0.0.info"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	wantEntry(t, s, "example.com/@v/v1.0.0.info", "{}")
	if got := list(t, s, ""); !slices.Equal(got, []string{"example.com/@v/v1.0.0.info"}) {
		t.Errorf("List has %q", got)
	}
}

func TestKeysThatDifferBySystemAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{
		"A", "example.com/Mod", "a/B/c", `a\b`, "c:", "a/c:stream", "a\x00b", "a\nb", "ä", "a/.b", ".b", "a/...", ".weir", ".weirs/a",
		".weir/", ".weir/tmp", ".weir/tmp/a", ".weir/.weir/a", ".weir/..", ".weir//a", "a/.weir/b", "a\x7f",
	} {
		_, getErr := s.Get(t.Context(), key)
		_, putErr := s.Put(t.Context(), key, strings.NewReader("x"), store.PutOptions{})
		for call, err := range map[string]error{"Get": getErr, "Put": putErr, "Delete": s.Delete(t.Context(), key)} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s(%q) = %v, want fs.ErrInvalid", call, key, err)
			}
		}
	}
	for _, key := range []string{"a", "!a/@v/list", "a.b/c~d/e_f-g+h", ".weir/tmpfiles", ".weir/sumdb/sum.golang.org/latest", "a@b,c=d"} {
		put(t, s, key, key)
		wantEntry(t, s, key, key)
	}
}

func FuzzKey(f *testing.F) {
	for _, key := range []string{"a/b", ".weir/a", "../a", "a//b", "A", "a/.", ".weir/tmp/x", ""} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if checkKey(key) != nil {
			return
		}
		if !fs.ValidPath(key) || key == "." || !filepath.IsLocal(filepath.FromSlash(key)) || strings.ToLower(key) != key {
			t.Errorf("%q is accepted", key)
		}
		if strings.HasPrefix(key, tmpDir+"/") || key == tmpDir {
			t.Errorf("%q is accepted, among temporary files", key)
		}
	})
}

func TestOwnRecordsAreListedOnlyWhenAskedFor(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, ".weir/sumdb/latest", "x")
	put(t, s, "a/b", "x")
	for prefix, want := range map[string][]string{
		"": {"a/b"}, ".": nil, ".weir": nil, ".weir/": {".weir/sumdb/latest"}, ".weir/s": {".weir/sumdb/latest"}, ".weir/tmp": nil, ".weir/tmp/": nil, "A": nil, "A/": nil,
	} {
		if got := list(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func TestKeyThatIsFileAndFolderIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/b", "file")
	put(t, s, "c/d/e", "file")
	for _, key := range []string{"a/b/c", "a/b/c/d", "c/d", "c"} {
		for _, o := range []store.PutOptions{{}, {IfAbsent: true}} {
			_, err := s.Put(t.Context(), key, strings.NewReader("x"), o)
			if err == nil || errors.Is(err, store.ErrConflict) {
				t.Errorf("Put(%q, %+v) = %v, want an error that is no conflict", key, o, err)
			}
		}
		wantEntry(t, s, key, "")
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
	wantEntry(t, s, "a/b", "file")
	wantEntry(t, s, "c/d/e", "file")
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func TestLinksLeadNowhereOutside(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	for name, target := range map[string]string{"folder": outside, "file": filepath.Join(outside, "secret"), "relative": "../" + filepath.Base(outside)} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"folder/secret", "file", "relative/secret"} {
		if b, err := s.Get(t.Context(), key); err == nil {
			b.Close()
			t.Errorf("Get(%q) left the folder", key)
		}
	}
	for _, key := range []string{"folder/new", "relative/new"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x"), store.PutOptions{}); err == nil {
			t.Errorf("Put(%q) left the folder", key)
		}
		if err := s.Delete(t.Context(), strings.Replace(key, "new", "secret", 1)); err == nil {
			t.Errorf("Delete(%q) left the folder", key)
		}
	}
	names, err := filepath.Glob(filepath.Join(outside, "*"))
	if err != nil || len(names) != 1 {
		t.Errorf("outside there is %q, %v", names, err)
	}
	if got := list(t, s, ""); len(got) > 0 {
		t.Errorf("List has %q", got)
	}
}

func TestTagsOfQuickPutsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so quick that the clock stands still
		s := open(t, t.TempDir())
		seen := map[string]bool{}
		for range 50 {
			info := put(t, s, "a", "same size")
			seen[info.ETag] = true
			if ahead := time.Until(info.Time); ahead < 0 || ahead > time.Millisecond {
				t.Errorf("stored at %v, now it is %v", info.Time, time.Now())
			}
		}
		if len(seen) != 50 {
			t.Errorf("50 bodies of equal size have %d tags", len(seen))
		}
	})
}

func TestOpenSweepsTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Spool(); err != nil { // as left by a process that was killed
		t.Fatal(err)
	}
	put(t, s, "a", "body")
	s.Close()
	s = open(t, dir)
	wantNoTemps(t, dir)
	wantEntry(t, s, "a", "body")
}

func TestTemporaryFilesFolderMayBeTidiedUp(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, ".weir")); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "body")
	wantEntry(t, s, "a", "body")
}

func TestFoldersMayBeRemovedBehindOurBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b/c", "body")
	if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	wantEntry(t, s, "a/b/c", "")
	if got := list(t, s, "a/b/"); len(got) > 0 {
		t.Errorf("List has %q", got)
	}
	put(t, s, "a/b/c", "again")
	wantEntry(t, s, "a/b/c", "again")
}

func TestFollowerReadsOnAfterPutTookTheFile(t *testing.T) {
	for _, o := range []store.PutOptions{{}, {IfAbsent: true}} {
		dir := t.TempDir()
		s := open(t, dir)
		body := strings.Repeat("0123456789abcdef", 20_000) // more than is held back
		spool := blob.NewSpool(0, s)
		if _, err := spool.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		follower, late := spool.Follow(t.Context()), spool.Follow(t.Context())
		begin := make([]byte, 100_000)
		if _, err := io.ReadFull(follower, begin); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), "a/b", spool.File(), o); err != nil {
			t.Fatal(err)
		}
		spool.Release()
		if err := spool.Close(); err != nil {
			t.Error(err)
		}
		var rest, whole strings.Builder
		if _, err := follower.WriteTo(&rest); err != nil || string(begin)+rest.String() != body {
			t.Errorf("%+v: the follower has %d of %d bytes, %v", o, len(begin)+rest.Len(), len(body), err)
		}
		if _, err := late.WriteTo(&whole); err != nil || whole.String() != body {
			t.Errorf("%+v: the late follower has %d of %d bytes, %v", o, whole.Len(), len(body), err)
		}
		for _, f := range []*blob.Follower{follower, late} {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		wantEntry(t, s, "a/b", body)
		wantNoTemps(t, dir)
	}
}

func TestUnspoolOfStrangersFileIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	f, err := os.Create(filepath.Join(t.TempDir(), "mine"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unspool(f); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Unspool = %v, want fs.ErrInvalid", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("Unspool closed a file that is not the store's: %v", err)
	}
	lent, err := s.Spool()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unspool(lent); err != nil {
		t.Error(err)
	}
	if err := s.Unspool(lent); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("second Unspool = %v, want fs.ErrInvalid", err)
	}
}

// syncLog notes which files are synced, and fails on request.
type syncLog struct {
	mu    sync.Mutex
	dir   string
	log   []string
	fail  func(name string) error
	local func(*os.File) error
}

func logSyncs(s *Store, dir string) *syncLog {
	r := &syncLog{dir: dir, local: s.sync}
	s.sync = r.sync
	return r
}

func (r *syncLog) sync(f *os.File) error {
	name, err := filepath.Rel(r.dir, f.Name())
	if err != nil {
		return err
	}
	if name = filepath.ToSlash(name); strings.HasPrefix(name, tmpDir+"/") {
		name = "temp"
	}
	r.mu.Lock()
	r.log = append(r.log, name)
	fail := r.fail
	r.mu.Unlock()
	if fail != nil {
		if err := fail(name); err != nil {
			return err
		}
	}
	return r.local(f)
}

func (r *syncLog) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.log
	r.log = nil
	return log
}

func TestPutSyncsFileThenFoldersOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := logSyncs(s, dir)
	for _, c := range []struct {
		act  func()
		want []string
	}{
		{func() { put(t, s, "a/b/c", "x") }, []string{"temp", ".", "a", "a/b"}},
		{func() { put(t, s, "a/b/d", "x") }, []string{"temp", "a/b"}},
		{func() { put(t, s, "a/e/f", "x") }, []string{"temp", "a", "a/e"}},
		{func() { put(t, s, "g", "x") }, []string{"temp", "."}},
		{func() {
			if err := s.Delete(t.Context(), "a/b/c"); err != nil {
				t.Error(err)
			}
		}, []string{"a/b"}},
	} {
		c.act()
		if got := r.take(); !slices.Equal(got, c.want) {
			t.Errorf("synced are %q, want %q", got, c.want)
		}
	}
}

// A folder that is there may have been made by a Put that has not synced its
// parent yet: the next Put must not trust it.
func TestPutSyncsParentsAnotherPutHasMade(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := logSyncs(s, dir)
	stuck, release := make(chan struct{}), make(chan struct{})
	var begun atomic.Bool
	r.fail = func(name string) error {
		if name == "." && begun.CompareAndSwap(false, true) {
			close(stuck)
			<-release
		}
		return nil
	}
	first := make(chan error, 1)
	go func() {
		_, err := s.Put(t.Context(), "a/b", strings.NewReader("x"), store.PutOptions{})
		first <- err
	}()
	<-stuck
	r.take()
	put(t, s, "a/c", "x")
	if got, want := r.take(), []string{"temp", ".", "a"}; !slices.Equal(got, want) {
		t.Errorf("synced are %q, want %q", got, want)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestPutPassesItsPointsInOrder(t *testing.T) {
	s := open(t, t.TempDir())
	var got []string
	f := func(point string) { got = append(got, point) }
	onPoint.Store(&f)
	defer onPoint.Store(nil)
	put(t, s, "a/b", strings.Repeat("x", 100_000))
	got = slices.Compact(got)
	if !slices.Equal(got, points) {
		t.Errorf("points are %q, want %q", got, points)
	}
}

var points = []string{
	pointCreated, pointMidWrite, pointBeforeSync, pointAfterSync, pointBeforePublish, pointAfterPublish, pointBeforeDirSync, pointDone,
}

func TestDurableFoldersAreBounded(t *testing.T) {
	var d durableDirs
	for i := range 3 * maxDurable {
		d.add(fmt.Sprint(i))
		if len(d.names) > maxDurable {
			t.Fatalf("%d folders are remembered", len(d.names))
		}
	}
	if last := fmt.Sprint(3*maxDurable - 1); !d.has(last) {
		t.Errorf("folder %s is forgotten at once", last)
	}
}
