// Package cache answers for artifacts from the store and fills what is absent
// from the source, once.
//
// It promises that
//
//   - an answer from the store never waits for one that is being fetched;
//   - an artifact that is absent is fetched once, whoever asks meanwhile, and
//     the fetch belongs to the cache: a caller who leaves cancels nothing, and
//     what has been begun is finished for the store;
//   - nothing that failed its check is stored, listed or wholly given out. Small
//     bodies are checked before their first byte leaves; zips above a threshold
//     are streamed with the last block held back until check and commit are
//     through;
//   - lists, @latest, queries and the moving paths of checksum databases are
//     answered from memory while they are fresh, refreshed in the background
//     before they expire, and answered stale when every source fails;
//   - a version that is in the store stays in the list of its module;
//   - "not found" is believed only shortly, and never against something held.
//
// It refuses to cache trouble: only proven absence is remembered.
package cache

import (
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/store"
)

// Times are how long answers are good for.
type Times struct {
	Fresh        time.Duration // how long a mutable artifact is current
	NotFound     time.Duration // how long the absence of a file is believed
	ListNotFound time.Duration // how long the absence of a list or @latest is believed
	Stale        time.Duration // how old a stale answer may be; 0: any age
}

// Turns bounds how many fetches there are at one time, and says whose turn it is.
type Turns interface {
	// Wait returns when a client has one of the slots, which it has until release is
	// called, or with an error when ctx ends. An empty client stands for what nobody
	// waits for.
	Wait(ctx context.Context, client string) (release func(), err error)
}

// Options are the bounds of a Cache. All must be set, but for TimesOf, OnEvent and OnMoved.
type Options struct {
	Times                                  // of all modules but those that TimesOf knows
	TimesOf     func(module string) *Times // nil: there are no others
	StreamAbove int64                      // zips larger than this are streamed while they arrive, in bytes
	Offline     func(module string) bool   // whether there is no source for a module: its list and @latest name what is complete in the store; nil: there is
	MaxFills    int                        // fetches at one time, as Turns allows
	Turns       Turns                      // of fetches; of the first Options only
	MaxWaiting  int                        // fetches that may wait for their turn; more are refused
	FillTimeout time.Duration              // the longest a fetch may take as a whole
	Fallback    blob.Files                 // temporary files for when the store lends none
	OnEvent     func(Event)                // called after each fill and store failure; must be quick
	OnMoved     func(Moved)                // called once for each tag that is found to have moved; must be quick
}

// Cache is a read-through cache. It is safe for concurrent use.
type Cache struct {
	store   store.Store
	limits  atomic.Pointer[Options]
	src     atomic.Pointer[source.Source]
	turns   Turns
	running atomic.Int64 // fills
	missing *otter.Cache[string, missing]
	mutable *otter.Cache[string, *entry]
	moved   *otter.Cache[string, struct{}] // what has been told of tags

	ctx    context.Context // ends with Close; the parent of every fill
	cancel context.CancelFunc
	pairs  [256]chan struct{} // full while a file of a version is stored: one at one time, by a hash
	seed   maphash.Seed       // of that hash

	mu      sync.Mutex
	closed  bool
	flights map[string]*flight // by key: those that callers may join
	flying  int                // flights that have not ended, also those that nobody joins any more
	idle    chan struct{}      // closed when none is left; nil while there is none
	landed  ring               // keys of the latest flights that ended with an answer
	arrived ring               // modules of the latest versions that were stored
}

// Bounds of what is kept in memory about artifacts that are absent or mutable.
const (
	maxMissing      = 10_000   // entries
	maxMoved        = 10_000   // entries
	maxMutable      = 16 << 20 // bytes
	mutableOverhead = 256      // bytes of an entry beside its body, about
)

// New returns a Cache over a store, filled from a source. Close it at the end.
func New(st store.Store, src source.Source, o Options) *Cache {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Cache{
		store:   st,
		turns:   o.Turns,
		missing: otter.Must(&otter.Options[string, missing]{MaximumSize: maxMissing}),
		mutable: otter.Must(&otter.Options[string, *entry]{
			MaximumWeight: maxMutable,
			Weigher: func(key string, e *entry) uint32 {
				return uint32(len(key) + len(e.blob.Data) + mutableOverhead)
			},
		}),
		moved:   otter.Must(&otter.Options[string, struct{}]{MaximumSize: maxMoved}),
		ctx:     ctx,
		cancel:  cancel,
		seed:    maphash.MakeSeed(),
		flights: map[string]*flight{},
	}
	for i := range c.pairs {
		c.pairs[i] = make(chan struct{}, 1)
	}
	c.Reconfigure(src, o)
	return c
}

// Reconfigure replaces the source and the bounds, but for MaxFills and Turns. Fetches
// under way end with the source they began with. What was believed absent is
// asked again.
func (c *Cache) Reconfigure(src source.Source, o Options) {
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.OnMoved == nil {
		o.OnMoved = func(Moved) {}
	}
	c.limits.Store(&o)
	c.src.Store(&src)
	c.missing.InvalidateAll()
}

func (c *Cache) options() *Options { return c.limits.Load() }

// times are how long answers for an artifact are good for.
func (c *Cache) times(n artifact.Name) *Times {
	o := c.options()
	if o.TimesOf != nil {
		if t := o.TimesOf(n.Module); t != nil {
			return t
		}
	}
	return &o.Times
}

// Close ends the fetches under way and waits for them.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	return c.Drain(context.Background())
}

// Drain waits until no fetch is under way or ctx ends, so that what clients
// waited for reaches the store before Close.
func (c *Cache) Drain(ctx context.Context) error {
	c.mu.Lock()
	idle := c.idle
	c.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Result says how an answer was come by.
type Result uint8

// The results. Failed is that of a request without an answer.
const (
	Failed Result = iota
	Hit           // from the store or memory
	Miss          // fetched for this request, or by one that was under way
	Stale         // older than it should be, since no source answered
	results
)

// String returns a name fit for a header and a metric label.
func (r Result) String() string {
	return [results]string{"none", "hit", "miss", "stale"}[r%results]
}

// An Answer is an artifact and how it was come by. The caller closes it.
type Answer struct {
	*blob.Blob
	Result Result
	Age    time.Duration // of a mutable artifact: since it was fetched
	Fresh  time.Duration // of a mutable artifact: how much longer it is current
}

// Request is what a client wants of the cache.
type Request struct {
	Name       artifact.Name
	StoredOnly bool   // answer from the store, ask no source
	Ahead      bool   // nobody waits for it yet: refused while the sources are busy
	Client     string // who asks, as far as it can be told; clients take turns
	Waiter     Waiter // asked before the caller waits for a source; nil: it may
}

// A Waiter says whether a caller may wait for what is not held.
type Waiter interface {
	// Wait is called before the caller waits, more than once perhaps. The error, which
	// has a class, is why it may not.
	Wait() error
}

// wait reports why the caller may not wait, or nil.
func (r *Request) wait() error {
	if r.Waiter == nil {
		return nil
	}
	return r.Waiter.Wait()
}

// Open answers a request. Errors have a class of package artifact. ctx bounds
// the waiting and the reading of the answer, not the fetch.
func (c *Cache) Open(ctx context.Context, r Request) (Answer, error) {
	if r.Name.Kind == artifact.SumSupported {
		return c.pass(ctx, r.Name)
	}
	open := c.openMutable
	if r.Name.Immutable() {
		open = c.openImmutable
	}
	for {
		a, err := open(ctx, r)
		if !errors.Is(err, errLanded) {
			return a, err
		}
	}
}

// errLanded: the artifact may have been fetched since it was looked for.
var errLanded = errors.New("it may have been fetched by now")

// pass asks the source and keeps nothing.
func (c *Cache) pass(ctx context.Context, n artifact.Name) (Answer, error) {
	b, err := (*c.src.Load()).Fetch(ctx, n)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Blob: b, Result: Hit}, nil
}

// openImmutable answers from the store, or else from the one flight for the artifact.
func (c *Cache) openImmutable(ctx context.Context, r Request) (Answer, error) {
	key, landed := r.Name.Key(), c.landed.count.Load()
	b, err := c.store.Get(ctx, key)
	if err == nil {
		return Answer{Blob: b, Result: Hit}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if ctx.Err() != nil {
			return Answer{}, context.Cause(ctx)
		}
		c.emit(Event{Name: r.Name, Op: OpGet, Err: err}) // a source may still have it
	}
	if r.StoredOnly {
		return Answer{}, unread(r.Name, err)
	}
	if err := c.absent(key); err != nil {
		return Answer{}, err
	}
	if err := r.wait(); err != nil {
		return Answer{}, err
	}
	return c.join(ctx, r, key, landed)
}

func notStored(n artifact.Name) error {
	return artifact.NotFound("%s is not stored here", n)
}

// unread is the error of what the store, which is all there is to ask, did not give.
func unread(n artifact.Name, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return notStored(n)
	}
	return storeTrouble(err)
}

// storeTrouble is the error of a store that cannot be read, which proves nothing.
func storeTrouble(err error) error {
	return &artifact.Error{
		Class: artifact.ErrUnavailable, RetryAfter: 10 * time.Second, Err: err,
		Reason: "the store of the server cannot be read",
		Hint:   "its log says why",
	}
}

// missing is proven absence, believed until a time.
type missing struct {
	err   error
	until time.Time
}

// absent returns the error of an artifact that was found not to exist a short
// while ago, or nil.
func (c *Cache) absent(key string) error {
	m, ok := c.missing.GetIfPresent(key)
	if !ok {
		return nil
	}
	if time.Now().After(m.until) {
		c.missing.Invalidate(key)
		return nil
	}
	return m.err
}

// remember believes in the absence that a flight found, for a while. Trouble is never
// remembered.
func (c *Cache) remember(f *flight, err error) {
	if artifact.Class(err) != artifact.ErrNotFound {
		return
	}
	times := c.times(f.name)
	ttl := times.NotFound
	if f.name.Kind == artifact.List || f.name.Kind == artifact.Latest {
		ttl = times.ListNotFound
	}
	if ttl <= 0 {
		return
	}
	c.missing.Set(f.key, missing{err: err, until: time.Now().Add(ttl)})
	if c.src.Load() != f.src || c.arrivedSince(f) { // which may have been before this was set
		c.missing.Invalidate(f.key)
	}
}
