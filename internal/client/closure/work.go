package closure

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/goweir/weir/internal/artifact"
)

// A Failure is a file that could not be brought, and why.
type Failure struct {
	Name artifact.Name
	Err  error
}

// A Result is how the work on a file has ended.
type Result struct {
	Name    artifact.Name
	Bytes   int64 // that were fetched
	Present bool  // it was there already
	Err     error
}

// Progress is how far the work has come.
type Progress struct {
	Done, Total int // files
	Bytes       int64
	Last        artifact.Name
}

// A Report is what has come of the work.
type Report struct {
	Fetched, Present int // files
	Bytes            int64
	Failures         []Failure // by name
}

// Work does units of work, some at one time, of which each is about one file or more:
// total is how many files there are. What fails is in the report, and the rest goes on.
//
// When ctx ends no more are begun; the error is its cause then, and the report says what
// was done. progress is told after each file, one after another; nil: nobody is.
func Work[T any](ctx context.Context, units iter.Seq[T], total, parallel int, do func(context.Context, T) []Result, progress func(Progress)) (Report, error) {
	w := &tally{progress: progress, total: total}
	queue := make(chan T)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for unit := range queue {
				results := do(ctx, unit)
				if ctx.Err() == nil {
					w.add(results)
				}
			}
		})
	}
	feed(ctx, units, queue)
	workers.Wait()
	w.report.Failures = Sorted(w.report.Failures)
	if ctx.Err() != nil {
		return w.report, context.Cause(ctx)
	}
	return w.report, nil
}

// Sorted are failures of several kinds of work, by name.
func Sorted(failures ...[]Failure) []Failure {
	return slices.SortedStableFunc(slices.Values(slices.Concat(failures...)), func(a, b Failure) int { return compareNames(a.Name, b.Name) })
}

func compareNames(a, b artifact.Name) int {
	return cmp.Or(strings.Compare(a.Module, b.Module), strings.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind))
}

// feed gives out the units until ctx ends.
func feed[T any](ctx context.Context, units iter.Seq[T], queue chan<- T) {
	defer close(queue)
	for unit := range units {
		select {
		case queue <- unit:
		case <-ctx.Done():
			return
		}
	}
}

// tally is where a report is made.
type tally struct {
	progress func(Progress)
	total    int

	mu     sync.Mutex
	report Report
}

func (t *tally) add(results []Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range results {
		switch {
		case r.Err != nil:
			t.report.Failures = append(t.report.Failures, Failure{r.Name, r.Err})
		case r.Present:
			t.report.Present++
		default:
			t.report.Fetched++
		}
		t.report.Bytes += r.Bytes
		if t.progress != nil {
			t.progress(Progress{Done: t.report.Fetched + t.report.Present + len(t.report.Failures), Total: t.total, Bytes: t.report.Bytes, Last: r.Name})
		}
	}
}
