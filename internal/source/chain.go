package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

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
	return Link{Name: "off", end: true, Down: nobody, Source: Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		return nil, artifact.NotFound("%s is not stored here and the upstream list is off", n)
	})}
}

// NoDirect is the link that "direct" in a GOPROXY list stands for where version
// control cannot be read, and why: there is nothing more to try. Without another link
// before it nothing proves that an artifact does not exist.
func NoDirect(why string) Link {
	return Link{Name: "direct", end: true, Down: nobody, Source: Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		return nil, &artifact.Error{
			Class: artifact.ErrUnavailable, RetryAfter: UntilMended,
			Reason: fmt.Sprintf("%s: nothing more to try, since version control cannot be read: %s", n, why),
			Hint:   "those who run this proxy must install it, or name an upstream",
		}
	})}
}

// UntilMended is when those may come again who want what takes a person to mend: not so
// soon that [Retry] would.
const UntilMended = time.Minute

// nobody is there who could be well.
func nobody() bool { return true }

// Chain is a Source that asks its links in order, anew for each artifact, by
// the rules of GOPROXY lists: the next one after ErrNotFound, or after any
// error where the link says so. Of several errors it returns the most helpful:
// the last one that is trouble, before the last ErrNotFound. ErrIntegrity
// outranks them all.
//
// A link that falls back on errors, and only such a one, costs less when it is
// ill: while it is down it is passed over, as if it had failed, and asked when
// nothing else has brought an answer, but not waited for if the others know of no
// such artifact; and while it is silent for longer than
// its patience, the next one is asked as well, and the first good answer wins.
//
// A body that turns out to be bad is another matter: its Next asks the links
// that are left, whatever they say about falling back, and then once more each
// link that has not been asked twice, has not said ErrNotFound, and whose body has
// not taken too long. What it
// brings is checked like all else, so that this is safe, and one bad mirror
// fails no build.
//
// A context that has ended ends the walk, with its cause.
//
// Source: cmd/go/internal/modfetch/proxy.go, TryProxies.
func Chain(links ...Link) Source { return &chain{links: slices.Clone(links)} }

// Mirrors is a [Chain] of links that have the same artifacts, so that those
// which are passed over are not asked for another opinion after ErrNotFound.
func Mirrors(links ...Link) Source { return &chain{links: slices.Clone(links), alike: true} }

type chain struct {
	links []Link
	alike bool // they have the same artifacts
}

// Fetch implements Source.
func (c *chain) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if len(c.links) == 0 {
		return nil, &artifact.Error{Class: artifact.ErrUnavailable, Reason: fmt.Sprintf("%s: there is no upstream to ask", n)}
	}
	w := &walk{links: c.links, name: n, states: make([]state, len(c.links))}
	order, passedOver := c.order()
	b := w.ask(ctx, order, w.failed)
	switch {
	case b != nil || len(passedOver) == 0:
	case w.rank >= rankTrouble:
		b = w.ask(ctx, passedOver, w.failed)
	case !c.alike:
		b = w.askBriefly(ctx, passedOver)
	}
	return w.result(ctx, b)
}

// brief is how long those are waited for who are out of order and may yet have
// what others say does not exist.
const brief = 3 * time.Second

// askBriefly asks the links that are out of order, since they may have what the
// others do not. They are not waited for as long as others, or every question for
// what does not exist would hang.
func (w *walk) askBriefly(ctx context.Context, links []int) *blob.Blob {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(brief, cancel)
	b := w.ask(ctx, links, w.failed)
	if timer.Stop() && b != nil {
		bind(b, cancel)
		return b
	}
	cancel()
	if b != nil || w.rank >= rankTrouble {
		w.note(rankTrouble, &artifact.Error{
			Class: artifact.ErrUnavailable, RetryAfter: 10 * time.Second, Err: w.err,
			Reason: fmt.Sprintf("%s: %s is out of order, and the other upstreams do not have it", w.name, w.links[links[0]].Name),
			Hint:   "try again when it is well; if the upstreams are alike, make them a group",
		})
	}
	if b != nil {
		b.Close()
	}
	return nil
}

// order returns the links in the order in which they are to be asked, and those
// that are to be asked only when nothing else has helped.
func (c *chain) order() (order, passedOver []int) {
	up := -1 // the last that may have an answer
	down := make([]bool, len(c.links))
	for i := range c.links {
		link := &c.links[i]
		down[i] = link.FallBackOnError && link.isDown()
		if !down[i] && !link.end {
			up = i
		}
	}
	order = make([]int, 0, len(c.links))
	for i := range c.links {
		if down[i] && (i < up || c.alike && up >= 0) {
			passedOver = append(passedOver, i)
			continue
		}
		order = append(order, i)
	}
	return order, passedOver
}

func (l *Link) isDown() bool { return l.Down != nil && l.Down() }

// The ranks of errors: a chain returns the last one of the highest rank.
const (
	rankEnd = iota
	rankNotFound
	rankTrouble
	rankIntegrity
)

func rank(link Link, err error) int {
	switch {
	case link.end:
		return rankEnd
	case errors.Is(err, artifact.ErrIntegrity):
		return rankIntegrity
	case artifact.Class(err) != artifact.ErrNotFound:
		return rankTrouble
	default:
		return rankNotFound
	}
}

// A walk is the way of one artifact along a chain.
type walk struct {
	links  []Link
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
	late   bool // its body has taken too long
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

// failed notes an error of the link at i and reports whether the walk goes on.
func (w *walk) failed(i int, err error) bool {
	w.note(rank(w.links[i], err), err)
	return w.links[i].FallBackOnError || artifact.Class(err) == artifact.ErrNotFound
}

// ask asks the links in an order. It returns nil when none has the artifact.
func (w *walk) ask(ctx context.Context, order []int, failed func(i int, err error) (goOn bool)) *blob.Blob {
	relay := Relay[*blob.Blob]{
		Ask: func(ctx context.Context, at int) (*blob.Blob, error) { return w.links[order[at]].fetch(ctx, w.name) },
		Failed: func(at int, err error) bool {
			s := &w.states[order[at]]
			s.tries++
			s.absent = artifact.Class(err) == artifact.ErrNotFound
			return failed(order[at], err)
		},
		Patience: func(at int) Patience { return w.patience(order[at], order[at+1]) },
		Discard:  func(b *blob.Blob) { b.Close() },
	}
	winner, b, release := relay.Run(ctx, len(order))
	if winner < 0 {
		return nil
	}
	w.states[order[winner]].tries++
	mine := w.withNext(&w.states[order[winner]], b)
	bind(mine, release)
	return mine
}

// patience is how long the silence of the link at i is borne when another one
// comes after it.
func (w *walk) patience(i, next int) Patience {
	link := &w.links[i]
	if !link.FallBackOnError || link.Patience == nil || w.links[next].end {
		return Patience{}
	}
	return link.Patience(w.name)
}

// fetch asks the link.
func (l *Link) fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	b, err := l.Source.Fetch(ctx, n)
	if err == nil {
		b, err = l.fetched(n, b)
	}
	if err != nil && artifact.Class(err) == nil {
		err = fmt.Errorf("%s: %w", l.Name, err)
	}
	return b, err
}

// bind has the Close of a blob release what its body depends on.
func bind(b *blob.Blob, release context.CancelFunc) {
	if b.Body == nil {
		release()
		return
	}
	b.Body = &boundBody{ReadCloser: b.Body, release: release}
}

type boundBody struct {
	io.ReadCloser
	release context.CancelFunc
}

// Close implements io.Closer.
func (b *boundBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// result is what a walk has come to.
func (w *walk) result(ctx context.Context, b *blob.Blob) (*blob.Blob, error) {
	switch {
	case b != nil:
		return b, nil
	case ctx.Err() != nil:
		return nil, w.ended(ctx)
	}
	return nil, w.err
}

// withNext returns b, which came from the link of that state, with a Next that
// first asks whoever brought it and then walks on.
func (w *walk) withNext(from *state, b *blob.Blob) *blob.Blob {
	inner, next := b.Next, *b // a copy: what came may be shared
	next.Next = func(ctx context.Context, cause error) (*blob.Blob, error) {
		w.notice(cause)
		from.late = from.late || errors.Is(cause, artifact.ErrTimeout)
		if inner != nil {
			b, err := inner(ctx, cause)
			if err == nil {
				return w.withNext(from, b), nil
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

// next asks the links that have not been asked, those that are down at last, and
// then those that may be asked once more.
func (w *walk) next(ctx context.Context) (*blob.Blob, error) {
	var fresh, down, again []int
	for i := range w.links {
		switch s := w.states[i]; {
		case s.absent || s.late || s.tries > 1:
		case s.tries == 1:
			again = append(again, i)
		case w.links[i].isDown():
			down = append(down, i)
		default:
			fresh = append(fresh, i)
		}
	}
	b := w.ask(ctx, slices.Concat(fresh, down, again), func(i int, err error) bool {
		if rank(w.links[i], err) == rankIntegrity {
			w.notice(err)
		}
		return true
	})
	return w.result(ctx, b)
}
