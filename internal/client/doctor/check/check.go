// Package check knows what a check is, runs many of them, and ranks what they find.
//
// A [Check] is a value: what it is called, which others must be well before it can tell
// anything, and what it does. They run at the same time, each within a bound, and one that
// would only repeat the trouble of another is passed over, so that one cause is one red line.
// What came of it is a [Finding]; [Catalogue.Causes] are what lies behind the findings.
//
// Nothing is known here of what is looked at: the [Catalogue] says of every check there is how
// it is called, and how likely it is to be the cause. Nothing is changed before a [Fix] is
// applied, and only safe ones can be.
package check

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	Entry   int      // the entry of GOPROXY it belongs to, counted from 1; 0: none
	After   []*Check // which must be well, or else this one tells nothing
	Run     func(ctx context.Context) Result
	// Patience is how many times the usual bound it may take; 0: once.
	Patience int

	finished chan struct{} // closed when finding is there
	finding  Finding
}

// Still is for a check that waits for nothing.
func Still(look func() Result) func(context.Context) Result {
	return func(context.Context) Result { return look() }
}

// Find is the check of an ID, as those to wait for; none if it is not among them.
func Find(checks []*Check, id string) []*Check {
	i := slices.IndexFunc(checks, func(c *Check) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return checks[i : i+1 : i+1]
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

// Well is a result without trouble.
func Well(summary string, evidence ...string) Result {
	return Result{State: OK, Summary: summary, Evidence: evidence}
}

// Trouble is what does not work.
func Trouble(kind, summary, hint string, fixes ...Fix) Result {
	return Result{State: Bad, Kind: kind, Summary: summary, Hint: hint, Fixes: fixes}
}

// Warning is what works and is worth knowing.
func Warning(kind, summary, hint string, fixes ...Fix) Result {
	return Result{State: Warn, Kind: kind, Summary: summary, Hint: hint, Fixes: fixes}
}

// Skip is the result of a check that can tell nothing.
func Skip(why string) Result { return Result{State: Skipped, Summary: why} }

// With adds evidence.
func (r Result) With(evidence ...string) Result {
	r.Evidence = append(r.Evidence, evidence...)
	return r
}

// A Finding is the result of a check, and which one that was.
type Finding struct {
	ID      string `json:"id"`
	Group   string `json:"group"`
	Title   string `json:"title"`
	Subject string `json:"subject,omitempty"`
	Entry   int    `json:"-"` // of GOPROXY, as in the Check
	Result
	Took Millis `json:"took_ms"`
}

// Healthy reports whether nothing is bad.
func Healthy(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.State == Bad })
}

// Millis is a time that is shown in milliseconds.
type Millis time.Duration

// String is the time for people.
func (m Millis) String() string { return fmt.Sprintf("%d ms", time.Duration(m).Milliseconds()) }

// MarshalJSON implements json.Marshaler.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(m).Milliseconds())
}
