package disk

import (
	"context"
	"fmt"
	"hash/maphash"
	"io/fs"
	"strings"
)

// Own is the prefix of keys for Weir's own records, which are no artifacts.
const Own = ".weir/"

// tmpName is the element below Own that holds temporary files and no keys.
const (
	tmpName = "tmp"
	tmpDir  = Own + tmpName
)

// checkKey refuses keys that are not the same file on every system. It accepts
// less than fs.ValidPath does. Errors match fs.ErrInvalid.
func checkKey(key string) error {
	rest, own := strings.CutPrefix(key, Own)
	if !validPath(rest) {
		return fmt.Errorf("disk: %q is no key: elements must not be empty or begin with a dot, characters are printable ASCII without capitals, backslash and colon: %w", key, fs.ErrInvalid)
	}
	if own && (rest == tmpName || strings.HasPrefix(rest, tmpName+"/")) {
		return fmt.Errorf("disk: %q is no key: temporary files live there: %w", key, fs.ErrInvalid)
	}
	return nil
}

func validPath(path string) bool {
	begin := true // of an element
	for i := range len(path) {
		c := path[i]
		if !validByte(c) || begin && (c == '.' || c == '/') {
			return false
		}
		begin = c == '/'
	}
	return !begin
}

func validByte(c byte) bool {
	return ' ' <= c && c <= '~' && (c < 'A' || 'Z' < c) && c != '\\' && c != ':'
}

// keyLocks serialise what happens to one key. Keys share locks.
type keyLocks struct {
	seed  maphash.Seed
	locks [64]chan struct{} // each holds a token while it is locked
}

func newKeyLocks() keyLocks {
	l := keyLocks{seed: maphash.MakeSeed()}
	for i := range l.locks {
		l.locks[i] = make(chan struct{}, 1)
	}
	return l
}

func (l *keyLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := l.locks[maphash.String(l.seed, key)%uint64(len(l.locks))]
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
