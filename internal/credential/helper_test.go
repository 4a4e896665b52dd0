package credential

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func TestAHelperThatHangsIsNotLeftBehind(t *testing.T) {
	dir := t.TempDir()
	fifo, program := filepath.Join(dir, "fifo"), filepath.Join(dir, "helper")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	// It holds the writing end of the pipe, and tells that it is there.
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec >"+fifo+"\necho here\nsleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := helper{"a", program}.find(ctx, &url.URL{Scheme: "https", Host: "git.example.com"})
		done <- err
	}()
	f, err := os.Open(fifo) // waits for the helper
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	word := make([]byte, 5)
	if _, err := f.Read(word); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; artifact.Class(err) != artifact.ErrBadUpstream {
		t.Errorf("got %v", err)
	}
	if n, err := f.Read(word); n != 0 || err == nil {
		t.Errorf("the helper still holds its pipe: %d, %v", n, err)
	}
}
