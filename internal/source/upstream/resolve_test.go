package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// Codes of DNS answers.
const (
	dnsGood       = 0
	dnsServerFail = 2
	dnsNoName     = 3
)

// nameServer answers every question for an IPv4 address with this machine's, or
// with its code when that is none of success.
type nameServer struct{ code, asked atomic.Int32 }

// resolver is one that asks the server alone.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go s.serve(there)
		return here, nil
	}}
}

// serve answers one question, in the form of DNS over TCP.
//
// Source: RFC 1035, section 4.
func (s *nameServer) serve(conn net.Conn) {
	defer conn.Close()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return
	}
	s.asked.Add(1)
	const header = 12
	end := header
	for message[end] != 0 {
		end += 1 + int(message[end])
	}
	question := message[header : end+5]
	code := byte(s.code.Load())
	isA := binary.BigEndian.Uint16(question[len(question)-4:]) == 1
	answer := append(message[:2:2], 0x81, 0x80|code, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, question...)
	if code == dnsGood && isA {
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// openNamed starts a server and opens it under a name that is looked up by names.
func openNamed(t *testing.T, names *nameServer, scheme string, settings Options) *client {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(sendMod))
	if scheme == "https" {
		server.StartTLS() // its certificate is for example.com
		settings.RootCAs = rootsOf(server)
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	c := open(t, scheme+"://example.com:"+port, settings).(*client)
	o := c.http.Transport.(*origin)
	o.addresses.dial = (&net.Dialer{Resolver: names.resolver()}).DialContext
	o.next.(*http.Transport).DisableKeepAlives = true // so that each request needs a lookup
	return c
}

func TestF18TheLastGoodAddressIsUsedWhenLookupsFail(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, code := range []int32{dnsServerFail, dnsNoName} {
			var names nameServer
			c := openNamed(t, &names, scheme, Options{NoProxy: true})
			names.code.Store(code)
			_, err := get(t, c, modName)
			wantClass(t, "a name never known", err, artifact.ErrBadUpstream)
			names.code.Store(dnsGood)
			for _, code := range []int32{dnsGood, code, code, dnsGood} {
				names.code.Store(code)
				before := names.asked.Load()
				if got, err := get(t, c, modName); err != nil || got != goodMod {
					t.Errorf("%s, code %d: %q, %v", scheme, code, got, err)
				}
				if names.asked.Load() == before {
					t.Errorf("%s, code %d: nobody was asked", scheme, code)
				}
			}
		}
	}
}

// phoneBook is a dialer whose lookups can fail. It counts dials by address.
type phoneBook struct {
	lookup error // nil: success
	dials  map[string]int
	dead   bool // no address can be connected to
}

func (p *phoneBook) dial(_ context.Context, _, address string) (net.Conn, error) {
	p.dials[address]++
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		if p.lookup != nil {
			return nil, &net.OpError{Op: "dial", Err: p.lookup}
		}
		addr = netip.MustParseAddrPort("192.0.2.1:443")
	}
	if p.dead {
		return nil, errors.New("refused")
	}
	return named{to: net.TCPAddrFromAddrPort(addr)}, nil
}

type named struct {
	net.Conn
	to net.Addr
}

func (c named) RemoteAddr() net.Addr { return c.to }

func newPhoneBook() (*phoneBook, *addresses) {
	p := &phoneBook{dials: map[string]int{}}
	a := newAddresses(&net.Dialer{})
	a.dial = p.dial
	return p, a
}

const (
	proxyName    = "proxy.example.com:443"
	proxyAddress = "192.0.2.1:443"
)

var errLookup = &net.DNSError{Err: "no such host", Name: "proxy.example.com", IsNotFound: true}

func TestF18AnAddressIsGoodForFiveMinutes(t *testing.T) {
	for what, test := range map[string]struct {
		before func(a *addresses) // between the connection and the lookup that fails
		after  time.Duration      // that the lookups go on failing
		ok     bool
	}{
		"at once":                     {func(*addresses) {}, 0, true},
		"after 5 minutes":             {func(*addresses) {}, 5 * time.Minute, true},
		"after more":                  {func(*addresses) {}, 5*time.Minute + 1, false},
		"an hour of answers":          {func(a *addresses) { time.Sleep(time.Hour); a.answered(proxyName) }, 4 * time.Minute, true},
		"an hour of answers, too old": {func(a *addresses) { time.Sleep(time.Hour); a.answered(proxyName) }, 6 * time.Minute, false},
		"an hour of silence":          {func(*addresses) { time.Sleep(time.Hour) }, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			book, a := newPhoneBook()
			ctx := context.WithValue(t.Context(), hopKey{}, &hop{own: true, direct: true})
			if _, err := a.dialContext(ctx, "tcp", "Proxy.example.com:443"); err != nil {
				t.Fatal(err)
			}
			test.before(a)
			book.lookup = errLookup
			if test.after > 0 {
				if _, err := a.dialContext(ctx, "tcp", proxyName); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				time.Sleep(test.after - time.Second)
				a.answered(proxyName) // over the address that is not looked up any more
				time.Sleep(time.Second)
			}
			_, err := a.dialContext(ctx, "tcp", proxyName)
			if test.ok != (err == nil) || err != nil && !errors.Is(err, errLookup) {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}

func TestF18OnlyALookupThatFailsIsPassedOver(t *testing.T) {
	direct := &hop{own: true, direct: true}
	left, leave := context.WithCancel(t.Context())
	leave()
	for what, test := range map[string]struct {
		ctx    context.Context
		lookup error
		dead   bool
		dials  int // of the address
	}{
		"a lookup":        {context.WithValue(t.Context(), hopKey{}, direct), errLookup, false, 1},
		"and the address": {context.WithValue(t.Context(), hopKey{}, direct), errLookup, true, 1},
		"no lookup":       {context.WithValue(t.Context(), hopKey{}, direct), errors.New("refused"), false, 0},
		"by a proxy":      {context.WithValue(t.Context(), hopKey{}, &hop{own: true}), errLookup, false, 0},
		"a caller left":   {context.WithValue(left, hopKey{}, direct), errLookup, false, 0},
	} {
		book, a := newPhoneBook()
		if _, err := a.dialContext(context.WithValue(t.Context(), hopKey{}, direct), "tcp", proxyName); err != nil {
			t.Fatal(err)
		}
		book.lookup, book.dead = test.lookup, test.dead
		_, err := a.dialContext(test.ctx, "tcp", proxyName)
		if ok := what == "a lookup"; ok != (err == nil) || !ok && !errors.Is(err, test.lookup) || book.dials[proxyAddress] != test.dials {
			t.Errorf("%s: %v, %d dials of the address", what, err, book.dials[proxyAddress])
		}
	}
}

func TestF18FewAddressesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, a := newPhoneBook()
		ctx := context.WithValue(t.Context(), hopKey{}, &hop{direct: true})
		for i := range 10 * maxAddresses {
			a.dialContext(ctx, "tcp", fmt.Sprintf("host%d.example.com:443", i))
			time.Sleep(time.Second)
			a.dialContext(ctx, "tcp", proxyName)
		}
		if len(a.last) != maxAddresses {
			t.Errorf("%d addresses", len(a.last))
		}
		book.lookup = errLookup
		if _, err := a.dialContext(ctx, "tcp", proxyName); err != nil {
			t.Errorf("the latest is forgotten: %v", err)
		}
	})
}

func TestF18TheGuardLooksAtLastAddressesToo(t *testing.T) {
	var names nameServer
	c := openNamed(t, &names, "http", Options{NoProxy: true})
	o := c.http.Transport.(*origin)
	o.addresses.dial = (&net.Dialer{Resolver: names.resolver(), ControlContext: new(guard).control}).DialContext
	to := &url.URL{Scheme: "http", Host: strings.Replace(c.base.Host, "example.com", "elsewhere.example.com", 1)}
	o.addresses.remember(to.Host, "127.0.0.1:"+to.Port())
	names.code.Store(dnsNoName)
	req, err := http.NewRequestWithContext(bounded(t), http.MethodGet, to.String(), nil) // as after a redirect
	if err != nil {
		t.Fatal(err)
	}
	resp, err := o.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	wantClass(t, "an inner address", err, artifact.ErrBadUpstream)
	if err != nil && !strings.Contains(err.Error(), "inside this network") {
		t.Errorf("got %v", err)
	}
}
