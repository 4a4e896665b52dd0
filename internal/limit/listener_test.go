package limit_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/limit"
)

func listen(t *testing.T, b limit.Bounds) *limit.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit.NewListener(inner, b)
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, l *limit.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestA20ConnectionsOverABoundAreClosedAndOthersServed(t *testing.T) {
	for name, b := range map[string]limit.Bounds{"in all": {Connections: 2}, "per client": {PerClient: 2}} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, b)
			dial(t, l)
			dial(t, l)
			first, err1 := l.Accept()
			_, err2 := l.Accept()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			over := dial(t, l)
			accepted := make(chan net.Conn, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					accepted <- c
				}
			}()
			over.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := over.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("a connection over the bound stays open: %v", err)
			}
			first.Close()
			first.Close() // counts once
			dial(t, l)
			select {
			case <-accepted:
			case <-time.After(10 * time.Second):
				t.Fatal("no connection is let in after one has left")
			}
			if l.Open() != 2 || l.Refused() != 1 {
				t.Errorf("open %d, refused %d", l.Open(), l.Refused())
			}
		})
	}
}

func TestA20AClientThatTakesNothingIsCut(t *testing.T) {
	l := listen(t, limit.Bounds{WriteStall: 50 * time.Millisecond})
	dial(t, l)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write to a client that does not read = %v", err)
	}
}

// net/http takes the deadline away between the requests of a connection.
func TestA20AClientThatTakesNothingIsCutThoughOthersTakeTheDeadlineAway(t *testing.T) {
	l := listen(t, limit.Bounds{WriteStall: 5 * time.Second})
	dial(t, l)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("an answer")); err != nil {
		t.Fatal(err)
	}
	c.SetWriteDeadline(time.Time{})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 64<<20))
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write to a client that does not read = %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("a write to a client that does not read has no end")
	}
}

// A slow is a connection to a client that takes so many bytes a second.
type slow struct {
	from
	bytesPerSecond int
	deadline       time.Time
}

func (c *slow) SetWriteDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *slow) Write(p []byte) (int, error) {
	needs := time.Duration(len(p)) * time.Second / time.Duration(c.bytesPerSecond)
	if left := time.Until(c.deadline); left < needs {
		time.Sleep(left)
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(needs)
	return len(p), nil
}

// A client must take 512 KiB in the write stall, in however small pieces they are
// written, as by TLS. The time in which the server has nothing to write does not
// count.
func TestA20SmallWritesBuyASlowClientNoTime(t *testing.T) {
	const stall, pieces = 30 * time.Second, 30
	for _, size := range []int{4 << 10, 16<<10 + 5, 512 << 10, 5 << 20} {
		for bytesPerSecond, enough := range map[int]bool{512 << 10 / 31: false, 512<<10/30 + 1000: true} {
			t.Run(fmt.Sprintf("%d at %d per second", size, bytesPerSecond), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := &slow{from: from{"192.0.2.1"}, bytesPerSecond: 10 << 20}
					inner := &scripted{conns: []net.Conn{client}}
					c, err := limit.NewListener(inner, limit.Bounds{WriteStall: stall}).Accept()
					if err != nil {
						t.Fatal(err)
					}
					for written := 0; written < pieces*512<<10 && err == nil; written += size {
						_, err = c.Write(make([]byte, size))
						if written >= 1<<20 {
							client.bytesPerSecond = bytesPerSecond // it was quick so far
						}
						if written%(100*size) == 0 {
							time.Sleep(stall) // nothing to write
						}
					}
					if enough && err != nil || !enough && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("Write = %v", err)
					}
				})
			})
		}
	}
}

func TestA20AnIPv6NetworkIsOneClient(t *testing.T) {
	inner := &scripted{}
	for _, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"} {
		inner.conns = append(inner.conns, &from{address})
	}
	l := limit.NewListener(inner, limit.Bounds{PerClient: 2})
	var got []string
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		got = append(got, c.RemoteAddr().(*net.TCPAddr).IP.String())
	}
	if want := []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"}; !slices.Equal(got, want) {
		t.Errorf("let in are %q, want %q", got, want)
	}
}

// scripted is a listener of certain connections.
type scripted struct {
	net.Listener
	conns []net.Conn
}

func (s *scripted) Accept() (net.Conn, error) {
	if len(s.conns) == 0 {
		return nil, net.ErrClosed
	}
	next := s.conns[0]
	s.conns = s.conns[1:]
	return next, nil
}

// from is a connection from an address.
type from struct{ address string }

func (c *from) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.ParseIP(c.address), Port: 1} }
func (c *from) LocalAddr() net.Addr              { return nil }
func (c *from) Read([]byte) (int, error)         { return 0, io.EOF }
func (c *from) Write(p []byte) (int, error)      { return len(p), nil }
func (c *from) Close() error                     { return nil }
func (c *from) SetDeadline(time.Time) error      { return nil }
func (c *from) SetReadDeadline(time.Time) error  { return nil }
func (c *from) SetWriteDeadline(time.Time) error { return nil }

func TestReadFromSendsExactlyWhatTheSourceHas(t *testing.T) {
	l := listen(t, limit.Bounds{WriteStall: time.Minute})
	client := dial(t, l)
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	const size = 3<<20 + 17
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, client)
		got <- n
	}()
	part := &io.LimitedReader{R: f, N: size / 2}
	n, err := server.(io.ReaderFrom).ReadFrom(part)
	if err != nil || n != size/2 || part.N != 0 {
		t.Errorf("ReadFrom half = %d, %v, %d left", n, err, part.N)
	}
	rest, err := server.(io.ReaderFrom).ReadFrom(f)
	if err != nil || rest != size-size/2 {
		t.Errorf("ReadFrom the rest = %d, %v", rest, err)
	}
	server.Close()
	if n := <-got; n != size {
		t.Errorf("the client got %d bytes of %d", n, size)
	}
}
