package explain

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// caged is set for a test that runs in a network of its own.
const caged = "WEIR_TEST_CAGED"

// TestWithoutANetwork runs the cases that take a network of their own, in a process that
// has one: that needs no privileges.
func TestWithoutANetwork(t *testing.T) {
	if os.Getenv(caged) == "" {
		t.Parallel()
		runCaged(t)
		return
	}
	settle(t)
	for _, c := range cagedCases {
		t.Run(c.id, func(t *testing.T) { c.check(t) })
	}
}

func runCaged(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), caged+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("in a cage: %v\n%s", err, out)
	}
}

// settle furnishes the new machine: loopback, a few names, no name server, and little
// patience with connections.
func settle(t *testing.T) {
	raiseLoopback(t)
	dir := t.TempDir()
	for file, text := range map[string]string{
		"/etc/hosts":       "127.0.0.1 localhost sum.golang.org example.com\n",
		"/etc/resolv.conf": "",
	} {
		mine := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(mine, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(mine, file, "", syscall.MS_BIND, ""); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Cleanup(func() { syscall.Unmount(file, syscall.MNT_DETACH) })
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_syn_retries", []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// raiseLoopback makes 127.0.0.1 usable.
//
// Source: netdevice(7).
func raiseLoopback(t *testing.T) {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}

// full is an address whose queue of connections is full, so that nothing answers.
//
// Source: listen(2).
func (l *lab) full() string {
	l.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { syscall.Close(socket) })
	addr := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 8080}
	if err := syscall.Bind(socket, addr); err != nil {
		l.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		l.Fatal(err)
	}
	// One connection waits to be taken, which is all that there is room for.
	first, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { syscall.Close(first) })
	if err := syscall.Connect(first, addr); err != nil {
		l.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", addr.Port)
}
