package h1

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/artifact"
)

var zipName = artifact.Name{Kind: artifact.Zip, Module: "example.com/m", Version: "v1.0.0"}

// zipOf is a zip with the sizes of these files, by their names.
func zipOf(t *testing.T, method uint16, names []string, size func(i int) int) []byte {
	t.Helper()
	random := rand.NewChaCha8([32]byte{})
	var data bytes.Buffer
	w := zip.NewWriter(&data)
	for i, name := range names {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(f, random, int64(size(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func TestHashesOfZipsAreThoseOfDirhash(t *testing.T) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("example.com/m@v1.0.0/%d", 7*i%1000))
	}
	two := []string{"example.com/m@v1.0.0/b", "example.com/m@v1.0.0/a"}
	for what, data := range map[string][]byte{
		"empty":  zipOf(t, zip.Deflate, nil, nil),
		"many":   zipOf(t, zip.Deflate, many, func(i int) int { return i }),
		"stored": zipOf(t, zip.Store, two, func(i int) int { return 100 * i }),
		"large":  zipOf(t, zip.Deflate, two, func(i int) int { return 3 * maxWhole * i }),
	} {
		file := filepath.Join(t.TempDir(), "x.zip")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want, err := dirhash.HashZip(file, dirhash.Hash1)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // what decompresses is used again
			if got, err := Hash(zipName, bytes.NewReader(data), int64(len(data))); err != nil || got != want {
				t.Errorf("%s: %s, %v, want %s", what, got, err, want)
			}
		}
	}
}

func TestZipsThatCannotBeReadHaveNoHash(t *testing.T) {
	good := zipOf(t, zip.Deflate, []string{"a", "b", "c"}, func(int) int { return 1000 })
	torn := bytes.Clone(good)
	at := bytes.Index(torn, []byte("b")) + 100
	copy(torn[at:], bytes.Repeat([]byte{0xff}, 100))
	for what, data := range map[string][]byte{
		"nothing":    nil,
		"cut":        good[:len(good)/2],
		"torn":       torn,
		"line break": zipOf(t, zip.Deflate, []string{"a\nb"}, func(int) int { return 1 }),
	} {
		if got, err := Hash(zipName, bytes.NewReader(data), int64(len(data))); err == nil || got != "" {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestTheHashOfAModIsThatOfItsGoMod(t *testing.T) {
	const data = "module example.com/m\n"
	want, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(data)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Hash(zipName.Sibling(artifact.Mod), strings.NewReader(data), int64(len(data)))
	if err != nil || got != want || GoMod([]byte(data)) != want {
		t.Errorf("%s and %s, %v; want %s", got, GoMod([]byte(data)), err, want)
	}
}
