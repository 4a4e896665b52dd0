package modtest

import (
	"net"
	"net/http"
	"sync"
)

// A Machine serves a handler at an address that it keeps while it is killed and
// started again. It is safe for concurrent use.
type Machine struct {
	URL string

	handler http.Handler
	addr    string

	mu       sync.Mutex
	server   *http.Server // nil while it is killed
	sockets  map[net.Conn]bool
	finished chan struct{} // closed when server has ended
}

// NewMachine starts a handler on a loopback address until the test ends.
func NewMachine(t Cleaner, h http.Handler) (*Machine, error) {
	addr, err := Address()
	if err != nil {
		return nil, err
	}
	m := &Machine{URL: "http://" + addr, handler: h, addr: addr, sockets: map[net.Conn]bool{}}
	if err := m.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(m.Kill)
	return m, nil
}

// Start starts a machine that was killed.
func (m *Machine) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		return err
	}
	server, finished := &http.Server{Handler: m.handler, ConnState: m.watch}, make(chan struct{})
	m.server, m.finished = server, finished
	go func() {
		defer close(finished)
		server.Serve(l)
	}()
	return nil
}

// Kill resets all connections and lets new ones be refused.
func (m *Machine) Kill() {
	m.mu.Lock()
	server, finished := m.server, m.finished
	m.server = nil
	for conn := range m.sockets {
		resetConn(conn)
	}
	m.mu.Unlock()
	if server != nil {
		server.Close()
		<-finished
	}
}

func (m *Machine) watch(conn net.Conn, s http.ConnState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch s {
	case http.StateNew:
		m.sockets[conn] = true
		if m.server == nil {
			resetConn(conn) // it came while the machine was killed
		}
	case http.StateHijacked, http.StateClosed:
		delete(m.sockets, conn)
	}
}
