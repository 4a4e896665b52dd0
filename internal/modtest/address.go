package modtest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// The system gives a port that it has chosen, and that is closed, to the next who comes:
// a server of another test, or a client. So ports that are to be kept while they are
// closed come from below those that the system chooses from.
const (
	firstPort = 12000 // above those that are well known, or that browsers refuse to visit
	usualEnd  = 32768 // of Linux; other systems choose from higher ones
)

// looked is how many ports this process has looked at.
var looked atomic.Int64

// Address returns a free address of the loopback interface for a test to listen at, now
// or later, and as often as it likes: nobody else gets it.
func Address() (string, error) {
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", nextPort())
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("100 ports in a row are taken: %w", err)
}

// Nobody returns an address where nobody listens, and nobody will.
func Nobody(t testing.TB) string {
	t.Helper()
	addr, err := Address()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// nextPort goes through all ports. Processes begin far apart, so that those that test at
// the same time do not meet.
func nextPort() int64 {
	const apart = 12833 // about the golden section of all ports
	return firstPort + (int64(os.Getpid())*apart+looked.Add(1))%(endOfPorts()-firstPort)
}

// endOfPorts is the first port that the system may choose.
func endOfPorts() int64 {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range") // only Linux has it
	var first int64
	if _, err := fmt.Sscan(string(text), &first); err != nil || first < 2*firstPort {
		return usualEnd // or too few are left, and these are as good as any
	}
	return first
}
