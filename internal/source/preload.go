package source

import (
	"bytes"
	"io"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// maxPreload is how much of a body is read before it counts as an answer.
const maxPreload = 256 << 10

// fetched is what becomes of the answer of a link for a small artifact: its body is
// read at once, so that one that hangs in the middle, or breaks off, is silence or
// an error like any other. Where an error leads nowhere, the reader meets it: as a
// bad body, it does. A zip that is not known to be small is passed on as it comes.
func (l *Link) fetched(n artifact.Name, b *blob.Blob) (*blob.Blob, error) {
	if b.Body == nil || n.Kind == artifact.Zip && (b.Size < 0 || b.Size > maxPreload) {
		return b, nil
	}
	var head bytes.Buffer
	_, err := io.CopyN(&head, b.Body, maxPreload)
	if err != nil && err != io.EOF && l.FallBackOnError {
		b.Close()
		return nil, err
	}
	loaded := *b // a copy: what came may be shared
	loaded.Body = &preloaded{Reader: io.MultiReader(&head, rest{b.Body, err}), Closer: b.Body}
	return &loaded, nil
}

// preloaded is a body whose beginning is in memory.
type preloaded struct {
	io.Reader
	io.Closer
}

// rest is what follows the beginning of a body: an error, if reading it ended so.
type rest struct {
	body io.Reader
	err  error
}

// Read implements io.Reader.
func (r rest) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.body.Read(p)
}
