// Package h1 computes the hashes that go.sum and checksum databases have for
// modules: "h1:" and the SHA-256 of a list of files with theirs.
//
// The results are those of golang.org/x/mod/sumdb/dirhash. Zips need not be files
// of their own, and are read on several processors, since somebody waits for it.
// It says nothing of whether a zip is one of a module; package flaw does.
package h1

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/artifact"
)

// Hash returns the hash of the bytes of a .mod or .zip.
func Hash(n artifact.Name, r io.ReaderAt, size int64) (string, error) {
	if n.Kind == artifact.Zip {
		return hashZip(r, size)
	}
	return hashMod(io.NewSectionReader(r, 0, size))
}

// GoMod returns the hash of a go.mod, which is that of a .mod, too.
func GoMod(data []byte) string {
	hash, _ := hashMod(bytes.NewReader(data)) // nothing fails in memory
	return hash
}

// Is reports whether a text has the form of such a hash.
func Is(text string) bool {
	sum, ok := strings.CutPrefix(text, "h1:")
	data, err := base64.StdEncoding.DecodeString(sum)
	return ok && err == nil && len(data) == sha256.Size
}

func hashMod(r io.Reader) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(r), nil })
}

// maxHashers is how many files of one zip are read at one time: clients wait for
// the hash, and a zip may have thousands of files.
const maxHashers = 4

// hashZip is dirhash.HashZip, whose result it has, for a zip that is no file of
// its own, and on several processors.
func hashZip(r io.ReaderAt, size int64) (string, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return "", err
	}
	z.RegisterDecompressor(zip.Deflate, inflate)
	slices.SortStableFunc(z.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })

	lines, errs := make([]string, len(z.File)), make([]error, len(z.File))
	var next atomic.Int64
	var hashers sync.WaitGroup
	for range min(maxHashers, runtime.GOMAXPROCS(0), len(z.File)) {
		hashers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(z.File)); i = next.Add(1) - 1 {
				lines[i], errs[i] = hashFile(z.File[i])
			}
		})
	}
	hashers.Wait()
	sum := sha256.New()
	for i, line := range lines {
		if errs[i] != nil {
			return "", errs[i]
		}
		io.WriteString(sum, line)
	}
	return "h1:" + base64.StdEncoding.EncodeToString(sum.Sum(nil)), nil
}

// hashFile returns the line of one file in what a directory's hash is made of.
func hashFile(f *zip.File) (string, error) {
	if strings.Contains(f.Name, "\n") {
		return "", fmt.Errorf("a file's name has a line break: %q", f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, r, buf[:]); err != nil {
		return "", fmt.Errorf("%s: %w", f.Name, err)
	}
	return fmt.Sprintf("%x  %s\n", sum.Sum(nil), f.Name), nil
}

var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// An inflater is what one file of a zip is read with. Zips have thousands of
// files, most of them small, so that it pays to use it again, and to read what is
// small as a whole: the decompressor is faster on bytes in memory.
type inflater struct {
	io.ReadCloser // a flate.Resetter
	compressed    bytes.Buffer
}

// maxWhole is how large a compressed file may be to be read as a whole.
const maxWhole = 256 << 10

var inflaters = sync.Pool{New: func() any { return &inflater{ReadCloser: flate.NewReader(nil)} }}

// inflate is a zip.Decompressor.
func inflate(r io.Reader) io.ReadCloser {
	in := inflaters.Get().(*inflater)
	if section, ok := r.(*io.SectionReader); ok && section.Size() <= maxWhole {
		in.compressed.Reset()
		if _, err := in.compressed.ReadFrom(section); err != nil {
			inflaters.Put(in)
			return failed{err}
		}
		r = &in.compressed
	}
	in.ReadCloser.(flate.Resetter).Reset(r, nil) // it never fails without a dictionary
	return in
}

// Close implements io.Closer.
func (in *inflater) Close() error {
	inflaters.Put(in)
	return nil
}

// failed is a reader of what cannot be read.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }
func (f failed) Close() error             { return nil }
