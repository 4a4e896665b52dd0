package egress

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func newGuard(t *testing.T, allow ...string) *Guard {
	t.Helper()
	g, err := NewGuard(allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestA4OnlyPublicAddressesAreAllowedByThemselves(t *testing.T) {
	var nobody *Guard
	for text, public := range map[string]bool{
		"8.8.8.8:443": true, "140.82.121.4:22": true, "[2606:4700::1111]:443": true, "[2a00:1450:4001::1]:9": true, "[::ffff:8.8.8.8]:443": true,
		"127.0.0.1:443": false, "127.9.9.9:443": false, "0.0.0.0:80": false, "0.1.2.3:80": false, "10.1.2.3:443": false, "172.16.0.1:443": false, "172.31.255.255:443": false,
		"192.168.0.1:443": false, "169.254.169.254:80": false, "100.64.0.1:443": false, "192.0.0.192:80": false, "192.0.2.1:80": false, "198.18.0.1:80": false,
		"224.0.0.1:80": false, "255.255.255.255:80": false, "240.0.0.1:80": false, "192.88.99.1:80": false, "203.0.113.5:80": false, "198.51.100.5:80": false,
		"[::1]:443": false, "[::]:443": false, "[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false, "[fe80::1%eth0]:443": false, "[fe80::1]:443": false,
		"[fc00::1]:443": false, "[fd12:3456::1]:443": false, "[ff02::1]:443": false, "[64:ff9b::7f00:1]:443": false, "[64:ff9b::808:808]:443": false, "[64:ff9b:1::1]:443": false,
		"[2002:7f00:1::1]:443": false, "[2001::1]:443": false, "[2001:db8::1]:443": false, "[3fff::1]:443": false, "[::127.0.0.1]:443": false, "[100::1]:443": false,
		"[fec0::1]:443": false, "[4000::1]:443": false,
	} {
		err := nobody.Check("host.example.com", netip.MustParseAddrPort(text))
		if public != (err == nil) || err != nil && artifact.Class(err) != artifact.ErrForbidden {
			t.Errorf("%s: %v; public is %v", text, err, public)
		}
	}
}

func TestTheGuardAllowsWhatIsNamed(t *testing.T) {
	for _, tt := range []struct {
		entry, host, addr string
		want              bool
	}{
		{"git.corp.example", "git.corp.example", "10.0.0.1:443", true},
		{"Git.Corp.Example", "git.corp.example.", "10.0.0.1:22", true},
		{"git.corp.example", "xgit.corp.example", "10.0.0.1:443", false},
		{"git.corp.example:8443", "git.corp.example", "10.0.0.1:8443", true},
		{"git.corp.example:8443", "git.corp.example", "10.0.0.1:443", false},
		{"*.corp.example", "git.corp.example", "10.0.0.1:443", true},
		{"*.corp.example", "a.b.corp.example", "10.0.0.1:443", true},
		{"*.corp.example", "corp.example", "10.0.0.1:443", false},
		{"*.corp.example", "evilcorp.example", "10.0.0.1:443", false},
		{"10.0.0.0/8", "any.example", "10.200.0.1:443", true},
		{"10.0.0.0/8", "any.example", "11.0.0.1:443", true}, // public
		{"10.0.0.0/8", "any.example", "192.168.0.1:443", false},
		{"10.0.0.0/8:443", "any.example", "10.0.0.1:443", true},
		{"10.0.0.0/8:443", "any.example", "10.0.0.1:22", false},
		{"127.0.0.1", "any.example", "127.0.0.1:443", true},
		{"127.0.0.1", "any.example", "[::ffff:127.0.0.1]:443", true},
		{"127.0.0.1:3000", "any.example", "127.0.0.1:3001", false},
		{"::1", "any.example", "[::1]:443", true},
		{"[::1]:443", "any.example", "[::1]:443", true},
		{"[::1]:443", "any.example", "[::1]:80", false},
		{"[fd00::1]", "any.example", "[fd00::1]:80", true},
		{"fd00::/8", "any.example", "[fd12::1]:80", true},
		{"[fd00::/8]:443", "any.example", "[fd12::1]:80", false},
		{"http://git.corp.example", "git.corp.example", "10.0.0.1:80", true},
	} {
		err := newGuard(t, "unrelated.example", tt.entry).Check(tt.host, netip.MustParseAddrPort(tt.addr))
		if (err == nil) != tt.want {
			t.Errorf("%s: %s at %s: %v", tt.entry, tt.host, tt.addr, err)
		}
	}
}

func TestPlainHTTPIsForHostsThatAreNamedWithIt(t *testing.T) {
	g := newGuard(t, "git.corp.example", "http://old.corp.example:8080", "http://10.0.0.0/8")
	for hostport, want := range map[string]bool{
		"git.corp.example:80": false, "old.corp.example:8080": true, "old.corp.example:80": false, "10.1.1.1:80": true, "public.example:80": false,
	} {
		host, port, _ := net.SplitHostPort(hostport)
		to := netip.MustParseAddrPort("1.1.1.1:" + port)
		if got := g.AllowsPlain(host, to.Port()); got != want {
			t.Errorf("%s: %v", hostport, got)
		}
	}
}

func TestEntriesThatMeanNothingAreRefused(t *testing.T) {
	for _, entry := range []string{
		"", " ", "*", "*.", ".corp.example", "a..b", "-x.example", "git.corp.example:", "git.corp.example:0", "git.corp.example:99999", "git.corp.example:ssh",
		"https://git.corp.example", "git.corp.example/path", "10.0.0.0/99", "*x.example", "a.*.example", "http://", "user@host.example", "1.2.3.4/8/9", "a b",
	} {
		if g, err := NewGuard([]string{entry}); err == nil {
			t.Errorf("%q is taken for %+v", entry, g.allowed)
		}
	}
}

func TestRefusalsNameTheSettingAndNoAddress(t *testing.T) {
	err := newGuard(t).Check("git.corp.example", netip.MustParseAddrPort("10.1.2.3:443"))
	reason, hint := artifact.Explain(err)
	if !strings.Contains(hint, "direct.allow_hosts") || strings.Contains(reason+hint, "10.1.2.3") {
		t.Errorf("%q, %q", reason, hint)
	}
}

func FuzzNewGuard(f *testing.F) {
	for _, seed := range []string{"git.corp.example:443", "*.corp.example", "[::1]:22", "10.0.0.0/8:1", "http://x", "[[::1]]:1", "*.:1"} {
		f.Add(seed)
	}
	public := netip.MustParseAddrPort("8.8.8.8:1")
	f.Fuzz(func(t *testing.T, entry string) {
		g, err := NewGuard([]string{entry})
		if err != nil {
			return
		}
		if err := g.Check("host.invalid", public); err != nil {
			t.Fatalf("%q forbids what is public", entry)
		}
		if a := g.allowed[0]; a.name == "" && !a.prefix.IsValid() || a.name != "" && a.prefix.IsValid() {
			t.Fatalf("%q means %+v", entry, a)
		}
	})
}

func TestPublicIsWhatAnyFormOfAnAddressLeadsTo(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.216.34": true, "::ffff:93.184.216.34": true, "2606:2800:220:1::1": true,
		"::ffff:10.0.0.1": false, "fe80::1%eth0": false, "2002:7f00:1::": false,
	} {
		if got := IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}
