package limit_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
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

func TestA20SmallWritesBuyASlowClientNoTime(t *testing.T) {
	l := listen(t, limit.Bounds{WriteStall: 300 * time.Millisecond})
	client := dial(t, l)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		p := make([]byte, 1<<10)
		for {
			if _, err := client.Read(p); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond) // being slow is what this is about
		}
	}()
	for written := 0; err == nil; written += 4 << 10 {
		if written > 64<<20 {
			t.Fatal("a client that takes a little now and then is not cut")
		}
		_, err = c.Write(make([]byte, 4<<10))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write to a slow client = %v", err)
	}
}

func TestTheTimeInWhichNothingIsWrittenDoesNotCount(t *testing.T) {
	const stall = time.Second
	l := listen(t, limit.Bounds{WriteStall: stall})
	dial(t, l)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(stall * 2 / 3) // the server has nothing to send
	}
}

func TestA20AnIPv6NetworkIsOneClient(t *testing.T) {
	inner := &scripted{addresses: []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"}}
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

// scripted is a listener of connections from addresses.
type scripted struct {
	net.Listener
	addresses []string
}

func (s *scripted) Accept() (net.Conn, error) {
	if len(s.addresses) == 0 {
		return nil, net.ErrClosed
	}
	next := s.addresses[0]
	s.addresses = s.addresses[1:]
	return &from{address: &net.TCPAddr{IP: net.ParseIP(next), Port: 1}}, nil
}

// from is a connection from an address.
type from struct {
	net.Conn
	address net.Addr
}

func (c *from) RemoteAddr() net.Addr { return c.address }
func (c *from) Close() error         { return nil }

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
