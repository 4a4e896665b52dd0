package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/store"
)

// failing makes the syncs of a store fail with *err, when that is set.
func failing(s *Store, dir string) (r *syncLog, err *atomic.Pointer[error]) {
	r, err = logSyncs(s, dir), new(atomic.Pointer[error])
	r.fail = func(string) error {
		if e := err.Load(); e != nil {
			return *e
		}
		return nil
	}
	return r, err
}

var eio error = syscall.EIO

func tryPut(t *testing.T, s *Store, key string) error {
	_, err := s.Put(t.Context(), key, strings.NewReader("body"), store.PutOptions{})
	return err
}

func TestFailedSyncIsNeverRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		put(t, s, "old", "old")
		r, fails := failing(s, dir)
		fails.Store(&eio)
		if err := tryPut(t, s, "a/b"); !errors.Is(err, ErrSuspect) || !errors.Is(err, syscall.EIO) {
			t.Errorf("Put = %v, want ErrSuspect and EIO", err)
		}
		if got := r.take(); len(got) != 1 {
			t.Errorf("after the first error synced are %q, too", got[1:])
		}
		wantEntry(t, s, "a/b", "")
		wantEntry(t, s, "old", "old")
		wantNoTemps(t, dir)
	})
}

func TestLentFileIsOfNoUseAfterFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		f, err := s.Spool()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("body"); err != nil {
			t.Fatal(err)
		}
		_, fails := failing(s, dir)
		fails.Store(&eio)
		if _, err := s.Put(t.Context(), "a", f, store.PutOptions{}); !errors.Is(err, ErrSuspect) {
			t.Errorf("Put = %v, want ErrSuspect", err)
		}
		fails.Store(nil)
		time.Sleep(probeEvery)
		if _, err := s.Put(t.Context(), "a", f, store.PutOptions{}); !errors.Is(err, syscall.EIO) {
			t.Errorf("Put of the same file on a disk that is well again = %v, want the error of before", err)
		}
		wantEntry(t, s, "a", "")
		if err := s.Unspool(f); err != nil {
			t.Error(err)
		}
		wantNoTemps(t, dir)
	})
}

func TestSuspectVolumeIsSparedAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var changes []error
		s, err := Open(dir, Options{OnChange: func(err error) { changes = append(changes, err) }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r, fails := failing(s, dir)
		fails.Store(&eio)
		tryPut(t, s, "a")
		time.Sleep(probeEvery) // the first to ask now probes, in vain
		for range 10 {
			if err := tryPut(t, s, "a"); !errors.Is(err, ErrSuspect) {
				t.Errorf("Put = %v, want ErrSuspect", err)
			}
			if _, err := s.Spool(); !errors.Is(err, ErrSuspect) {
				t.Errorf("Spool = %v, want ErrSuspect", err)
			}
			if err := s.Check(t.Context()); !errors.Is(err, ErrSuspect) {
				t.Errorf("Check = %v, want ErrSuspect", err)
			}
		}
		if got := r.take(); len(got) != 2 {
			t.Errorf("synced %d times, want twice: a Put and a probe", len(got))
		}
		fails.Store(nil)
		if err := tryPut(t, s, "a"); !errors.Is(err, ErrSuspect) {
			t.Errorf("Put within the second = %v, want ErrSuspect", err)
		}
		time.Sleep(probeEvery)
		put(t, s, "a", "body")
		wantEntry(t, s, "a", "body")
		if len(changes) != 2 || !errors.Is(changes[0], ErrSuspect) || changes[1] != nil {
			t.Errorf("told of %v, want of ErrSuspect and then nil", changes)
		}
	})
}

// An entry whose folder could not be synced is there whole, but not acknowledged.
func TestFailedSyncOfFolderIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		put(t, s, "a/old", "old")
		r := logSyncs(s, dir)
		r.fail = func(name string) error {
			if name == "a" {
				return syscall.ENOMEM // any error of a sync
			}
			return nil
		}
		if err := tryPut(t, s, "a/b"); !errors.Is(err, ErrSuspect) {
			t.Errorf("Put = %v, want ErrSuspect", err)
		}
		wantEntry(t, s, "a/b", "body")
		wantNoTemps(t, dir)
	})
}

func TestHangingDiskHoldsUpNeitherCheckNorPuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		put(t, s, "old", "old")
		hang := make(chan struct{})
		r := logSyncs(s, dir)
		r.fail = func(string) error {
			<-hang
			return nil
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			if err := s.Check(ctx); !errors.Is(err, ErrSuspect) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Check = %v, want ErrSuspect and the context's error", err)
			}
			cancel()
		}
		begun := time.Now()
		if err := tryPut(t, s, "a"); !errors.Is(err, ErrSuspect) {
			t.Errorf("Put = %v, want ErrSuspect", err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("Put took %v", took)
		}
		wantEntry(t, s, "old", "old")
		if got := r.take(); len(got) != 1 {
			t.Errorf("%d probes hang, want 1", len(got))
		}
		close(hang)
		synctest.Wait()
		put(t, s, "a", "body")
		time.Sleep(probeEvery)
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("Check of a disk that answers again: %v", err)
		}
	})
}

// The writer who probes a disk that hangs is held up for a second, the others
// are not.
func TestWriterWaitsForItsProbeShortly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		r, fails := failing(s, dir)
		fails.Store(&eio)
		tryPut(t, s, "a")
		time.Sleep(probeEvery)
		hang := make(chan struct{})
		r.fail = func(string) error {
			<-hang
			return nil
		}
		begun := time.Now()
		for range 5 {
			if err := tryPut(t, s, "a"); !errors.Is(err, ErrSuspect) {
				t.Errorf("Put = %v, want ErrSuspect", err)
			}
		}
		if took := time.Since(begun); took > probePatience {
			t.Errorf("5 Puts took %v", took)
		}
		close(hang)
	})
}

func TestProbeDoesNotCoverUpFailureThatCameLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		hang := make(chan struct{})
		r := logSyncs(s, dir)
		r.fail = func(string) error {
			<-hang
			return nil
		}
		checked := make(chan error)
		go func() { checked <- s.Check(t.Context()) }()
		synctest.Wait()
		s.volume.note(syscall.EIO)
		close(hang)
		if err := <-checked; !errors.Is(err, ErrSuspect) {
			t.Errorf("Check = %v, want ErrSuspect", err)
		}
	})
}

func TestCloseWaitsForProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		hang, ended := make(chan struct{}), false
		r := logSyncs(s, dir)
		r.fail = func(string) error {
			<-hang
			ended = true
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Check = %v", err)
		}
		time.AfterFunc(closePatience/2, func() { close(hang) })
		s.Close()
		if !ended {
			t.Error("Close left the probe alone")
		}
	})
}

// A caller that leaves early says nothing about the disk.
func TestCancelledCheckDoesNotBlameTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Check(ctx)
		put(t, s, "a", "body")
	})
}

// Trouble of the body's source is not the volume's.
func TestFailingBodyDoesNotBlameTheDisk(t *testing.T) {
	s := open(t, t.TempDir())
	for _, err := range []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
		body := seeker{io.MultiReader(bytes.NewReader(make([]byte, 100_000)), iotest.ErrReader(err))}
		if _, got := s.Put(t.Context(), "a", body, store.PutOptions{}); !errors.Is(got, err) {
			t.Errorf("Put = %v, want %v", got, err)
		}
		put(t, s, "b", "body")
	}
	wantEntry(t, s, "a", "")
}

type seeker struct{ io.Reader }

func (seeker) Seek(int64, int) (int64, error) { return 0, nil }

func TestPutEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	endless := seeker{readerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	})}
	if _, err := s.Put(ctx, "a", endless, store.PutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	wantEntry(t, s, "a", "")
	wantNoTemps(t, dir)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestKeyLockEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		unlock, err := s.keys.lock(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Put(ctx, "a", strings.NewReader("x"), store.PutOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put = %v, want context.DeadlineExceeded", err)
		}
		unlock()
		put(t, s, "a", "body")
	})
}
