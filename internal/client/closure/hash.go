package closure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/source"
)

// Guard is a Source like inner whose .mod and .zip are compared with what the go.sum
// files of the project know, for modules that nothing else vouches for.
func (c *Closure) Guard(inner source.Source, unproven func(module string) bool) source.Source {
	known := map[module.Version]Module{}
	for _, m := range c.Modules {
		if unproven(m.Path) {
			known[m.Version] = m
		}
	}
	return source.Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		b, err := inner.Fetch(ctx, n)
		if err != nil {
			return nil, err
		}
		return guarded(n, known[module.Version{Path: n.Module, Version: n.Version}].Known(n.Kind), b), nil
	})
}

// Known is what the go.sum files of the project have for a file of the module.
func (m Module) Known(k artifact.Kind) []string {
	switch k {
	case artifact.Mod:
		return m.ModSums
	case artifact.Zip:
		return m.Sums
	}
	return nil
}

// guarded is a blob whose bytes, and those that take their place, must have one of the
// hashes.
func guarded(n artifact.Name, hashes []string, b *blob.Blob) *blob.Blob {
	if len(hashes) == 0 {
		return b
	}
	outer := *b
	outer.Check = func(ctx context.Context, s *blob.Spool) error {
		if b.Check != nil {
			if err := b.Check(ctx, s); err != nil {
				return err
			}
		}
		got, err := h1.Hash(n, s, s.Size())
		if err != nil {
			return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s cannot be read to compare it with go.sum", n), Err: err}
		}
		return Compared(n, got, hashes)
	}
	if b.Next != nil {
		outer.Next = func(ctx context.Context, cause error) (*blob.Blob, error) {
			other, err := b.Next(ctx, cause)
			if err != nil {
				return nil, err
			}
			return guarded(n, hashes, other), nil
		}
	}
	return &outer
}

// Compared is an error unless the hash of a file is one of those that go.sum has for
// it, or go.sum has none.
func Compared(n artifact.Name, got string, known []string) error {
	if len(known) == 0 || slices.Contains(known, got) {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("%s differs from go.sum: its hash is %s, go.sum has %s", n, got, strings.Join(known, " and ")),
		Hint:   "somebody has changed the module, or go.sum: find out who before you go on",
	}
}
