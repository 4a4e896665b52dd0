package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

// Put implements store.Store. Errors match [ErrFull], [ErrReadOnly] or
// [ErrSuspect] when the volume cannot be written to. A file from [Store.Spool]
// is taken over whole, wherever its offset is; a second Put of it copies.
// Expires is errors.ErrUnsupported.
func (s *Store) Put(ctx context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	if o.Expires != 0 {
		return blob.Info{}, fmt.Errorf("disk: entries that expire: %w", errors.ErrUnsupported)
	}
	if err := ctx.Err(); err != nil {
		return blob.Info{}, err
	}
	if err := checkKey(key); err != nil {
		return blob.Info{}, err
	}
	if err := s.volume.ready(ctx); err != nil {
		return blob.Info{}, err
	}
	t, err := s.stage(ctx, body)
	if err != nil {
		return blob.Info{}, fmt.Errorf("disk: cannot store %s: %w", key, err)
	}
	defer s.discard(t)
	info, err := s.commit(ctx, t, key, o)
	if err != nil {
		return blob.Info{}, fmt.Errorf("disk: cannot store %s: %w", key, err)
	}
	reach(pointDone)
	return info, nil
}

// failed notes an error of the disk and adds its class, where it has one.
func (s *Store) failed(err error) error {
	if noted := s.volume.note(err); noted != nil {
		return noted
	}
	return err
}

// stage returns a temporary file that holds all of body.
func (s *Store) stage(ctx context.Context, body io.ReadSeeker) (*temp, error) {
	t, err := s.take(body)
	if t != nil || err != nil {
		return t, err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("the body cannot be read from its start: %w", err)
	}
	if t, err = s.create(); err != nil {
		return nil, s.failed(err)
	}
	if err := s.copy(t, &bodyReader{ctx: ctx, r: body}); err != nil {
		s.discard(t)
		return nil, err
	}
	return t, nil
}

// buffers are what bodies are copied through.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copy writes a body to a temporary file. Trouble of the body's source says
// nothing about the volume.
func (s *Store) copy(t *temp, body *bodyReader) error {
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	_, err := io.CopyBuffer(struct{ io.Writer }{t.file}, body, buf[:])
	if body.err != nil {
		return fmt.Errorf("the body cannot be read: %w", body.err)
	}
	if err != nil {
		return s.failed(err)
	}
	return nil
}

// A bodyReader reads a body until its context ends, and remembers why it failed.
type bodyReader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	reach(pointMidWrite)
	if b.err = b.ctx.Err(); b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// commit makes a temporary file durable, and the entry of key.
func (s *Store) commit(ctx context.Context, t *temp, key string, o store.PutOptions) (blob.Info, error) {
	st, err := s.settle(t)
	if err != nil {
		return blob.Info{}, s.failed(err)
	}
	dir, err := s.openDir(path.Dir(key))
	if err != nil {
		return blob.Info{}, s.failed(err)
	}
	defer dir.Close()
	unlock, err := s.keys.lock(ctx, key)
	if err != nil {
		return blob.Info{}, err
	}
	reach(pointBeforePublish)
	err = s.publish(t.name, key, o)
	unlock()
	if err != nil {
		return blob.Info{}, s.failed(err)
	}
	reach(pointBeforeDirSync)
	if err := s.syncDir(dir); err != nil {
		return blob.Info{}, s.failed(err)
	}
	return st.info(key), nil
}

// settle forces the bytes of a temporary file to the disk. A file system that
// cannot set times is left to its own, which may be coarser than [clock].
func (s *Store) settle(t *temp) (stat, error) {
	now := s.clock.now()
	_ = s.root.Chtimes(t.name, now, now)
	reach(pointBeforeSync)
	if err := s.sync(t.file); err != nil {
		err = fmt.Errorf("%w: %w", errSync, err)
		s.spoil(t, err)
		return stat{}, err
	}
	reach(pointAfterSync)
	fi, err := t.file.Stat()
	if err != nil {
		return stat{}, err
	}
	return statOf(fi), nil
}

// publish gives a temporary file the name of the entry, on the conditions of a
// Put. The key is locked.
func (s *Store) publish(name, key string, o store.PutOptions) error {
	if o.IfMatch != "" {
		if err := s.matches(key, o.IfMatch); err != nil {
			return err
		}
	}
	var err error
	if o.IfAbsent {
		err = s.publishNew(name, key)
	} else {
		err = s.root.Rename(name, key)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("a folder has that name, since other keys go on where this one ends: %w", err)
	}
	if err == nil {
		reach(pointAfterPublish)
	}
	return err
}

func (s *Store) matches(key, etag string) error {
	fi, err := s.root.Stat(key)
	if absent(err) || err == nil && statOf(fi).etag() != etag {
		return store.ErrConflict
	}
	return err
}

// publishNew publishes where no entry is. Not every file system has links; on
// one without, the lock of the key keeps this process's Puts apart, and a rename
// shows as little of a half entry.
func (s *Store) publishNew(name, key string) error {
	err := s.link(name, key)
	if err == nil {
		return nil
	}
	fi, statErr := s.root.Lstat(key)
	switch {
	case statErr == nil && fi.IsDir():
		return fs.ErrExist
	case statErr == nil:
		return store.ErrConflict
	case !errors.Is(statErr, fs.ErrNotExist):
		return errors.Join(err, statErr)
	}
	return s.root.Rename(name, key)
}
