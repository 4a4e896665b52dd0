package doctor

import (
	"slices"
	"strings"
)

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

// causes are the causes behind what was found, the likeliest first: what is bad before
// what is a warning, and what others rest on before what rests on it. What several
// checks found alike is one cause.
func causes(findings []Finding) []Cause {
	ill := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.State != Bad && f.State != Warn })
	slices.SortStableFunc(ill, func(a, b Finding) int {
		if a.State != b.State {
			return strings.Compare(string(a.State), string(b.State)) // bad, warn
		}
		return catalogue[a.ID].rank - catalogue[b.ID].rank
	})
	all := []Cause{}
	for _, f := range ill {
		if i := slices.IndexFunc(all, func(c Cause) bool { return c.covers(f) }); i >= 0 {
			all[i].add(f)
			continue
		}
		c := Cause{ID: f.ID, Kind: f.Kind, State: f.State, Summary: f.Summary, Hint: f.Hint, Fixes: f.Fixes}
		c.add(f)
		all = append(all, c)
	}
	return all
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

// mitigate turns trouble of an entry of GOPROXY into a warning where "|" leads on to
// another entry that is well. Silence leads nowhere: the go command waits for ever.
func (m *machine) mitigate(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		if f.proxy == 0 || f.State != Bad || isSilence(f.Kind) || !m.proxies[f.proxy-1].FallBackOnError || !m.anyWellAfter(f.proxy, findings) {
			continue
		}
		f.State = Warn
		f.Evidence = append(f.Evidence, "after \"|\" the go command goes on to the next entry of GOPROXY")
	}
}

// anyWellAfter reports whether an entry after one is well.
func (m *machine) anyWellAfter(entry int, findings []Finding) bool {
	for i := entry; i < len(m.proxies); i++ {
		bad := slices.ContainsFunc(findings, func(f Finding) bool { return f.proxy == i+1 && f.State == Bad })
		if !bad {
			return true
		}
		if !m.proxies[i].FallBackOnError {
			return false
		}
	}
	return false
}
