package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestALockIsHeldUntilItsFileIsClosed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	holder, other := open(t, name), open(t, name)
	if err := Try(holder); err != nil {
		t.Fatal(err)
	}
	if err := Try(other); !errors.Is(err, ErrHeld) {
		t.Errorf("the lock was had twice: %v", err)
	}
	holder.Close()
	if err := Try(other); err != nil {
		t.Errorf("after the end of the holder: %v", err)
	}
}

func TestWaitEndsWithTheLockOrTheContext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	holder, other := open(t, name), open(t, name)
	if err := Try(holder); err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := Wait(ctx, other); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	got := make(chan error)
	go func() { got <- Wait(t.Context(), other) }()
	holder.Close()
	if err := <-got; err != nil {
		t.Errorf("got %v", err)
	}
}
