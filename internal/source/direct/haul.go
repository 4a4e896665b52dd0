package direct

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/direct/cage"
)

// A haul is what one go command has brought.
type haul struct {
	text  []byte            // a list, or the .info for a query
	refs  map[string]string // with a list: commits by name
	small small
	zip   string // the file, within the cage

	cage   *cage.Cage // its files are there until all takers have their zip; nil: there are none
	takers atomic.Int32
}

// small are the small files of a version.
type small struct{ info, mod []byte }

// blob returns the .info or the .mod.
func (s small) blob(n artifact.Name) *blob.Blob {
	if n.Kind == artifact.Mod {
		return blob.FromBytes(blob.Info{}, s.mod)
	}
	return blob.FromBytes(blob.Info{}, s.info)
}

// share is told how many will call blob.
func (h *haul) share(takers int) {
	h.takers.Store(int32(takers))
	if takers == 0 {
		h.clear()
	}
}

// clear removes the files. What stays, by a fault of the disk, goes when the next
// process starts.
func (h *haul) clear() {
	if h.cage != nil {
		h.cage.Remove()
	}
}

// blob returns an artifact of the haul. Each taker calls it once.
func (h *haul) blob(n artifact.Name) (*blob.Blob, error) {
	defer func() {
		if h.takers.Add(-1) == 0 {
			h.clear()
		}
	}()
	switch n.Kind {
	case artifact.Zip:
		return openZip(h.zip)
	case artifact.Info, artifact.Mod:
		return h.small.blob(n), nil
	}
	b := blob.FromBytes(blob.Info{}, h.text)
	b.Refs = h.refs
	return b, nil
}

func openZip(name string) (*blob.Blob, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &blob.Blob{Info: blob.Info{Size: info.Size()}, Body: f}, nil
}

// readSmall reads the small files of a version.
func readSmall(c *cage.Cage, mod, version string) (files small, err error) {
	n := artifact.Name{Kind: artifact.Info, Module: mod, Version: version}
	if files.info, err = os.ReadFile(c.File(n)); err != nil {
		return small{}, err
	}
	files.mod, err = os.ReadFile(c.File(n.Sibling(artifact.Mod)))
	return files, err
}

// remember keeps small files of a version for those who ask for them next.
func (s *Source) remember(mod, version string, files small) {
	if len(files.info)+len(files.mod) <= maxRemembered {
		s.versions.Put(module.Version{Path: mod, Version: version}, files, time.Now().Add(versionAge))
	}
}

// remembered returns the small files of a version, if the one that is asked for
// has just been brought.
func (s *Source) remembered(n artifact.Name) (small, bool) {
	files, ok := s.versions.Get(module.Version{Path: n.Module, Version: n.Version})
	return files, ok && (n.Kind == artifact.Info && files.info != nil || n.Kind == artifact.Mod && files.mod != nil)
}

// maxRemembered bounds the size of what is remembered, in bytes.
const maxRemembered = 256 << 10
