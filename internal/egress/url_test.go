package egress

import (
	"net/url"
	"testing"
)

func TestEqualPlacesReadTheSame(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.com":           "example.com:443",
		"https://EXAMPLE.com:443/a?b":   "example.com:443",
		"http://u:p@example.com/":       "example.com:80",
		"http://example.com:8080":       "example.com:8080",
		"ssh://git@example.com/a":       "example.com:22",
		"https://[2001:DB8::1]":         "[2001:db8::1]:443",
		"https://[2001:db8::1]:8443/":   "[2001:db8::1]:8443",
		"gopher://example.com":          "example.com:",
		"https://example.com:/trailing": "example.com:443",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := HostPort(u); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
