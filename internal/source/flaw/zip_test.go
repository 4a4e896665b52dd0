package flaw

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/sourcetest"
)

const (
	mod     = "example.com/M"
	version = "v1.2.3"
	root    = mod + "@" + version + "/"
)

var zipName = artifact.Name{Kind: artifact.Zip, Module: mod, Version: version}

// zipOf builds a zip by hand.
func zipOf(t testing.TB, build func(w *zip.Writer)) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	build(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// add adds a file whose header has been changed from the ordinary one.
func add(t testing.TB, w *zip.Writer, name, data string, change ...func(h *zip.FileHeader)) {
	t.Helper()
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	for _, c := range change {
		c(h)
	}
	f, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, data) // the writer keeps its errors for Close
}

// raw adds a file that is declared as it is not.
func addRaw(t testing.TB, w *zip.Writer, name, data string, declared uint64, sum uint32) {
	t.Helper()
	f, err := w.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: sum,
		CompressedSize64: uint64(len(data)), UncompressedSize64: declared,
	})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, data)
}

// files is a zip of these files, by their names.
func files(t testing.TB, names ...string) []byte {
	return zipOf(t, func(w *zip.Writer) {
		for _, name := range names {
			add(t, w, name, "module m\n")
		}
	})
}

func patch(data []byte, at int, b ...byte) []byte {
	data = bytes.Clone(data)
	copy(data[at:], b)
	return data
}

func checkZip(t *testing.T, data []byte, hashed bool) error {
	t.Helper()
	_, err := sourcetest.Receive(t, zipName, &blob.Blob{
		Info: blob.Info{Size: int64(len(data))}, Body: io.NopCloser(bytes.NewReader(data)), Check: of(zipName, hashed),
	})
	return err
}

// wantFlaw wants an error that is the fault of who sent the bytes.
func wantFlaw(t *testing.T, what string, err error) {
	t.Helper()
	if _, ours := errors.AsType[*fs.PathError](err); err == nil || ours {
		t.Errorf("%s: got %v, want a flaw", what, err)
	}
}

func mode(m fs.FileMode) func(*zip.FileHeader) { return func(h *zip.FileHeader) { h.SetMode(m) } }

func TestZipsOfModulesPass(t *testing.T) {
	stored := func(h *zip.FileHeader) { h.Method = zip.Store }
	commented := files(t, root+"go.mod")
	commented = append(patch(commented, len(commented)-2, 5, 0), "hello"...)
	for what, data := range map[string][]byte{
		"plain":     files(t, root+"go.mod", root+"a/b/c.go", root+"LICENSE"),
		"empty":     files(t),
		"commented": commented,
		"with directories and modes": zipOf(t, func(w *zip.Writer) {
			add(t, w, root, "", stored)
			add(t, w, root+"dir/", "", stored, mode(fs.ModeDir|0o755))
			add(t, w, root+"dir/run.sh", "#!", mode(0o755))
			add(t, w, root+"dir/empty", "", stored)
			addRaw(t, w, root+"dir/raw", "data", 4, crc32.ChecksumIEEE([]byte("data")))
		}),
		"70,000 files": zipOf(t, func(w *zip.Writer) {
			for i := range 70_000 {
				add(t, w, fmt.Sprint(root, i), "", stored)
			}
		}),
		"65,535 files": zipOf(t, func(w *zip.Writer) {
			for i := range 1<<16 - 1 {
				add(t, w, fmt.Sprint(root, i), "", stored)
			}
		}),
	} {
		if err := checkZip(t, data, false); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// zipTricks are zips that must be refused, and words of the reason.
func zipTricks(t testing.TB) map[string]struct {
	data []byte
	want string
} {
	plain := files(t, root+"go.mod")
	end := len(plain) - endLen
	dir := int(binary.LittleEndian.Uint32(plain[end+16:]))
	flag := func(bits uint16) []byte {
		return zipOf(t, func(w *zip.Writer) { add(t, w, root+"x", "y", func(h *zip.FileHeader) { h.Flags |= bits }) })
	}
	type trick = struct {
		data []byte
		want string
	}
	tricks := map[string]trick{
		"nothing":            {nil, "not a zip file"},
		"a byte":             {[]byte("P"), "not a zip file"},
		"a page":             {[]byte(strings.Repeat("<html>", 100)), "not a zip file"},
		"cut":                {plain[:len(plain)-1], "not a zip file"},
		"cut in half":        {plain[:len(plain)/2], "not a zip file"},
		"trailing byte":      {append(bytes.Clone(plain), 0), "behind its end"},
		"trailing zip":       {append(bytes.Clone(plain), plain...), "not where its end says"},
		"leading data":       {append([]byte("#!/bin/sh\n"), plain...), "not where its end says"},
		"moved directory":    {patch(plain, end+16, 1), "not where its end says"},
		"short directory":    {patch(plain, end+12, 1), "not where its end says"},
		"more files":         {patch(plain, end+10, 2), "instead of 2"},
		"other local name":   {patch(plain, localLen, 'X'), "differ"},
		"other local method": {patch(plain, 8, 0), "differ"},
		"other local length": {patch(plain, 26, 1), "differ"},
		"no local header":    {patch(plain, 0, 'X'), "differ"},
		"far local header":   {patch(plain, dir+42, 0xff, 0xff, 0xff, 0xff), "not a zip file"},
		"encrypted here":     {patch(plain, 6, plain[6]|1), "differ"},
		"long name":          {patch(plain, dir+28, 0xff, 0xff), "not a zip file"},
		"long comment":       {patch(plain, dir+32, 0xff, 0xff), "not a zip file"},
		"no entry":           {patch(plain, dir, 'X'), "not a zip file"},
		"encrypted":          {flag(1), "encrypted"},
		"strongly encrypted": {flag(1 << 6), "encrypted"},
		"masked":             {flag(1 << 13), "encrypted"},
		"64-bit nonsense":    {patch(plain, end+16, 0xff, 0xff, 0xff, 0xff), "not where its end says"},
		"other method": {zipOf(t, func(w *zip.Writer) {
			w.RegisterCompressor(14, func(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil })
			add(t, w, root+"x", "y", func(h *zip.FileHeader) { h.Method = 14 })
		}), "method 14"},
		"symbolic link": {zipOf(t, func(w *zip.Writer) { add(t, w, root+"x", "/etc/passwd", mode(fs.ModeSymlink|0o777)) }), "symbolic link"},
		"device":        {zipOf(t, func(w *zip.Writer) { add(t, w, root+"x", "", mode(fs.ModeDevice)) }), "not regular"},
		"wrong module":  {files(t, "example.com/other@v1.2.3/go.mod"), "prefix"},
		"wrong version": {files(t, mod+"@v1.2.4/go.mod"), "prefix"},
		"escaped path":  {files(t, "example.com/!m@v1.2.3/go.mod"), "prefix"},
		"dot dot":       {files(t, root+"../x"), "invalid path element"},
		"absolute":      {files(t, "/etc/passwd"), "prefix"},
		"backslash":     {files(t, root+`a\b`), "invalid char"},
		"device name":   {files(t, root+"con"), "disallowed"},
		"twice":         {files(t, root+"x", root+"x"), "multiple"},
		"case":          {files(t, root+"readme", root+"README"), "case-insensitive"},
		"file and dir":  {files(t, root+"x", root+"x/y"), "directory"},
		"nested go.mod": {files(t, root+"sub/go.mod"), "go.mod"},
		"GO.MOD":        {files(t, root+"GO.MOD"), "lowercase"},
		"large go.mod":  {zipOf(t, func(w *zip.Writer) { addRaw(t, w, root+"go.mod", "y", 16<<20+1, 0) }), "too large"},
		"large LICENSE": {zipOf(t, func(w *zip.Writer) { addRaw(t, w, root+"LICENSE", "y", 16<<20+1, 0) }), "too large"},
		"declared huge": {zipOf(t, func(w *zip.Writer) { addRaw(t, w, root+"x", "y", 500<<20+1, 0) }), "too large"},
		"declared huge together": {zipOf(t, func(w *zip.Writer) {
			addRaw(t, w, root+"x", "y", 400<<20, 0)
			addRaw(t, w, root+"z", "y", 400<<20, 0)
		}), "too large"},
		"too many files": {zipOf(t, func(w *zip.Writer) {
			for i := range maxEntries + 1 {
				addRaw(t, w, fmt.Sprint(root, i), "", 0, 0)
			}
		}), "more than 131072 files"},
		"deep names": {zipOf(t, func(w *zip.Writer) {
			for i := range 4 {
				addRaw(t, w, root+"A"+strings.Repeat("/a", 15_000)+fmt.Sprint(i), "", 0, 0)
			}
		}), "too deep"},
		"large directory": {zipOf(t, func(w *zip.Writer) {
			for i := range 600 {
				add(t, w, fmt.Sprint(root, i), "", func(h *zip.FileHeader) { h.Extra = append([]byte{0xfe, 0xca, 0xf0, 0xff}, make([]byte, 0xfff0-8)...) })
			}
		}), "directory is larger"},
	}
	tricks["data before"] = trick{shifted(plain), "before its first file"}
	return tricks
}

// shifted puts data before a zip of one file and corrects all offsets.
func shifted(plain []byte) []byte {
	const by = 7
	end := len(plain) - endLen
	dir := binary.LittleEndian.Uint32(plain[end+16:])
	data := append(bytes.Repeat([]byte("#"), by), plain...)
	binary.LittleEndian.PutUint32(data[by+end+16:], dir+by)
	binary.LittleEndian.PutUint32(data[by+int(dir)+42:], by)
	return data
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestA8ZipTricksAreRefusedAtLittleCost(t *testing.T) {
	for what, trick := range zipTricks(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := checkZip(t, trick.data, true)
		runtime.ReadMemStats(&after)

		wantFlaw(t, what, err)
		if err != nil && !strings.Contains(err.Error(), trick.want) {
			t.Errorf("%s: %v, want %q", what, err, trick.want)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 64<<20 {
			t.Errorf("%s: %d MiB allocated", what, cost>>20)
		}
	}
}

func TestA8FilesThatAreNotAsDeclaredAreRefusedUnlessHashedLater(t *testing.T) {
	good := crc32.ChecksumIEEE([]byte("data"))
	cut := files(t, root+"go.mod")
	at := bytes.Index(cut, []byte("go.mod")) + len("go.mod")
	bomb := zipOf(t, func(w *zip.Writer) { add(t, w, root+"zeros", strings.Repeat("\x00", 10<<20)) })
	end := len(bomb) - endLen
	dir := int(binary.LittleEndian.Uint32(bomb[end+16:]))
	for what, data := range map[string][]byte{
		"smaller than declared":                zipOf(t, func(w *zip.Writer) { addRaw(t, w, root+"x", "data", 5, good) }),
		"larger than declared":                 zipOf(t, func(w *zip.Writer) { addRaw(t, w, root+"x", "data", 3, good) }),
		"wrong checksum":                       zipOf(t, func(w *zip.Writer) { addRaw(t, w, root+"x", "data", 4, good+1) }),
		"broken compression":                   patch(cut, at, 0xff, 0xff, 0xff),
		"a bomb of 10 MiB declared as 4 bytes": patch(bomb, dir+24, 4, 0, 0, 0),
	} {
		err := checkZip(t, data, false)
		wantFlaw(t, what, err)
		if err := checkZip(t, data, true); err != nil {
			t.Errorf("%s: left to a later check, but: %v", what, err)
		}
	}
}

func TestTroubleOfOursIsNoFlaw(t *testing.T) {
	inMemory := blob.NewSpool(1<<20, nil)
	defer inMemory.Close()
	inMemory.Write(files(t, root+"go.mod"))
	err := of(zipName, false)(t.Context(), inMemory)
	if _, ours := errors.AsType[*fs.PathError](err); !ours {
		t.Errorf("a zip in memory: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spool, err := sourcetest.Receive(t, zipName, &blob.Blob{Info: blob.Info{Size: -1}, Body: io.NopCloser(bytes.NewReader(files(t, root+"go.mod")))})
	if err != nil {
		t.Fatal(err)
	}
	if err := of(zipName, false)(ctx, spool); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func FuzzCheckDirectory(f *testing.F) {
	f.Add(files(f, root+"go.mod", root+"a/b"))
	f.Add(files(f))
	f.Add(shifted(files(f, root+"go.mod")))
	f.Add(files(f, root+"go.mod")[5:])
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkDirectory(t.Context(), bytes.NewReader(data), int64(len(data))) != nil {
			return
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return // it may be stricter
		}
		for _, file := range z.File {
			if file.Flags&1 != 0 || !(file.Mode().IsRegular() || file.Mode().IsDir()) {
				t.Fatalf("%q passed with flags %x and mode %v", file.Name, file.Flags, file.Mode())
			}
			if _, err := file.DataOffset(); err != nil {
				t.Fatalf("%q passed without a local header: %v", file.Name, err)
			}
		}
	})
}
