package cache

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/h1"
)

// consistent refuses a zip whose go.mod differs from the .mod that is stored
// for the version, and the other way round: the two come apart, perhaps from
// different upstreams, and the first one stays. Where the store cannot tell, a file
// does not agree: it may be used, but not be stored.
func (c *Cache) consistent(ctx context.Context, f *flight) (agrees bool, err error) {
	var other artifact.Name
	switch f.name.Kind {
	case artifact.Zip:
		other = f.name.Sibling(artifact.Mod)
	case artifact.Mod:
		other = f.name.Sibling(artifact.Zip)
	default:
		return true, nil
	}
	held, err := c.store.Get(ctx, other.Key())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		c.emit(Event{Op: OpGet, Name: other, Err: err})
		return false, nil
	}
	defer held.Close()
	var mod, inZip []byte
	if f.name.Kind == artifact.Zip {
		mod, err = held.ReadAll(artifact.Mod.MaxSize())
		if err == nil {
			inZip, err = goMod(f.name, f.spool, f.spool.Size())
		}
	} else {
		mod, err = io.ReadAll(io.NewSectionReader(f.spool, 0, f.spool.Size()))
		if err == nil {
			inZip, err = goModOf(f.name, held)
		}
	}
	if err != nil || inZip == nil || bytes.Equal(mod, inZip) {
		return true, nil // unreadable zips are refused by the check of their own
	}
	return false, &artifact.Error{
		Class: artifact.ErrIntegrity,
		Reason: fmt.Sprintf("the %s file disagrees with what is stored for the version: go.mod in the zip hashes to %s, the .mod file to %s",
			f.name.Kind, h1.GoMod(inZip), h1.GoMod(mod)),
		Hint: "the upstream mixes files of two versions; ask its operator, or use another upstream",
	}
}

// goModOf reads go.mod from a stored zip.
func goModOf(n artifact.Name, b *blob.Blob) ([]byte, error) {
	if b.Body == nil {
		return goMod(n, bytes.NewReader(b.Data), b.Size)
	}
	at, ok := b.Body.(io.ReaderAt)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return goMod(n, at, b.Size)
}

// goMod reads go.mod from a module zip. It is nil for a zip without one: the
// .mod file of such a version is made up.
func goMod(n artifact.Name, r io.ReaderAt, size int64) ([]byte, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	name := n.Module + "@" + n.Version + "/go.mod"
	for _, f := range z.File {
		if f.Name != name {
			continue
		}
		rc, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer rc.Close()
		return io.ReadAll(io.LimitReader(rc, artifact.Mod.MaxSize()+1))
	}
	return nil, nil
}
