package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/goweir/weir/internal/store"
)

// ACMEOptions say whom to ask for which certificates.
type ACMEOptions struct {
	Hosts     []string // that get certificates, in ASCII; others get none
	Email     string   // where the authority writes to about problems; may be empty
	Directory string   // URL of the authority's directory; empty: Let's Encrypt

	// Store keeps the account, the keys and the certificates. Servers that share
	// it share them, too, and answer each other's challenges. It should be the
	// store itself and not one with copies in memory, which would not see what
	// other servers write.
	Store store.Store

	// OnChange is told why a host gets no certificate, the first time, and nil
	// when it gets one again. It must be quick.
	OnChange func(host string, err error)
}

// ACME is certificates from an authority that speaks ACME (RFC 8555), which
// proves by HTTP-01 or TLS-ALPN-01 that the hosts are ours. They are asked for
// when the first client comes, and renewed 30 days before they expire. To use it
// is to accept the authority's terms of service. It is safe for concurrent use.
type ACME struct {
	hosts    []string
	manager  *autocert.Manager
	onChange func(host string, err error)
	byHTTP   atomic.Bool // challenges are answered by HTTP-01, too

	mu       sync.Mutex
	asking   int
	notAfter map[string]time.Time // of the certificates that were given out, by host
	failing  map[string]bool      // hosts that get none
}

// NewACME returns an ACME. It refuses hosts that the challenges cannot prove:
// wildcards and addresses.
func NewACME(o ACMEOptions) (*ACME, error) {
	if len(o.Hosts) == 0 {
		return nil, errors.New("certificate: no host to get certificates for by ACME; name those that clients use")
	}
	hosts := make([]string, len(o.Hosts))
	for i, host := range o.Hosts {
		if strings.ContainsAny(host, "*:/ ") || !strings.Contains(host, ".") || net.ParseIP(host) != nil {
			return nil, fmt.Errorf("certificate: ACME has no certificate for %q; name a host such as proxy.example.com", host)
		}
		hosts[i] = canonical(host)
	}
	return &ACME{
		hosts:    hosts,
		onChange: o.OnChange,
		notAfter: map[string]time.Time{},
		failing:  map[string]bool{},
		manager: &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      cache{o.Store},
			HostPolicy: autocert.HostWhitelist(hosts...),
			Email:      o.Email,
			Client:     &acme.Client{DirectoryURL: o.Directory, UserAgent: "weir"},
		},
	}, nil
}

func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// HTTPHandler answers HTTP-01 challenges and leaves the rest to fallback; nil
// redirects to https. It belongs on port 80 of every host. Without it, only
// TLS-ALPN-01 is tried. It must be asked for before [Config] is, and before the
// first client comes.
func (a *ACME) HTTPHandler(fallback http.Handler) http.Handler {
	a.byHTTP.Store(true)
	answer := a.manager.HTTPHandler(fallback)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Some authorities name the port, and the list of hosts does not.
		if host, ok := strings.CutSuffix(r.Host, ":80"); ok {
			named := *r
			named.Host, r = host, &named
		}
		answer.ServeHTTP(w, r)
	})
}

// GetCertificate returns the certificate of the host that the client names, out of
// memory, the store or from the authority. It waits for the authority for 5 minutes
// at most, whether or not the client does, and refuses a client when 100 wait
// already. It has the form that tls.Config wants.
func (a *ACME) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := canonical(hello.ServerName)
	if !a.serves(host) {
		return nil, fmt.Errorf("certificate: there is none for %q", hello.ServerName)
	}
	if isChallenge(hello) {
		return a.manager.GetCertificate(hello)
	}
	if !a.enter(host) {
		return nil, fmt.Errorf("certificate: that of %s is being ordered, and too many wait for it already", host)
	}
	c, err := a.manager.GetCertificate(plain(host))
	if err != nil {
		err = fmt.Errorf("certificate: none for %s by ACME: %w", host, err)
	}
	a.leave(host, c, err)
	return c, err
}

func (a *ACME) serves(host string) bool { return slices.Contains(a.hosts, canonical(host)) }

// plain is a client of a host that takes ECDSA, as all do that speak TLS 1.3: for
// others the manager would order a second certificate, with RSA.
func plain(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: host, CipherSuites: suites}
}

// isChallenge reports whether it is the authority that asks (RFC 8737).
func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
}

// maxWaiting bounds who waits for the first certificate of a host. The manager
// waits for the authority also when the client has gone.
const maxWaiting = 100

func (a *ACME) enter(host string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.notAfter[host].IsZero() && a.asking >= maxWaiting {
		return false
	}
	a.asking++
	return true
}

// leave remembers what a client was answered and tells of a change.
func (a *ACME) leave(host string, c *tls.Certificate, err error) {
	a.mu.Lock()
	a.asking--
	changed := a.failing[host] != (err != nil)
	a.failing[host] = err != nil
	if err == nil {
		a.notAfter[host] = c.Leaf.NotAfter
	}
	a.mu.Unlock()
	if changed && a.onChange != nil {
		a.onChange(host, err)
	}
}

// NotAfter is when the first of the certificates that clients have got since the
// start expires; zero before the first client.
func (a *ACME) NotAfter() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first time.Time
	for _, t := range a.notAfter {
		first = earlier(first, t)
	}
	return first
}

// cache is a store as an autocert.Cache.
type cache struct{ store store.Store }

// prefix is that of keys in the store. No artifact has such a key.
const prefix = ".weir/acme/"

// maxEntry is more than any certificate with its chain and key needs.
const maxEntry = 1 << 20

// Get implements autocert.Cache.
func (c cache) Get(ctx context.Context, name string) ([]byte, error) {
	b, err := c.store.Get(ctx, key(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, autocert.ErrCacheMiss
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	data, err := b.ReadAll(maxEntry)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return bytes.Clone(data), nil // the store may share it
}

// Put implements autocert.Cache.
func (c cache) Put(ctx context.Context, name string, data []byte) error {
	_, err := c.store.Put(ctx, key(name), bytes.NewReader(data), store.PutOptions{})
	return err
}

// Delete implements autocert.Cache.
func (c cache) Delete(ctx context.Context, name string) error {
	return c.store.Delete(ctx, key(name))
}

// key is a key of the store for a name, which may have capitals, where stores
// tell none from small letters.
func key(name string) string {
	b := []byte(prefix)
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '+', c == '.' && i > 0:
			b = append(b, c)
		default:
			b = fmt.Appendf(b, "!%02x", c)
		}
	}
	return string(b)
}
