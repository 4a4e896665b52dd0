package modcache

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"
)

// maxWalkers is how many trees are measured at one time.
func maxWalkers() int { return min(2*runtime.GOMAXPROCS(0), 16) }

// maxInfo bounds what is read of a small file, in bytes.
const maxInfo = 1 << 20

// Contents are what lies in a cache.
type Contents struct {
	Entries   []Entry
	Leftovers []Leftover // of work that was interrupted
}

// A Leftover is a temporary file or folder that whoever made it did not take away.
type Leftover struct {
	Name string // in the cache
	Size int64
	info fs.FileInfo
	lock string // its maker would hold this; empty: there is no lock for it
}

// Scan finds all that lies in the cache, and measures it. It reads folders, but no files,
// so that it does not change when they were last used. progress, which may be nil,
// hears how many of how many trees have been measured.
func (c *Cache) Scan(ctx context.Context, progress func(done, total int)) (*Contents, error) {
	s := &scan{Cache: c, ctx: ctx, versions: map[module.Version]*Entry{}}
	for _, find := range []func() error{s.downloads, s.trees, s.repos, s.databases} {
		if err := find(); err != nil {
			return nil, err
		}
	}
	for _, e := range s.versions {
		s.found = append(s.found, e)
	}
	if err := s.measure(progress); err != nil {
		return nil, err
	}
	contents := &Contents{Leftovers: s.leftovers}
	for _, e := range s.found {
		if e.tree != "" || len(e.files) > 0 {
			contents.Entries = append(contents.Entries, *e)
		}
	}
	return contents, nil
}

// A scan is a look at everything.
type scan struct {
	*Cache
	ctx       context.Context
	versions  map[module.Version]*Entry
	found     []*Entry // of other kinds
	leftovers []Leftover
}

// walk walks a folder of the cache, if it is there.
func (c *Cache) walk(ctx context.Context, dir string, visit func(name string, d fs.DirEntry) error) error {
	info, err := c.folder.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	return fs.WalkDir(c.folder.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else has removed it
		}
		if err != nil {
			return err
		}
		if name == dir {
			return nil
		}
		return visit(name, d)
	})
}

// skip has a walk go on after a folder.
func skip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// downloads finds the files of versions.
func (s *scan) downloads() error {
	return s.walk(s.ctx, downloads, func(name string, d fs.DirEntry) error {
		switch {
		case name == sums:
			return fs.SkipDir
		case d.IsDir():
			return nil
		case path.Base(path.Dir(name)) != "@v":
			return s.unknown(name, d)
		}
		return s.download(name, d)
	})
}

// download files one file of a folder @v.
func (s *scan) download(name string, d fs.DirEntry) error {
	dir, base := path.Split(name)
	ending := path.Ext(base)
	escVersion := strings.TrimSuffix(base, ending)
	switch {
	case base == "list":
		return nil
	case ending == ".tmp":
		return s.leftover(name, d, dir+lockOfTemporary(base))
	}
	m, err := unescape(strings.TrimSuffix(strings.TrimPrefix(dir, downloads+"/"), "/@v/"), escVersion)
	if err != nil || !strings.Contains(" .info .mod .zip .ziphash .partial .lock ", " "+ending+" ") {
		return s.unknown(name, d)
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) || ending == ".lock" {
		return nil
	}
	if err != nil {
		return err
	}
	e, err := s.version(m)
	if err != nil {
		return s.unknown(name, d)
	}
	e.add(name, info, s.folder)
	return nil
}

// lockOfTemporary is the lock whose holder makes a temporary file: v1.0.0.lock for
// v1.0.0.zip123.tmp. The small files are written without lock.
func lockOfTemporary(base string) string {
	if escVersion, _, ok := strings.Cut(base, ".zip"); ok {
		return escVersion + ".lock"
	}
	return ""
}

func unescape(escPath, escVersion string) (m module.Version, err error) {
	if m.Path, err = module.UnescapePath(escPath); err != nil {
		return m, err
	}
	m.Version, err = module.UnescapeVersion(escVersion)
	return m, err
}

// version is the entry of a version.
func (s *scan) version(m module.Version) (*Entry, error) {
	if e := s.versions[m]; e != nil {
		return e, nil
	}
	e, err := newEntry(m)
	if err != nil {
		return nil, err
	}
	s.versions[m] = &e
	return &e, nil
}

// trees finds the folders that versions were extracted to.
func (s *scan) trees() error {
	return s.walk(s.ctx, ".", func(name string, d fs.DirEntry) error {
		switch {
		case name == "cache" && d.IsDir():
			return fs.SkipDir
		case !d.IsDir():
			return s.unknown(name, d)
		case !strings.Contains(d.Name(), "@"):
			return nil
		}
		if escPath, escVersion, _ := strings.Cut(name, "@"); strings.Contains(escVersion, ".tmp-") {
			// Before Go 1.16, versions were extracted to a temporary folder.
			escVersion, _, _ = strings.Cut(escVersion, ".tmp-")
			return skip(s.leftover(name, d, path.Join(downloads, escPath, "@v", escVersion+".lock")))
		}
		return s.tree(name, d)
	})
}

// tree files the folder of a version. What is below is measured later.
func (s *scan) tree(name string, d fs.DirEntry) error {
	escPath, escVersion, _ := strings.Cut(name, "@")
	m, err := unescape(escPath, escVersion)
	if err == nil {
		var e *Entry
		if e, err = s.version(m); err == nil {
			e.tree = name
			return fs.SkipDir
		}
	}
	return skip(s.unknown(name, d))
}

// repos finds the clones.
func (s *scan) repos() error {
	return s.walk(s.ctx, repos, func(name string, d fs.DirEntry) error {
		switch {
		case d.IsDir():
			s.found = append(s.found, s.repo(name))
			return fs.SkipDir
		case path.Ext(name) != ".lock" && path.Ext(name) != ".info":
			return s.unknown(name, d)
		}
		return nil
	})
}

// repo is the entry of a clone. Its .info says of what it is one, as in
// "git3:https://example.com/repo".
func (s *scan) repo(dir string) *Entry {
	e := &Entry{Kind: VCS, Name: path.Base(dir), tree: dir, base: dir, files: map[string]fs.FileInfo{}}
	info, err := s.folder.Lstat(dir + ".info")
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxInfo {
		return e
	}
	e.files[dir+".info"], e.Rest = info, info.Size()
	if data, err := s.folder.ReadFile(dir + ".info"); err == nil {
		e.Name = redacted(strings.TrimSpace(string(data)))
	}
	return e
}

// redacted is the name of a repository without the user and password that its URL may have.
func redacted(name string) string {
	scheme, rest, ok := strings.Cut(name, "://")
	if !ok {
		return name
	}
	host, folder, _ := strings.Cut(rest, "/")
	return scheme + "://" + host[strings.LastIndexByte(host, '@')+1:] + "/" + folder
}

// databases finds what is kept of checksum databases.
func (s *scan) databases() error {
	return s.walk(s.ctx, sums, func(name string, d fs.DirEntry) error {
		if !d.IsDir() {
			return s.unknown(name, d)
		}
		s.found = append(s.found, &Entry{Kind: SumDB, Name: path.Base(name), tree: name})
		return fs.SkipDir
	})
}

func (s *scan) leftover(name string, d fs.DirEntry, lock string) error {
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if path.Ext(lock) != ".lock" {
		lock = ""
	}
	s.leftovers = append(s.leftovers, Leftover{Name: name, Size: info.Size(), info: info, lock: lock})
	return nil
}

func (s *scan) unknown(name string, d fs.DirEntry) error {
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	e := &Entry{Kind: Unknown, Name: name, Used: s.folder.Used(info)}
	if d.IsDir() {
		e.tree = name
	} else {
		e.Rest, e.files = info.Size(), map[string]fs.FileInfo{name: info}
	}
	s.found = append(s.found, e)
	return nil
}

// measure adds up what is in the trees.
func (s *scan) measure(progress func(done, total int)) error {
	if progress == nil {
		progress = func(int, int) {}
	}
	group, ctx := errgroup.WithContext(s.ctx)
	group.SetLimit(maxWalkers())
	counted := make(chan struct{}, len(s.found))
	for _, e := range s.found {
		group.Go(func() error {
			defer func() { counted <- struct{}{} }()
			if e.tree == "" || ctx.Err() != nil {
				return nil
			}
			return s.measureTree(ctx, e)
		})
		// Go waits for a free place, so that this tells how far they are.
		progress(len(counted), len(s.found))
	}
	return group.Wait()
}

func (s *scan) measureTree(ctx context.Context, e *Entry) error {
	return s.walk(ctx, e.tree, func(_ string, d fs.DirEntry) error {
		if d.IsDir() {
			return nil // reading a folder, as here, is noted, too, so that its time says nothing
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Version != "" {
			e.Tree += info.Size()
		} else {
			e.Rest += info.Size()
		}
		e.use(s.folder.Used(info))
		return nil
	})
}
