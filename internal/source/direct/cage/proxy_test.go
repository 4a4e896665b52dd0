package cage

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/egress"
)

// guard is one that also allows what the entries name.
func guard(t *testing.T, allow ...string) *egress.Guard {
	t.Helper()
	g, err := egress.NewGuard(allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// newProxy starts a proxy for which all hosts are at one address.
func newProxy(t *testing.T, g *egress.Guard, all string) *proxy {
	t.Helper()
	d := egress.Dialer{Guard: g, Resolve: func(string) string { return all }}
	p, err := startProxy(d, &http.Transport{DialContext: d.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// issue makes a pass valid.
func issue(t *testing.T, p *proxy, tunnel, plain string, page []byte) (proxyURL string, given *pass) {
	given = newPass()
	given.tunnel, given.plain, given.page = tunnel, plain, page
	p.issue(t.Context(), given)
	return p.show(given), given
}

// ask sends one request to a proxy on a connection of its own.
func ask(t *testing.T, proxyURL, method, target string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	u, err := url.Parse(proxyURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := http.Request{Method: method, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if method != http.MethodConnect {
		r.URL, err = url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = r.URL.Host
	}
	if word, ok := u.User.Password(); ok {
		basic := http.Request{Header: http.Header{}}
		basic.SetBasicAuth(u.User.Username(), word)
		r.Header.Set("Proxy-Authorization", basic.Header.Get("Authorization"))
	}
	if err := r.WriteProxy(conn); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, &r)
	if err != nil {
		t.Fatal(err)
	}
	return conn, reader, resp
}

func TestAProxyLetsNobodyThroughWithoutAPass(t *testing.T) {
	var asked bool
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer web.Close()
	p := newProxy(t, guard(t, "127.0.0.0/8"), web.Listener.Addr().String())
	goneURL, gone := issue(t, p, "git.example.com:443", "git.example.com:80", []byte("page"))
	p.revoke(gone)
	nothing, _ := issue(t, p, "", "", nil)
	for proxyURL, want := range map[string]int{
		"http://" + p.address: 407, "http://weir:guess@" + p.address: 407, goneURL: 407, nothing: 403,
	} {
		for method, target := range map[string]string{"CONNECT": "git.example.com:443", "GET": "http://git.example.com/x", "POST": "http://git.example.com/x"} {
			if _, _, resp := ask(t, proxyURL, method, target); resp.StatusCode != want {
				t.Errorf("%s %s with %s: %d, want %d", method, target, proxyURL, resp.StatusCode, want)
			}
		}
	}
	if asked {
		t.Error("somebody got through")
	}
}

func TestAPassLeadsToOnePlace(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.Host) }))
	defer web.Close()
	p := newProxy(t, guard(t, "127.0.0.0/8"), web.Listener.Addr().String())
	tunnel, _ := issue(t, p, "git.example.com:443", "", nil)
	plain, _ := issue(t, p, "", "git.example.com:80", nil)
	page, _ := issue(t, p, "", "", []byte("the page"))
	for _, tt := range []struct {
		proxyURL, method, target string
		status                   int
		text                     string
	}{
		{tunnel, "CONNECT", "git.example.com:443", 200, ""},
		{tunnel, "CONNECT", "git.example.com:22", 403, ""},
		{tunnel, "CONNECT", "other.example.com:443", 403, ""},
		{tunnel, "GET", "http://git.example.com/x", 403, ""},
		{plain, "GET", "http://git.example.com/x", 200, "hello git.example.com"},
		{plain, "GET", "http://git.example.com:81/x", 403, ""},
		{plain, "GET", "http://other.example.com/x", 403, ""},
		{plain, "CONNECT", "git.example.com:80", 403, ""},
		{page, "GET", "http://www.example.com/x?go-get=1", 200, "the page"},
		{page, "CONNECT", "www.example.com:443", 403, ""},
		{page, "POST", "http://www.example.com/x", 403, ""},
	} {
		_, _, resp := ask(t, tt.proxyURL, tt.method, tt.target)
		text := ""
		if tt.text != "" {
			data, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			text = string(data)
		}
		if resp.StatusCode != tt.status || text != tt.text {
			t.Errorf("%s %s: %d %q", tt.method, tt.target, resp.StatusCode, text)
		}
	}
}

func TestTheEndOfAPassEndsItsTunnels(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	p := newProxy(t, guard(t, "127.0.0.0/8"), far.Addr().String())
	for name, end := range map[string]func(*pass){
		"revoked": p.revoke,
		"closed":  func(*pass) { p.Close() },
	} {
		shown, given := issue(t, p, "git.example.com:443", "", nil)
		_, reader, resp := ask(t, shown, "CONNECT", "git.example.com:443")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", name, resp.StatusCode)
		}
		conn, err := far.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "x"); err != nil {
			t.Error(err)
		}
		if b, err := reader.ReadByte(); b != 'x' {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		end(given)
		if _, err := reader.ReadByte(); err == nil {
			t.Errorf("%s: the tunnel goes on", name)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the far end goes on", name)
		}
		if name == "closed" {
			p = newProxy(t, guard(t, "127.0.0.0/8"), far.Addr().String())
		}
	}
}

func TestAPassRemembersWhyThereWasNoWay(t *testing.T) {
	p := newProxy(t, guard(t), "127.0.0.1:1")
	shown, given := issue(t, p, "git.example.com:443", "", nil)
	if _, _, resp := ask(t, shown, "CONNECT", given.tunnel); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", resp.StatusCode)
	}
	if err := given.trouble(); artifact.Class(err) != artifact.ErrForbidden {
		t.Errorf("got %v", err)
	}
}
