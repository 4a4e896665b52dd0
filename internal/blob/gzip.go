package blob

import (
	"bytes"
	"compress/gzip"
	"sync"
)

// minGzip is the size below which compression saves no packet.
const minGzip = 1400

// writers are kept because each holds most of a megabyte.
var writers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Compress returns data compressed for clients that accept gzip, or nil where
// that saves too little to be worth a client's work.
func Compress(data []byte) []byte {
	if len(data) < minGzip {
		return nil
	}
	var buf bytes.Buffer
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&buf)
	if _, err := w.Write(data); err != nil {
		return nil // a buffer does not fail
	}
	if err := w.Close(); err != nil {
		return nil
	}
	if buf.Len() > len(data)*9/10 {
		return nil
	}
	return bytes.Clone(buf.Bytes())
}
