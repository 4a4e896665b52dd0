//go:build unix

package direct

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A wrapping stands between a Source and the commands it runs.
type wrapping struct {
	dir string
	// log has, for each command that was run, a line with its arguments and
	// then its environment.
	log string
}

// wrap makes commands that note how they are called and then are the real ones,
// after the given script, which knows them as $self and $real.
func wrap(t *testing.T, script string) wrapping {
	t.Helper()
	w := wrapping{dir: t.TempDir()}
	w.log = filepath.Join(w.dir, "log")
	for _, name := range []string{"go", "git", "ssh"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, name, fmt.Sprintf("self=%s real=%s\n{ echo \"$self $*\"; env; } >> %s\n%s\nexec %s \"$@\"\n", name, real, w.log, script, real))
	}
	return w
}

func (w wrapping) write(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// use lets a Source run the wrapped commands.
func (w wrapping) use(o *Options) { o.Go = filepath.Join(w.dir, "go") }

// text returns the whole log.
func (w wrapping) text(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// calls returns the command lines that contain a text.
func (w wrapping) calls(t *testing.T, containing string) (found []string) {
	for line := range strings.Lines(w.text(t)) {
		if strings.Contains(line, containing) && (strings.HasPrefix(line, "go ") || strings.HasPrefix(line, "git ") || strings.HasPrefix(line, "ssh ")) {
			found = append(found, line)
		}
	}
	return found
}

// A leash is a pipe that processes hold while they live.
type leash struct{ path string }

func newLeash(t *testing.T) leash {
	t.Helper()
	l := leash{filepath.Join(t.TempDir(), "leash")}
	if err := syscall.Mkfifo(l.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// grab waits until somebody holds the leash; the end of what is returned comes
// when nobody does any more.
func (l leash) grab(t *testing.T) io.Reader {
	t.Helper()
	held := l.grabWhile(patient(t), t)
	if held == nil {
		t.Fatal("nobody came to hold the leash")
	}
	return held
}

// grabWhile waits as grab does, but no longer than the context lives, and returns nil if
// nobody has come by then.
func (l leash) grabWhile(ctx context.Context, t *testing.T) *os.File {
	t.Helper()
	grabbed := make(chan *os.File, 1)
	go func() {
		f, err := os.Open(l.path) // waits for somebody who opens it to write
		if err != nil {
			t.Error(err)
		}
		t.Cleanup(func() { f.Close() })
		grabbed <- f
	}()
	select {
	case f := <-grabbed:
		return f
	case <-ctx.Done():
		l.hold(t)
		<-grabbed
		return nil
	}
}

// hold holds the leash until the test ends.
func (l leash) hold(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(l.path, os.O_RDWR, 0) // to read, too, so that it waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}
