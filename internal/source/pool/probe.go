package pool

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// probeTimeout bounds a probe.
const probeTimeout = 10 * time.Second

// heal probes a broken upstream again and again, until it is well or ctx ends.
func (u *Upstream) heal(ctx context.Context) {
	for healed := false; !healed; {
		if !sleep(ctx, u.planProbe()) {
			return
		}
		n := u.beginProbe()
		err := u.probe(ctx, n)
		healed = u.endProbe(ctx, err)
		u.pool.changes.tell()
	}
}

// planProbe returns the time until the next probe.
func (u *Upstream) planProbe() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.breaker.plan(time.Now())
}

// beginProbe returns the artifact to ask for.
func (u *Upstream) beginProbe() artifact.Name {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.breaker.probing = true
	switch {
	case u.good != artifact.Name{}:
		return u.good
	case u.bad.Kind == artifact.Zip:
		return u.bad.Sibling(artifact.Info)
	}
	return u.bad
}

// fitForProbe reports whether an artifact is small and has to be asked for.
func fitForProbe(n artifact.Name) bool {
	switch n.Kind {
	case artifact.List, artifact.Latest, artifact.Info, artifact.Mod, artifact.SumLatest, artifact.SumLookup, artifact.SumTile:
		return true
	}
	return false
}

// probe asks for an artifact and reports what is wrong with the answer.
func (u *Upstream) probe(ctx context.Context, n artifact.Name) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	b, err := u.member.Load().Source.Fetch(ctx, n)
	switch class := artifact.Class(err); {
	case class == artifact.ErrNotFound || class == artifact.ErrForbidden:
		return nil
	case err != nil:
		return err
	}
	defer b.Close()
	s := blob.NewSpool(int(n.Kind.MaxSize()), noFiles{})
	defer s.Close()
	if _, err := io.Copy(s, b.Reader()); err != nil {
		return err
	}
	if b.Check == nil {
		return nil
	}
	return b.Check(ctx, s)
}

// noFiles lends no files: what is probed fits into memory.
type noFiles struct{}

func (noFiles) Spool() (*os.File, error) { return nil, errors.New("the artifact is too large") }
func (noFiles) Unspool(*os.File) error   { return nil }

// endProbe acts on the result of a probe and reports whether the breaker is
// closed. It may have been closed meanwhile, which ends ctx.
func (u *Upstream) endProbe(ctx context.Context, err error) (healed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	switch {
	case ctx.Err() != nil:
		return true
	case err == nil:
		u.breaker.close(now)
		u.closed(now)
		return true
	}
	u.note(now, err)
	u.breaker.backoff = min(2*u.breaker.backoff, maxBackoff)
	return false
}

// sleep waits and reports whether ctx has lived on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
