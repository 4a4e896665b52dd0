package egress

import (
	"net"
	"net/url"
	"strings"
)

var defaultPorts = map[string]string{"https": "443", "http": "80", "ssh": "22"}

// HostPort returns the host and the port that a URL leads to, also where the port
// is the usual one, so that equal places read the same.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
