package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// Memory is a Source of artifacts in memory, by their keys.
type Memory map[string][]byte

// Fetch returns an artifact with its Check.
func (m Memory) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("memory: %w", ctx.Err())
	}
	data, ok := m[n.Key()]
	if !ok {
		return nil, artifact.NotFound("%s", n)
	}
	return &blob.Blob{Info: blob.Info{Size: int64(len(data))}, Body: &body{ctx, bytes.NewReader(data)}, Check: checkOf(n)}, nil
}

// A body can be read until its context ends.
type body struct {
	ctx context.Context
	in  io.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, b.ctx.Err()
	}
	return b.in.Read(p)
}

func (b *body) Close() error { return nil }

func checkOf(n artifact.Name) func(context.Context, *blob.Spool) error {
	return func(_ context.Context, s *blob.Spool) error {
		data, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil {
			return err
		}
		switch n.Kind {
		case artifact.List:
			err = source.CheckList(data)
		case artifact.Mod:
			err = source.CheckMod(data)
		case artifact.Info, artifact.Latest, artifact.Query:
			_, err = source.ParseInfo(n, data)
		case artifact.Zip:
			if !bytes.Contains(data, []byte(n.Module+"@"+n.Version+"/")) || !bytes.Contains(data, []byte("PK\x05\x06")) {
				err = errors.New("no zip of this version")
			}
		}
		if err != nil {
			return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: err.Error()}
		}
		return nil
	}
}
