// Package store says what a store of artifacts promises.
//
// A [Store] keeps bytes under keys: slash-separated paths as fs.ValidPath
// accepts them, in practice the paths of the GOPROXY protocol. Every
// implementation, checked by package storetest, promises that
//
//   - an entry is whole or absent: no reader ever sees a part of a body that is
//     still being written, whatever happens to the process;
//   - a Put that returned nil is durable, as far as the medium can be;
//   - a Put with IfAbsent never changes what is there;
//   - a reader keeps the body it opened, even while the entry is replaced or
//     deleted.
//
// Stores know nothing of modules. They are safe for concurrent use, and every
// method returns early with the context's error when the context ends while it
// waits.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"

	"github.com/goweir/weir/internal/blob"
)

// ErrConflict: the condition of a Put did not hold; the entry is unchanged.
var ErrConflict = errors.New("store: entry exists or has changed")

// A Store keeps bytes under keys.
type Store interface {
	// Get opens an entry. The error matches fs.ErrNotExist when there is none.
	Get(ctx context.Context, key string) (*blob.Blob, error)
	// Put stores all of body, read from its start, under key. The body is not
	// closed. On an error the entry is what it was before, except that a Put
	// whose outcome is unknown may have happened whole.
	Put(ctx context.Context, key string, body io.ReadSeeker, o PutOptions) (blob.Info, error)
	// Delete removes an entry. An absent one is not an error.
	Delete(ctx context.Context, key string) error
	// List yields the entries whose keys start with prefix, in the order of
	// their keys. Entries that come or go meanwhile may be seen or not.
	List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error]
}

// PutOptions are the conditions of a Put. The zero value replaces what is there.
type PutOptions struct {
	IfAbsent bool          // ErrConflict when the key has an entry
	IfMatch  string        // ErrConflict when the entry's ETag is another, or there is none
	Expires  time.Duration // the entry may be dropped after this; errors.ErrUnsupported where it cannot be
}

// A Spooler is a Store that lends temporary files on its own volume. A Put
// whose body is such a file takes it over without copying it. The borrower
// gives each file back with Unspool, whether a Put took it or not.
type Spooler interface {
	Spool() (*os.File, error)
	Unspool(*os.File) error
}

// A Checker is a Store that can tell whether it would accept a Put now.
type Checker interface {
	Check(ctx context.Context) error
}
