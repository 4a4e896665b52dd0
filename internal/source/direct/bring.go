package direct

import (
	"context"
	"errors"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source/direct/cage"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// bring lets the go command fetch an artifact. A clone that turns out to be
// broken is made anew, once.
func (s *Source) bring(ctx context.Context, r origin.Repository, n artifact.Name) (*haul, error) {
	if files, ok := s.remembered(n); ok { // since somebody else brought it just before
		return &haul{small: files}, nil
	}
	h, err := s.bringOnce(ctx, r, n)
	if errors.Is(err, errBrokenClone) {
		h, err = s.bringOnce(ctx, r, n)
	}
	return h, err
}

var errBrokenClone = errors.New("the clone of the repository is broken")

func (s *Source) bringOnce(ctx context.Context, r origin.Repository, n artifact.Name) (*haul, error) {
	k, err := s.clones.Use(r.Key())
	if err != nil {
		return nil, err
	}
	defer k.GiveBack()
	done, err := s.turn(ctx, k, r, n)
	if err != nil {
		return nil, err
	}
	defer done()
	if k.GivenUp() { // while this waited
		return nil, errBrokenClone
	}
	c, err := s.cages.Build(ctx, k, n.Module, r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var h *haul
	if r.VCS == "hg" {
		err = s.origin.Probe(ctx, r)
	}
	if err == nil {
		h, err = s.work(ctx, k, c, r, n)
	}
	if err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	if h.zip == "" {
		return h, c.Remove()
	}
	return h, nil
}

// turn waits until a command may run for an artifact: a slot must be free, and
// unless it is for a zip, nobody else may be asking the same repository. So a
// .mod never waits for a zip, and what one question has fetched the next one
// finds.
func (s *Source) turn(ctx context.Context, k *clones.Clone, r origin.Repository, n artifact.Name) (done func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, errBusy)
	defer cancel()
	asked := func() {}
	if n.Kind != artifact.Zip {
		if asked, err = k.Ask(ctx); err != nil {
			return nil, err
		}
	}
	release, err := s.slots.Wait(ctx, r.Location.Hostname())
	if err != nil {
		asked()
		return nil, err
	}
	return func() { release(); asked() }, nil
}

// work runs the go command for an artifact and takes in what it brings.
func (s *Source) work(ctx context.Context, k *clones.Clone, c *cage.Cage, r origin.Repository, n artifact.Name) (*haul, error) {
	if n.Kind == artifact.Zip {
		if err := c.KeepPacked(n); err != nil {
			return nil, err
		}
	}
	a, err := s.ask(ctx, k, c, r, arguments(n))
	if err != nil {
		return nil, err
	}
	h := &haul{cage: c}
	switch n.Kind {
	case artifact.List:
		h.text, h.refs = a.list(), s.refs(ctx, c, r, n.Module)
		return h, nil
	case artifact.Latest, artifact.Query:
		files, err := readSmall(c, n.Module, a.Version)
		h.text = files.info
		// That .info says how it was asked for, which is not how others do.
		s.remember(n.Module, a.Version, small{mod: files.mod})
		return h, err
	case artifact.Zip:
		h.zip = c.File(n)
	}
	h.small, err = readSmall(c, n.Module, n.Version)
	s.remember(n.Module, n.Version, h.small)
	return h, err
}
