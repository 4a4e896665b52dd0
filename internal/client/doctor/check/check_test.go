package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestOneCauseIsOneLine(t *testing.T) {
	catalogue := Catalogue{{ID: "gosumdb"}, {ID: "netrc"}, {ID: "proxy-dns"}, {ID: "sumdb-way"}}
	findings := []Finding{
		{ID: "proxy-dns", Subject: "https://a", Entry: 1, Result: Trouble("no-dns", "DNS does not answer for a", "")},
		{ID: "netrc", Result: Warning("netrc-open", "open", "")},
		{ID: "sumdb-way", Subject: "https://a", Result: Trouble("no-dns", "DNS does not answer for a, either", "")},
		{ID: "gosumdb", Result: Trouble("gosumdb-malformed", "malformed", "")},
		{ID: "goflags", Result: Well("")},
	}
	var got []string
	for _, c := range catalogue.Causes(findings) {
		got = append(got, c.Kind)
	}
	if want := []string{"gosumdb-malformed", "no-dns", "netrc-open"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAChecksTroubleSkipsThoseAfterIt(t *testing.T) {
	first := &Check{ID: "proxy-dns", Run: Still(func() Result { return Trouble("x", "", "") })}
	second := &Check{ID: "proxy-tls", After: []*Check{first}, Run: Still(func() Result { t.Error("it ran"); return Well("") })}
	third := &Check{ID: "proxy-list", After: []*Check{second}, Run: second.Run}
	other := &Check{ID: "goflags", Run: Still(func() Result { return Well("") })}
	var seen []string
	findings := Catalogue{}.Run(t.Context(), []*Check{first, second, third, other}, time.Minute, func(_, of int, f Finding) { seen = append(seen, fmt.Sprint(of, f.ID)) })
	var states []State
	for _, f := range findings {
		states = append(states, f.State)
	}
	if !slices.Equal(states, []State{Bad, Skipped, Skipped, OK}) || len(seen) != 4 {
		t.Errorf("got %v, %v", states, seen)
	}
}

func TestAnEndlessCheckIsEnded(t *testing.T) {
	endless := &Check{ID: "proxy-list", Run: func(ctx context.Context) Result { <-ctx.Done(); return Trouble("silent", "", "") }}
	if f := (Catalogue{}).Run(t.Context(), []*Check{endless}, time.Millisecond, nil); f[0].Kind != "silent" {
		t.Errorf("got %+v", f)
	}
}

func TestOnlySafeFixesAreApplied(t *testing.T) {
	applied := false
	if err := Safe("mkdir a", func(context.Context) error { applied = true; return nil }).Apply(t.Context()); err != nil || !applied {
		t.Errorf("got %v, %t", err, applied)
	}
	if err := Safe("mkdir a", func(context.Context) error { return errors.New("no room") }).Apply(t.Context()); err == nil || err.Error() != "mkdir a: no room" {
		t.Errorf("one that fails: %v", err)
	}
	if err := ByHand("unset GOPROXY").Apply(t.Context()); err == nil {
		t.Error("what a person has to do was done")
	}
}

func TestCommandsAreFitForAShell(t *testing.T) {
	for arg, want := range map[string]string{"GOPROXY=https://a,direct": "GOPROXY=https://a,direct", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'", "a|b": "'a|b'"} {
		if got := Quote(arg); got != want {
			t.Errorf("%q is %s, want %s", arg, got, want)
		}
	}
}

func TestReportsAreJSON(t *testing.T) {
	data, err := json.Marshal(Finding{ID: "x", Result: Well("fine"), Took: Millis(1500 * time.Microsecond)})
	if want := `{"id":"x","group":"","title":"","state":"ok","summary":"fine","took_ms":1}`; err != nil || string(data) != want {
		t.Errorf("got %s, %v; want %s", data, err, want)
	}
}
