package modtest

import (
	"net"
	"net/http"
	"testing"
)

func TestNoAddressIsGivenTwice(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		addr := Nobody(t)
		if seen[addr] {
			t.Fatalf("%s is given twice", addr)
		}
		seen[addr] = true
	}
}

func TestTheSystemGivesTheAddressOfAKilledMachineToNobody(t *testing.T) {
	m, err := NewMachine(t, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	m.Kill()
	for range 10_000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		if addr == m.addr {
			t.Fatalf("%s is given to somebody else", addr)
		}
	}
	if err := m.Start(); err != nil {
		t.Error(err)
	}
}
