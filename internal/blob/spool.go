package blob

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

// HeldBack is how many bytes at the end of a body no reader of a Spool gets
// before the Spool has been released.
const HeldBack = 64 << 10

// A Spool is a body that is arriving: one writer, and any number of readers who
// follow it. It starts in memory and moves to a file when it outgrows that.
//
// The writer ends it with Release, after which the readers get the last bytes,
// or with Fail, after which every reader gets the error instead, even one who
// has read all that had arrived. So nobody ever holds a complete body that has
// not been released.
//
// The owner closes the Spool when no further reader will come; the file is
// given back when the last reader is done.
type Spool struct {
	memory int // bytes that may stay in memory
	files  Files

	mu      sync.Mutex
	buf     []byte   // the body, while file is nil
	file    *os.File // the body, once it has outgrown memory
	size    int64
	done    bool // Release or Fail was called
	err     error
	changed chan struct{} // closed at the next change, when somebody waits
	refs    int           // the owner and the readers
}

// Files lends temporary files for Spools and takes them back. A store's
// volume is the best place: what is stored need not be copied then.
type Files interface {
	Spool() (*os.File, error)
	Unspool(*os.File) error
}

// NewSpool returns an empty Spool that keeps up to memory bytes in memory.
func NewSpool(memory int, files Files) *Spool {
	return &Spool{memory: memory, files: files, refs: 1}
}

// Write adds to the body. After an error the body is of no use.
func (s *Spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	file := s.file
	s.mu.Unlock()
	if file == nil && len(s.buf)+len(p) > s.memory {
		var err error
		if file, err = s.moveToFile(); err != nil {
			return 0, err
		}
	}
	if file == nil {
		s.mu.Lock()
		s.buf = append(s.buf, p...)
		s.grown(len(p))
		s.mu.Unlock()
		return len(p), nil
	}
	n, err := file.Write(p)
	s.mu.Lock()
	s.grown(n)
	s.mu.Unlock()
	return n, err
}

func (s *Spool) moveToFile() (*os.File, error) {
	file, err := s.files.Spool()
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(s.buf); err != nil {
		return nil, errors.Join(err, s.files.Unspool(file))
	}
	s.mu.Lock()
	s.file, s.buf = file, nil
	s.mu.Unlock()
	return file, nil
}

// grown notes n more bytes and wakes those who wait; s.mu is held.
func (s *Spool) grown(n int) {
	s.size += int64(n)
	s.wake()
}

func (s *Spool) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Size is how many bytes have arrived so far.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// File is the file the body is in, or nil while it is in memory. Only checks
// and stores use it, and neither moves its offset for the writer: they come
// after the last Write.
func (s *Spool) File() *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file
}

// Bytes is the body when it is in memory, or nil. It must not be changed.
func (s *Spool) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && s.buf == nil {
		return []byte{}
	}
	return s.buf
}

// ReadAt reads what has arrived, for checks. It implements io.ReaderAt.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	file, buf, size := s.file, s.buf, s.size
	s.mu.Unlock()
	if off < 0 { // zips that lie about offsets lead here
		return 0, errors.New("negative offset")
	}
	if off >= size {
		return 0, io.EOF
	}
	if file != nil {
		return file.ReadAt(p, off)
	}
	n := copy(p, buf[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Release lets the readers have the whole body.
func (s *Spool) Release() { s.end(nil) }

// Fail makes every reader fail with err.
func (s *Spool) Fail(err error) { s.end(err) }

func (s *Spool) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	s.done, s.err = true, err
	s.wake()
}

// Close gives up the owner's hold on the Spool.
func (s *Spool) Close() error { return s.unref() }

func (s *Spool) unref() error {
	s.mu.Lock()
	s.refs--
	file := s.file
	last := s.refs == 0
	s.mu.Unlock()
	if !last || file == nil {
		return nil
	}
	return s.files.Unspool(file)
}

// Follow returns a reader of the body from its start. It waits for bytes that
// have not arrived yet, until ctx ends. It must be closed, and be called before
// the owner closes the Spool.
func (s *Spool) Follow(ctx context.Context) *Follower {
	s.mu.Lock()
	s.refs++
	s.mu.Unlock()
	return &Follower{ctx: ctx, spool: s}
}

// wait returns how far a reader at off may read, which is more than off, or the
// reason why it may not: io.EOF after the last byte of a released body.
func (s *Spool) wait(ctx context.Context, off int64) (limit int64, err error) {
	for {
		s.mu.Lock()
		switch {
		case s.done && s.err != nil:
			defer s.mu.Unlock()
			return 0, s.err
		case s.done && off >= s.size:
			defer s.mu.Unlock()
			return 0, io.EOF
		case s.done:
			defer s.mu.Unlock()
			return s.size, nil
		case s.size-HeldBack > off:
			defer s.mu.Unlock()
			return s.size - HeldBack, nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// A Follower reads a Spool while it grows. It is an io.WriterTo, so that copying
// to a network connection can be left to the kernel.
type Follower struct {
	ctx    context.Context
	spool  *Spool
	off    int64
	own    *os.File // the spool's file opened once more, with an offset of its own
	closed bool
}

// Read implements io.Reader.
func (f *Follower) Read(p []byte) (int, error) {
	limit, err := f.spool.wait(f.ctx, f.off)
	if err != nil {
		return 0, err
	}
	n, err := f.spool.ReadAt(p[:min(int64(len(p)), limit-f.off)], f.off)
	f.off += int64(n)
	if errors.Is(err, io.EOF) {
		err = nil // the end is what wait says
	}
	return n, err
}

// WriteTo implements io.WriterTo.
func (f *Follower) WriteTo(w io.Writer) (written int64, err error) {
	for {
		limit, err := f.spool.wait(f.ctx, f.off)
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := io.Copy(w, f.section(limit-f.off))
		f.off += n
		written += n
		if err != nil {
			return written, err
		}
	}
}

// section is a reader of the next n bytes: of a file where possible, since
// package net hands those to the kernel.
func (f *Follower) section(n int64) io.Reader {
	file := f.spool.File()
	if file == nil {
		return io.NewSectionReader(f.spool, f.off, n)
	}
	if f.own == nil {
		own, err := os.Open(file.Name())
		if err != nil { // it has been taken over by the store meanwhile
			return io.NewSectionReader(f.spool, f.off, n)
		}
		f.own = own
	}
	if _, err := f.own.Seek(f.off, io.SeekStart); err != nil {
		return io.NewSectionReader(f.spool, f.off, n)
	}
	return io.LimitReader(f.own, n)
}

// Close gives up the reader's hold on the Spool.
func (f *Follower) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if f.own != nil {
		err = f.own.Close()
	}
	return errors.Join(err, f.spool.unref())
}
