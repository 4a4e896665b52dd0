// Package blob holds bytes and what is known of them.
//
// A [Blob] is a body on its way: out of a store, from an upstream, to a client.
// A [Spool] is a body that is still arriving and that many readers follow while
// it grows, of which none gets the last block before it has been released.
package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

// Info is what is known of a body without reading it.
type Info struct {
	Key  string    // where it is stored; empty for a body that is not
	Size int64     // in bytes; -1 when unknown
	Time time.Time // when it was stored, or last found to be current
	ETag string    // quoted strong entity tag; empty when unknown
}

// A Blob is a body with what is known of it. Either Data or Body holds the
// bytes. A Blob with Data may be shared and must not be changed; one with Body
// has one reader, who closes it.
type Blob struct {
	Info
	Data []byte        // the bytes, when they are in memory
	Gzip []byte        // Data compressed, where somebody found that worth keeping
	Body io.ReadCloser // the bytes, when Data is nil; *os.File where it can be

	// Check says whether the complete bytes are what they should be; nil: the
	// source knows nothing against them. It must be asked before the bytes
	// are stored or wholly given out.
	Check func(ctx context.Context, s *Spool) error
	// Next brings the same artifact from elsewhere, after this body broke off
	// or failed its check for the given cause; nil: there is nowhere else.
	Next func(ctx context.Context, cause error) (*Blob, error)
	// Refs says, of a list of versions, which commits the names of the repository
	// stand for now, such as refs/tags/v1.2.3; nil: the source does not say.
	Refs map[string]string
}

// FromBytes returns a Blob of bytes in memory. The caller gives data away.
func FromBytes(info Info, data []byte) *Blob {
	if data == nil {
		data = []byte{}
	}
	info.Size = int64(len(data))
	return &Blob{Info: info, Data: data}
}

// Close closes the body, where there is one.
func (b *Blob) Close() error {
	if b.Body == nil {
		return nil
	}
	return b.Body.Close()
}

// Reader returns a reader of the bytes. For a Blob with Data each call returns
// a new one, for one with Body always the same.
func (b *Blob) Reader() io.Reader {
	if b.Body == nil {
		return bytes.NewReader(b.Data)
	}
	return b.Body
}

// ErrTooLarge: a body is larger than its reader accepts.
var ErrTooLarge = errors.New("body is too large")

// ReadAll returns all bytes and closes the Blob. More than limit bytes are
// ErrTooLarge.
func (b *Blob) ReadAll(limit int64) ([]byte, error) {
	if b.Body == nil {
		if int64(len(b.Data)) > limit {
			return nil, ErrTooLarge
		}
		return b.Data, nil
	}
	defer b.Body.Close()
	var buf bytes.Buffer
	if b.Size > 0 && b.Size <= limit {
		buf.Grow(int(b.Size) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(b.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, ErrTooLarge
	}
	return buf.Bytes(), nil
}
