package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// A flight is one fetch that any number of callers wait for. It belongs to the
// cache: it runs until it has succeeded or failed, whoever still waits.
type flight struct {
	name   artifact.Name
	key    string
	client string         // whose turn it takes
	src    *source.Source // the one of its time
	begun  time.Time
	fetch  fetch         // where the body comes from
	wary   bool          // a body was streamed and wrong: nothing leaves any more before it is checked
	bears  time.Duration // how long it waits for a source before others do not wait with it
	stored uint64        // how many versions had been stored before it began

	asked atomic.Pointer[time.Time] // when its turn came; nil: it waits for that
	heard atomic.Bool               // a source has answered, with whatever
	ready chan struct{}             // closed when callers can be answered: by a stream, a result or an error
	once  sync.Once

	// Written before ready is closed.
	spool  *blob.Spool // the body; nil when result or err is all there is
	info   blob.Info   // of the body
	result *blob.Blob  // the answer, when it is not the body itself
	err    error

	// Of the fill alone.
	in      *intake
	refs    map[string]string // what the source says of the repository
	spoiled bool              // what has been announced is wrong and cannot be mended
	rest    fetch             // where a good body may still come from, for the next flight

	users int // the fill and the callers that may still look at spool; guarded by Cache.mu
}

// fetch begins to bring a body.
type fetch func(context.Context) (*blob.Blob, error)

// announce lets the callers have their answer.
func (f *flight) announce() { f.once.Do(func() { close(f.ready) }) }

// announced reports whether callers may already be reading the body.
func (f *flight) announced() bool {
	select {
	case <-f.ready:
		return true
	default:
		return false
	}
}

// join waits for the one flight that fetches an artifact and begins it if there
// is none. landed is how many had landed before the caller looked for it.
func (c *Cache) join(ctx context.Context, r Request, key string, landed uint64) (Answer, error) {
	f, err := c.board(r, key, landed)
	if err != nil {
		return Answer{}, err
	}
	defer c.leave(f)
	select {
	case <-f.ready:
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	return f.answer(ctx)
}

// answer is what a caller gets of a flight that is ready.
func (f *flight) answer(ctx context.Context) (Answer, error) {
	switch {
	case f.err != nil:
		return Answer{}, f.err
	case f.result != nil:
		return Answer{Blob: f.result, Result: Miss}, nil
	}
	return Answer{Blob: &blob.Blob{Info: f.info, Body: f.spool.Follow(ctx)}, Result: Miss}, nil
}

// board returns the flight for key, on which the caller is counted as a user. The
// error is errLanded where one may have landed since the caller looked for it.
func (c *Cache) board(r Request, key string, landed uint64) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bears := maxSilence
	if f, ok := c.flights[key]; ok {
		if !f.silent() {
			f.users++
			return f, nil
		}
		bears = 2 * f.bears // so that a source that only is slow does not get more and more to do
	}
	if c.closed {
		return nil, &artifact.Error{Class: artifact.ErrUnavailable, Reason: "the server is shutting down", RetryAfter: 5 * time.Second}
	}
	if found, _ := c.landed.since(landed, key); found {
		return nil, errLanded // if that is forgotten already, it is fetched once more
	}
	if c.flying >= c.room(r) {
		return nil, &artifact.Error{
			Class: artifact.ErrTooMany, RetryAfter: time.Second,
			Reason: "too many artifacts are being fetched at this moment",
			Hint:   "what is stored is still served; try again in a moment",
		}
	}
	src := c.src.Load()
	f := c.depart(&flight{
		name: r.Name, key: key, client: r.Client, src: src, bears: bears,
		fetch: func(ctx context.Context) (*blob.Blob, error) { return (*src).Fetch(ctx, r.Name) },
	})
	f.users++
	return f, nil
}

// A ring remembers the latest of what has happened, for those who looked before it had
// and act after. It is guarded by Cache.mu, but for count, which may be read without.
type ring struct {
	count atomic.Uint64 // of all that was added
	names [1024]string  // of the latest
}

func (r *ring) add(name string) {
	n := r.count.Load()
	r.names[n%uint64(len(r.names))] = name
	r.count.Store(n + 1)
}

// since reports whether a name has been added after there were n, as far as it is
// remembered, and whether all since then is not.
func (r *ring) since(n uint64, name string) (found, forgotten bool) {
	count := r.count.Load()
	if count-n > uint64(len(r.names)) {
		n, forgotten = count-uint64(len(r.names)), true
	}
	for ; n < count; n++ {
		if r.names[n%uint64(len(r.names))] == name {
			return true, forgotten
		}
	}
	return false, forgotten
}

// maxSilence is how long a source may be silent before those who come later do not
// wait for the same answer any more, but begin a flight of their own.
const maxSilence = 10 * time.Second

// silent reports whether a flight has asked long ago and heard nothing.
func (f *flight) silent() bool {
	asked := f.asked.Load()
	return asked != nil && !f.heard.Load() && time.Since(*asked) > f.bears
}

// room is how many flights there may be for a request to begin another one. What
// nobody waits for leaves half of the slots to what somebody does.
func (c *Cache) room(r Request) int {
	o := c.options()
	if r.Ahead {
		return o.MaxFills / 2
	}
	return o.MaxFills + o.MaxWaiting
}

// depart begins a flight that nobody waits for yet; c.mu is held.
func (c *Cache) depart(f *flight) *flight {
	f.begun, f.ready, f.users = time.Now(), make(chan struct{}), 1
	f.stored = c.arrived.count.Load()
	c.flights[f.key] = f
	if c.flying++; c.flying == 1 {
		c.idle = make(chan struct{})
	}
	go c.fly(f)
	return f
}

// end counts a flight as ended.
func (c *Cache) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flying--; c.flying == 0 {
		close(c.idle)
		c.idle = nil
	}
}

// leave takes the caller off the flight; the last one closes the body.
func (c *Cache) leave(f *flight) {
	c.mu.Lock()
	f.users--
	last := f.users == 0
	c.mu.Unlock()
	if last && f.spool != nil {
		f.spool.Close() // at worst a temporary file is left, which the next start sweeps
	}
}

// fly runs a flight from fetch to landing.
func (c *Cache) fly(f *flight) {
	defer c.end()
	defer c.leave(f)
	ctx, cancel := context.WithTimeout(c.ctx, c.options().FillTimeout)
	defer cancel()

	stored, err := c.fill(ctx, f)
	c.land(f, stored, c.finish(ctx, f, err))
}

// land ends a flight. A caller who has heard of its end and asks again is
// answered by the store, or by a flight that goes on with what is left to try.
func (c *Cache) land(f *flight, stored bool, err error) {
	if err != nil {
		c.remember(f, err)
	} else if f.name.Immutable() {
		c.arrive(f.name)
	}
	c.clear(f, stored || err == nil || artifact.Class(err) == artifact.ErrNotFound)
	var size int64
	if f.spool != nil {
		size = f.spool.Size()
		if err != nil {
			f.spool.Fail(err)
		} else {
			f.spool.Release()
		}
	}
	if !f.announced() {
		f.err = err
		f.announce()
	}
	c.emit(Event{Op: OpFill, Name: f.name, Bytes: size, Duration: time.Since(f.begun), Stored: stored, Err: err})
}

// clear takes a flight off its key, and puts one with the rest there if its own
// callers could not be helped any more, so that the next ones can. known says that
// the artifact, or its absence, is known from now on.
func (c *Cache) clear(f *flight, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known {
		c.landed.add(f.key)
	}
	if c.flights[f.key] == f { // and no other has taken its place
		delete(c.flights, f.key)
	}
	if f.rest != nil && !c.closed {
		c.depart(&flight{name: f.name, key: f.key, client: f.client, src: f.src, bears: f.bears, fetch: f.rest, wary: true})
	}
}

// finish makes the answer of a flight from its checked body, or from the error
// that it ended with.
func (c *Cache) finish(ctx context.Context, f *flight, err error) error {
	if !f.name.Immutable() {
		return c.finishMutable(ctx, f, err)
	}
	if err != nil || f.announced() {
		return err
	}
	f.info.Size = f.spool.Size()
	if f.spool.File() == nil {
		f.result = blob.FromBytes(f.info, f.spool.Bytes())
	}
	return nil // the callers read the spool's file
}
