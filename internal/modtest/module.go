package modtest

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// A Module is one version of a module.
type Module struct {
	Path    string
	Version string            // canonical; pseudo-versions too
	Mod     string            // text of go.mod; empty: there is no such file
	Files   map[string]string // the other files, by name
	Time    time.Time         // zero: that of the pseudo-version, or some time in 2024

	// Info and Zip are served instead of what would be made of the above, for
	// tests that want them bad.
	Info string
	Zip  []byte
}

// version is what is served of a Module.
type version struct{ info, mod, zip []byte }

func (m Module) build() (*version, error) {
	if err := module.Check(m.Path, m.Version); err != nil {
		return nil, err
	}
	v := &version{info: []byte(m.Info), mod: []byte(m.Mod), zip: m.Zip}
	if m.Mod == "" {
		v.mod = []byte("module " + modfile.AutoQuote(m.Path) + "\n")
	}
	if m.Info == "" {
		v.info, _ = json.Marshal(map[string]any{"Version": m.Version, "Time": m.time()}) // strings and times only
	}
	if m.Zip != nil {
		return v, nil
	}
	var err error
	v.zip, err = m.pack()
	return v, err
}

func (m Module) time() time.Time {
	if !m.Time.IsZero() {
		return m.Time.UTC()
	}
	if t, err := module.PseudoVersionTime(m.Version); err == nil {
		return t
	}
	return time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
}

// pack makes the zip as the go command would.
func (m Module) pack() ([]byte, error) {
	var files []modzip.File
	if m.Mod != "" {
		files = append(files, file{"go.mod", m.Mod})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		files = append(files, file{name, m.Files[name]})
	}
	var b bytes.Buffer
	err := modzip.Create(&b, module.Version{Path: m.Path, Version: m.Version}, files)
	return b.Bytes(), err
}

// file is a file in memory for the maker of zips.
type file struct{ name, text string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (os.FileInfo, error)  { return fileInfo{f}, nil }
func (f file) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(f.text)), nil }

type fileInfo struct{ file }

func (i fileInfo) Name() string       { return path.Base(i.name) }
func (i fileInfo) Size() int64        { return int64(len(i.text)) }
func (i fileInfo) Mode() os.FileMode  { return 0o644 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// sums returns the two lines of go.sum.
func (v *version) sums(mod module.Version) ([]byte, error) {
	zipSum, err := hashZip(v.zip)
	if err != nil {
		return nil, err
	}
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(v.mod)), nil
	})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", mod.Path, mod.Version, zipSum, mod.Path, mod.Version, modSum), nil
}

func hashZip(data []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", err
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		files[f.Name] = f
	}
	return dirhash.Hash1(slices.Collect(maps.Keys(files)), func(name string) (io.ReadCloser, error) {
		return files[name].Open()
	})
}

// BigModule returns a module whose zip has about size bytes that no compression
// makes smaller. The same arguments give the same bytes.
func BigModule(modPath, version string, size int) Module {
	m := Module{Path: modPath, Version: version, Mod: "module " + modPath + "\n\ngo 1.21\n"}
	random := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(random) // never fails
	var b bytes.Buffer
	b.Grow(size + 4096)
	z := zip.NewWriter(&b)
	store := func(name string, data []byte) {
		// Stored, not deflated: that would only take time.
		w, err := z.CreateHeader(&zip.FileHeader{Name: modPath + "@" + version + "/" + name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			panic(err) // memory takes every write
		}
	}
	store("go.mod", []byte(m.Mod))
	store("data.bin", random)
	if err := z.Close(); err != nil {
		panic(err)
	}
	m.Zip = b.Bytes()
	return m
}
