package certificate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Pair names a file with a certificate and those between it and its authority,
// and the file with its key, both in PEM.
type Pair struct {
	Certificate string
	Key         string
}

// Paths name the files of a server.
type Paths struct {
	Pairs     []Pair // of which a client gets the first that suits it
	ClientCAs string // authorities of client certificates, in PEM; empty: none
}

// Files are certificates and authorities out of files. They are safe for
// concurrent use.
type Files struct {
	paths   Paths
	current atomic.Pointer[state]
	mu      sync.Mutex // held while current is being replaced
}

// A state is what is in use.
type state struct {
	certificates []*tls.Certificate // one for each pair
	clientCAs    *x509.CertPool     // nil: none
	sum          sum                // of the files; zero if not all of them are in use
}

// LoadFiles loads files. It fails if one is missing or damaged, or a key is not
// that of its certificate. A certificate that has expired, or is not valid yet, is
// loaded and shows in [Files.Warnings]: a server that does not start helps nobody,
// and the clock may be wrong.
func LoadFiles(p Paths) (*Files, error) {
	f := &Files{paths: p}
	first := &state{certificates: make([]*tls.Certificate, len(p.Pairs))}
	next, err := f.load(f.look(), first, func(*x509.Certificate) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	f.current.Store(next)
	return f, nil
}

// Reload loads the files anew. What would be worse than what is in use is refused,
// with the reason, and the old one stays: what LoadFiles refuses, and what has
// expired or is not valid yet. The others are taken.
func (f *Files) Reload() error { return f.take(f.look()) }

func (f *Files) take(s snapshot) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := f.load(s, f.current.Load(), func(c *x509.Certificate) error { return valid(c, time.Now()) })
	f.current.Store(next)
	if err != nil {
		return fmt.Errorf("certificate: refused, the old one stays in use: %w", err)
	}
	return nil
}

// Watch looks at the files so often, until ctx ends, and reloads them when they
// have changed and stay the same from one look to the next. A refused file is
// tried again at every look: a certificate that is not valid yet is taken when it
// is. tell is told nil when a change is in use, and why one is not, once for each
// reason.
func (f *Files) Watch(ctx context.Context, every time.Duration, tell func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before sum
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := f.look()
		if now.sum == before && now.sum != f.current.Load().sum {
			err := f.take(now)
			if reason := fmt.Sprint(err); err == nil || reason != told {
				told = reason
				tell(err)
			}
		}
		before = now.sum
	}
}

// GetCertificate returns the first certificate that suits the client, or else the
// first of all, so that the client can say what is wrong with it. It has the form
// that tls.Config wants.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := f.match(hello); c != nil {
		return c, nil
	}
	if all := f.current.Load().certificates; len(all) > 0 {
		return all[0], nil
	}
	return nil, fmt.Errorf("certificate: there is none for %q", hello.ServerName)
}

// match returns the first certificate that suits the client, or nil.
func (f *Files) match(hello *tls.ClientHelloInfo) *tls.Certificate {
	for _, c := range f.current.Load().certificates {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return nil
}

// NotAfter is when the first of the certificates expires; zero if there is none.
func (f *Files) NotAfter() time.Time {
	var first time.Time
	for _, c := range f.current.Load().certificates {
		first = earlier(first, c.Leaf.NotAfter)
	}
	return first
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Warnings says which certificates are not valid, or expire soon: in 14 days or
// the last third of their time.
func (f *Files) Warnings() []string {
	var warnings []string
	now := time.Now()
	for i, c := range f.current.Load().certificates {
		if err := soon(c.Leaf, now); err != nil {
			warnings = append(warnings, fmt.Sprintf("certificate %s: %v", f.paths.Pairs[i].Certificate, err))
		}
	}
	return warnings
}

func soon(c *x509.Certificate, now time.Time) error {
	if err := valid(c, now); err != nil {
		return err
	}
	notice := min(14*24*time.Hour, c.NotAfter.Sub(c.NotBefore)/3)
	if now.Add(notice).After(c.NotAfter) {
		return fmt.Errorf("it expires on %s; renew it", date(c.NotAfter))
	}
	return nil
}

func valid(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("it has expired on %s; renew it", date(c.NotAfter))
	case now.Before(c.NotBefore):
		return fmt.Errorf("it is not valid before %s; wait, or check the clock", date(c.NotBefore))
	}
	return nil
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// A snapshot is what the files hold at one moment, in the order of the paths.
type snapshot struct {
	contents [][]byte
	errs     []error
	sum      sum
}

type sum [sha256.Size]byte

// maxFile is more than any file of certificates needs.
const maxFile = 8 << 20

func (f *Files) look() snapshot {
	var s snapshot
	hash := sha256.New()
	for _, name := range f.paths.names() {
		data, err := read(name)
		fmt.Fprintf(hash, "%d %v\n", len(data), err)
		hash.Write(data)
		s.contents, s.errs = append(s.contents, data), append(s.errs, err)
	}
	hash.Sum(s.sum[:0])
	return s
}

// names are the files, those of the pairs first.
func (p Paths) names() []string {
	var names []string
	for _, pair := range p.Pairs {
		names = append(names, pair.Certificate, pair.Key)
	}
	if p.ClientCAs != "" {
		names = append(names, p.ClientCAs)
	}
	return names
}

func read(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is too large to be a file of certificates", name)
	}
	return data, err
}

// load makes a state of a snapshot. What is damaged, or not fit, stays as it was.
func (f *Files) load(s snapshot, old *state, fit func(*x509.Certificate) error) (*state, error) {
	next := &state{sum: s.sum, clientCAs: old.clientCAs}
	var errs []error
	for i, pair := range f.paths.Pairs {
		c, err := s.pair(2*i, pair, fit)
		if err != nil {
			errs = append(errs, err)
			c = old.certificates[i]
		}
		next.certificates = append(next.certificates, c)
	}
	if f.paths.ClientCAs != "" {
		pool, err := s.authorities(2*len(f.paths.Pairs), f.paths.ClientCAs)
		if err != nil {
			errs = append(errs, err)
		} else {
			next.clientCAs = pool
		}
	}
	if len(errs) > 0 {
		next.sum = sum{}
	}
	return next, together(errs)
}

// pair reads a certificate, whose file is at i, and its key after it.
func (s snapshot) pair(i int, p Pair, fit func(*x509.Certificate) error) (*tls.Certificate, error) {
	if err := cmp.Or(s.readable(i, p.Certificate), s.readable(i+1, p.Key)); err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(s.contents[i], s.contents[i+1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w; put both files of one pair there", p.Certificate, p.Key, err)
	}
	if err := fit(c.Leaf); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", p.Certificate, err)
	}
	return &c, nil
}

func (s snapshot) authorities(i int, name string) (*x509.CertPool, error) {
	if err := s.readable(i, name); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.contents[i]) {
		return nil, fmt.Errorf("%s holds no certificate of an authority in PEM", name)
	}
	return pool, nil
}

// readable refuses a file that is absent, empty, cut off or damaged in the middle:
// the readers of PEM pass over such blocks, and a chain without its end works with
// some clients only.
func (s snapshot) readable(i int, name string) error {
	if s.errs[i] != nil {
		return s.errs[i]
	}
	data, blocks := s.contents[i], 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks++
	}
	if begun := bytes.Count(data, []byte("-----BEGIN ")); blocks == 0 || blocks != begun {
		return fmt.Errorf("%s: %d of %d blocks of PEM are whole; write the file again", name, blocks, begun)
	}
	return nil
}

// together makes one error of several, in one line.
func together(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	err := errs[0]
	for _, next := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}
