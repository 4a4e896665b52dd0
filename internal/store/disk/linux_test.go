//go:build linux

package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/store"
)

// mount mounts a small file system in memory, which takes root.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("this test must run as root, in a place where file systems may be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all space of a file system, until free is called.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	f.Close()
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// wantUnwritable checks that a store says why it cannot be written to, shows
// nothing of what it refused, and goes on reading.
func wantUnwritable(t *testing.T, s *Store, why error) {
	t.Helper()
	for _, key := range []string{"old", "new/a/b"} {
		for _, o := range []store.PutOptions{{}, {IfAbsent: true}} {
			if _, err := s.Put(t.Context(), key, bytes.NewReader(make([]byte, 100_000)), o); !errors.Is(err, why) {
				t.Errorf("Put(%q) = %v, want %v", key, err, why)
			}
		}
	}
	if err := s.Check(t.Context()); !errors.Is(err, why) {
		t.Errorf("Check = %v, want %v", err, why)
	}
	if _, err := s.Spool(); !errors.Is(err, why) {
		t.Errorf("Spool = %v, want %v", err, why)
	}
	wantEntry(t, s, "old", "body")
	wantEntry(t, s, "new/a/b", "")
	if got := slices.DeleteFunc(list(t, s, ""), func(key string) bool { return key == "filler" }); !slices.Equal(got, []string{"old"}) {
		t.Errorf("List has %q", got)
	}
}

func wantWritable(t *testing.T, s *Store) {
	t.Helper()
	time.Sleep(probeEvery) // in a synctest bubble
	put(t, s, "new/a/b", "fresh")
	wantEntry(t, s, "new/a/b", "fresh")
	time.Sleep(probeEvery)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check of a volume that is well again: %v", err)
	}
}

func TestFullVolumeIsReadAndComesBack(t *testing.T) {
	dir := mount(t, "size=256k")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		put(t, s, "old", "body")
		free := fill(t, dir)
		wantUnwritable(t, s, ErrFull)
		wantNoTemps(t, dir)
		free()
		wantWritable(t, s)
	})
}

func TestVolumeWithoutInodesIsFull(t *testing.T) {
	dir := mount(t, "size=1m,nr_inodes=12")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		put(t, s, "old", "body")
		var names []string
		for {
			name := filepath.Join(dir, "filler"+strings.Repeat("x", len(names)))
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				break
			}
			names = append(names, name)
		}
		_, err := s.Put(t.Context(), "new", strings.NewReader("x"), store.PutOptions{})
		if !errors.Is(err, ErrFull) {
			t.Errorf("Put = %v, want ErrFull", err)
		}
		wantEntry(t, s, "old", "body")
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		wantWritable(t, s)
	})
}

// Space may run out for a large body while small ones fit.
func TestBodyThatDoesNotFitLeavesRoomForOthers(t *testing.T) {
	dir := mount(t, "size=256k")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		_, err := s.Put(t.Context(), "large", bytes.NewReader(make([]byte, 1<<20)), store.PutOptions{})
		if !errors.Is(err, ErrFull) {
			t.Errorf("Put = %v, want ErrFull", err)
		}
		wantNoTemps(t, dir)
		wantEntry(t, s, "large", "")
		wantWritable(t, s)
	})
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyVolumeIsReadAndComesBack(t *testing.T) {
	dir := mount(t, "size=1m")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		put(t, s, "old", "body")
		remount(t, dir, syscall.MS_RDONLY)
		wantUnwritable(t, s, ErrReadOnly)
		if err := s.Delete(t.Context(), "old"); !errors.Is(err, ErrReadOnly) {
			t.Errorf("Delete = %v, want ErrReadOnly", err)
		}
		remount(t, dir, 0)
		wantNoTemps(t, dir)
		wantWritable(t, s)
	})
}

func TestOpenOfReadOnlyVolumeReads(t *testing.T) {
	dir := mount(t, "size=1m")
	synctest.Test(t, func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "old"), []byte("body"), 0o644); err != nil {
			t.Fatal(err)
		}
		remount(t, dir, syscall.MS_RDONLY)
		s := open(t, dir)
		wantUnwritable(t, s, ErrReadOnly)
		remount(t, dir, 0)
		wantWritable(t, s)
	})
}

func TestOnlyRegularFilesAreEntries(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	system := s.files
	for _, s.files = range []opener{system, {root: s.root}} {
		for _, key := range []string{"pipe", "folder"} {
			if b, err := s.Get(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Get(%q) = %v, %v, want fs.ErrNotExist", key, b, err)
			}
		}
	}
	s.files = system
	if got := list(t, s, ""); len(got) > 0 {
		t.Errorf("List has %q", got)
	}
}

// An entry that cannot be opened is not an entry that is not there.
func TestTroubleOfReadingIsNotAbsence(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "loop"); !errors.Is(err, syscall.ELOOP) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get = %v, want ELOOP", err)
	}
}

// A process that opens the store leaves the temporary files of another alone.
func TestOpenSparesTemporaryFilesInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	f, err := s.Spool()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("body"); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // locks belong to open files, so that this is like another process
	if _, err := s.Put(t.Context(), "a", f, store.PutOptions{IfAbsent: true}); err != nil {
		t.Errorf("Put of a file that was lent before: %v", err)
	}
	if err := s.Unspool(f); err != nil {
		t.Error(err)
	}
	wantEntry(t, s, "a", "body")
}

func TestFilesAreNotLeaked(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := count()
	dir := t.TempDir()
	for range 20 {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "a/b", "body")
		wantEntry(t, s, "a/b", "body")
		wantEntry(t, s, "absent", "")
		wantEntry(t, s, "a", "")
		list(t, s, "")
		f, err := s.Spool()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unspool(f); err != nil {
			t.Error(err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := count(); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}
