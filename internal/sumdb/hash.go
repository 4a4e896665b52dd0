package sumdb

import (
	"archive/zip"
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

// hash returns the hash that a record has for bytes like these.
func hash(n artifact.Name, r io.ReaderAt, size int64) (string, error) {
	if n.Kind == artifact.Zip {
		return hashZip(r, size)
	}
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(r, 0, size)), nil
	})
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
	z.RegisterDecompressor(zip.Deflate, flate.NewReader) // faster than the one of the standard library
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
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", fmt.Errorf("%s: %w", f.Name, err)
	}
	return fmt.Sprintf("%x  %s\n", sum.Sum(nil), f.Name), nil
}
