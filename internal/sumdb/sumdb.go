// Package sumdb proves artifacts against a checksum database and mirrors it.
//
// Both rest on one set of records, tiles and a signed tree head, kept in the
// store under the paths that clients ask for. The package promises that
//
//   - no record, tile or head is stored or given out that the database's key and
//     its transparent log do not vouch for; golang.org/x/mod/sumdb does the
//     proving. The one exception are data tiles, which only auditors read and
//     which prove themselves;
//   - the tree head only moves forward, and two heads that are not of one log are
//     an alarm and not believed;
//   - bytes of a public .mod or .zip that differ from the record are refused;
//   - the name of a private module is never sent anywhere;
//   - what is known is proven without any database to be reached.
//
// The database is reached through the remotes, in order: the upstream proxies
// that mirror it, and the database itself.
//
// Sources: the Go Modules Reference, "Checksum database"; golang.org/x/mod/sumdb;
// cmd/go/internal/modfetch/sumdb.go.
package sumdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/singleflight"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/store"
)

// Options are what a Database works with.
type Options struct {
	Remotes []Remote                 // in the order they are tried
	Store   store.Store              // for records, tiles, the head, and what waits to be proven
	Private func(module string) bool // of these nobody is asked, and nothing is proven; nil: none

	OnAlarm func(Alarm) // told of lies; must be quick; nil: nobody
}

// A Remote is one way to the database.
type Remote struct {
	Source source.Source
	// Down and Patience are those of a source.Link: whether the remote is known
	// to be out of order, and how long its silence is borne.
	Down     func() bool
	Patience func(artifact.Name) source.Patience
	// Proxy says that the remote is a module proxy, which mirrors the database
	// only if it says so.
	Proxy bool
}

// AlarmKind says what an Alarm is about.
type AlarmKind string

// The alarms.
const (
	Mismatch     AlarmKind = "mismatch"      // an upstream's bytes differ from the record
	LateMismatch AlarmKind = "late-mismatch" // so do bytes that were let pass unproven; they have been withdrawn
	Fork         AlarmKind = "fork"          // two signed heads are not of one log
	OlderHead    AlarmKind = "older-head"    // a remote shows an older head than was seen before
	Forged       AlarmKind = "forged"        // a remote's record or tile is not proven by the log
)

// An Alarm is a sign that somebody lies, or is broken in a way that looks so.
type Alarm struct {
	Kind   AlarmKind
	DB     string
	Module string // empty for those about heads
	// Version of the module.
	Version string
	Detail  string // the hashes or heads, or what is wrong
}

// Bounds of the work for lookups.
const (
	lookupTimeout = 30 * time.Second // for one lookup with all its tiles
	maxLookups    = 32               // at one time
	maxRecords    = 10_000           // proven records kept in memory
)

// Database is a checksum database. It is safe for concurrent use.
type Database struct {
	config    gosumdb.Config
	verifiers note.Verifiers
	o         Options
	remotes   []*remote

	ctx       context.Context // ends with Close; the parent of every lookup
	cancel    context.CancelFunc
	tasks     sync.WaitGroup
	slots     chan struct{}
	lookups   singleflight.Group
	records   *otter.Cache[string, record] // by module@version
	wake      chan struct{}                // there may be something to prove
	postponed atomic.Bool                  // since Run was last told to look, something was

	mu      sync.Mutex
	closed  bool
	last    int    // index of the remote that answered last
	head    []byte // newest signed head; empty: none yet
	headTag string // its ETag in the store
}

// New returns a Database. Close it at the end.
func New(c gosumdb.Config, o Options) (*Database, error) {
	verifier, err := note.NewVerifier(c.Key)
	if err != nil {
		return nil, fmt.Errorf("checksum database %s: %w", c.Name, err)
	}
	if o.Private == nil {
		o.Private = func(string) bool { return false }
	}
	if o.OnAlarm == nil {
		o.OnAlarm = func(Alarm) {}
	}
	d := &Database{
		config:    c,
		verifiers: note.VerifierList(verifier),
		o:         o,
		slots:     make(chan struct{}, maxLookups),
		records:   otter.Must(&otter.Options[string, record]{MaximumSize: maxRecords}),
		wake:      make(chan struct{}, 1),
	}
	for _, r := range o.Remotes {
		d.remotes = append(d.remotes, &remote{Remote: r})
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	if err := d.loadHead(d.ctx); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.cancel()
		return nil, fmt.Errorf("checksum database %s: the stored tree head: %w", c.Name, err)
	}
	return d, nil
}

// Name is the name of the database.
func (d *Database) Name() string { return d.config.Name }

// Close ends the lookups under way and waits for them.
func (d *Database) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.tasks.Wait()
	return nil
}

func (d *Database) alarm(kind AlarmKind, mod, version, detail string) {
	d.o.OnAlarm(Alarm{Kind: kind, DB: d.config.Name, Module: mod, Version: version, Detail: detail})
}

// own is the prefix of what the database keeps beside what clients ask for.
func (d *Database) own() string { return ".weir/sumdb/" + d.config.Name + "/" }
