package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"

	"github.com/goweir/weir/internal/client/modcache"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
)

// maxExamined is how many versions are looked at in the module cache at one time.
const maxExamined = 4

// checkCache looks whether the module cache still holds what the go command has once
// proven, for all versions that builds take files from.
func (r *run) checkCache(ctx context.Context) error {
	if r.Cache == nil {
		return nil
	}
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxExamined)
	done := map[module.Version]bool{}
	for _, l := range r.lines {
		if l.IsMod || done[l.Module] {
			continue
		}
		done[l.Module] = true
		r.Progress(fmt.Sprintf("looking at %s in the module cache", l.Module))
		group.Go(func() error {
			findings, err := r.cacheFindings(groupCtx, l)
			mu.Lock()
			defer mu.Unlock()
			r.add(findings...)
			return err
		})
	}
	return group.Wait()
}

func (r *run) cacheFindings(ctx context.Context, l modfiles.Line) ([]finding.Finding, error) {
	entry, err := r.Cache.Lookup(l.Module)
	if err != nil {
		return nil, err
	}
	problems, err := r.Cache.Check(ctx, entry)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, modcache.ErrInUse):
		f := l.Found(finding.NotChecked, "%s in the module cache: a go command is at work on it", l.Module)
		f.Severity = finding.Warning
		return []finding.Finding{f}, nil
	case err != nil:
		return []finding.Finding{l.Found(finding.NotChecked, "%s in the module cache: %v", l.Module, err)}, nil
	}
	var findings []finding.Finding
	for _, problem := range problems {
		findings = append(findings, l.Found(finding.CacheDamaged, "%s in the module cache: %s", l.Module, problem))
	}
	return findings, nil
}
