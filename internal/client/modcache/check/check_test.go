package check_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/client/modcache/check"
)

// folder is a check.Folder.
type folder struct{ root *os.Root }

func (f folder) Open(name string) (*os.File, error)     { return f.root.Open(name) }
func (f folder) ReadFile(name string) ([]byte, error)   { return f.root.ReadFile(name) }
func (f folder) Lstat(name string) (fs.FileInfo, error) { return f.root.Lstat(name) }
func (f folder) FS() fs.FS                              { return f.root.FS() }

const (
	tree  = "example.com/a@v1.0.0"
	goMod = "module example.com/a\n"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"go.mod": goMod, "a.go": text} {
		w, err := z.Create(tree + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Of zip, extracted files and noted hash, the one that the other two contradict goes.
func TestTwoThatAgreeAreRight(t *testing.T) {
	const right, wrong = "package a\n", "package b\n"
	for _, test := range []struct {
		zip, tree, noted string // what each was made from; empty: it is not there
		goes             bool   // the extracted files
		endings          []string
	}{
		{right, right, right, false, nil},
		{wrong, right, right, false, []string{".zip"}},
		{right, wrong, right, true, nil},
		{right, right, wrong, false, []string{".ziphash"}},
		{"", right, right, false, nil},
		{"", wrong, right, true, []string{".ziphash"}},
		{wrong, "", right, false, []string{".zip", ".ziphash"}},
		{"", right, "", true, nil},
		{right, right, "", false, nil},
	} {
		dir := t.TempDir()
		v := check.Version{Module: module.Version{Path: "example.com/a", Version: "v1.0.0"}, Base: "v1.0.0"}
		write := func(name, text string) {
			t.Helper()
			full := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if test.noted != "" {
			other := filepath.Join(t.TempDir(), "zip")
			if err := os.WriteFile(other, zipped(t, test.noted), 0o600); err != nil {
				t.Fatal(err)
			}
			hash, err := dirhash.HashZip(other, dirhash.DefaultHash)
			if err != nil {
				t.Fatal(err)
			}
			write("v1.0.0.ziphash", hash)
			v.Endings = append(v.Endings, ".ziphash")
		}
		if test.zip != "" {
			write("v1.0.0.zip", string(zipped(t, test.zip)))
			v.Endings = append(v.Endings, ".zip")
		}
		if test.tree != "" {
			write(tree+"/go.mod", goMod)
			write(tree+"/a.go", test.tree)
			v.Tree = tree
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		got, err := check.Examine(t.Context(), folder{root}, v)
		if err != nil || got.Tree != test.goes || !reflect.DeepEqual(got.Endings, test.endings) || (len(got.Problems) > 0) != (test.goes || test.endings != nil) {
			t.Errorf("%+v: %+v, %v", test, got, err)
		}
	}
}
