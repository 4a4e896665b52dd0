package source_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/sourcetest"
)

// memory is a Source of artifacts in memory, by their keys.
type memory map[string][]byte

func (m memory) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("memory: %w", ctx.Err())
	}
	data, ok := m[n.Key()]
	if !ok {
		return nil, artifact.NotFound("%s", n)
	}
	return &blob.Blob{Info: blob.Info{Size: int64(len(data))}, Body: &memoryBody{ctx, bytes.NewReader(data)}, Check: checkOf(n)}, nil
}

type memoryBody struct {
	ctx context.Context
	in  io.Reader
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, b.ctx.Err()
	}
	return b.in.Read(p)
}

func (b *memoryBody) Close() error { return nil }

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

func TestChainConforms(t *testing.T) {
	trouble := source.Refuse(&artifact.Error{Class: artifact.ErrUnavailable, Reason: "busy"})
	sourcetest.Run(t, sourcetest.Config{
		Open: func(_ *testing.T, files map[string][]byte) source.Source {
			return source.Chain(
				source.Link{Name: "empty", Source: memory{}},
				source.Link{Name: "full", Source: memory(files)},
				source.Off(),
			)
		},
		Broken: func(*testing.T) source.Source {
			return source.Chain(source.Link{Name: "ill", Source: trouble}, source.Link{Name: "empty", Source: memory{}})
		},
	})
}

func TestRetryConforms(t *testing.T) {
	trouble := source.Refuse(&artifact.Error{Class: artifact.ErrTimeout, Reason: "busy", RetryAfter: time.Minute})
	sourcetest.Run(t, sourcetest.Config{
		Open: func(_ *testing.T, files map[string][]byte) source.Source {
			return source.Retry(memory(files), source.RetryOptions{Times: 2})
		},
		Broken: func(*testing.T) source.Source { return source.Retry(trouble, source.RetryOptions{Times: 2}) },
	})
}

func TestMirrorsConformWhileOneIsDown(t *testing.T) {
	trouble := source.Refuse(&artifact.Error{Class: artifact.ErrUnavailable, Reason: "busy"})
	patience := func(artifact.Name) source.Patience { return source.Patience{Limit: time.Millisecond} }
	mirrors := func(last source.Source) source.Source {
		return source.Mirrors(
			source.Link{Name: "down", Source: trouble, FallBackOnError: true, Down: func() bool { return true }},
			source.Link{Name: "full", Source: last, FallBackOnError: true, Patience: patience},
			source.Link{Name: "empty", Source: memory{}},
		)
	}
	sourcetest.Run(t, sourcetest.Config{
		Open:   func(_ *testing.T, files map[string][]byte) source.Source { return mirrors(memory(files)) },
		Broken: func(*testing.T) source.Source { return mirrors(trouble) },
	})
}
