package doctor

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// A State is what came out of a check.
type State string

// The states of a check.
const (
	OK      State = "ok"
	Warn    State = "warn"    // it works, and something should be done
	Bad     State = "bad"     // something does not work
	Skipped State = "skipped" // it would have told nothing
)

// A Check is one thing to look at.
type Check struct {
	ID      string   // one of the Catalogue
	Subject string   // what it looks at, where there are several; without secrets
	After   []*Check // which must be well, or else this one tells nothing
	Run     func(ctx context.Context) Result
	// Patience is how many times the usual bound it may take; 0: once.
	Patience int

	proxy    int           // the entry of GOPROXY it belongs to, counted from 1; 0: none
	finished chan struct{} // closed when finding is there
	finding  Finding
}

// A Result is what a check has found.
type Result struct {
	State    State    `json:"state"`
	Kind     string   `json:"kind,omitempty"`    // which trouble it is, for machines
	Summary  string   `json:"summary,omitempty"` // one line
	Evidence []string `json:"evidence,omitempty"`
	Hint     string   `json:"hint,omitempty"` // what to do
	Fixes    []Fix    `json:"fixes,omitempty"`
}

// A Finding is the result of a check, and which one that was.
type Finding struct {
	ID      string `json:"id"`
	Group   string `json:"group"`
	Title   string `json:"title"`
	Subject string `json:"subject,omitempty"`
	Result
	Took Millis `json:"took_ms"`

	proxy int
}

// Millis is a time that is shown in milliseconds.
type Millis time.Duration

// MarshalJSON implements json.Marshaler.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(m).Milliseconds())
}

func well(summary string, evidence ...string) Result {
	return Result{State: OK, Summary: summary, Evidence: evidence}
}

func skipped(summary string) Result { return Result{State: Skipped, Summary: summary} }

// concurrency bounds how many checks run at the same time.
const concurrency = 16

// run runs checks, each when those before it are well, and returns what they found, in
// the order of the checks. Checks must stand after those that they wait for.
func run(ctx context.Context, checks []*Check, timeout time.Duration, progress func(done, of int, f Finding)) []Finding {
	var all sync.WaitGroup
	slots, done := make(chan struct{}, concurrency), make(chan *Check)
	for _, c := range checks {
		c.finished = make(chan struct{})
	}
	for _, c := range checks {
		all.Go(func() {
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
	all.Wait()
	findings := make([]Finding, len(checks))
	for i, c := range checks {
		findings[i] = c.finding
	}
	return findings
}

// run runs one check, unless one before it is not well.
func (c *Check) run(ctx context.Context, slots chan struct{}, timeout time.Duration) {
	defer close(c.finished)
	entry := catalogue[c.ID]
	c.finding = Finding{ID: c.ID, Group: entry.Group, Title: entry.Title, Subject: c.Subject, proxy: c.proxy}
	for _, before := range c.After {
		<-before.finished
		if s := before.finding.State; s == Bad || s == Skipped {
			c.finding.Result = skipped("not looked at, because of: " + before.finding.Title)
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

// healthy reports whether nothing is bad.
func healthy(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.State == Bad })
}
