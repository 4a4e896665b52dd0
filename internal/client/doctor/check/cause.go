package check

import (
	"slices"
	"strings"
)

// A Catalogue are all checks there are. Of two that are not well, the one further up is
// the likelier cause.
type Catalogue []Entry

// An Entry of a Catalogue says what a check looks at.
type Entry struct {
	ID    string
	Group string
	Title string
	Looks string // at what: a sentence for people
}

// rank is the place of a check in the catalogue.
func (all Catalogue) rank(id string) int {
	return slices.IndexFunc(all, func(e Entry) bool { return e.ID == id })
}

// entry is that of a check, or the zero Entry.
func (all Catalogue) entry(id string) Entry {
	if i := all.rank(id); i >= 0 {
		return all[i]
	}
	return Entry{}
}

// A Cause is what makes the machine ill, or might one day.
type Cause struct {
	ID       string   `json:"id"` // of the check that found it
	Kind     string   `json:"kind,omitempty"`
	State    State    `json:"state"` // Bad or Warn
	Subjects []string `json:"subjects,omitempty"`
	Summary  string   `json:"summary"`
	Hint     string   `json:"hint,omitempty"`
	Fixes    []Fix    `json:"fixes,omitempty"`
}

// Causes are the causes behind what was found, the likeliest first: what is bad before
// what is a warning, and what others rest on before what rests on it. What several
// checks found alike is one cause.
func (all Catalogue) Causes(findings []Finding) []Cause {
	ill := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.State != Bad && f.State != Warn })
	slices.SortStableFunc(ill, func(a, b Finding) int {
		if a.State != b.State {
			return strings.Compare(string(a.State), string(b.State)) // bad, warn
		}
		return all.rank(a.ID) - all.rank(b.ID)
	})
	causes := []Cause{}
	for _, f := range ill {
		if i := slices.IndexFunc(causes, func(c Cause) bool { return c.covers(f) }); i >= 0 {
			causes[i].add(f)
			continue
		}
		c := Cause{ID: f.ID, Kind: f.Kind, State: f.State, Summary: f.Summary, Hint: f.Hint, Fixes: f.Fixes}
		c.add(f)
		causes = append(causes, c)
	}
	return causes
}

// covers reports whether a finding is the same trouble once more.
func (c Cause) covers(f Finding) bool {
	return c.Kind == f.Kind && (c.Summary == f.Summary || f.Kind != "" && f.Subject != "" && slices.Contains(c.Subjects, f.Subject))
}

func (c *Cause) add(f Finding) {
	if f.Subject != "" && !slices.Contains(c.Subjects, f.Subject) {
		c.Subjects = append(c.Subjects, f.Subject)
	}
}
