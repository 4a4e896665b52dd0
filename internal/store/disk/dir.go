package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
)

// maxDurable bounds how many folders are remembered to be durable.
const maxDurable = 8192

// durableDirs are the folders whose own entries are known to be on the disk.
// Only this process's word counts: a folder that is merely there may have been
// made just before a crash, or by a Put that has not synced it yet.
type durableDirs struct {
	mu    sync.Mutex
	names map[string]struct{}
}

func (d *durableDirs) has(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.names[name]
	return ok || name == "."
}

func (d *durableDirs) add(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil || len(d.names) >= maxDurable {
		d.names = map[string]struct{}{}
	}
	d.names[name] = struct{}{}
}

func (d *durableDirs) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = nil
}

// openDir opens the folder of an entry, which is made when it is not there.
func (s *Store) openDir(name string) (*os.File, error) {
	if s.durable.has(name) {
		dir, err := s.root.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		s.durable.forget() // somebody removed folders behind our back
	}
	if err := s.makeDir(name); err != nil {
		return nil, err
	}
	return s.root.Open(name)
}

// makeDir makes a folder and its parents, and makes them durable.
func (s *Store) makeDir(name string) error {
	if s.durable.has(name) {
		return nil
	}
	parent := path.Dir(name)
	if err := s.makeDir(parent); err != nil {
		return err
	}
	if err := s.mkdir(name); err != nil {
		return err
	}
	dir, err := s.root.Open(parent)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := s.syncDir(dir); err != nil {
		return err
	}
	s.durable.add(name)
	return nil
}

func (s *Store) mkdir(name string) error {
	err := s.root.Mkdir(name, dirMode)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := s.root.Stat(name)
	if err == nil && !fi.IsDir() {
		err = fmt.Errorf("%s is an entry, so that no key can go on below it", name)
	}
	return err
}

// syncDir forces the names in a folder to the disk.
func (s *Store) syncDir(dir *os.File) error {
	if !dirsSync {
		return nil
	}
	if err := s.sync(dir); err != nil {
		return fmt.Errorf("%w: %w", errSync, err)
	}
	return nil
}
