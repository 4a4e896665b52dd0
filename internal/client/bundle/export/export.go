// Package export makes bundles.
//
// It promises that a bundle is whole or has no manifest, that what it holds was proven
// when it was fetched and is what the checksum database and go.sum say when it is sealed,
// and that the same files make the same bytes. Work that was interrupted is gone on with:
// only what is not in the folder is fetched.
//
// Sources: the Go Modules Reference, "Checksum database"; golang.org/x/mod/sumdb;
// cmd/go/internal/modfetch/sumdb.go.
package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/bundle"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/disk"
)

// atOnce is how many files are fetched at one time.
const atOnce = 16

// own is the folder that a bundle in the making has beside its files.
const own = ".weir"

// A Job makes a bundle in a folder.
type Job struct {
	Dir     string
	Modules *modsource.Modules
	Closure *closure.Closure
	Weir    string  // version, for the manifest
	Since   []int64 // sizes of older trees of the checksum database, ascending
}

// CheckDir reports whether a bundle may be made in a folder: it is absent or empty, has a
// bundle in it, or one in the making.
func CheckDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	for _, e := range entries {
		if e.Name() == own || e.Name() == bundle.ManifestName {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s has files that are of no bundle; name a new folder or an empty one", dir)
	}
	return nil
}

// Fetch brings what is not in the folder yet. Each file was proven before it is there.
func (j *Job) Fetch(ctx context.Context, progress func(closure.Progress)) (closure.Report, error) {
	if err := os.Remove(filepath.Join(j.Dir, bundle.ManifestName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return closure.Report{}, err
	}
	d, err := disk.Open(j.Dir, disk.Options{})
	if err != nil {
		return closure.Report{}, err
	}
	defer d.Close()
	f := &fetcher{disk: d, source: j.Closure.Guard(j.Modules.Verified(), j.Modules.Unproven)}
	names := j.Closure.Artifacts()
	return closure.Work(ctx, slices.Values(names), len(names), atOnce, f.fetch, progress)
}

type fetcher struct {
	disk   *disk.Store
	source source.Source
}

func (f *fetcher) fetch(ctx context.Context, n artifact.Name) []closure.Result {
	r := closure.Result{Name: n}
	if b, err := f.disk.Get(ctx, n.Key()); err == nil {
		b.Close()
		r.Present = true
		return []closure.Result{r}
	}
	r.Bytes, r.Err = f.keep(ctx, n)
	return []closure.Result{r}
}

// keep stores an artifact when its source has checked it.
func (f *fetcher) keep(ctx context.Context, n artifact.Name) (int64, error) {
	spool, err := f.disk.Spool()
	if err != nil {
		return 0, err
	}
	defer f.disk.Unspool(spool)
	size, err := modsource.Save(ctx, f.source, n, spool)
	if err != nil {
		return 0, err
	}
	_, err = f.disk.Put(ctx, n.Key(), spool, store.PutOptions{IfAbsent: true})
	return size, err
}

// Seal completes a bundle all of whose files have been fetched: with version lists, the
// records of the checksum database, and the manifest. The files are read once more, and
// must be what the records and go.sum say.
func (j *Job) Seal(ctx context.Context) (*bundle.Manifest, error) {
	s := &sealer{Job: j, manifest: bundle.New(j.Weir)}
	var err error
	if s.disk, err = disk.Open(j.Dir, disk.Options{}); err != nil {
		return nil, err
	}
	err = s.seal(ctx)
	if err = errors.Join(err, s.disk.Close()); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(j.Dir, own)); err != nil {
		return nil, err
	}
	return s.manifest, s.manifest.Write(j.Dir)
}

type sealer struct {
	*Job
	disk     *disk.Store
	manifest *bundle.Manifest

	mu sync.Mutex // of manifest.Files
}

func (s *sealer) seal(ctx context.Context) error {
	if err := s.addModules(ctx); err != nil {
		return err
	}
	if err := s.addSums(ctx); err != nil {
		return err
	}
	if err := s.addLists(ctx); err != nil {
		return err
	}
	s.manifest.Sort()
	return nil
}

// addModules adds the files of all modules.
func (s *sealer) addModules(ctx context.Context) error {
	s.manifest.Modules = make([]bundle.Module, len(s.Closure.Modules))
	hashers, ctx := errgroup.WithContext(ctx)
	hashers.SetLimit(runtime.GOMAXPROCS(0))
	for i, m := range s.Closure.Modules {
		hashers.Go(func() (err error) {
			s.manifest.Modules[i], err = s.addModule(ctx, m)
			return err
		})
	}
	return hashers.Wait()
}

func (s *sealer) addModule(ctx context.Context, m closure.Module) (bundle.Module, error) {
	described := bundle.Module{Path: m.Path, Version: m.Version.Version, Proven: !s.Modules.Unproven(m.Path)}
	for _, n := range m.Artifacts() {
		if err := ctx.Err(); err != nil {
			return described, context.Cause(ctx)
		}
		h1, err := s.addStored(ctx, n)
		if err == nil {
			err = closure.Compared(n, h1, m.Known(n.Kind))
		}
		if err != nil {
			return described, err
		}
		switch n.Kind {
		case artifact.Mod:
			described.Mod = h1
		case artifact.Zip:
			described.Zip = h1
		}
	}
	return described, nil
}

// addStored adds a file that is stored and returns its h1 hash, if it has one.
func (s *sealer) addStored(ctx context.Context, n artifact.Name) (h1 string, err error) {
	b, err := s.disk.Get(ctx, n.Key())
	if err != nil {
		return "", err
	}
	defer b.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, b.Reader())
	if err != nil {
		return "", err
	}
	s.add(n.Key(), size, sum.Sum(nil))
	return hashOf(n, b.Body, size)
}

// hashOf is the h1 hash of a .mod or .zip in a file, and empty of others.
func hashOf(n artifact.Name, body any, size int64) (string, error) {
	if n.Kind != artifact.Mod && n.Kind != artifact.Zip {
		return "", nil
	}
	at, ok := body.(io.ReaderAt)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return h1.Hash(n, at, size)
}

func (s *sealer) add(path string, size int64, sum []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manifest.Files = append(s.manifest.Files, bundle.File{Path: path, Size: size, SHA256: hex.EncodeToString(sum)})
}

// put stores and adds a file that was made here.
func (s *sealer) put(ctx context.Context, path string, data []byte) error {
	if _, err := s.disk.Put(ctx, path, bytes.NewReader(data), store.PutOptions{}); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	s.add(path, int64(len(data)), sum[:])
	return nil
}

// addSums adds what the checksum database has of the modules. It must say what the
// files are.
func (s *sealer) addSums(ctx context.Context) error {
	db := s.Modules.Sums()
	if db == nil {
		return nil
	}
	var proven []module.Version
	for _, m := range s.manifest.Modules {
		if m.Proven {
			proven = append(proven, module.Version{Path: m.Path, Version: m.Version})
		}
	}
	if len(proven) == 0 {
		return nil
	}
	collected, described, err := collectSums(ctx, db.Name(), db.Mirror(), proven, s.Since)
	if err != nil {
		return err
	}
	for _, m := range s.manifest.Modules {
		if err := collected.compare(m); err != nil {
			return err
		}
	}
	s.manifest.SumDB = described
	for path, data := range collected.files {
		if err := s.put(ctx, path, data); err != nil {
			return err
		}
	}
	return nil
}

// compare reports whether the records say something else of a module than its files do.
func (s *sums) compare(m bundle.Module) error {
	if !m.Proven {
		return nil
	}
	v := module.Version{Path: m.Path, Version: m.Version}
	if s.hash(v, m.Version+"/go.mod") == m.Mod && (m.Zip == "" || s.hash(v, m.Version) == m.Zip) {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("the files of %s in the folder are not what %s says", v, s.db),
		Hint:   "they have changed since they were fetched: remove them and run this again",
	}
}

// addLists adds version lists, so that a version can be found that is in the bundle: of
// those that have zips. Where these are all pseudo-versions, which no list names, the
// latest is named as such.
func (s *sealer) addLists(ctx context.Context) error {
	versions := map[string][]string{}
	for _, m := range s.manifest.Modules {
		if m.Zip != "" {
			versions[m.Path] = append(versions[m.Path], m.Version)
		}
	}
	for path, all := range versions {
		semver.Sort(all)
		tagged := slices.DeleteFunc(slices.Clone(all), module.IsPseudoVersion)
		list := strings.Join(append(tagged, ""), "\n")
		if err := s.put(ctx, artifact.Name{Kind: artifact.List, Module: path}.Key(), []byte(list)); err != nil {
			return err
		}
		if len(tagged) > 0 {
			continue
		}
		if err := s.addLatest(ctx, artifact.Name{Kind: artifact.Info, Module: path, Version: all[len(all)-1]}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sealer) addLatest(ctx context.Context, info artifact.Name) error {
	b, err := s.disk.Get(ctx, info.Key())
	if err != nil {
		return err
	}
	data, err := b.ReadAll(info.Kind.MaxSize())
	if err != nil {
		return err
	}
	return s.put(ctx, artifact.Name{Kind: artifact.Latest, Module: info.Module}.Key(), data)
}

// Since are the sizes of the trees that a new bundle must go on from, so that it can
// follow this one: a bundle, or a signed tree head as /sumdb/<name>/latest has it.
func Since(name string) ([]int64, error) {
	m, err := bundle.Read(name)
	if err != nil {
		return sinceHead(name, err)
	}
	if m.SumDB == nil {
		return nil, nil
	}
	tree, err := parseHead([]byte(m.SumDB.Head))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return append(slices.Clone(m.SumDB.Since), tree.N), nil
}

// sinceHead reads a file that is no bundle for the given reason.
func sinceHead(name string, noBundle error) ([]int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, artifact.SumLatest.MaxSize()))
	if err != nil {
		return nil, noBundle
	}
	tree, err := parseHead(head)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a bundle nor a signed tree head: %w", name, noBundle)
	}
	return []int64{tree.N}, nil
}
