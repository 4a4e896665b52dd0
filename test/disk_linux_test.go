package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// caged is set for a test that runs where it may mount.
const caged = "WEIR_TEST_CAGED"

// cage runs the test once more in a process with mounts of its own, which need
// no privileges and go with the process. It reports whether that is this one. With
// further flags more is its own, such as the network.
func cage(t *testing.T, flags ...uintptr) bool {
	t.Helper()
	if os.Getenv(caged) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), caged+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	for _, f := range flags {
		cmd.SysProcAttr.Cloneflags |= f
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Fatal("this machine lets nobody make user namespaces, which the test needs to mount what it wants")
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("in a cage: %v\n%s", err, out)
	} else {
		t.Logf("in a cage:\n%s", out)
	}
	return false
}

// A volume is a small disk in memory.
type volume struct{ dir string }

func mountVolume(t *testing.T, bytes int) volume {
	t.Helper()
	v := volume{t.TempDir()}
	if err := syscall.Mount("weir", v.dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(v.dir, syscall.MNT_DETACH) })
	return v
}

func (v volume) filler() string { return filepath.Join(v.dir, "filler") }

// fill takes all room that is left.
func (v volume) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(v.filler())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func (v volume) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(v.filler()); err != nil {
		t.Fatal(err)
	}
}

func (v volume) readOnly(t *testing.T, on bool) {
	t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	eventually(t, 10*time.Second, "no file is open for writing", func() bool {
		err := syscall.Mount("weir", v.dir, "tmpfs", flags, "")
		if err != nil && !errors.Is(err, syscall.EBUSY) {
			t.Fatal(err)
		}
		return err == nil
	})
}

func TestF3TheDiskIsFull(t *testing.T) {
	t.Parallel()
	if cage(t) {
		v := mountVolume(t, 8<<20)
		badDisk(t, v, filepath.Join(v.dir, "data"), t.TempDir(), v.fill, v.empty)
	}
}

func TestF3TheDiskIsFullAndSoIsThatOfTemporaryFiles(t *testing.T) {
	t.Parallel()
	if cage(t) {
		v := mountVolume(t, 8<<20)
		badDisk(t, v, filepath.Join(v.dir, "data"), filepath.Join(v.dir, "tmp"), v.fill, v.empty)
	}
}

func TestF4TheDiskIsReadOnly(t *testing.T) {
	t.Parallel()
	if cage(t) {
		v := mountVolume(t, 8<<20)
		badDisk(t, v, filepath.Join(v.dir, "data"), t.TempDir(),
			func(t *testing.T) { v.readOnly(t, true) }, func(t *testing.T) { v.readOnly(t, false) })
	}
}

// badDisk tries a disk that goes bad and gets well again while weir runs.
func badDisk(t *testing.T, v volume, data, tmp string, bad, well func(*testing.T)) {
	held, cold, big := simple("example.com/held", "v1.0.0"), simple("example.com/cold", "v1.0.0"), modtest.BigModule("example.com/big", "v1.0.0", 1<<20)
	p := modtest.New(held, cold, big)
	db := modtest.NewSumDB("sum.example.org", p)
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_SUMDB="+db.Key(), "WEIR_DATA="+data, "TMPDIR="+tmp, streaming, "WEIR_STORE_MEMORY=1KiB")
	for _, path := range files(held.Path, held.Version) {
		w.want(t, path, truth(t, p, path))
	}
	w.awaitWell(t)
	bad(t)

	for _, path := range files(held.Path, held.Version) {
		w.want(t, path, truth(t, p, path))
	}
	for _, m := range []modtest.Module{cold, big} {
		for _, path := range files(m.Path, m.Version) {
			passedOrRefused(t, path, w.get(t, path), truth(t, p, path))
		}
	}
	eventually(t, 10*time.Second, "/readyz tells", func() bool {
		r := w.get(t, "/readyz")
		return r.status == http.StatusServiceUnavailable || r.whole() && strings.Contains(string(r.body), "degraded")
	})
	w.checkStore(t, p)

	well(t)
	for _, m := range []modtest.Module{cold, big} {
		for _, path := range files(m.Path, m.Version) {
			eventually(t, 12*time.Second, path+" is stored", func() bool {
				r := w.get(t, path)
				_, err := os.Stat(filepath.Join(data, "modules", filepath.FromSlash(path)))
				return r.whole() && err == nil
			})
			w.want(t, path, truth(t, p, path))
		}
	}
	w.awaitWell(t)
	w.checkStore(t, p)
}

func (w *weir) awaitWell(t *testing.T) {
	t.Helper()
	eventually(t, 10*time.Second, "/readyz tells that all is well", func() bool {
		r := w.get(t, "/readyz")
		return r.whole() && !strings.Contains(string(r.body), "degraded")
	})
}

// passedOrRefused checks the answer for what cannot be stored: the right bytes,
// or a 503 that says when to come again.
func passedOrRefused(t *testing.T, path string, r response, want []byte) {
	t.Helper()
	switch {
	case r.whole() && bytes.Equal(r.body, want):
	case r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
		checkRefusal(t, path, r)
	case r.status == http.StatusOK && r.err != nil:
		// It was cut, so that nobody takes it for whole.
	default:
		t.Errorf("GET %s while nothing can be stored: %v", path, r)
	}
}
