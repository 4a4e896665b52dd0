package auth

import (
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func FuzzParseAuthorization(f *testing.F) {
	for _, s := range []string{"Basic dTpw", "Bearer x", "Basic  =", "bearer", "Negotiate x", "Basic \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseAuthorization(header)
		if (err == nil) == (c == credentials{}) {
			t.Fatalf("%q: %+v, %v", header, c, err)
		}
		if err != nil && artifact.Class(err) != artifact.ErrUnauthorized {
			t.Fatal(err)
		}
	})
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:1", "192.0.2.7, [::1]:2,fe80::1%x")
	f.Fuzz(func(t *testing.T, peer, list string) {
		for rest, more := list, true; more; {
			var last string
			if len(rest) > len(list) {
				t.Fatal("a list grows")
			}
			rest, last, more = cutLast(rest)
			if addr := parseAddr(last); addr.Is4In6() || addr.Zone() != "" {
				t.Fatalf("%q is %v", last, addr)
			}
		}
		parseAddr(peer)
	})
}
