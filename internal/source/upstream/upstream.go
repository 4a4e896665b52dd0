// Package upstream is the client of one module proxy or checksum database, over
// HTTP(S) or from a directory.
//
// It promises that
//
//   - only a 404 or 410 is ErrNotFound; every other trouble has the class it
//     deserves, and no body ends cleanly that is known to be short, too large
//     or not what was asked for;
//   - the upstream's credentials, headers and client certificate are sent to
//     exactly its scheme, host and port, and neither redirects nor error texts
//     carry them anywhere else;
//   - the body of an immutable artifact that breaks off goes on with a few further
//     requests, and is either the whole or an error;
//   - every wait has a bound, and so has what one upstream may have under way,
//     so that one that hangs holds up nobody else;
//   - the Check of a blob refuses what package flaw finds something wrong with;
//   - a name that cannot be looked up leads for five minutes to where it led
//     before.
//
// It does not retry what was refused, cache or remember who was ill: that is the
// work of what stands around it.
//
// Sources: the Go Modules Reference, section "GOPROXY protocol";
// cmd/go/internal/modfetch/proxy.go; cmd/go/internal/web; RFC 9110, section 14.
package upstream

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/goweir/weir/internal/fileurl"
	"github.com/goweir/weir/internal/source"
)

// Options are the settings of a client. For bounds that are zero there are
// defaults. Upstreams of the scheme file need none of them but Timeouts and ZipsHashed.
type Options struct {
	Timeouts      Timeouts
	UserAgent     string // default "weir"
	MaxConcurrent int    // requests under way at one time; more of them wait; default 128

	// Credentials, instead of those in the URL: a token, or a user with
	// password. They and the Header are sent to the scheme, host and port of
	// the upstream and nowhere else.
	Bearer             string
	Username, Password string
	Header             http.Header

	RootCAs *x509.CertPool // authorities to trust; nil: those of the system
	// Certificate is the client certificate, shown to the upstream when it
	// asks; nil: none. It is not shown through an https:// proxy of the
	// environment, since that could ask in the upstream's place.
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)

	Proxy   *url.URL // http, https (then without HTTP/2) or socks5; nil: that of the environment
	NoProxy bool     // not even that of the environment
	NoHTTP2 bool

	// OnResume, if set, is called each time a body that broke off goes on. It
	// must not block.
	OnResume func()

	// ZipsHashed says of which modules a later check reads every file of a zip, as a
	// comparison with a checksum database does. The check here is then of the
	// zip's structure only, and leaves it to that one to find files whose
	// sizes or contents are not as declared.
	ZipsHashed func(module string) bool // nil: none
}

// Timeouts bound the parts of a fetch.
type Timeouts struct {
	Connect   time.Duration // until a connection is made, and again for TLS; default 10 s
	FirstByte time.Duration // until the status of the answer, redirects included; default 60 s
	Stall     time.Duration // for a reader of the body who does not get 1 KiB; default 30 s
	Total     time.Duration // until the last byte; default 30 min
}

func (o Options) withDefaults() Options {
	o.Timeouts.Connect = cmp.Or(o.Timeouts.Connect, 10*time.Second)
	o.Timeouts.FirstByte = cmp.Or(o.Timeouts.FirstByte, time.Minute)
	o.Timeouts.Stall = cmp.Or(o.Timeouts.Stall, 30*time.Second)
	o.Timeouts.Total = cmp.Or(o.Timeouts.Total, 30*time.Minute)
	o.UserAgent = cmp.Or(o.UserAgent, "weir")
	o.MaxConcurrent = cmp.Or(o.MaxConcurrent, 128)
	return o
}

// A Client is a Source with connections of its own.
type Client interface {
	source.Source
	// CloseIdleConnections closes the connections that no fetch uses, for when
	// nothing more will be asked.
	CloseIdleConnections()
}

// New returns the client of a module proxy, given a URL as package source reads
// it from a GOPROXY list: http, https or file. Checksum databases are asked
// through the proxy, below its path sumdb/. Nothing is sent yet.
func New(proxyURL string, o Options) (Client, error) {
	return newSource(proxyURL, "", o)
}

// NewSumDB returns the client of a checksum database at its own URL, which is
// https://name when dbURL is empty. It knows this database only and answers
// ErrNotFound to everything else.
func NewSumDB(name, dbURL string, o Options) (Client, error) {
	direct, err := newSource(cmp.Or(dbURL, "https://"+name), "sumdb/"+name+"/", o)
	if err != nil {
		return nil, err
	}
	return sumDB{direct, name}, nil
}

// newSource returns a client that takes prefix off the keys it asks for.
func newSource(rawURL, prefix string, o Options) (Client, error) {
	base, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("the URL of an upstream is malformed") // the cause cites what may be a password
	}
	switch base.Scheme {
	case "http", "https":
		if base.Host == "" {
			return nil, fmt.Errorf("the URL of an upstream has no host: %s", base.Redacted())
		}
		if err := o.check(base); err != nil {
			return nil, err
		}
		return newClient(base, prefix, o.withDefaults()), nil
	case "file":
		return &directory{path: fileurl.Path(base), prefix: prefix, o: o.withDefaults()}, nil
	default:
		return nil, fmt.Errorf("the scheme of an upstream must be https, http or file, not %q", base.Scheme)
	}
}
