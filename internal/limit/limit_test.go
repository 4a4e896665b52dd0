package limit_test

import (
	"net/netip"
	"testing"

	"github.com/goweir/weir/internal/limit"
)

func TestA20AllAddressesOfOneMachineAreOneClient(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"2001:db8:1:2::", "2001:db8:1:2::"},
		{"2001:db8:1:3::1", "2001:db8:1:3::"},
		{"fe80::1%eth0", "fe80::"},
		{"::1", "::"},
	} {
		if got := limit.Client(netip.MustParseAddr(c.address)).String(); got != c.want {
			t.Errorf("%s is client %s, want %s", c.address, got, c.want)
		}
	}
	if limit.Client(netip.Addr{}).IsValid() {
		t.Error("no address is a client")
	}
}
