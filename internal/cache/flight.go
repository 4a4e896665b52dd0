package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

// A flight is one fetch that any number of callers wait for. It belongs to the
// cache: it runs until it has succeeded or failed, whoever still waits.
type flight struct {
	name  artifact.Name
	key   string
	begun time.Time

	ready chan struct{} // closed when callers can be answered: by a stream, a result or an error
	once  sync.Once

	// Written before ready is closed.
	spool  *blob.Spool // the body; nil when result or err is all there is
	info   blob.Info   // of the body
	result *blob.Blob  // the answer, when it is not the body itself
	err    error

	users int // the fill and the callers that may still look at spool; guarded by Cache.mu
}

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
// is none.
func (c *Cache) join(ctx context.Context, n artifact.Name, key string) (Answer, error) {
	f, err := c.board(n, key)
	if err != nil {
		return Answer{}, err
	}
	return c.await(ctx, f)
}

// await waits for a flight that the caller has boarded.
func (c *Cache) await(ctx context.Context, f *flight) (Answer, error) {
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

// board returns the flight for key, on which the caller is counted as a user.
func (c *Cache) board(n artifact.Name, key string) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[key]; ok {
		f.users++
		return f, nil
	}
	if c.closed {
		return nil, &artifact.Error{Class: artifact.ErrUnavailable, Reason: "the server is shutting down", RetryAfter: 5 * time.Second}
	}
	if o := c.options(); len(c.flights) >= o.MaxFills+o.MaxWaiting {
		return nil, &artifact.Error{
			Class: artifact.ErrTooMany, RetryAfter: time.Second,
			Reason: "too many artifacts are being fetched at this moment",
			Hint:   "what is stored is still served; try again in a moment",
		}
	}
	return c.depart(n, key, 2), nil
}

// depart begins a flight; c.mu is held.
func (c *Cache) depart(n artifact.Name, key string, users int) *flight {
	f := &flight{name: n, key: key, begun: time.Now(), ready: make(chan struct{}), users: users}
	c.flights[key] = f
	c.fills.Add(1)
	go c.fly(f)
	return f
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
	defer c.fills.Done()
	defer c.leave(f)
	ctx, cancel := context.WithTimeout(c.ctx, c.options().FillTimeout)
	defer cancel()

	stored, err := c.fill(ctx, f)
	c.land(f, stored, c.finish(ctx, f, err))
}

// land ends a flight. What comes after it is answered by the store, or by a
// flight of its own.
func (c *Cache) land(f *flight, stored bool, err error) {
	var size int64
	if f.spool != nil {
		size = f.spool.Size()
		if err != nil {
			f.spool.Fail(err)
		} else {
			f.spool.Release()
		}
	}
	if err != nil {
		c.remember(f.name, f.key, err)
	} else if f.name.Immutable() {
		c.arrived(f.name)
	}
	c.mu.Lock()
	delete(c.flights, f.key)
	c.mu.Unlock()
	if !f.announced() {
		f.err = err
		f.announce()
	}
	c.emit(Event{Op: OpFill, Name: f.name, Bytes: size, Duration: time.Since(f.begun), Stored: stored, Err: err})
}

// fill brings the checked body of a flight into its spool, from the first
// source that has a good one, and into the store. It holds one of the slots
// meanwhile, so that a flood of misses cannot exhaust the machine.
func (c *Cache) fill(ctx context.Context, f *flight) (stored bool, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return false, &artifact.Error{Class: artifact.ErrUnavailable, RetryAfter: time.Second, Reason: "the queue of fetches is too long", Err: ctx.Err()}
	}
	files := c.files()
	b, err := (*c.src.Load()).Fetch(ctx, f.name)
	for err == nil {
		err = c.receive(ctx, f, b, files)
		b.Close()
		if err == nil {
			return c.commit(ctx, f)
		}
		if f.announced() {
			return false, err // bytes have left already: nothing can take their place
		}
		if noSpace, ok := errors.AsType[*spoolError](err); ok {
			if files == c.options().Fallback {
				return false, noRoom(noSpace)
			}
			files = c.options().Fallback
			b, err = (*c.src.Load()).Fetch(ctx, f.name)
			continue
		}
		if b.Next == nil || !faulty(err) {
			return false, err
		}
		b, err = b.Next(ctx, err)
	}
	return false, err
}

// faulty reports whether an error says that a body is bad, so that another may be
// good, rather than that it cannot be proven now or at all.
func faulty(err error) bool {
	switch artifact.Class(err) {
	case artifact.ErrUnavailable, artifact.ErrForbidden, nil:
		return false
	}
	return true
}

// files are the temporary files to spool to: the store's own where it lends
// any, so that a commit need not copy.
func (c *Cache) files() blob.Files {
	if s, ok := c.store.(store.Spooler); ok {
		return s
	}
	return c.options().Fallback
}

// A spoolError is a failure to keep the bytes that arrive, as opposed to one to
// get them.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return "temporary file: " + e.err.Error() }
func (e *spoolError) Unwrap() error { return e.err }

func noRoom(err error) error {
	return &artifact.Error{
		Class: artifact.ErrUnavailable, RetryAfter: 10 * time.Second, Err: err,
		Reason: "there is no room to hold the artifact while it is checked",
		Hint:   "what is stored is still served; free space on the server's data or temporary volume",
	}
}

// inMemory is up to which size a body is spooled in memory. Zips go to a file
// from their first byte, since they are checked there.
const inMemory = 256 << 10

// receive reads a body into a new spool of the flight and checks it. A zip that
// is larger than the threshold is announced to the callers as it arrives.
func (c *Cache) receive(ctx context.Context, f *flight, b *blob.Blob, files blob.Files) error {
	memory := inMemory
	if f.name.Kind == artifact.Zip {
		memory = 0
	}
	if f.spool != nil {
		f.spool.Close() // of an earlier attempt that nobody has seen
	}
	f.spool, f.info = blob.NewSpool(memory, files), blob.Info{Size: b.Size}
	in := &intake{spool: f.spool, limit: f.name.Kind.MaxSize()}
	if f.name.Kind == artifact.Zip {
		in.stream, in.above = f.announce, c.options().StreamAbove
		if b.Size > in.above {
			in.above = 0
		}
	}
	if _, err := io.Copy(in, b.Reader()); err != nil {
		return classed(ctx, f.name, err)
	}
	if b.Size >= 0 && b.Size != f.spool.Size() {
		return classed(ctx, f.name, io.ErrUnexpectedEOF)
	}
	if b.Check != nil {
		if err := b.Check(ctx, f.spool); err != nil {
			return err
		}
	}
	return c.consistent(ctx, f)
}

// An intake writes to a spool within a limit and calls stream once when more
// than above bytes have arrived.
type intake struct {
	spool  *blob.Spool
	limit  int64
	above  int64
	stream func() // nil: never
}

func (in *intake) Write(p []byte) (int, error) {
	if in.spool.Size()+int64(len(p)) > in.limit {
		return 0, blob.ErrTooLarge
	}
	n, err := in.spool.Write(p)
	if err != nil {
		return n, &spoolError{err}
	}
	if in.stream != nil && in.spool.Size() > in.above {
		in.stream()
		in.stream = nil
	}
	return n, nil
}

// classed gives an error of reading a body a class, where it has none.
func classed(ctx context.Context, n artifact.Name, err error) error {
	if _, ok := errors.AsType[*spoolError](err); ok || artifact.Class(err) != nil {
		return err
	}
	if ctx.Err() != nil {
		return &artifact.Error{Class: artifact.ErrTimeout, Reason: fmt.Sprintf("%s: fetch timed out", n), Err: err}
	}
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s: the upstream's answer broke off or is too large", n), Err: err}
}

// commit stores the body of a flight when it is one to be kept as it is. That a
// store cannot take it is no failure of the fetch: the bytes are good.
func (c *Cache) commit(ctx context.Context, f *flight) (stored bool, err error) {
	if !f.name.Immutable() {
		return false, nil // finish makes what is stored
	}
	info, err := c.put(ctx, f.key, f.spool, store.PutOptions{IfAbsent: true})
	switch {
	case err == nil:
		info.Size = f.spool.Size()
		if !f.announced() {
			f.info = info
		}
		return true, nil
	case errors.Is(err, store.ErrConflict):
		return true, c.first(ctx, f)
	}
	c.emit(Event{Op: OpPut, Name: f.name, Err: err})
	return false, nil
}

func (c *Cache) put(ctx context.Context, key string, s *blob.Spool, o store.PutOptions) (blob.Info, error) {
	if file := s.File(); file != nil {
		return c.store.Put(ctx, key, file, o)
	}
	return c.store.Put(ctx, key, bytes.NewReader(s.Bytes()), o)
}

// first makes what the store already holds the answer of a flight: the first
// bytes stored under a name are the ones that stay.
func (c *Cache) first(ctx context.Context, f *flight) error {
	held, err := c.store.Get(ctx, f.key)
	if err != nil {
		return nil // it is there but cannot be read: ours is checked too
	}
	defer held.Close()
	same, err := equal(held.Reader(), io.NewSectionReader(f.spool, 0, f.spool.Size()))
	if err != nil || same {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("%s: the upstream's bytes differ from those stored first", f.name),
		Hint:   "a published version must not change; ask again to get the bytes that were stored first",
	}
}

func equal(a, b io.Reader) (bool, error) {
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		endA, endB := ended(errA), ended(errB)
		if endA || endB {
			return endA == endB, nil
		}
		if err := errors.Join(errA, errB); err != nil {
			return false, err
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

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
