// Package flaw finds what is wrong with an artifact by itself: what the go command
// would refuse, and zips that are built to exhaust whoever reads them.
//
// It asks nobody, and so it cannot tell whether an artifact is the right one, only
// whether it is one. What is found is told in words that may be shown, once they
// are cleaned: they cite what a stranger has sent. What it costs to look is
// bounded, whatever the bytes are: of a zip the directory is read first, in one
// pass and in little memory, and refused if the rest would cost too much.
//
// Sources: the Go Modules Reference, section "Module zip files"; golang.org/x/mod/zip;
// APPNOTE.TXT.
package flaw

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

// Check returns a [blob.Blob.Check] that finds what is wrong with an artifact; nil
// for tiles of checksum databases, since only their tree tells if they are right.
// Of a zip it reads the files, too, unless hashed says that somebody else does,
// who would notice that their sizes or contents are not as declared.
//
// What it finds goes through blame, which says whose fault it is. Trouble with the
// spool and the end of the context are nobody's.
func Check(n artifact.Name, hashed bool, blame func(error) error) func(context.Context, *blob.Spool) error {
	find := of(n, hashed)
	if find == nil {
		return nil
	}
	return func(ctx context.Context, s *blob.Spool) error {
		err := find(ctx, s)
		if err == nil {
			return nil
		}
		if _, ours := errors.AsType[*fs.PathError](err); ours || ctx.Err() != nil {
			return fmt.Errorf("check of %s: %w", n, err)
		}
		return blame(err)
	}
}

// of returns the function that finds what is wrong with an artifact. Its error is
// an *fs.PathError for trouble with the spool, or that of the context if this
// ends; neither is a flaw.
func of(n artifact.Name, hashed bool) func(context.Context, *blob.Spool) error {
	switch n.Kind {
	case artifact.List:
		return ofText(n, source.CheckList)
	case artifact.Mod:
		return ofText(n, source.CheckMod)
	case artifact.Info, artifact.Latest, artifact.Query:
		return ofText(n, func(data []byte) error {
			_, err := source.ParseInfo(n, data)
			return err
		})
	case artifact.Zip:
		return func(ctx context.Context, s *blob.Spool) error { return ofZip(ctx, n, s, hashed) }
	case artifact.SumLatest, artifact.SumLookup:
		return ofText(n, source.CheckPage)
	default:
		return nil
	}
}

// TooLarge is the flaw of an artifact of a kind that has more bytes than that.
func TooLarge(k artifact.Kind) error { return fmt.Errorf("it is larger than %d bytes", k.MaxSize()) }

func ofText(n artifact.Name, flaw func([]byte) error) func(context.Context, *blob.Spool) error {
	return func(_ context.Context, s *blob.Spool) error {
		if s.Size() > n.Kind.MaxSize() {
			return TooLarge(n.Kind)
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
