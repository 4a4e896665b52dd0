package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// check returns the Check of an artifact of an upstream: that it is what its
// kind says, as far as can be told without asking anybody. Tiles of checksum
// databases are not looked at, since only their tree tells if they are right.
func check(from string, n artifact.Name, zipsHashed bool) func(context.Context, *blob.Spool) error {
	flaw := flawOf(n, zipsHashed)
	if flaw == nil {
		return nil
	}
	return func(ctx context.Context, s *blob.Spool) error {
		err := flaw(ctx, s)
		if err == nil {
			return nil
		}
		if _, ours := errors.AsType[*fs.PathError](err); ours || ctx.Err() != nil {
			return fmt.Errorf("check of %s: %w", n, err)
		}
		return badBody(from, n, err)
	}
}

// hashed reports whether a later check reads every file of the zip of a module.
func (o *Options) hashed(n artifact.Name) bool { return o.ZipsHashed != nil && o.ZipsHashed(n.Module) }

// flawOf returns the function that finds what is wrong with an artifact. It
// returns an *fs.PathError for trouble with the spool, which is no flaw.
func flawOf(n artifact.Name, zipsHashed bool) func(context.Context, *blob.Spool) error {
	switch n.Kind {
	case artifact.List:
		return flawOfText(n, source.CheckList)
	case artifact.Mod:
		return flawOfText(n, source.CheckMod)
	case artifact.Info, artifact.Latest, artifact.Query:
		return flawOfText(n, func(data []byte) error {
			_, err := source.ParseInfo(n, data)
			return err
		})
	case artifact.Zip:
		return func(ctx context.Context, s *blob.Spool) error { return flawOfZip(ctx, n, s, zipsHashed) }
	case artifact.SumLatest, artifact.SumLookup:
		return flawOfText(n, source.CheckPage)
	default:
		return nil
	}
}

func flawOfText(n artifact.Name, flaw func([]byte) error) func(context.Context, *blob.Spool) error {
	return func(_ context.Context, s *blob.Spool) error {
		if s.Size() > n.Kind.MaxSize() {
			return errTooLarge(n.Kind.MaxSize())
		}
		if s.File() == nil {
			return flaw(s.Bytes())
		}
		data, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil {
			return err
		}
		return flaw(data)
	}
}
