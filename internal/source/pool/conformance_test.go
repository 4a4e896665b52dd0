package pool_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/pool"
	"github.com/goweir/weir/internal/source/sourcetest"
)

func open(t *testing.T) *pool.Pool {
	p := pool.New(pool.Options{Patience: time.Second})
	t.Cleanup(func() { p.Close() })
	return p
}

func TestUpstreamConforms(t *testing.T) {
	member := func(t *testing.T, s source.Source) source.Source {
		return open(t).Upstream(pool.Member{ID: "id", Name: "name", Source: s})
	}
	sourcetest.Run(t, sourcetest.Config{
		Open:   func(t *testing.T, files map[string][]byte) source.Source { return member(t, sourcetest.Memory(files)) },
		Broken: func(t *testing.T) source.Source { return member(t, source.Refuse(errBusy)) },
	})
}

func TestGroupConforms(t *testing.T) {
	for _, s := range []pool.Strategy{pool.Ordered, pool.Fastest, pool.ByWeight} {
		group := func(t *testing.T, sources ...source.Source) source.Source {
			p := open(t)
			var members []pool.Weighted
			for i, s := range sources {
				members = append(members, pool.Weighted{Upstream: p.Upstream(pool.Member{ID: fmt.Sprint(i), Name: "name", Source: s})})
			}
			return pool.NewGroup("group", s, members)
		}
		t.Run(string(s), func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Config{
				Open: func(t *testing.T, files map[string][]byte) source.Source {
					return group(t, sourcetest.Memory(files), sourcetest.Memory(files), sourcetest.Memory(files))
				},
				Broken: func(t *testing.T) source.Source {
					return group(t, source.Refuse(errBusy), source.Refuse(errBroken))
				},
			})
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	inner := source.Func(func(context.Context, artifact.Name) (*blob.Blob, error) {
		return &blob.Blob{Body: io.NopCloser(bytes.NewReader(nil))}, nil
	})
	p := pool.New(pool.Options{Patience: time.Minute})
	defer p.Close()
	one := p.Upstream(pool.Member{ID: "1", Name: "one", Source: inner})
	two := p.Upstream(pool.Member{ID: "2", Name: "two", Source: inner})
	for name, s := range map[string]source.Source{
		"inner":    inner,
		"upstream": one,
		"chain":    source.Chain(one.Link(true), two.Link(true)),
		"group":    pool.NewGroup("g", pool.Fastest, []pool.Weighted{{Upstream: one}, {Upstream: two}}),
	} {
		b.Run(name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				got, err := s.Fetch(ctx, aMod)
				if err != nil {
					b.Fatal(err)
				}
				got.Close()
			}
		})
	}
}
