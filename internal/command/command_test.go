package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunReturnsWhatIsSaidOnBothOutputs(t *testing.T) {
	out, complaints, err := Run(t.Context(), Command{Path: "sh", Args: []string{"-c", "pwd; echo $X; echo oops >&2; exit 3"}, Dir: "/", Env: []string{"X=y"}})
	exit, ok := errors.AsType[*exec.ExitError](err)
	if out != "/\ny\n" || complaints != "oops\n" || !ok || exit.ExitCode() != 3 {
		t.Errorf("got %q, %q, %v", out, complaints, err)
	}
}

func TestTheEndOfTheContextKillsTheChildrenToo(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		// The child holds the writing end of the pipe, and tells that it is there.
		_, _, err := Run(ctx, Command{Path: "sh", Args: []string{"-c", "(echo here; sleep 1000) >" + fifo + " & wait"}})
		done <- err
	}()
	f, err := os.Open(fifo) // waits for the child
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	word := make([]byte, 5)
	if _, err := f.Read(word); err != nil {
		t.Fatal(err)
	}
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
	if n, err := f.Read(word); n != 0 || err == nil {
		t.Errorf("the child still holds its pipe: %d, %v", n, err)
	}
}

func TestOutputWithoutEndIsAnError(t *testing.T) {
	_, _, err := Run(t.Context(), Command{Path: "sh", Args: []string{"-c", "head -c 17000000 /dev/zero"}})
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
}

func TestComplaintsAreKeptFromTheirBeginning(t *testing.T) {
	_, complaints, err := Run(t.Context(), Command{Path: "sh", Args: []string{"-c", "(echo first; head -c 100000 /dev/zero) >&2"}})
	if err != nil || len(complaints) != maxStderr || !strings.HasPrefix(complaints, "first\n") {
		t.Errorf("kept %d bytes, %v", len(complaints), err)
	}
}
