package intake_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/client/bundle/bundletest"
	"github.com/goweir/weir/internal/client/bundle/export"
	"github.com/goweir/weir/internal/client/bundle/intake"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/modtest"
)

// importer takes bundles into a new folder.
func importerOf(t *testing.T, w *bundletest.World) *intake.Importer {
	t.Helper()
	return &intake.Importer{Dir: filepath.Join(t.TempDir(), "modules"), SumDB: trusted(t, w)}
}

// stored are the files of modules in a folder, without those of Weir itself.
func stored(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, _ := filepath.Rel(dir, name)
		if err == nil && d.IsDir() && (rel == ".weir" || rel == "sumdb") {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rewrite changes a file of a bundle in a folder, and the manifest with it, as somebody
// would who wants nobody to notice.
func rewrite(t *testing.T, dir string, m *bundle.Manifest, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), data, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	for i := range m.Files {
		if m.Files[i].Path == path {
			m.Files[i] = bundle.File{Path: path, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
		}
	}
	save(t, dir, m)
}

func save(t *testing.T, dir string, m *bundle.Manifest) {
	t.Helper()
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
}

const helloZip = "example.com/hello/@v/v1.0.0.zip"

func TestABundleIsTakenInWholeAndOnce(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Private)
	dir, m := w.Export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	ways := map[string]func(*intake.Importer) (*intake.Imported, error){
		"folder": func(i *intake.Importer) (*intake.Imported, error) { return i.Import(t.Context(), dir) },
	}
	for name, c := range map[string]bundle.Compression{"tar": bundle.None, "gzip": bundle.Gzip, "zstd": bundle.Zstd} {
		data := bundletest.Pack(t, dir, m, c)
		ways[name] = func(i *intake.Importer) (*intake.Imported, error) {
			return i.ImportTar(t.Context(), bytes.NewReader(data))
		}
	}
	for name, take := range ways {
		i := importerOf(t, w)
		first, err := take(i)
		if err != nil || first.Fetched != 6 || len(first.Failures) > 0 {
			t.Errorf("%s: %+v, %v", name, first, err)
			continue
		}
		if len(first.Unproven) != 1 || first.Unproven[0].Path != bundletest.Private.Path {
			t.Errorf("%s: unproven are %v", name, first.Unproven)
		}
		again, err := take(i)
		if err != nil || again.Fetched != 0 || again.Present != 6 {
			t.Errorf("%s, once more: %+v, %v", name, again, err)
		}
		if got := len(stored(t, i.Dir)); got != 6 {
			t.Errorf("%s: %d files are stored", name, got)
		}
	}
}

func TestADamagedFileIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Private)
	dir, m := w.Export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	seen := map[artifact.Kind]bool{artifact.List: true, artifact.SumSupported: true}
	for _, f := range m.Files {
		n, err := f.Name()
		if err != nil || seen[n.Kind] { // one of each kind will do
			continue
		}
		seen[n.Kind] = true
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(data)
		damaged[len(damaged)/2] ^= 1
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		tarred := bundletest.Pack(t, dir, m, bundle.None)
		for way, take := range map[string]func(*intake.Importer) (*intake.Imported, error){
			"folder": func(i *intake.Importer) (*intake.Imported, error) { return i.Import(t.Context(), dir) },
			"tar": func(i *intake.Importer) (*intake.Imported, error) {
				return i.ImportTar(t.Context(), bytes.NewReader(tarred))
			},
		} {
			i := importerOf(t, w)
			got, err := take(i)
			switch {
			case f.IsSum() && (err == nil || !strings.Contains(err.Error(), f.Path) || len(stored(t, i.Dir)) > 0):
				t.Errorf("%s of a %s: %v", f.Path, way, err)
			case f.IsSum():
			case err != nil || len(got.Failures) != 1 || got.Failures[0].Name.Key() != f.Path || !errors.Is(got.Failures[0].Err, artifact.ErrIntegrity) && artifact.Class(got.Failures[0].Err) != artifact.ErrBadUpstream:
				t.Errorf("%s of a %s: %+v, %v", f.Path, way, got, err)
			case slices.Contains(stored(t, i.Dir), f.Path) || len(stored(t, i.Dir)) != 5:
				t.Errorf("%s of a %s: stored are %v", f.Path, way, stored(t, i.Dir))
			}
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever can change the bundle can change the manifest. The checksum database is what
// he cannot change.
func TestALieThatAgreesWithItsManifestIsRefused(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Private)
	for what, change := range map[string]func(dir string, m *bundle.Manifest){
		"another zip": func(dir string, m *bundle.Manifest) {
			rewrite(t, dir, m, helloZip, bundletest.ZipOf(t, bundletest.Hello("v1.0.0")))
		},
		"another go.mod": func(dir string, m *bundle.Manifest) {
			rewrite(t, dir, m, "example.com/hello/@v/v1.0.0.mod", []byte("module example.com/hello\n\n"))
		},
		"no record": func(dir string, m *bundle.Manifest) {
			m.Files = slices.DeleteFunc(m.Files, func(f bundle.File) bool { return strings.Contains(f.Path, "/lookup/") })
			save(t, dir, m)
			os.RemoveAll(filepath.Join(dir, "sumdb", "sum.example.com", "lookup"))
		},
		"a forged record": func(dir string, m *bundle.Manifest) {
			path := "sumdb/sum.example.com/lookup/example.com/hello@v1.0.0"
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, dir, m, path, bytes.Replace(data, []byte("h1:"), []byte("h1:A"), 1))
		},
		"another info": func(dir string, m *bundle.Manifest) {
			rewrite(t, dir, m, "example.com/hello/@v/v1.0.0.info", []byte(`{"Version":"v1.0.1"}`))
		},
		"not a zip": func(dir string, m *bundle.Manifest) {
			rewrite(t, dir, m, "corp.example.com/lib/@v/v1.0.0.zip", []byte("PK"))
		},
	} {
		dir, m := w.Export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
		change(dir, m)
		i := importerOf(t, w)
		got, err := i.Import(t.Context(), dir)
		if err != nil || len(got.Failures) == 0 {
			t.Errorf("%s: %+v, %v", what, got, err)
			continue
		}
		for _, f := range got.Failures {
			if slices.Contains(stored(t, i.Dir), f.Name.Key()) {
				t.Errorf("%s: %s is stored, and a failure", what, f.Name)
			}
		}
	}
}

func TestABundleOfAnotherDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	w, other := bundletest.New(t, bundletest.Hello("v1.0.0")), bundletest.New(t, bundletest.Hello("v1.0.0")) // the same name, another key
	dir, m := w.Export(t, "example.com/hello@v1.0.0")
	i := importerOf(t, other)
	if _, err := i.Import(t.Context(), dir); !errors.Is(err, artifact.ErrIntegrity) || len(stored(t, i.Dir)) > 0 {
		t.Errorf("another key: %v; stored are %v", err, stored(t, i.Dir))
	}
	if i.SumDB, _ = gosumdb.Parse("sum.golang.org"); i.SumDB.Name == "" {
		t.Fatal("sum.golang.org is unknown")
	}
	if _, err := i.Import(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "--sumdb") {
		t.Errorf("another name: %v", err)
	}
	m.SumDB.Name = "sum.golang.org"
	save(t, dir, m)
	if _, err := i.Import(t.Context(), dir); err == nil {
		t.Error("a manifest with files of two databases is taken")
	}
}

func TestModulesWithoutARecordAreRefusedOnDemand(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Private)
	dir, _ := w.Export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	i := importerOf(t, w)
	i.RequireSums = true
	got, err := i.Import(t.Context(), dir)
	if err != nil || got.Fetched != 3 || len(got.Failures) != 3 || got.Failures[0].Name.Module != bundletest.Private.Path {
		t.Errorf("%+v, %v", got, err)
	}
	i.SumDB = gosumdb.Config{Off: true}
	if _, err := i.Import(t.Context(), dir); err == nil {
		t.Error("records are required where nobody can check them")
	}
	i.RequireSums = false
	if got, err := i.Import(t.Context(), dir); err != nil || len(got.Unproven) != 2 || got.Present != 3 {
		t.Errorf("without a database: %+v, %v", got, err)
	}
}

func TestWithoutADatabaseNothingIsSaidToBeProven(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"))
	i := importerOf(t, w)
	w.Settings["GOSUMDB"] = "off"
	dir, m := w.Export(t, "example.com/hello@v1.0.0")
	if m.SumDB != nil || len(m.Unproven()) != 1 || m.Unproven()[0].Zip == "" {
		t.Errorf("the manifest is %+v", m)
	}
	if got, err := i.Import(t.Context(), dir); err != nil || got.Fetched != 3 || len(got.Unproven) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNothingThatIsStoredIsReplaced(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Private)
	dir, _ := w.Export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	i := importerOf(t, w)
	if _, err := i.Import(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	// The same tag, moved, and asked for by another exporter.
	moved := bundletest.Private
	moved.Files = map[string]string{"lib.go": "package lib // moved\n"}
	moved.Info = `{"Version":"v1.0.0","Time":"2024-02-03T04:05:06Z","Origin":{"VCS":"git"}}`
	if err := w.Add(moved); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(i.Dir, "corp.example.com/lib/@v/v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	dir, _ = w.Export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	got, err := i.Import(t.Context(), dir)
	if err != nil || len(got.Failures) != 1 || got.Failures[0].Name.Kind != artifact.Zip || !errors.Is(got.Failures[0].Err, artifact.ErrIntegrity) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(got.Kept) != 1 || got.Kept[0].Kind != artifact.Info {
		t.Errorf("kept are %v", got.Kept)
	}
	if after, err := os.ReadFile(filepath.Join(i.Dir, "corp.example.com/lib/@v/v1.0.0.zip")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the zip was replaced: %v", err)
	}
}

// entry is an entry of a hostile tar.
type tarEntry struct {
	tar.Header
	body string
}

func tarOf(t *testing.T, entries ...tarEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag, e.Size = tar.TypeReg, int64(len(e.body))
		}
		e.Mode = 0o644
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileTarsAreRefused(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Private)
	dir, m := w.Export(t, "corp.example.com/lib@v1.0.0")
	data, err := os.ReadFile(filepath.Join(dir, bundle.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	manifest := tarEntry{tar.Header{Name: bundle.ManifestName}, string(data)}
	var files []tarEntry
	for _, f := range m.Files {
		body, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, tarEntry{tar.Header{Name: f.Path}, string(body)})
	}
	all := slices.Concat([]tarEntry{manifest}, files)
	whole := tarOf(t, all...)
	i := importerOf(t, w)
	if got, err := i.ImportTar(t.Context(), bytes.NewReader(whole)); err != nil || got.Fetched != 3 {
		t.Fatalf("the tar that is well: %+v, %v", got, err)
	}
	entry := func(typeflag byte, name, link string) tarEntry {
		return tarEntry{tar.Header{Typeflag: typeflag, Name: name, Linkname: link}, ""}
	}
	for what, data := range map[string][]byte{
		"nothing":                 nil,
		"no manifest":             tarOf(t, files...),
		"a path out of it":        tarOf(t, manifest, tarEntry{tar.Header{Name: "../../evil"}, "x"}),
		"a path around":           tarOf(t, manifest, tarEntry{tar.Header{Name: "corp.example.com/x/../lib/@v/v1.0.0.mod"}, files[1].body}),
		"an absolute path":        tarOf(t, manifest, tarEntry{tar.Header{Name: "/etc/passwd"}, "x"}),
		"a symbolic link":         tarOf(t, manifest, entry(tar.TypeSymlink, files[0].Name, "/etc/passwd")),
		"a hard link":             tarOf(t, manifest, entry(tar.TypeLink, files[0].Name, files[1].Name)),
		"a device":                tarOf(t, manifest, entry(tar.TypeChar, files[0].Name, "")),
		"a file twice":            tarOf(t, append(all, files[0])...),
		"a file too many":         tarOf(t, append(all, tarEntry{tar.Header{Name: "example.com/hello/@v/v1.0.0.mod"}, "module x"})...),
		"a file of another size":  tarOf(t, manifest, tarEntry{tar.Header{Name: files[0].Name}, files[0].body + "x"}),
		"a file missing":          tarOf(t, all[:len(all)-1]...),
		"broken off":              whole[:len(whole)/2],
		"broken off in a header":  whole[:len(whole)-2048-100],
		"not a gzip after all":    append([]byte{0x1f, 0x8b}, whole...),
		"not a zstd after all":    append([]byte{0x28, 0xb5, 0x2f, 0xfd}, whole...),
		"a manifest of something": tarOf(t, tarEntry{tar.Header{Name: bundle.ManifestName}, "{}"}),
	} {
		i := importerOf(t, w)
		if got, err := i.ImportTar(t.Context(), bytes.NewReader(data)); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
		for _, name := range stored(t, i.Dir) {
			if !slices.ContainsFunc(m.Files, func(f bundle.File) bool { return f.Path == name }) {
				t.Errorf("%s: %s is stored", what, name)
			}
		}
	}
}

func TestAnImportThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	w := bundletest.New(t, bundletest.Hello("v1.0.0"), bundletest.Hello("v1.1.0"))
	dir, m := w.Export(t, "example.com/hello@v1.0.0", "example.com/hello@v1.1.0")
	data := bundletest.Pack(t, dir, m, bundle.None)
	i := importerOf(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	i.Progress = func(p closure.Progress) {
		if p.Done == 2 {
			cancel()
		}
	}
	if _, err := i.ImportTar(ctx, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	i.Progress = nil
	got, err := i.ImportTar(t.Context(), bytes.NewReader(data))
	if err != nil || got.Present < 2 || got.Present+got.Fetched != 6 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A log of more than one tile, so that what proves its growth is not in every bundle.
func TestASecondBundleGoesOnFromTheFirst(t *testing.T) {
	t.Parallel()
	var modules []modtest.Module
	for n := range 520 {
		modules = append(modules, modtest.Module{Path: fmt.Sprintf("example.com/m%03d", n), Version: "v1.0.0"})
	}
	w := bundletest.New(t, modules...)
	record(t, w, 0, 300)
	first, _ := w.Export(t, "example.com/m005@v1.0.0", "example.com/m290@v1.0.0")
	record(t, w, 300, 520)
	second := filepath.Join(t.TempDir(), "second")
	e := w.Job(t, second, "example.com/m007@v1.0.0", "example.com/m515@v1.0.0")
	if _, err := bundletest.Seal(t, e); err != nil {
		t.Fatal(err)
	}

	i := importerOf(t, w)
	if got, err := i.Import(t.Context(), first); err != nil || len(got.Failures) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := i.Import(t.Context(), second); err == nil || artifact.Class(err) != artifact.ErrUnavailable || len(stored(t, i.Dir)) != 6 {
		t.Errorf("without a proof: %v; %d files are stored", err, len(stored(t, i.Dir)))
	}
	var err error
	if e.Since, err = export.Since(first); err != nil || len(e.Since) != 1 || e.Since[0] < 300 {
		t.Fatalf("since %v, %v", e.Since, err)
	}
	m, err := bundletest.Seal(t, e)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := i.Import(t.Context(), second); err != nil || got.Fetched != 6 || len(got.Failures) > 0 {
		t.Errorf("with a proof: %+v, %v", got, err)
	}

	// The head alone does, too, and the next bundle goes on from both.
	head := filepath.Join(t.TempDir(), "head")
	if err := os.WriteFile(head, []byte(m.SumDB.Head), 0o600); err != nil {
		t.Fatal(err)
	}
	ofHead, err := export.Since(head)
	all, err2 := export.Since(second)
	if err != nil || err2 != nil || len(ofHead) != 1 || !slices.Equal(all, append(e.Since, ofHead[0])) {
		t.Errorf("since %v and %v: %v %v", ofHead, all, err, err2)
	}
	if _, err := export.Since(filepath.Join(first, bundle.ManifestName)); err == nil {
		t.Error("a manifest alone is taken for a head")
	}

	// An older bundle is still of use: its records are proven in the newer tree.
	older := importerOf(t, w)
	if got, err := older.Import(t.Context(), second); err != nil || len(got.Failures) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err := older.Import(t.Context(), first)
	if err != nil || got.Fetched == 0 {
		t.Errorf("an older bundle: %+v, %v", got, err)
	}
	for _, f := range got.Failures {
		if artifact.Class(f.Err) != artifact.ErrUnavailable {
			t.Errorf("%s: %v", f.Name, f.Err)
		}
	}
}

func trusted(t *testing.T, w *bundletest.World) gosumdb.Config {
	t.Helper()
	c, err := gosumdb.Parse(w.Settings["GOSUMDB"])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// record has the database make records of some modules.
func record(t *testing.T, w *bundletest.World, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		rec := httptest.NewRecorder()
		w.DB.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/lookup/example.com/m%03d@v1.0.0", n), nil))
		if rec.Code != http.StatusOK {
			t.Fatalf("record %d: %s", n, rec.Body)
		}
	}
}
