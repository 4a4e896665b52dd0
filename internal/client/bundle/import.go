package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/client/closure"
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
	Dir         string       // of the modules
	SumDB       sumdb.Config // that the Weir trusts
	RequireSums bool         // refuse modules without a record

	Progress func(closure.Progress) // told after each file; nil: nobody is
}

// Imported is what has come of an import.
type Imported struct {
	closure.Report
	Manifest *Manifest
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
	m, err := manifestIn(dir)
	if err != nil {
		return nil, err
	}
	in, err := i.open(dir, m)
	if err != nil {
		return nil, err
	}
	defer in.close()
	for _, f := range m.Files {
		if isSum(f.Path) {
			if err := in.checkFile(ctx, f); err != nil {
				return nil, err
			}
		}
	}
	if err := in.begin(ctx); err != nil {
		return nil, err
	}
	units := func(yield func(unit) bool) {
		for _, f := range m.Files {
			if f.isModule() && !yield(unit{file: f}) {
				return
			}
		}
	}
	return in.run(ctx, units)
}

// ImportTar takes in a tar. Its files are unpacked one after another into a temporary
// folder, and no further than the work has come.
func (i *Importer) ImportTar(ctx context.Context, r io.Reader) (*Imported, error) {
	a, m, err := openArchive(&interruptible{ctx, r})
	if err != nil {
		return nil, err
	}
	defer a.in.Close()
	dir, err := os.MkdirTemp("", "weir-import-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, err := i.open(dir, m)
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

// An interruptible reader ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}

// isModule reports whether a file is one that is taken in by itself: a Weir makes lists
// from what it has.
func (f File) isModule() bool {
	n, err := f.name()
	return err == nil && (n.Kind == artifact.Info || n.Kind == artifact.Mod || n.Kind == artifact.Zip)
}

// A unit is a file to take in, or why it cannot be.
type unit struct {
	file File
	err  error
}

// An unpacker makes units of the entries of a tar.
type unpacker struct {
	*intake
	archive *archive
	first   unit  // the first that is no file of the checksum database, if there is one
	trouble error // with the tar as a whole; io.EOF: it has ended
}

// next unpacks the next file.
func (u *unpacker) next() (unit, bool) {
	f, r, err := u.archive.next()
	if err != nil {
		u.trouble = err
		return unit{}, false
	}
	return unit{f, u.unpack(f, r)}, true
}

// unpackSums unpacks the files of the checksum database, which come first, and begins.
func (u *unpacker) unpackSums(ctx context.Context) error {
	for {
		next, ok := u.next()
		if !ok || !isSum(next.file.Path) {
			u.first = next
			break
		}
		if next.err != nil {
			return next.err
		}
	}
	if u.trouble != nil && !errors.Is(u.trouble, io.EOF) {
		return u.trouble
	}
	for path := range u.archive.more {
		if isSum(path) {
			return fmt.Errorf("%s is missing: %w", path, errOrder)
		}
	}
	return u.begin(ctx)
}

// units are the files of the modules. After the last one, trouble says why.
func (u *unpacker) units() iter.Seq[unit] {
	return func(yield func(unit) bool) {
		for next, ok := u.first, u.trouble == nil; ok; next, ok = u.next() {
			if next.file.isModule() && !yield(next) {
				return
			}
		}
	}
}

// missing is an error if files of the manifest have not come.
func (u *unpacker) missing() error {
	if len(u.archive.more) == 0 {
		return nil
	}
	return fmt.Errorf("it breaks off: %d files of its manifest are missing, such as %s", len(u.archive.more), slices.Min(slices.Collect(maps.Keys(u.archive.more))))
}

// unpack writes a file below the temporary folder. Its path is one of the protocol.
func (u *unpacker) unpack(f File, r io.Reader) error {
	name := filepath.Join(u.dir, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), r)
	if err := errors.Join(brokenOff(err), out.Close()); err != nil {
		return err
	}
	return f.compare(sum.Sum(nil))
}

// compare is an error unless a file has the hash that the manifest says.
func (f File) compare(sum []byte) error {
	if hex.EncodeToString(sum) == f.SHA256 {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("%s is not what the manifest says: its SHA-256 hash is %x, not %s", f.Path, sum, f.SHA256),
		Hint:   "the bundle was damaged or changed on its way: copy it again, and compare it with the one that was exported",
	}
}

// An intake is one import.
type intake struct {
	*Importer
	manifest *Manifest
	dir      string // where the files lie
	// temporary says that each file is removed when it was taken in.
	temporary bool
	modules   map[module.Version]Module
	bundle    source.Source // the files in dir, by the rules of the protocol

	disk   *disk.Store
	db     *sumdb.Database // nil: there is none
	mirror source.Source
	head   []byte // the newest signed tree head, of the bundle or of the Weir
	proven source.Source

	mu  sync.Mutex
	out *Imported
}

// open prepares an import of the files below dir.
func (i *Importer) open(dir string, m *Manifest) (*intake, error) {
	in := &intake{Importer: i, manifest: m, dir: dir, modules: map[module.Version]Module{}, out: &Imported{Manifest: m}}
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
	if in.bundle, err = upstream.New((&url.URL{Scheme: "file", Path: folder}).String(), upstream.Options{}); err != nil {
		return nil, err
	}
	in.disk, err = disk.Open(i.Dir, disk.Options{})
	return in, err
}

// checkDatabase reports whether bundle and Weir do not trust the same database.
func (in *intake) checkDatabase() error {
	switch theirs := in.manifest.SumDB; {
	case in.SumDB.Off && in.RequireSums:
		return errors.New("there is no checksum database here to require records of: set --sumdb or GOSUMDB to the one that the bundle is proven by")
	case in.SumDB.Off || theirs == nil || theirs.Name == in.SumDB.Name:
		return nil
	default:
		return fmt.Errorf("the bundle is proven by %s, and %s is trusted here: set --sumdb or GOSUMDB to the key of the former, if you trust it", theirs.Name, in.SumDB.Name)
	}
}

func (in *intake) close() error {
	var err error
	if in.db != nil {
		err = in.db.Close()
	}
	return errors.Join(err, in.disk.Close())
}

// checkFile compares a file of a folder with the manifest.
func (in *intake) checkFile(ctx context.Context, f File) error {
	n, err := f.name()
	if err != nil {
		return err
	}
	b, err := in.bundle.Fetch(ctx, n)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	defer b.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, b.Reader()); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return f.compare(sum.Sum(nil))
}

// begin opens the checksum database on what the Weir has of it and on what the bundle
// adds, and proves that the one goes on where the other ends.
func (in *intake) begin(ctx context.Context) (err error) {
	if in.SumDB.Off {
		return nil
	}
	in.db, err = sumdb.New(in.SumDB, sumdb.Options{Store: in.disk, Remotes: []sumdb.Remote{{Source: source.Func(in.fetchSum)}}})
	if err != nil {
		return err
	}
	in.mirror, in.proven = in.db.Mirror(), in.db.Verify(in.bundle, sumdb.Require)
	if in.manifest.SumDB == nil {
		return nil
	}
	b, err := in.mirror.Fetch(ctx, artifact.Name{Kind: artifact.SumLatest, DB: in.db.Name()})
	if err != nil {
		return in.explainHead(err)
	}
	in.head, err = b.ReadAll(artifact.SumLatest.MaxSize())
	return err
}

// explainHead is the error for a tree head of the bundle that cannot be believed.
func (in *intake) explainHead(err error) error {
	if errors.Is(err, artifact.ErrIntegrity) {
		return &artifact.Error{
			Class: artifact.ErrIntegrity, Err: err,
			Reason: fmt.Sprintf("the tree head in the bundle is not one of %s, or contradicts the one that this Weir knows", in.SumDB.Name),
			Hint:   "do not use the bundle before you know who has made it",
		}
	}
	return &artifact.Error{
		Class: artifact.ErrUnavailable, Err: err,
		Reason: fmt.Sprintf("the bundle does not prove that its %s goes on where the one that this Weir knows ends", in.SumDB.Name),
		Hint:   "export it again with --since and the bundle that was imported last, or a file with what this Weir answers at /sumdb/" + in.SumDB.Name + "/latest",
	}
}

// fetchSum brings files of the checksum database out of the bundle. Records are under
// the newest head, so that nothing has to be proven of one that the Weir has passed.
func (in *intake) fetchSum(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	b, err := in.bundle.Fetch(ctx, n)
	if n.Kind == artifact.SumTile && errors.Is(err, artifact.ErrNotFound) {
		return nil, &artifact.Error{Class: artifact.ErrUnavailable, Reason: n.String() + " is not in the bundle", Err: err} // it exists elsewhere
	}
	if err != nil || n.Kind != artifact.SumLookup || in.head == nil {
		return b, err
	}
	raw, err := b.ReadAll(n.Kind.MaxSize())
	if err != nil {
		return nil, err
	}
	id, text, _, err := tlog.ParseRecord(raw)
	if err != nil {
		return nil, err
	}
	record, err := tlog.FormatRecord(id, text)
	if err != nil {
		return nil, err
	}
	return blob.FromBytes(blob.Info{}, append(record, in.head...)), nil
}

// run takes in the files of the modules.
func (in *intake) run(ctx context.Context, units iter.Seq[unit]) (*Imported, error) {
	total := 0
	for _, f := range in.manifest.Files {
		if f.isModule() {
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
	n, _ := u.file.name() // the manifest was checked
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
func (in *intake) admit(ctx context.Context, n artifact.Name, f File) (size int64, present bool, err error) {
	from, err := in.sourceOf(ctx, n)
	if err != nil {
		return 0, false, inBundle(err)
	}
	if present, err := in.present(ctx, n, f); present || err != nil {
		return 0, present, err
	}
	size, err = keep(ctx, in.disk, from, n, func(spooled *os.File) error { return f.compareFile(spooled) })
	if errors.Is(err, store.ErrConflict) { // the Weir has fetched it meanwhile
		present, err = in.present(ctx, n, f)
		return 0, present, err
	}
	return size, false, inBundle(err)
}

// sourceOf is the source that proves a module as far as it can be. The record is stored
// with it.
func (in *intake) sourceOf(ctx context.Context, n artifact.Name) (source.Source, error) {
	v := module.Version{Path: n.Module, Version: n.Version}
	if in.db != nil {
		_, err := in.mirror.Fetch(ctx, artifact.Name{Kind: artifact.SumLookup, DB: in.db.Name(), Module: v.Path, Version: v.Version})
		switch {
		case err == nil:
			return in.proven, nil
		case artifact.Class(err) != artifact.ErrNotFound:
			return nil, in.unprovable(v, err)
		case in.modules[v].Proven:
			return nil, &artifact.Error{
				Class:  artifact.ErrIntegrity,
				Reason: fmt.Sprintf("the manifest says that %s is proven, and the bundle has no record of it", v),
				Hint:   "the bundle was changed: copy it again, and compare it with the one that was exported",
			}
		}
	}
	if in.RequireSums {
		return nil, &artifact.Error{
			Class:  artifact.ErrForbidden,
			Reason: fmt.Sprintf("no checksum database has a record of %s in the bundle", v),
			Hint:   "if it is private and you trust who made the bundle, leave --require-sums away",
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.out.Unproven = append(in.out.Unproven, v)
	return in.bundle, nil
}

// unprovable is the error for a record that cannot be proven.
func (in *intake) unprovable(v module.Version, err error) error {
	if errors.Is(err, artifact.ErrIntegrity) {
		return &artifact.Error{
			Class: artifact.ErrIntegrity, Err: err,
			Reason: fmt.Sprintf("the record of %s in the bundle is not one of %s", v, in.SumDB.Name),
			Hint:   "somebody has forged it: do not use the bundle before you know who",
		}
	}
	return &artifact.Error{
		Class: artifact.ErrUnavailable, Err: err,
		Reason: fmt.Sprintf("the record of %s cannot be proven with the tiles in the bundle and in this Weir", v),
		Hint:   "this Weir knows a newer tree of " + in.SumDB.Name + " than the bundle: export it again now",
	}
}

// present reports whether a file is stored, as it is in the bundle or in a way that says
// the same. Other bytes are an error.
func (in *intake) present(ctx context.Context, n artifact.Name, f File) (bool, error) {
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
	mod := in.modules[module.Version{Path: n.Module, Version: n.Version}]
	if n.Kind == artifact.Info {
		return true
	}
	h1, err := hashOf(n, b.Body, b.Size)
	return err == nil && n.Kind == artifact.Zip && h1 == mod.Zip
}

// compareFile compares the bytes that are to be stored with the manifest.
func (f File) compareFile(spooled *os.File) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(spooled, 0, f.Size+1)); err != nil {
		return err
	}
	return f.compare(sum.Sum(nil))
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
