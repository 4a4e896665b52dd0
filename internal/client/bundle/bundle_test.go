package bundle

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
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/sumdb"
)

func hello(version string) modtest.Module {
	return modtest.Module{Path: "example.com/hello", Version: version, Mod: "module example.com/hello\n", Files: map[string]string{"hello.go": "package hello // " + version + "\n"}}
}

var private = modtest.Module{Path: "corp.example.com/lib", Version: "v1.0.0", Mod: "module corp.example.com/lib\n", Files: map[string]string{"lib.go": "package lib\n"}}

// A world has a proxy with a checksum database, which knows nothing of private modules.
type world struct {
	*modtest.Proxy
	db       *modtest.SumDB
	settings map[string]string
}

func newWorld(t *testing.T, modules ...modtest.Module) *world {
	t.Helper()
	p := modtest.New(modules...)
	db := modtest.NewSumDB("sum.example.com", p)
	return &world{p, db, map[string]string{"GOENV": "off", "GOPROXY": p.Start(t), "GOSUMDB": db.Key(), "GONOSUMDB": "corp.example.com"}}
}

func (w *world) trusted(t *testing.T) sumdb.Config {
	t.Helper()
	c, err := sumdb.ParseDatabase(w.settings["GOSUMDB"])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exporter makes a bundle of the versions in dir.
func (w *world) exporter(t *testing.T, dir string, versions ...string) *Exporter {
	t.Helper()
	m, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return w.settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := closure.OfList(t.Context(), strings.NewReader(strings.Join(versions, "\n")), closure.Options{Source: m.Verified()})
	if err != nil {
		t.Fatal(err)
	}
	return &Exporter{Dir: dir, Modules: m, Closure: c, Weir: "v0.0.0-test"}
}

// export makes a bundle in a new folder.
func (w *world) export(t *testing.T, versions ...string) (dir string, m *Manifest) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "bundle")
	m, err := seal(t, w.exporter(t, dir, versions...))
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func seal(t *testing.T, e *Exporter) (*Manifest, error) {
	t.Helper()
	report, err := e.Fetch(t.Context(), nil)
	if err != nil || len(report.Failures) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	return e.Seal(t.Context())
}

// pack is a bundle as a tar.
func pack(t *testing.T, dir string, m *Manifest, c Compression) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Pack(t.Context(), dir, m, &b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// importer takes bundles into a new folder.
func (w *world) importer(t *testing.T) *Importer {
	t.Helper()
	return &Importer{Dir: filepath.Join(t.TempDir(), "modules"), SumDB: w.trusted(t)}
}

// stored are the files of modules in a folder, without those of Weir itself.
func stored(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, _ := filepath.Rel(dir, name)
		if err == nil && d.IsDir() && (rel == own || rel == "sumdb") {
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
func rewrite(t *testing.T, dir string, m *Manifest, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), data, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	for i := range m.Files {
		if m.Files[i].Path == path {
			m.Files[i] = File{path, int64(len(data)), hex.EncodeToString(sum[:])}
		}
	}
	save(t, dir, m)
}

func save(t *testing.T, dir string, m *Manifest) {
	t.Helper()
	data, err := m.encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ManifestName), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// zipOf is a zip of the same module with other contents.
func zipOf(t *testing.T, m modtest.Module) []byte {
	t.Helper()
	m.Files = map[string]string{"evil.go": "package hello\n"}
	p := modtest.New(m)
	settings := map[string]string{"GOENV": "off", "GOPROXY": p.Start(t), "GOSUMDB": "off"}
	modules, err := modsource.Open(t.Context(), goenv.Load(func(name string) string { return settings[name] }), modsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer modules.Close()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := modsource.Save(t.Context(), modules.Source(), artifact.Name{Kind: artifact.Zip, Module: m.Path, Version: m.Version}, f); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const helloZip = "example.com/hello/@v/v1.0.0.zip"

func TestABundleIsTakenInWholeAndOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hello("v1.0.0"), private)
	dir, m := w.export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	ways := map[string]func(*Importer) (*Imported, error){
		"folder": func(i *Importer) (*Imported, error) { return i.Import(t.Context(), dir) },
	}
	for name, c := range map[string]Compression{"tar": None, "gzip": Gzip, "zstd": Zstd} {
		data := pack(t, dir, m, c)
		ways[name] = func(i *Importer) (*Imported, error) { return i.ImportTar(t.Context(), bytes.NewReader(data)) }
	}
	for name, take := range ways {
		i := w.importer(t)
		first, err := take(i)
		if err != nil || first.Fetched != 6 || len(first.Failures) > 0 {
			t.Errorf("%s: %+v, %v", name, first, err)
			continue
		}
		if len(first.Unproven) != 1 || first.Unproven[0].Path != private.Path {
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

func TestTheSameModulesMakeTheSameBytes(t *testing.T) {
	t.Parallel()
	modules := []modtest.Module{private}
	var versions []string
	for n := range 9 {
		m := hello(fmt.Sprintf("v1.%d.0", n))
		modules = append(modules, m)
		versions = append(versions, m.Path+"@"+m.Version)
	}
	w := newWorld(t, modules...)
	w.export(t, versions...) // the database has all records from now on
	var tars [][]byte
	for range 3 {
		dir, m := w.export(t, versions...)
		slices.Reverse(versions)
		tars = append(tars, pack(t, dir, m, Zstd))
	}
	if !bytes.Equal(tars[0], tars[1]) || !bytes.Equal(tars[1], tars[2]) {
		t.Error("the tars differ")
	}
}

func TestAnInterruptedExportFetchesOnlyTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hello("v1.0.0"), hello("v1.1.0"))
	dir := t.TempDir()
	w.Break("v1.1.0.zip", modtest.Status(500, 0))
	e := w.exporter(t, dir, "example.com/hello@v1.0.0", "example.com/hello@v1.1.0")
	report, err := e.Fetch(t.Context(), nil)
	if err != nil || report.Fetched != 5 || len(report.Failures) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, err := manifestIn(dir); !errors.Is(err, errNoBundle) {
		t.Errorf("a bundle that is not whole has a manifest: %v", err)
	}
	if err := CheckDir(dir); err != nil {
		t.Errorf("it cannot be gone on with: %v", err)
	}
	w.Heal()
	w.ResetCounts()
	report, err = e.Fetch(t.Context(), nil)
	if err != nil || report.Fetched != 1 || report.Present != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	if got := w.Requests(); len(got) != 1 || w.Count("/example.com/hello/@v/v1.1.0.zip") != 1 {
		t.Errorf("it asked for %v", got)
	}
}

func TestSealNoticesWhatChangedInTheFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hello("v1.0.0"), private)
	dir := t.TempDir()
	e := w.exporter(t, dir, "example.com/hello@v1.0.0")
	if _, err := seal(t, e); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, helloZip), zipOf(t, hello("v1.0.0")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal(t, e); !errors.Is(err, artifact.ErrIntegrity) {
		t.Errorf("a zip that changed: %v", err)
	}
	if _, err := manifestIn(dir); !errors.Is(err, errNoBundle) {
		t.Errorf("the folder has a manifest: %v", err)
	}
}

func TestGoSumOfTheProjectCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, private)
	e := w.exporter(t, t.TempDir(), "corp.example.com/lib v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	report, err := e.Fetch(t.Context(), nil)
	if err != nil || len(report.Failures) != 1 || !errors.Is(report.Failures[0].Err, artifact.ErrIntegrity) {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestADamagedFileIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hello("v1.0.0"), private)
	dir, m := w.export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	seen := map[artifact.Kind]bool{artifact.List: true, artifact.SumSupported: true}
	for _, f := range m.Files {
		n, err := f.name()
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
		tarred := pack(t, dir, m, None)
		for way, take := range map[string]func(*Importer) (*Imported, error){
			"folder": func(i *Importer) (*Imported, error) { return i.Import(t.Context(), dir) },
			"tar":    func(i *Importer) (*Imported, error) { return i.ImportTar(t.Context(), bytes.NewReader(tarred)) },
		} {
			i := w.importer(t)
			got, err := take(i)
			switch {
			case isSum(f.Path) && (err == nil || !strings.Contains(err.Error(), f.Path) || len(stored(t, i.Dir)) > 0):
				t.Errorf("%s of a %s: %v", f.Path, way, err)
			case isSum(f.Path):
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
	w := newWorld(t, hello("v1.0.0"), private)
	for what, change := range map[string]func(dir string, m *Manifest){
		"another zip": func(dir string, m *Manifest) { rewrite(t, dir, m, helloZip, zipOf(t, hello("v1.0.0"))) },
		"another go.mod": func(dir string, m *Manifest) {
			rewrite(t, dir, m, "example.com/hello/@v/v1.0.0.mod", []byte("module example.com/hello\n\n"))
		},
		"no record": func(dir string, m *Manifest) {
			m.Files = slices.DeleteFunc(m.Files, func(f File) bool { return strings.Contains(f.Path, "/lookup/") })
			save(t, dir, m)
			os.RemoveAll(filepath.Join(dir, "sumdb", "sum.example.com", "lookup"))
		},
		"a forged record": func(dir string, m *Manifest) {
			path := "sumdb/sum.example.com/lookup/example.com/hello@v1.0.0"
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, dir, m, path, bytes.Replace(data, []byte("h1:"), []byte("h1:A"), 1))
		},
		"another info": func(dir string, m *Manifest) {
			rewrite(t, dir, m, "example.com/hello/@v/v1.0.0.info", []byte(`{"Version":"v1.0.1"}`))
		},
		"not a zip": func(dir string, m *Manifest) { rewrite(t, dir, m, "corp.example.com/lib/@v/v1.0.0.zip", []byte("PK")) },
	} {
		dir, m := w.export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
		change(dir, m)
		i := w.importer(t)
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
	w, other := newWorld(t, hello("v1.0.0")), newWorld(t, hello("v1.0.0")) // the same name, another key
	dir, m := w.export(t, "example.com/hello@v1.0.0")
	i := other.importer(t)
	if _, err := i.Import(t.Context(), dir); !errors.Is(err, artifact.ErrIntegrity) || len(stored(t, i.Dir)) > 0 {
		t.Errorf("another key: %v; stored are %v", err, stored(t, i.Dir))
	}
	if i.SumDB, _ = sumdb.ParseDatabase("sum.golang.org"); i.SumDB.Name == "" {
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
	w := newWorld(t, hello("v1.0.0"), private)
	dir, _ := w.export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	i := w.importer(t)
	i.RequireSums = true
	got, err := i.Import(t.Context(), dir)
	if err != nil || got.Fetched != 3 || len(got.Failures) != 3 || got.Failures[0].Name.Module != private.Path {
		t.Errorf("%+v, %v", got, err)
	}
	i.SumDB = sumdb.Config{Off: true}
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
	w := newWorld(t, hello("v1.0.0"))
	i := w.importer(t)
	w.settings["GOSUMDB"] = "off"
	dir, m := w.export(t, "example.com/hello@v1.0.0")
	if m.SumDB != nil || len(m.Unproven()) != 1 || m.Unproven()[0].Zip == "" {
		t.Errorf("the manifest is %+v", m)
	}
	if got, err := i.Import(t.Context(), dir); err != nil || got.Fetched != 3 || len(got.Unproven) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNothingThatIsStoredIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hello("v1.0.0"), private)
	dir, _ := w.export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
	i := w.importer(t)
	if _, err := i.Import(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	// The same tag, moved, and asked for by another exporter.
	moved := private
	moved.Files = map[string]string{"lib.go": "package lib // moved\n"}
	moved.Info = `{"Version":"v1.0.0","Time":"2024-02-03T04:05:06Z","Origin":{"VCS":"git"}}`
	if err := w.Add(moved); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(i.Dir, "corp.example.com/lib/@v/v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	dir, _ = w.export(t, "example.com/hello@v1.0.0", "corp.example.com/lib@v1.0.0")
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
	w := newWorld(t, private)
	dir, m := w.export(t, "corp.example.com/lib@v1.0.0")
	data, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	manifest := tarEntry{tar.Header{Name: ManifestName}, string(data)}
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
	i := w.importer(t)
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
		"a manifest of something": tarOf(t, tarEntry{tar.Header{Name: ManifestName}, "{}"}),
	} {
		i := w.importer(t)
		if got, err := i.ImportTar(t.Context(), bytes.NewReader(data)); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
		for _, name := range stored(t, i.Dir) {
			if !slices.ContainsFunc(m.Files, func(f File) bool { return f.Path == name }) {
				t.Errorf("%s: %s is stored", what, name)
			}
		}
	}
}

func TestHostileManifestsAreRefused(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0", 64)
	module := `{"path":"example.com/a","version":"v1.0.0","mod":"h1:x","proven":false}`
	file := `{"path":"example.com/a/@v/v1.0.0.mod","size":1,"sha256":"` + sum + `"}`
	manifest := func(modules, files string) string {
		return `{"format":1,"modules":[` + modules + `],"files":[` + files + `]}`
	}
	if _, err := ReadManifest(strings.NewReader(manifest(module, file))); err != nil {
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
		if m, err := ReadManifest(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %+v", what, m)
		}
	}
}

func TestAnImportThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hello("v1.0.0"), hello("v1.1.0"))
	dir, m := w.export(t, "example.com/hello@v1.0.0", "example.com/hello@v1.1.0")
	data := pack(t, dir, m, None)
	i := w.importer(t)
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
	w := newWorld(t, modules...)
	w.record(t, 0, 300)
	first, _ := w.export(t, "example.com/m005@v1.0.0", "example.com/m290@v1.0.0")
	w.record(t, 300, 520)
	second := filepath.Join(t.TempDir(), "second")
	e := w.exporter(t, second, "example.com/m007@v1.0.0", "example.com/m515@v1.0.0")
	if _, err := seal(t, e); err != nil {
		t.Fatal(err)
	}

	i := w.importer(t)
	if got, err := i.Import(t.Context(), first); err != nil || len(got.Failures) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := i.Import(t.Context(), second); err == nil || artifact.Class(err) != artifact.ErrUnavailable || len(stored(t, i.Dir)) != 6 {
		t.Errorf("without a proof: %v; %d files are stored", err, len(stored(t, i.Dir)))
	}
	var err error
	if e.Since, err = SinceOf(first); err != nil || len(e.Since) != 1 || e.Since[0] < 300 {
		t.Fatalf("since %v, %v", e.Since, err)
	}
	m, err := seal(t, e)
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
	ofHead, err := SinceOf(head)
	all, err2 := SinceOf(second)
	if err != nil || err2 != nil || len(ofHead) != 1 || !slices.Equal(all, append(e.Since, ofHead[0])) {
		t.Errorf("since %v and %v: %v %v", ofHead, all, err, err2)
	}
	if _, err := SinceOf(filepath.Join(first, ManifestName)); err == nil {
		t.Error("a manifest alone is taken for a head")
	}

	// An older bundle is still of use: its records are proven in the newer tree.
	older := w.importer(t)
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

// record has the database make records of some modules.
func (w *world) record(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		rec := httptest.NewRecorder()
		w.db.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/lookup/example.com/m%03d@v1.0.0", n), nil))
		if rec.Code != http.StatusOK {
			t.Fatalf("record %d: %s", n, rec.Body)
		}
	}
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"modules":[{"path":"example.com/a","version":"v1.0.0"}],"files":[{"path":"example.com/a/@v/v1.0.0.mod","size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"format":1,"sumdb":{"name":"sum.golang.org"},"files":[{"path":"sumdb/sum.golang.org/latest","size":1,"sha256":"` + strings.Repeat("a", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) || file.Path == ManifestName || strings.HasPrefix(file.Path, own) {
				t.Fatalf("%q is let in", file.Path)
			}
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadManifest(bytes.NewReader(again)); err != nil {
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
		a, m, err := openArchive(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer a.in.Close()
		for range m.Files {
			file, r, err := a.next()
			if err != nil {
				return
			}
			if n, _ := io.Copy(io.Discard, r); n > file.Size {
				t.Fatalf("%s has %d bytes, and %d in the manifest", file.Path, n, file.Size)
			}
		}
		if _, _, err := a.next(); err == nil {
			t.Fatal("it has more files than its manifest")
		}
	})
}
