package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// A Link is one entry of a [Chain].
type Link struct {
	Name            string // for people; without secrets
	Source          Source
	FallBackOnError bool // after any error the next link is asked, not only after ErrNotFound

	Down     func() bool                  // whether it is known to be out of order; nil: never
	Patience func(artifact.Name) Patience // how long its silence is borne; nil: as long as it lasts

	end bool // has nothing to say about the artifact, so that any other error is better
}

// Off is the link that "off" in a GOPROXY list stands for.
func Off() Link {
	return Link{Name: "off", end: true, Source: Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		return nil, artifact.NotFound("%s is not stored here and the upstream list is off", n)
	})}
}

// Direct is the link that "direct" in a GOPROXY list stands for as long as
// nothing here reads version control: there is nothing more to try.
func Direct() Link {
	return Link{Name: "direct", end: true, Source: Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		return nil, artifact.NotFound("%s: nothing more to try, since fetching directly from version control is not available yet", n)
	})}
}

// Chain is a Source that asks its links in order, anew for each artifact, by
// the rules of GOPROXY lists: the next one after ErrNotFound, or after any
// error where the link says so. Of several errors it returns the most helpful:
// the last one that is trouble, before the last ErrNotFound. ErrIntegrity
// outranks them all.
//
// A body that turns out to be bad is another matter: its Next asks the links
// that are left, whatever they say about falling back, and then once more each
// link that has not been asked twice and has not said ErrNotFound. What it
// brings is checked like all else, so that this is safe, and one bad mirror
// fails no build.
//
// A context that has ended ends the walk, with its cause.
//
// Source: cmd/go/internal/modfetch/proxy.go, TryProxies.
func Chain(links ...Link) Source { return chain(slices.Clone(links)) }

type chain []Link

func (c chain) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if len(c) == 0 {
		return nil, &artifact.Error{Class: artifact.ErrUnavailable, Reason: fmt.Sprintf("%s: there is no upstream to ask", n)}
	}
	w := &walk{links: c, name: n, states: make([]state, len(c))}
	for i, link := range c {
		b, err := w.try(ctx, i)
		if err == nil {
			return b, nil
		}
		w.note(rank(link, err), err)
		if ctx.Err() != nil {
			return nil, w.ended(ctx)
		}
		if !link.FallBackOnError && artifact.Class(err) != artifact.ErrNotFound {
			break
		}
	}
	return nil, w.err
}

// The ranks of errors: a chain returns the last one of the highest rank.
const (
	rankEnd = iota
	rankNotFound
	rankTrouble
	rankIntegrity
)

func rank(link Link, err error) int {
	switch {
	case errors.Is(err, artifact.ErrIntegrity):
		return rankIntegrity
	case artifact.Class(err) != artifact.ErrNotFound:
		return rankTrouble
	case link.end:
		return rankEnd
	default:
		return rankNotFound
	}
}

// A walk is the way of one artifact along a chain.
type walk struct {
	links  chain
	name   artifact.Name
	states []state
	rank   int
	err    error // the most helpful so far
	bad    bool  // a body has turned out to be bad, of which err tells
}

// state is what a walk knows of a link.
type state struct {
	tries  int
	absent bool // it has said ErrNotFound
}

// note keeps err if it is at least as helpful as what is known.
func (w *walk) note(rank int, err error) {
	if rank >= w.rank {
		w.rank, w.err = rank, err
	}
}

// ended is the error of a walk whose context has ended. That does not hide an
// integrity error.
func (w *walk) ended(ctx context.Context) error {
	cause := fmt.Errorf("fetch of %s: %w", w.name, context.Cause(ctx))
	if w.rank == rankIntegrity {
		return errors.Join(w.err, cause)
	}
	return cause
}

// try asks the link at i.
func (w *walk) try(ctx context.Context, i int) (*blob.Blob, error) {
	link, s := w.links[i], &w.states[i]
	s.tries++
	b, err := link.Source.Fetch(ctx, w.name)
	if err != nil {
		class := artifact.Class(err)
		s.absent = class == artifact.ErrNotFound
		if class == nil {
			err = fmt.Errorf("%s: %w", link.Name, err)
		}
		return nil, err
	}
	return w.withNext(b), nil
}

// withNext returns b with a Next that first asks whoever brought it and then
// walks on.
func (w *walk) withNext(b *blob.Blob) *blob.Blob {
	inner, next := b.Next, *b // a copy: what came may be shared
	next.Next = func(ctx context.Context, cause error) (*blob.Blob, error) {
		w.notice(cause)
		if inner != nil {
			b, err := inner(ctx, cause)
			if err == nil {
				return w.withNext(b), nil
			}
			w.notice(err)
		}
		return w.next(ctx)
	}
	return &next
}

// notice keeps what went wrong with a body: the first cause, unless an
// integrity error follows. Whatever its class, it proves no absence.
func (w *walk) notice(cause error) {
	if r := max(rank(Link{}, cause), rankTrouble); r > w.rank || !w.bad && r == w.rank {
		w.rank, w.err = r, cause
	}
	w.bad = true
}

// next asks the links that have not been asked, and then those that may be
// asked once more.
func (w *walk) next(ctx context.Context) (*blob.Blob, error) {
	for tries := range 2 {
		for i, link := range w.links {
			if w.states[i].tries != tries || w.states[i].absent {
				continue
			}
			if ctx.Err() != nil {
				return nil, w.ended(ctx)
			}
			b, err := w.try(ctx, i)
			if err == nil {
				return b, nil
			}
			if rank(link, err) == rankIntegrity {
				w.notice(err)
			}
		}
	}
	if ctx.Err() != nil {
		return nil, w.ended(ctx)
	}
	return nil, w.err
}
