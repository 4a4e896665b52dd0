package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
)

// A company is the HTTP proxy of a network whose machines reach nobody by themselves.
type company struct {
	url  *url.URL
	far  string // where everybody lies
	mu   sync.Mutex
	seen []string // what it was asked to connect to
	auth []string
}

func newCompany(t *testing.T, far string) *company {
	t.Helper()
	c := &company{far: far}
	server := httptest.NewServer(c)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.url = u
	return c
}

// asked are the places it was asked to connect to.
func (c *company) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(c.seen)))
}

// ServeHTTP connects, unless the name of the host says what is to be answered.
func (c *company) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.seen = append(c.seen, r.Host)
	c.auth = append(c.auth, r.Header.Get("Proxy-Authorization"))
	c.mu.Unlock()
	status := map[string]int{"login": 407, "forbidden": 403, "broken": 502}[strings.SplitN(r.Host, ".", 2)[0]]
	if r.Method != http.MethodConnect || status != 0 {
		w.WriteHeader(status)
		return
	}
	far, err := net.Dial("tcp", c.far)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	var upward sync.WaitGroup
	upward.Go(func() { io.Copy(far, buffered.Reader); far.Close() })
	io.Copy(near, far)
	near.Close()
	upward.Wait()
}

// through sends all to a company's proxy.
func through(c *company) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return c.url, nil }
}

// here resolves names as a network of its own does.
func here(names map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		addr, err := netip.ParseAddr(names[host])
		return []netip.Addr{addr}, err
	}
}

// A4: whoever can name a host cannot make the proxy of the network connect to what is
// inside, as far as that can be known here.
func TestA4TheProxyOfTheNetworkIsNotAskedForWhatIsInside(t *testing.T) {
	c := newCompany(t, "127.0.0.1:1")
	d := Dialer{Guard: newGuard(t, "allowed.corp.example", "10.1.2.3"), Proxy: through(c), Lookup: here(map[string]string{
		"inside.example.com": "10.0.0.1", "rebound.example.com": "169.254.169.254", "public.example.com": "93.184.216.34", "nearby.example.com": "10.1.2.3",
	})}
	for host, want := range map[string]bool{
		"public.example.com": true, "unknown.example.com": true, "93.184.216.34": true, "allowed.corp.example": true, "nearby.example.com": true, "10.1.2.3": true,
		"inside.example.com": false, "rebound.example.com": false, "10.0.0.1": false, "127.0.0.1": false, "localhost": false, "metadata": false,
		"metadata.google.internal": false, "METADATA.google.INTERNAL.": false, "printer.local": false, "x.localhost": false, "git.corp": false,
	} {
		_, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, "443"))
		if refused := errors.Is(err, artifact.ErrForbidden); refused == want {
			t.Errorf("%s: %v", host, err)
		}
		if asked := slices.Contains(c.asked(), net.JoinHostPort(host, "443")); asked != want {
			t.Errorf("%s: the proxy was asked: %v", host, asked)
		}
	}
	if _, err := d.DialContext(t.Context(), "tcp", "[fd00::1]:443"); !errors.Is(err, artifact.ErrForbidden) {
		t.Errorf("fd00::1: %v", err)
	}
}

func TestTheTroubleOfTheProxyOfTheNetworkIsExplained(t *testing.T) {
	c := newCompany(t, "127.0.0.1:1")
	c.url.User = url.UserPassword("user", "secret")
	gone := newCompany(t, "")
	gone.url = &url.URL{Scheme: "http", Host: modtest.Nobody(t), User: c.url.User}
	odd := newCompany(t, "")
	odd.url = &url.URL{Scheme: "socks5", Host: "proxy.example.com", User: c.url.User}
	for _, test := range []struct {
		company    *company
		host, want string
	}{
		{c, "login.example.com", "wants a login"},
		{c, "forbidden.example.com", "does not let anybody connect to forbidden.example.com"},
		{c, "broken.example.com", "it answers 502"},
		{gone, "git.example.com", "cannot be reached"},
		{odd, "git.example.com", "cannot be reached"},
	} {
		d := Dialer{Proxy: through(test.company), Lookup: here(nil)}
		_, err := d.DialContext(t.Context(), "tcp", test.host+":443")
		reason, hint := artifact.Explain(err)
		if !errors.Is(err, artifact.ErrUnavailable) || !strings.Contains(reason, test.want) || strings.Contains(reason+hint+err.Error(), "secret") {
			t.Errorf("%s: got %q, %q, %v", test.host, reason, hint, err)
		}
	}
	d := Dialer{Proxy: func(*url.URL) (*url.URL, error) { return nil, errors.New("secret") }}
	if _, err := d.DialContext(t.Context(), "tcp", "git.example.com:443"); !errors.Is(err, artifact.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a proxy that is no URL: %v", err)
	}
}

func TestAProxyThatHangsIsGivenUpWithTheContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.Read(make([]byte, 1))
		cancel(why)
		conn.Read(make([]byte, 1<<10))
	}()
	d := Dialer{Proxy: func(*url.URL) (*url.URL, error) { return &url.URL{Scheme: "http", Host: l.Addr().String()}, nil }, Lookup: here(nil)}
	if _, err := d.DialContext(ctx, "tcp", "git.example.com:443"); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestNoProxyOnTheWayMeansAConnectionOfOnesOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := Dialer{Guard: newGuard(t, "127.0.0.1"), Proxy: func(*url.URL) (*url.URL, error) { return nil, nil }}
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestTheProxyIsShownItsPasswordAndConnects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newCompany(t, l.Addr().String())
	c.url.User = url.UserPassword("user", "secret")
	go func() {
		if conn, err := l.Accept(); err == nil {
			conn.Read(make([]byte, 1))
			io.WriteString(conn, "here")
			conn.Close()
		}
	}()
	conn, err := Dialer{Proxy: through(c), Lookup: here(nil)}.DialContext(t.Context(), "tcp", "git.example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "?")
	if got, err := io.ReadAll(conn); string(got) != "here" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:secret"))
	if !slices.Equal(c.auth, []string{want}) || !slices.Equal(c.asked(), []string{"git.example.com:443"}) {
		t.Errorf("the proxy was shown %q and asked for %q", c.auth, c.asked())
	}
}
