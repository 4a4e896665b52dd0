package flaw

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// ofZip returns what is wrong with the zip of a module version: first with
// its directory, which bounds what the rest costs, then by the rules of
// golang.org/x/mod/zip, and then with the files, unless another reads them too.
func ofZip(ctx context.Context, n artifact.Name, s *blob.Spool, hashed bool) error {
	file := s.File()
	if s.Size() == 0 {
		return errNoZip
	}
	if file == nil {
		return &fs.PathError{Op: "check", Path: n.Key(), Err: errors.New("zips must be spooled to a file")}
	}
	if err := checkDirectory(ctx, s, s.Size()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := modzip.CheckZip(module.Version{Path: n.Module, Version: n.Version}, file.Name())
	if list, ok := errors.AsType[modzip.FileErrorList](err); ok {
		return fmt.Errorf("%d of its files may not be in a module: %w", len(list), list[0]) // all would be too many words
	}
	if err != nil || hashed {
		return err
	}
	return checkFiles(ctx, s, s.Size())
}

// checkFiles reads all files, which shows whether their sizes and checksums are
// as declared. What is declared has been found to be within the limits.
func checkFiles(ctx context.Context, r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if err := checkFile(ctx, f); err != nil {
			return fmt.Errorf("%q: %w", artifact.Clean(f.Name, 100), err)
		}
	}
	return nil
}

func checkFile(ctx context.Context, f *zip.File) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, ctxReader{ctx, in})
	return err
}

// ctxReader reads until its context ends.
type ctxReader struct {
	ctx context.Context
	in  io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
