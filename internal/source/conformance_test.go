package source_test

import (
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/sourcetest"
)

func TestChainConforms(t *testing.T) {
	trouble := source.Refuse(&artifact.Error{Class: artifact.ErrUnavailable, Reason: "busy"})
	sourcetest.Run(t, sourcetest.Config{
		Open: func(_ *testing.T, files map[string][]byte) source.Source {
			return source.Chain(
				source.Link{Name: "empty", Source: sourcetest.Memory{}},
				source.Link{Name: "full", Source: sourcetest.Memory(files)},
				source.Off(),
			)
		},
		Broken: func(*testing.T) source.Source {
			return source.Chain(source.Link{Name: "ill", Source: trouble}, source.Link{Name: "empty", Source: sourcetest.Memory{}})
		},
	})
}

func TestRetryConforms(t *testing.T) {
	trouble := source.Refuse(&artifact.Error{Class: artifact.ErrTimeout, Reason: "busy", RetryAfter: time.Minute})
	sourcetest.Run(t, sourcetest.Config{
		Open: func(_ *testing.T, files map[string][]byte) source.Source {
			return source.Retry(sourcetest.Memory(files), source.RetryOptions{Times: 2})
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
			source.Link{Name: "empty", Source: sourcetest.Memory{}},
		)
	}
	sourcetest.Run(t, sourcetest.Config{
		Open:   func(_ *testing.T, files map[string][]byte) source.Source { return mirrors(sourcetest.Memory(files)) },
		Broken: func(*testing.T) source.Source { return mirrors(trouble) },
	})
}
