package bundle

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestHostileManifestsAreRefused(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0", 64)
	module := `{"path":"example.com/a","version":"v1.0.0","mod":"h1:x","proven":false}`
	file := `{"path":"example.com/a/@v/v1.0.0.mod","size":1,"sha256":"` + sum + `"}`
	manifest := func(modules, files string) string {
		return `{"format":1,"modules":[` + modules + `],"files":[` + files + `]}`
	}
	if _, err := readManifest(strings.NewReader(manifest(module, file))); err != nil {
		t.Fatalf("the manifest that is well: %v", err)
	}
	for what, text := range map[string]string{
		"no JSON":               "go.sum",
		"another format":        `{"format":2}`,
		"a path out of it":      manifest(module, strings.Replace(file, "example.com", "..", 1)),
		"a path of Weir itself": manifest(module, strings.Replace(file, "example.com/a/@v/v1.0.0.mod", ".weir/sumdb/x/latest", 1)),
		"capitals":              manifest(module, strings.Replace(file, "/a/", "/A/", 1)),
		"a branch":              manifest(module, strings.Replace(file, "v1.0.0.mod", "main.info", 1)),
		"another module":        manifest(module, strings.Replace(file, "/a/", "/b/", 1)),
		"a database":            manifest(module, strings.Replace(file, "example.com/a/@v/v1.0.0.mod", "sumdb/sum.golang.org/latest", 1)),
		"a file twice":          manifest(module, file+","+file),
		"a module twice":        manifest(module+","+module, file),
		"too large":             manifest(module, strings.Replace(file, `"size":1`, `"size":100000000`, 1)),
		"less than nothing":     manifest(module, strings.Replace(file, `"size":1`, `"size":-1`, 1)),
		"no hash":               manifest(module, strings.Replace(file, sum, "00", 1)),
		"endless":               `{"format":1,"weir":"` + strings.Repeat("x", maxManifest) + `"}`,
	} {
		if m, err := readManifest(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %+v", what, m)
		}
	}
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"modules":[{"path":"example.com/a","version":"v1.0.0"}],"files":[{"path":"example.com/a/@v/v1.0.0.mod","size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"format":1,"sumdb":{"name":"sum.golang.org"},"files":[{"path":"sumdb/sum.golang.org/latest","size":1,"sha256":"` + strings.Repeat("a", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) || file.Path == ManifestName || strings.HasPrefix(file.Path, ".weir") {
				t.Fatalf("%q is let in", file.Path)
			}
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readManifest(bytes.NewReader(again)); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}

func FuzzOpenArchive(f *testing.F) {
	m := &Manifest{Format: format, Modules: []Module{{Path: "example.com/a", Version: "v1.0.0"}}, Files: []File{{"example.com/a/@v/v1.0.0.mod", 2, strings.Repeat("0", 64)}}}
	data, err := m.encode()
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range [][2]string{{ManifestName, string(data)}, {m.Files[0].Path, "ab"}} {
		if err := packFile(w, e[0], int64(len(e[1])), strings.NewReader(e[1])); err != nil {
			f.Fatal(err)
		}
	}
	w.Close()
	f.Add(b.Bytes())
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := OpenArchive(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer a.Close()
		for range a.Manifest.Files {
			file, r, err := a.Next()
			if err != nil {
				return
			}
			if n, _ := io.Copy(io.Discard, r); n > file.Size {
				t.Fatalf("%s has %d bytes, and %d in the manifest", file.Path, n, file.Size)
			}
		}
		if _, _, err := a.Next(); err == nil {
			t.Fatal("it has more files than its manifest")
		}
	})
}

func TestArchivesOfOtherKindsAreNoFolders(t *testing.T) {
	for name, want := range map[string]bool{
		"b.zip": true, "b.tar.xz": true, "b.tar.bz2": true, "B.TAR": true, "b.txz": true, "/srv/x.tar/b.ZIP": true,
		"b": false, "b.tar": false, "b.tar.gz": false, "b.tgz": false, "b.tar.zst": false, "v1.2": false, "/srv/x.zip/b": false,
	} {
		if IsOtherArchive(name) != want {
			t.Errorf("%s: not %t", name, want)
		}
	}
}
