//go:build unix

package upstream

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/goweir/weir/internal/artifact"
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
