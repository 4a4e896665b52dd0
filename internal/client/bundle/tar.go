package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/goweir/weir/internal/artifact"
)

// A Compression is how a tar is compressed.
type Compression int

// The compressions. Zips do not get smaller by any; the rest does.
const (
	None Compression = iota
	Gzip
	Zstd
)

// CompressionOf is the compression of a tar of that name, if it is one.
func CompressionOf(name string) (c Compression, ok bool) {
	for suffix, c := range map[string]Compression{".tar": None, ".tar.gz": Gzip, ".tgz": Gzip, ".tar.zst": Zstd} {
		if strings.HasSuffix(name, suffix) {
			return c, true
		}
	}
	return None, false
}

// IsOtherArchive reports whether a name is that of an archive of a kind that bundles do
// not come in.
func IsOtherArchive(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	if _, ok := CompressionOf(name); ok {
		return false
	}
	ext := filepath.Ext(base)
	return slices.Contains([]string{".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".7z", ".rar"}, ext) || filepath.Ext(strings.TrimSuffix(base, ext)) == ".tar"
}

// maxWindow bounds the memory that a compressed stream may ask for.
const maxWindow = 64 << 20

// Pack writes the bundle in a folder as a tar: the manifest, then the files in its
// order. The same bundle makes the same bytes.
func Pack(ctx context.Context, dir string, m *Manifest, w io.Writer, c Compression) error {
	out, err := compressed(w, c)
	if err != nil {
		return err
	}
	t := tar.NewWriter(out)
	data, err := m.encode()
	if err != nil {
		return err
	}
	if err := packFile(t, ManifestName, int64(len(data)), bytes.NewReader(data)); err != nil {
		return err
	}
	for _, f := range m.Files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := packStored(t, dir, f); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return out.Close()
}

func packStored(t *tar.Writer, dir string, f File) error {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.Path)))
	if err != nil {
		return err
	}
	defer file.Close()
	return packFile(t, f.Path, f.Size, file)
}

// packFile writes an entry that says nothing of the machine or the time.
func packFile(t *tar.Writer, name string, size int64, r io.Reader) error {
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0)})
	if err != nil {
		return err
	}
	n, err := io.Copy(t, r)
	if err == nil && n != size {
		err = fmt.Errorf("%s has changed while it was packed", name)
	}
	return err
}

func compressed(w io.Writer, c Compression) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return plain{w}, nil
}

// plain is a writer whose end is of no interest.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// decompressed is a reader of a tar, whatever it is compressed with.
func decompressed(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(in), nil
}

// An Archive is a tar that is read, entry by entry.
type Archive struct {
	Manifest *Manifest

	in   io.ReadCloser
	tar  *tar.Reader
	more map[string]File // those of the manifest that have not come yet
}

// OpenArchive reads the manifest of a tar, which is its first entry.
func OpenArchive(r io.Reader) (*Archive, error) {
	in, err := decompressed(r)
	if err != nil {
		return nil, brokenOff(err)
	}
	a := &Archive{in: in, tar: tar.NewReader(in), more: map[string]File{}}
	if a.Manifest, err = a.manifest(); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	for _, f := range a.Manifest.Files {
		a.more[f.Path] = f
	}
	return a, nil
}

// Close closes what decompresses the tar.
func (a *Archive) Close() error { return a.in.Close() }

func (a *Archive) manifest() (*Manifest, error) {
	h, err := a.entry()
	if err != nil {
		return nil, fmt.Errorf("it is not a tar that weir export has made, or breaks off at once: %w", err)
	}
	if h.Name != ManifestName {
		return nil, ErrOrder
	}
	m, err := readManifest(a.tar)
	return m, brokenOff(err)
}

// ErrOrder: somebody else has packed it.
var ErrOrder = errors.New("its files are not in the order that weir export gives them; unpack it and import the folder")

// entry is the next entry that is a file. At the end the error is io.EOF.
func (a *Archive) entry() (*tar.Header, error) {
	for {
		h, err := a.tar.Next()
		if err != nil {
			return nil, brokenOff(err)
		}
		h.Name = strings.TrimPrefix(h.Name, "./")
		switch h.Typeflag {
		case tar.TypeReg:
			return h, nil
		case tar.TypeDir:
			continue
		}
		return nil, fmt.Errorf("%q is neither a file nor a folder; a bundle has nothing else", artifact.Clean(h.Name, 200))
	}
}

// Next is the next file of the manifest, and a reader of it that ends with the entry.
// At the end the error is io.EOF.
func (a *Archive) Next() (File, io.Reader, error) {
	h, err := a.entry()
	if err != nil {
		return File{}, nil, err
	}
	f, ok := a.more[h.Name]
	if !ok || path.Clean(h.Name) != h.Name {
		return File{}, nil, fmt.Errorf("%q is not in the manifest, or comes twice", artifact.Clean(h.Name, 200))
	}
	delete(a.more, h.Name)
	if h.Size != f.Size {
		return File{}, nil, fmt.Errorf("%s has %d bytes, and %d in the manifest", f.Path, h.Size, f.Size)
	}
	return f, &sturdy{a.tar}, nil
}

// A sturdy reader says what it means when it ends too early.
type sturdy struct{ in io.Reader }

// Read implements io.Reader.
func (s *sturdy) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	return n, brokenOff(err)
}

// Missing are the paths of files of the manifest that have not come yet, in order.
func (a *Archive) Missing() []string { return slices.Sorted(maps.Keys(a.more)) }

// brokenOff says what it means when a stream ends too early.
func brokenOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, zstd.ErrMagicMismatch) {
		return fmt.Errorf("it breaks off or was damaged on its way; copy it again: %w", err)
	}
	return err
}

// Read reads the manifest of a bundle: a folder or a tar.
func Read(name string) (*Manifest, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return readIn(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := OpenArchive(f)
	if err != nil {
		return nil, err
	}
	return a.Manifest, a.Close()
}

func readIn(dir string) (*Manifest, error) {
	f, err := os.Open(filepath.Join(dir, ManifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readManifest(f)
}
