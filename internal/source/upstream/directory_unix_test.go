//go:build unix

package upstream

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source"
)

func TestDirectoryIsNotHeldUpByANamedPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(modName.Key()))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := open(t, "file://"+dir, Options{}).Fetch(bounded(t), modName)
		result <- err
	}()
	select {
	case err := <-result:
		wantClass(t, "a named pipe", err, artifact.ErrBadUpstream)
	case <-bounded(t).Done():
		t.Error("the fetch hangs")
	}
}

// hungFolder is the URL of a folder that takes for ever to be opened, as one does on a
// file server that is gone: a named pipe that nobody writes to.
func hungFolder(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mount")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // lets go who still waits
		pipe, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Error(err)
		}
		pipe.Close()
	})
	return "file://" + path
}

func TestAHungFolderTimesOut(t *testing.T) {
	s := open(t, hungFolder(t), Options{Timeouts: Timeouts{FirstByte: time.Millisecond}})
	_, err := s.Fetch(bounded(t), modName)
	wantClass(t, "a folder that hangs", err, artifact.ErrTimeout)
}

func TestAHungFolderHoldsUpNoAnswerOfOthers(t *testing.T) {
	folder := open(t, hungFolder(t), Options{})
	proxy := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, goodMod) }), Options{})
	chain := source.Chain(
		source.Link{Name: "folder", Source: folder, FallBackOnError: true, Patience: func(artifact.Name) source.Patience { return source.Patience{Limit: time.Millisecond} }},
		source.Link{Name: "proxy", Source: proxy},
	)
	if got, err := get(t, chain, modName); err != nil || got != goodMod {
		t.Errorf("%q, %v", got, err)
	}
	if hung := folder.(*directory).calls.hung.Load(); hung != 1 {
		t.Errorf("%d calls hang", hung)
	}
}
