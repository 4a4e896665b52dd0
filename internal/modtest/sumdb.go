package modtest

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
)

// SumDB is a checksum database of the modules of a Proxy. Records are made when
// they are first asked for, and stay what they are. It is safe for concurrent
// use.
type SumDB struct {
	name, signer, verifier string
	proxy                  *Proxy

	mu     sync.Mutex
	server http.Handler
	lies   map[module.Version]bool
	down   bool
	url    string
}

// NewSumDB returns a checksum database with a fresh key. The proxy serves it
// below /sumdb/NAME/. The name may hold slashes.
func NewSumDB(name string, p *Proxy) *SumDB {
	signer, verifier, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		panic(err) // the name is bad
	}
	d := &SumDB{name: name, signer: signer, verifier: verifier, proxy: p, lies: map[module.Version]bool{}}
	d.Fork()
	d.MirrorAt(p)
	return d
}

// MirrorAt lets another proxy serve the database, too.
func (d *SumDB) MirrorAt(p *Proxy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sumdbs = append(p.sumdbs, d)
}

// Name returns the name of the database.
func (d *SumDB) Name() string { return d.name }

// Key returns the verifier key, which is a value for GOSUMDB where the database
// is reached through a proxy.
func (d *SumDB) Key() string { return d.verifier }

// GOSUMDB returns the key and, once the database has been started, its URL.
func (d *SumDB) GOSUMDB() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.TrimSuffix(d.verifier+" "+d.url, " ")
}

// Start serves the database at an address of its own until the test ends, and
// returns its URL.
func (d *SumDB) Start(t Cleaner) string {
	url := start(t, d, func() {})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.url = url
	return url
}

// SetDown makes the database cut connections without an answer, at its own
// address and behind the proxy, or stop that.
func (d *SumDB) SetDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

// Lie gives a version another hash than it has. It must be called before the
// record is first asked for: what stands in the log stands.
func (d *SumDB) Lie(path, version string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lies[module.Version{Path: path, Version: version}] = true
}

// Fork begins a new log with the same key, which clients that have seen the
// old one must notice.
func (d *SumDB) Fork() {
	ops := sumdb.NewTestServer(d.signer, d.record)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server = sumdb.NewServer(ops)
}

// record returns the lines of go.sum of a version.
func (d *SumDB) record(path, vers string) ([]byte, error) {
	d.proxy.mu.Lock()
	v := d.proxy.modules[path][vers]
	d.proxy.mu.Unlock()
	if v == nil {
		// The server looks for this type, not for what an error wraps.
		return nil, &fs.PathError{Op: "lookup", Path: path + "@" + vers, Err: fs.ErrNotExist}
	}
	mod := module.Version{Path: path, Version: vers}
	d.mu.Lock()
	lie := d.lies[mod]
	d.mu.Unlock()
	if lie {
		v = &version{mod: append([]byte("// another\n"), v.mod...), zip: otherZip}
	}
	return v.sums(mod)
}

// otherZip is an empty zip: an end of a directory without entries.
var otherZip = append([]byte("PK\x05\x06"), make([]byte, 18)...)

// ServeHTTP answers at an address of its own.
func (d *SumDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.serve(w, r, r.URL.Path, Fault{}, state{})
}

// serve answers for a path of the database, such as /latest.
func (d *SumDB) serve(w http.ResponseWriter, r *http.Request, path string, f Fault, s state) {
	d.mu.Lock()
	server, down := d.server, d.down
	d.mu.Unlock()
	if down {
		cut(w)
	}
	if path == "/supported" {
		f.play(w, r, answer{http.StatusOK, textKind, nil}, s)
		return
	}
	at := r.Clone(r.Context())
	at.URL.Path, at.URL.RawPath = path, ""
	f.play(w, r, record(server, at), s)
}

// record is the answer of a server. The one of x/mod for tests panics when it is
// asked for a tile that is not full yet as if it were; a real one does not find it.
func record(server http.Handler, r *http.Request) (a answer) {
	defer func() {
		if recover() != nil {
			a = notFound("%s", r.URL.Path)
		}
	}()
	rec := httptest.NewRecorder()
	rec.Body = new(bytes.Buffer)
	server.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes()}
}

// database finds the checksum database a path of the proxy belongs to, and the
// path in it.
func (p *Proxy) database(path string) (*SumDB, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.sumdbs {
		if rest, ok := strings.CutPrefix(path, "/sumdb/"+d.name+"/"); ok {
			return d, "/" + rest
		}
	}
	return nil, ""
}
