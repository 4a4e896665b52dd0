package check

import (
	"context"
	"sync"
	"time"
)

// concurrency bounds how many checks run at the same time.
const concurrency = 16

// Run runs checks, each when those before it are well, and returns what they found, in
// the order of the checks. Checks must stand after those that they wait for. Each may take
// as long as timeout says; progress, which may be nil, hears of each that ends, one at a time.
func (all Catalogue) Run(ctx context.Context, checks []*Check, timeout time.Duration, progress func(done, of int, f Finding)) []Finding {
	var running sync.WaitGroup
	slots, done := make(chan struct{}, concurrency), make(chan *Check)
	for _, c := range checks {
		c.finished = make(chan struct{})
		e := all.entry(c.ID)
		c.finding = Finding{ID: c.ID, Group: e.Group, Title: e.Title, Subject: c.Subject, Entry: c.Entry}
	}
	for _, c := range checks {
		running.Go(func() {
			c.run(ctx, slots, timeout)
			done <- c
		})
	}
	for n := range checks {
		c := <-done
		if progress != nil {
			progress(n+1, len(checks), c.finding)
		}
	}
	running.Wait()
	findings := make([]Finding, len(checks))
	for i, c := range checks {
		findings[i] = c.finding
	}
	return findings
}

// run runs one check, unless one before it is not well.
func (c *Check) run(ctx context.Context, slots chan struct{}, timeout time.Duration) {
	defer close(c.finished)
	for _, before := range c.After {
		<-before.finished
		if s := before.finding.State; s == Bad || s == Skipped {
			c.finding.Result = Skip("not looked at, because of: " + before.finding.Title)
			return
		}
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(c.Patience, 1))*timeout)
	defer cancel()
	begun := time.Now()
	c.finding.Result = c.Run(ctx)
	c.finding.Took = Millis(time.Since(begun))
}
