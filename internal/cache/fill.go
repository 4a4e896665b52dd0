package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

// fill brings the checked body of a flight into its spool, from the first
// source that has a good one, and into the store. It holds one of the slots
// meanwhile, so that a flood of misses cannot exhaust the machine.
func (c *Cache) fill(ctx context.Context, f *flight) (stored bool, err error) {
	release, err := c.turns.Wait(ctx, f.client)
	if err != nil {
		return false, &artifact.Error{Class: artifact.ErrUnavailable, RetryAfter: time.Second, Reason: "the queue of fetches is too long", Err: err}
	}
	defer release()
	now := time.Now()
	f.asked.Store(&now)
	c.running.Add(1)
	defer c.running.Add(-1)
	files := c.files()
	b, err := f.fetch(ctx)
	f.heard.Store(true)
	for err == nil {
		err = c.receive(ctx, f, b, files)
		b.Close()
		if err == nil {
			f.refs = b.Refs
			stored, err = c.accept(ctx, f)
		}
		if err == nil || stored {
			return stored, err
		}
		if noSpace, ok := errors.AsType[*spoolError](err); ok {
			if f.announced() || files == c.options().Fallback {
				return false, noRoom(noSpace)
			}
			files = c.options().Fallback
			b, err = f.fetch(ctx)
			continue
		}
		if b.Next == nil || !faulty(err) {
			return false, err
		}
		if next, cause := b.Next, err; f.spoiled {
			f.rest = func(ctx context.Context) (*blob.Blob, error) { return next(ctx, cause) }
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

// receive reads a body into the spool of the flight and checks it. A zip that is
// larger than the threshold is announced to the callers as it arrives; when its
// source breaks off after that, the next one goes on where it stopped.
func (c *Cache) receive(ctx context.Context, f *flight, b *blob.Blob, files blob.Files) error {
	var err error
	if f.announced() {
		err = c.catchUp(f, b)
	} else {
		c.prepare(f, b, files)
	}
	if err == nil {
		_, err = io.Copy(f.in, b.Reader())
	}
	if err == nil && b.Size >= 0 && b.Size != f.spool.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return classed(ctx, f.name, err)
	}
	if b.Check == nil {
		return nil
	}
	if err = b.Check(ctx, f.spool); err != nil {
		f.spoil()
	}
	return err
}

// spoil notes that a body which has arrived to its end is wrong. Callers who were told
// no length may get more: it may have ended too early.
func (f *flight) spoil() { f.spoiled = f.announced() && f.info.Size >= 0 }

// accept stores a checked body, unless it disagrees with the other file of its version,
// which nobody stores meanwhile. With stored, the error is final.
func (c *Cache) accept(ctx context.Context, f *flight) (stored bool, err error) {
	if !f.name.Immutable() {
		return false, nil // finish makes what is stored
	}
	version := maphash.String(c.seed, f.name.Module+"@"+f.name.Version)
	pair := c.pairs[version%uint64(len(c.pairs))]
	select {
	case pair <- struct{}{}:
		defer func() { <-pair }()
	case <-ctx.Done():
		return false, nil // too late to store it, but it has arrived and is checked
	}
	agrees, err := c.consistent(ctx, f)
	if err != nil {
		f.spoil()
		return false, err
	}
	if !agrees {
		return false, nil
	}
	return c.commit(ctx, f)
}

// prepare gives a flight a new spool for a body.
func (c *Cache) prepare(f *flight, b *blob.Blob, files blob.Files) {
	memory := inMemory
	if f.name.Kind == artifact.Zip {
		memory = 0
	}
	if f.spool != nil {
		f.spool.Close() // of an earlier attempt that nobody has seen
	}
	f.spool, f.info = blob.NewSpool(memory, files), blob.Info{Size: b.Size}
	f.in = &intake{spool: f.spool, limit: f.name.Kind.MaxSize()}
	if f.name.Kind == artifact.Zip && !f.wary {
		f.in.stream, f.in.above = f.announce, c.options().StreamAbove
		if b.Size > f.in.above {
			f.in.above = 0
		}
	}
}

// catchUp reads a body up to where the spool of the flight ends. It must be the
// same so far, and of the length that callers were told.
func (c *Cache) catchUp(f *flight, b *blob.Blob) error {
	arrived := f.spool.Size()
	same := b.Size < 0 || f.info.Size < 0 || b.Size == f.info.Size
	var err error
	if same {
		same, err = equal(io.LimitReader(b.Reader(), arrived), io.NewSectionReader(f.spool, 0, arrived))
	}
	if err == nil && !same {
		f.spoiled = true
		err = &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s: the upstreams have different bytes", f.name)}
	}
	return err
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

// equal reports whether two readers have the same bytes. What cannot be read is
// an error, not a difference.
func equal(a, b io.Reader) (bool, error) {
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		endA, endB := ended(errA), ended(errB)
		switch {
		case errA != nil && !endA:
			return false, errA
		case errB != nil && !endB:
			return false, errB
		case !bytes.Equal(bufA[:n], bufB[:m]):
			return false, nil
		case endA || endB:
			return endA == endB, nil
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
