// Package intake takes bundles into the folder where a Weir keeps modules.
//
// It promises that nothing is stored that differs from the manifest of the bundle, that
// what is said to be proven is proven again by the key of the checksum database that is
// trusted here, that the tree of that database goes on where the one ends that the Weir
// knows, and that nothing that is stored is ever replaced.
//
// Sources: the Go Modules Reference, "Checksum database"; golang.org/x/mod/sumdb.
package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/upstream"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/disk"
	"github.com/goweir/weir/internal/sumdb"
)

// checkers is how many files are checked and stored at one time.
const checkers = 4

// An Importer takes bundles into the folder where a Weir keeps modules. The Weir may be
// running.
type Importer struct {
	Dir         string         // of the modules
	SumDB       gosumdb.Config // that the Weir trusts
	RequireSums bool           // refuse modules without a record

	Progress func(closure.Progress) // told after each file; nil: nobody is
}

// Imported is what has come of an import.
type Imported struct {
	closure.Report
	Manifest *bundle.Manifest
	Kept     []artifact.Name  // whose bytes here differ from the bundle's and say the same
	Unproven []module.Version // that were let in on the manifest's word
}

// Import takes in a bundle: a folder, or a tar of any compression. Files that are bad
// are failures of the report, and the rest is taken in; the error is about the bundle
// as a whole.
func (i *Importer) Import(ctx context.Context, name string) (*Imported, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return i.importDir(ctx, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return i.ImportTar(ctx, f)
}

// importDir takes in a folder.
func (i *Importer) importDir(ctx context.Context, dir string) (*Imported, error) {
	m, err := bundle.Read(dir)
	if err != nil {
		return nil, err
	}
	in, err := i.open(dir, m)
	if err != nil {
		return nil, err
	}
	defer in.close()
	for _, f := range m.Files {
		if f.IsSum() {
			if err := in.checkFile(ctx, f); err != nil {
				return nil, err
			}
		}
	}
	if err := in.begin(ctx); err != nil {
		return nil, err
	}
	units := func(yield func(unit) bool) { // no lists: a Weir makes them from what it has
		for _, f := range m.Files {
			if f.IsModule() && !yield(unit{file: f}) {
				return
			}
		}
	}
	return in.run(ctx, units)
}

// ImportTar takes in a tar. Its files are unpacked one after another into a temporary
// folder, and no further than the work has come.
func (i *Importer) ImportTar(ctx context.Context, r io.Reader) (*Imported, error) {
	a, err := bundle.OpenArchive(&interruptible{ctx, r})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	dir, err := os.MkdirTemp("", "weir-import-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, err := i.open(dir, a.Manifest)
	if err != nil {
		return nil, err
	}
	defer in.close()
	in.temporary = true
	u := &unpacker{intake: in, archive: a}
	if err := u.unpackSums(ctx); err != nil {
		return nil, err
	}
	imported, err := in.run(ctx, u.units())
	switch {
	case err != nil:
		return imported, err
	case !errors.Is(u.trouble, io.EOF):
		return imported, u.trouble
	}
	return imported, u.missing()
}

// An intake is one import.
type intake struct {
	*Importer
	manifest *bundle.Manifest
	dir      string // where the files lie
	// temporary says that each file is removed when it was taken in.
	temporary bool
	modules   map[module.Version]bundle.Module
	files     source.Source // the files in dir, by the rules of the protocol

	disk   *disk.Store
	db     *sumdb.Database // nil: there is none
	mirror source.Source
	head   []byte // the newest signed tree head, of the bundle or of the Weir
	proven source.Source

	mu  sync.Mutex
	out *Imported
}

// open prepares an import of the files below dir.
func (i *Importer) open(dir string, m *bundle.Manifest) (*intake, error) {
	in := &intake{Importer: i, manifest: m, dir: dir, modules: map[module.Version]bundle.Module{}, out: &Imported{Manifest: m}}
	if err := in.checkDatabase(); err != nil {
		return nil, err
	}
	for _, mod := range m.Modules {
		in.modules[module.Version{Path: mod.Path, Version: mod.Version}] = mod
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	folder := filepath.ToSlash(abs)
	if !strings.HasPrefix(folder, "/") {
		folder = "/" + folder // of a volume
	}
	if in.files, err = upstream.New((&url.URL{Scheme: "file", Path: folder}).String(), upstream.Options{}); err != nil {
		return nil, err
	}
	in.disk, err = disk.Open(i.Dir, disk.Options{})
	return in, err
}

func (in *intake) close() error {
	var err error
	if in.db != nil {
		err = in.db.Close()
	}
	return errors.Join(err, in.disk.Close())
}

// checkFile compares a file of a folder with the manifest.
func (in *intake) checkFile(ctx context.Context, f bundle.File) error {
	n, err := f.Name()
	if err != nil {
		return err
	}
	b, err := in.files.Fetch(ctx, n)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	defer b.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, b.Reader()); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return f.Compare(sum.Sum(nil))
}

// run takes in the files of the modules.
func (in *intake) run(ctx context.Context, units iter.Seq[unit]) (*Imported, error) {
	total := 0
	for _, f := range in.manifest.Files {
		if f.IsModule() {
			total++
		}
	}
	var err error
	in.out.Report, err = closure.Work(ctx, units, total, checkers, in.take, in.Progress)
	slices.SortFunc(in.out.Unproven, closure.Compare)
	in.out.Unproven = slices.Compact(in.out.Unproven)
	slices.SortFunc(in.out.Kept, func(a, b artifact.Name) int { return strings.Compare(a.Key(), b.Key()) })
	return in.out, err
}

// take takes in one file.
func (in *intake) take(ctx context.Context, u unit) []closure.Result {
	n, _ := u.file.Name() // the manifest was checked
	r := closure.Result{Name: n, Err: u.err}
	if r.Err == nil {
		r.Bytes, r.Present, r.Err = in.admit(ctx, n, u.file)
	}
	if in.temporary {
		os.Remove(filepath.Join(in.dir, filepath.FromSlash(u.file.Path)))
	}
	return []closure.Result{r}
}

// admit proves a file and stores it, unless it is there.
func (in *intake) admit(ctx context.Context, n artifact.Name, f bundle.File) (size int64, present bool, err error) {
	from, err := in.sourceOf(ctx, n)
	if err != nil {
		return 0, false, inBundle(err)
	}
	if present, err := in.present(ctx, n, f); present || err != nil {
		return 0, present, err
	}
	size, err = in.keep(ctx, from, n, f)
	if errors.Is(err, store.ErrConflict) { // the Weir has fetched it meanwhile
		present, err = in.present(ctx, n, f)
		return 0, present, err
	}
	return size, false, inBundle(err)
}

// present reports whether a file is stored, as it is in the bundle or in a way that says
// the same. Other bytes are an error.
func (in *intake) present(ctx context.Context, n artifact.Name, f bundle.File) (bool, error) {
	b, err := in.disk.Get(ctx, n.Key())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer b.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, b.Reader()); err != nil {
		return false, err
	}
	if hex.EncodeToString(sum.Sum(nil)) == f.SHA256 {
		return true, nil
	}
	if in.saysTheSame(n, b) {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.out.Kept = append(in.out.Kept, n)
		return true, nil
	}
	return false, &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("this Weir has other bytes of %s than the bundle; nothing was changed", n),
		Hint:   fmt.Sprintf("one of the two is wrong: compare %s with the bundle, and remove it if it is that one", filepath.Join(in.Dir, filepath.FromSlash(f.Path))),
	}
}

// saysTheSame reports whether stored bytes mean the same as those in the bundle: an .info
// has details that depend on who was asked, and a zip can be packed in many ways.
func (in *intake) saysTheSame(n artifact.Name, b *blob.Blob) bool {
	if n.Kind == artifact.Info {
		return true
	}
	at, ok := b.Body.(io.ReaderAt)
	if n.Kind != artifact.Zip || !ok {
		return false
	}
	sum, err := h1.Hash(n, at, b.Size)
	return err == nil && sum == in.modules[module.Version{Path: n.Module, Version: n.Version}].Zip
}

// keep stores a file when its source has checked it and its bytes are those of the
// manifest.
func (in *intake) keep(ctx context.Context, from source.Source, n artifact.Name, f bundle.File) (int64, error) {
	spool, err := in.disk.Spool()
	if err != nil {
		return 0, err
	}
	defer in.disk.Unspool(spool)
	size, err := modsource.Save(ctx, from, n, spool)
	if err != nil {
		return 0, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(spool, 0, f.Size+1)); err != nil {
		return 0, err
	}
	if err := f.Compare(sum.Sum(nil)); err != nil {
		return 0, err
	}
	_, err = in.disk.Put(ctx, n.Key(), spool, store.PutOptions{IfAbsent: true})
	return size, err
}

// inBundle says of errors whom they are about.
func inBundle(err error) error {
	if e, ok := errors.AsType[*artifact.Error](err); ok {
		named := *e
		named.Reason = strings.ReplaceAll(e.Reason, "the file:// upstream", "the bundle")
		return &named
	}
	return err
}
