package limit

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds are the limits of a Listener. Zero means no limit.
type Bounds struct {
	Connections int           // open at one time
	PerClient   int           // open at one time from one Client
	WriteStall  time.Duration // a client must take 512 KiB, or all there is, within this
}

// Listener is a net.Listener within bounds.
type Listener struct {
	net.Listener
	bounds  Bounds
	refused atomic.Int64

	mu      sync.Mutex
	open    int
	clients map[netip.Addr]int
}

// NewListener returns a Listener that takes its connections from l.
func NewListener(l net.Listener, b Bounds) *Listener {
	return &Listener{Listener: l, bounds: b, clients: map[netip.Addr]int{}}
}

// Refused is how many connections were refused so far.
func (l *Listener) Refused() int64 { return l.refused.Load() }

// Open is how many connections are open.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Accept returns the next connection within the bounds and closes those before
// it that are not.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := address(c)
		if !l.enter(client) {
			l.refused.Add(1)
			c.Close()
			continue
		}
		return &conn{Conn: c, listener: l, client: client}, nil
	}
}

func address(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return Client(tcp.AddrPort().Addr())
}

func (l *Listener) enter(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bounds.Connections > 0 && l.open >= l.bounds.Connections {
		return false
	}
	if l.bounds.PerClient > 0 && l.clients[client] >= l.bounds.PerClient {
		return false
	}
	l.open++
	l.clients[client]++
	return true
}

func (l *Listener) leave(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

// conn is a connection that is counted while it is open.
type conn struct {
	net.Conn
	listener *Listener
	client   netip.Addr
	closed   atomic.Bool

	// Since the client has last taken a piece:
	taken  atomic.Int64 // bytes
	waited atomic.Int64 // for it to take them, in nanoseconds
}

// Close closes the connection and lets another one in.
func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.listener.leave(c.client)
	}
	return c.Conn.Close()
}

// piece is how much a client has to take within the write stall.
const piece = 512 << 10

// extend gives the client the write stall to take what is written next, less what
// it has waited already: small writes do not buy it more time than large ones. The
// time in which nothing is written does not count.
func (c *conn) extend(now time.Time) error {
	if c.listener.bounds.WriteStall == 0 {
		return nil
	}
	return c.Conn.SetWriteDeadline(now.Add(c.listener.bounds.WriteStall - time.Duration(c.waited.Load())))
}

// took notes what the client took since begun.
func (c *conn) took(bytes int64, begun time.Time) {
	if c.taken.Add(bytes) < piece {
		c.waited.Add(int64(time.Since(begun)))
		return
	}
	c.taken.Store(0)
	c.waited.Store(0)
}

// Write writes p in pieces, each of which the client must take in time.
func (c *conn) Write(p []byte) (written int, err error) {
	for {
		begun := time.Now()
		if err := c.extend(begun); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:min(len(p), written+piece)])
		c.took(int64(n), begun)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// ReadFrom copies from src, by the kernel where src is a file, in pieces.
func (c *conn) ReadFrom(src io.Reader) (read int64, err error) {
	from, ok := c.Conn.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	end := int64(-1)
	if l, ok := src.(*io.LimitedReader); ok {
		src, end = l.R, l.N
		defer func() { l.N -= read }()
	}
	for end < 0 || read < end {
		begun := time.Now()
		if err := c.extend(begun); err != nil {
			return read, err
		}
		want := int64(piece)
		if end >= 0 {
			want = min(want, end-read)
		}
		n, err := from.ReadFrom(&io.LimitedReader{R: src, N: want})
		c.took(n, begun)
		read += n
		if err != nil || n < want {
			return read, err
		}
	}
	return read, nil
}
