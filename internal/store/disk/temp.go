package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"
)

// A temp is a temporary file on its way to become an entry.
type temp struct {
	file *os.File
	name string // below the root
	lent bool   // somebody else closes and removes it
	used bool   // of a lent one: a Put has taken it; guarded by Store.mu
	err  error  // of a lent one: why its bytes cannot be trusted; guarded by Store.mu
}

// create makes an empty temporary file.
func (s *Store) create() (*temp, error) {
	name := tmpDir + "/" + strconv.FormatUint(rand.Uint64(), 36)
	file, err := s.createFile(name)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up
		if err := s.root.MkdirAll(tmpDir, dirMode); err != nil {
			return nil, err
		}
		file, err = s.createFile(name)
	}
	if err != nil {
		return nil, err
	}
	reach(pointCreated)
	return &temp{file: file, name: name}, nil
}

func (s *Store) createFile(name string) (*os.File, error) {
	return s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
}

// discard gives up a temporary file. What cannot be removed now is swept when
// the store is opened next.
func (s *Store) discard(t *temp) {
	if t.lent {
		return
	}
	t.file.Close()
	s.root.Remove(t.name)
}

// Spool implements store.Spooler. It fails while the volume cannot be written
// to; errors match [ErrFull], [ErrReadOnly] or [ErrSuspect] then. The borrower
// writes to the file before it is put, and not afterwards.
func (s *Store) Spool() (*os.File, error) {
	if err := s.volume.ready(context.Background()); err != nil {
		return nil, err
	}
	t, err := s.create()
	if err != nil {
		return nil, fmt.Errorf("disk: cannot make a temporary file: %w", s.failed(err))
	}
	t.lent = true
	s.mu.Lock()
	s.lent[t.file] = t
	s.mu.Unlock()
	return t.file, nil
}

// Unspool implements store.Spooler. It closes the file.
func (s *Store) Unspool(f *os.File) error {
	s.mu.Lock()
	t := s.lent[f]
	delete(s.lent, f)
	s.mu.Unlock()
	if t == nil {
		return fmt.Errorf("disk: give back a temporary file: %w", fs.ErrInvalid)
	}
	err := s.root.Remove(t.name)
	if errors.Is(err, fs.ErrNotExist) { // a Put has moved it
		err = nil
	}
	return errors.Join(err, f.Close())
}

// take returns the temp behind a body that is a lent file no Put has taken yet,
// or nil for a body that must be copied.
func (s *Store) take(body any) (*temp, error) {
	f, ok := body.(*os.File)
	if !ok {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.lent[f]
	switch {
	case t == nil:
		return nil, nil
	case t.err != nil:
		return nil, fmt.Errorf("the temporary file may have lost bytes before: %w", t.err)
	case t.used:
		return nil, nil
	}
	t.used = true
	return t, nil
}

// spoil notes that the bytes of a temp may not be what was written.
func (s *Store) spoil(t *temp, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.err = err
}

// sweep makes the folder of temporary files and removes what is in it, unless
// another process may be using that.
func (s *Store) sweep() error {
	if err := s.root.MkdirAll(tmpDir, dirMode); err != nil {
		return err
	}
	dir, err := s.root.Open(tmpDir)
	if err != nil {
		return err
	}
	s.guard = dir
	defer share(dir)
	if !alone(dir) {
		return nil
	}
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, s.root.RemoveAll(tmpDir+"/"+name))
	}
	return err
}

// probe writes, syncs and removes a small file.
func (s *Store) probe() error {
	t, err := s.create()
	if err != nil {
		return err
	}
	defer s.discard(t)
	if _, err := t.file.Write(make([]byte, 4096)); err != nil {
		return err
	}
	return s.sync(t.file)
}

// clock shows the time, and a later one at each look, so that two bodies of one
// key never have the same size and time, however quickly they follow. It is
// coarse enough for the time stamps of most file systems; on one that keeps
// seconds only, entity tags of entries of equal size may repeat.
type clock struct {
	mu   sync.Mutex
	last time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.Now().Truncate(time.Microsecond)
	if !t.After(c.last) {
		t = c.last.Add(time.Microsecond)
	}
	c.last = t
	return t
}
