package daemon_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// free is an address of this machine that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// stay opens connections to a server and returns how many of them are not closed.
// The bounds close those that are too many before anything is said.
func stay(t *testing.T, url string, connections int) (open int) {
	t.Helper()
	for range connections {
		scheme, address, _ := strings.Cut(url, "://")
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if scheme == "https" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		}
		if answers(conn) {
			open++
		}
	}
	return open
}

// answers reports whether somebody at the other end answers a request, whatever.
func answers(conn net.Conn) bool {
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: weir\r\n\r\n")
	n, _ := conn.Read(make([]byte, 1))
	return n == 1
}

// A20: the bounds of connections hold for each address that the server listens on,
// and a flood at one of them leaves the others open.
func TestA20ConnectionsAreBoundedAtEveryAddress(t *testing.T) {
	_, upstream := proxy(t)
	cert, key, _ := pair(t, t.TempDir(), 1)
	plain := free(t)
	const bounds = "limits: {connections: 2, connections_per_client: 2}\n"
	r := start(t, yaml(upstream, bounds+fmt.Sprintf("tls: {cert_file: %s, key_file: %s, http_listen: %q}\nadmin: {listen: '127.0.0.1:0'}\n", cert, key, plain)))
	own := r.logs.await(t, `has an address of its own" url=(\S+)`)
	for _, url := range []string{r.url, "http://" + plain, own} {
		if open := stay(t, url, 20); open != 2 {
			t.Errorf("of 20 connections to %s, %d stay; want 2", url, open)
		}
	}
}

func TestTheOperationIsReachedDuringAFlood(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "limits: {connections: 2}\nadmin: {listen: '127.0.0.1:0'}\n"))
	own := r.logs.await(t, `has an address of its own" url=(\S+)`)
	http.DefaultClient.CloseIdleConnections()
	if open := stay(t, r.url, 20); open != 2 {
		t.Fatalf("%d connections stay, want 2", open)
	}
	resp, metrics := r.ask(http.DefaultClient, own+"/metrics")
	if resp.StatusCode != 200 || !strings.Contains(metrics, "\nweir_connections 3\n") || !strings.Contains(metrics, "\nweir_connections_refused 18\n") {
		t.Errorf("%d, and the metrics do not say that 3 connections are open and 18 were refused", resp.StatusCode)
	}
}

func TestTheGreetingNamesTheURLThatLeadsHere(t *testing.T) {
	_, upstream := proxy(t)
	cert, key, pool := pair(t, t.TempDir(), 1)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer tr.CloseIdleConnections()
	for name, test := range map[string]struct {
		more, forwarded, scheme string
		login                   bool
	}{
		"open":                   {"", "", "http", false},
		"open, with TLS":         {"tls: {cert_file: " + cert + ", key_file: " + key + "}\n", "", "https", false},
		"closed":                 {"auth: {anonymous: false}\n", "", "http", true},
		"closed, with TLS":       {"auth: {anonymous: false}\ntls: {cert_file: " + cert + ", key_file: " + key + "}\n", "", "https", true},
		"behind a trusted proxy": {"auth: {trusted_proxies: [127.0.0.1]}\n", "https", "https", false},
		"behind any proxy":       {"", "https", "http", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, yaml(upstream, "path_prefix: /go\n"+test.more))
			base := strings.TrimSuffix(r.url, "/go")
			resp, body := r.ask(&http.Client{Transport: tr}, base+"/", "X-Forwarded-Proto", test.forwarded)
			_, host, _ := strings.Cut(base, "://")
			url := test.scheme + "://" + host + "/go\n"
			if resp.StatusCode != 200 || !strings.Contains(body, "GOPROXY="+url) || strings.Contains(body, "weir login "+url) != test.login {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}
