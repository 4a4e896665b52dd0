// Package disk is a store in a folder.
//
// Keys are the paths of files below the folder. With the paths of the GOPROXY
// protocol for keys, the folder has the layout of $GOMODCACHE/cache/download:
// any file server can serve it, and GOPROXY=file://<folder> works.
//
// It promises what package store does, and that
//
//   - an entry becomes visible by one link or rename, after its bytes have been
//     forced to the disk, and a Put returns after the folder has been, too;
//   - no path leaves the folder, whatever symbolic links are planted in it;
//   - opening the store reads none of its entries, so that it takes as long for
//     a million as for none;
//   - a disk that is full, read-only or failing is found out at the first write
//     that fails, spared further writes, and used again without a restart when a
//     small write, tried once a second at most, succeeds;
//   - bytes that could not be forced to the disk are never taken for stored:
//     the file is dropped and not synced again.
//
// It refuses keys that are not printable ASCII, have capital letters, a
// backslash or a colon, or an element that begins with a dot: those would not be
// the same file, or be none, on another system. The one exception is the prefix
// [Own], for records that packages of Weir keep. One key cannot be a file where
// another needs a folder.
//
// One process at a time may write on conditions: IfMatch compares under a lock of
// the process, and so does IfAbsent on file systems without hard links.
// Everything else may be done by several at once.
//
// A system call cannot be interrupted, so that calls hang with a disk that
// hangs. [Store.Check] does not; once it has found out, writes fail at once.
//
// Folders that Delete leaves empty stay, since removing one would race with a
// Put into it.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

var (
	_ store.Store   = (*Store)(nil)
	_ store.Spooler = (*Store)(nil)
	_ store.Checker = (*Store)(nil)
)

// Options are what may be set for a Store. The zero value is good.
type Options struct {
	// OnChange is told when the store stops writing, with the reason, and when
	// it writes again, with nil. It must be quick and not call the store.
	OnChange func(error)
}

// Modes of what is created, before the process's umask.
const (
	dirMode  = 0o755
	fileMode = 0o644
)

// Store is a store in a folder. It is safe for concurrent use.
type Store struct {
	root    *os.Root
	files   opener
	guard   *os.File // the folder of temporary files, locked while they are in use; may be nil
	keys    keyLocks
	volume  volume
	durable durableDirs
	clock   clock

	mu   sync.Mutex
	lent map[*os.File]*temp

	// Seams for tests.
	sync func(*os.File) error
	link func(oldname, newname string) error
}

// Open opens the store in dir, which is created when it is not there. Temporary
// files that a process left when it was killed are removed, unless another
// process has the store open. A disk that cannot be written to is no error: what
// is stored can be read, and [Store.Check] tells.
func Open(dir string, o Options) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("disk: open %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, dirMode); err != nil {
		return nil, fmt.Errorf("disk: cannot make the store's folder, check its path and owner: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("disk: cannot open the store's folder, check its path and owner: %w", err)
	}
	s := &Store{root: root, keys: newKeyLocks(), lent: map[*os.File]*temp{}, sync: (*os.File).Sync, link: root.Link}
	s.volume = volume{dir: abs, probe: s.probe, onChange: o.OnChange}
	if err := s.prepare(); err != nil {
		s.Close()
		return nil, fmt.Errorf("disk: cannot prepare the store's folder, check its owner: %w", err)
	}
	return s, nil
}

// prepare makes the store's own folder and sweeps it.
func (s *Store) prepare() (err error) {
	if s.files, err = newOpener(s.root); err != nil {
		return err
	}
	if err := s.sweep(); err != nil && s.volume.note(err) == nil {
		return err
	}
	return nil
}

// Close waits for a probe under way and gives up the folder. Files that are lent
// or being read stay usable.
func (s *Store) Close() error {
	s.volume.close()
	errs := []error{s.files.close(), s.root.Close()}
	if s.guard != nil {
		errs = append(errs, s.guard.Close())
	}
	return errors.Join(errs...)
}

// Get implements store.Store. The body is an *os.File.
func (s *Store) Get(ctx context.Context, key string) (*blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, st, err := s.files.open(key)
	if absent(err) {
		return nil, &fs.PathError{Op: "disk: get", Path: key, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, fmt.Errorf("disk: cannot read %s: %w", key, err)
	}
	return &blob.Blob{Info: st.info(key), Body: f}, nil
}

// absent reports whether an error of opening a key says that it has no entry.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, err := s.root.Open(path.Dir(key))
	if absent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("disk: cannot delete %s: %w", key, err)
	}
	defer dir.Close()
	unlock, err := s.keys.lock(ctx, key)
	if err != nil {
		return err
	}
	err = s.remove(key)
	unlock()
	if err == nil {
		err = s.syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("disk: cannot delete %s: %w", key, s.failed(err))
	}
	return nil
}

// remove removes the file of a key, and no folder.
func (s *Store) remove(key string) error {
	fi, err := s.root.Lstat(key)
	if absent(err) || err == nil && fi.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	return s.root.Remove(key)
}

// Check implements store.Checker. It writes a small file, unless that was done
// within the last second, and returns with ctx even when the disk hangs. Errors
// match [ErrFull], [ErrReadOnly] or [ErrSuspect].
func (s *Store) Check(ctx context.Context) error { return s.volume.check(ctx) }

// A stat is what the file system says of an entry.
type stat struct {
	size  int64
	mtime time.Time
}

func statOf(fi fs.FileInfo) stat { return stat{fi.Size(), fi.ModTime()} }

func (st stat) info(key string) blob.Info {
	return blob.Info{Key: key, Size: st.size, Time: st.mtime, ETag: st.etag()}
}

// etag is an entity tag that no other body of the key has, since [clock] never
// shows the same time twice.
func (st stat) etag() string {
	b := make([]byte, 0, 40)
	b = append(b, '"')
	b = strconv.AppendInt(b, st.size, 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, st.mtime.UnixNano(), 16)
	b = append(b, '"')
	return string(b)
}
