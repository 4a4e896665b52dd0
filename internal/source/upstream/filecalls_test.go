package upstream

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

func TestACallThatHangsIsLeftBehindAndCountedUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls fileCalls
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answer := make(chan struct{})
		var late atomic.Int32
		for i := range maxHung {
			if err := calls.ready(); err != nil {
				t.Fatalf("after %d calls: %v", i, err)
			}
			if calls.run(ctx, func() { <-answer }, func() { late.Add(1) }) {
				t.Fatal("a call that hangs has ended")
			}
		}
		wantClass(t, "one call more", calls.ready(), artifact.ErrUnavailable)
		close(answer)
		synctest.Wait()
		if err := calls.ready(); err != nil || late.Load() != maxHung {
			t.Errorf("when all %d have ended, %d of them late: %v", maxHung, late.Load(), err)
		}
	})
}

func TestAFolderThatHangsIsAskedNoMore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(modName.Key()))
	os.MkdirAll(filepath.Dir(path), 0o700)
	os.WriteFile(path, []byte(goodMod), 0o600)
	s := open(t, "file://"+filepath.ToSlash(dir), Options{})
	s.(*directory).calls.hung.Store(maxHung)
	_, err := s.Fetch(bounded(t), modName)
	wantClass(t, "while it hangs", err, artifact.ErrUnavailable)
	s.(*directory).calls.hung.Add(-1)
	if got, err := get(t, s, modName); err != nil || got != goodMod {
		t.Errorf("when it goes on: %q, %v", got, err)
	}
}

func TestAFileThatHangsIsStalled(t *testing.T) {
	file, other, err := os.Pipe() // a file from which nothing comes
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var calls fileCalls
	w := newWatch(bounded(t), fromDirectory, Timeouts{FirstByte: time.Minute, Stall: time.Millisecond, Total: time.Minute})
	w.answered()
	b := &fileBody{in: newCalledFile(w.ctx, &calls, file, 10), watch: w, name: modName, size: 10}
	_, err = io.ReadAll(b)
	wantClass(t, "a file that hangs", err, artifact.ErrTimeout)
	if err = b.Close(); err != nil {
		t.Error(err)
	}
	other.SetWriteDeadline(time.Now().Add(time.Minute))
	for err == nil { // until the call that was left behind has ended and closed the file
		_, err = io.WriteString(other, "too late")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the file stays open")
	}
}
