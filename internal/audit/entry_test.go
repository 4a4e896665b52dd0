package audit

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestA19NothingInALineMovesATerminalOrForgesALine(t *testing.T) {
	for _, s := range []string{
		"a\r\nb", "\x1b[2J", "\u009b2J", "\u202e gnp", "\u2028", "\x00", "\x7f", "\xff\xfe", "\"}\n{\"who\":\"admin\"", `\`, "\U000e0041", "ä 世",
	} {
		line := Entry{Target: s}.line()
		if n := bytes.Count(line, newline); n != 1 || line[len(line)-1] != '\n' {
			t.Errorf("%q makes %d lines", s, n)
		}
		for _, r := range string(line[:len(line)-1]) {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: %q is in the line", s, r)
			}
		}
		if got := parse(t, line); got.Target != valid(s) || got.Who != "" {
			t.Errorf("%q is recorded as %+v", s, got)
		}
	}
}

// valid is a string as range sees it: each byte that is not UTF-8 is U+FFFD.
func valid(s string) string { return string([]rune(s)) }

func TestA19LongStringsAreCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{strings.Repeat("x", maxField), strings.Repeat("x", maxField)},
		{strings.Repeat("x", maxField+1), strings.Repeat("x", maxField) + "…"},
		{strings.Repeat("x", maxField-1) + "é", strings.Repeat("x", maxField-1) + "…"},
		{"x" + strings.Repeat("世", maxField), "x" + strings.Repeat("世", (maxField-1)/3) + "…"},
	} {
		if got := cut(c.in); got != c.want {
			t.Errorf("cut(%.20q… of %d bytes) = %d bytes, want %d", c.in, len(c.in), len(got), len(c.want))
		}
	}
	long := strings.Repeat("\x00", 1<<20)
	e := Entry{ID: long, Who: long, From: long, Action: long, Target: long, Module: long, Version: long, Decision: long, Rule: long, Reason: long}
	if n := len(e.line()); n > 32<<10 {
		t.Errorf("an entry takes %d bytes", n)
	}
}

func TestTimesAreUTCAndSort(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -7200))
	for fraction, want := range map[time.Duration]string{0: "05:04:05.000000Z", 999: "05:04:05.000000Z", time.Microsecond: "05:04:05.000001Z"} {
		if line := string(Entry{Time: at.Add(fraction)}.line()); !strings.Contains(line, want) {
			t.Errorf("%v: %s", fraction, line)
		}
	}
}

func FuzzEveryEntryIsOneLineOfJSON(f *testing.F) {
	f.Add("r1", "ci", "192.0.2.1", "GET", "example.com/m/@v/list", "why", 200)
	f.Add("\r\n", "\x1b[0m", "\xff", `"\`, strings.Repeat("世", 300), "\u2029\U0001f600", -1)
	f.Fuzz(func(t *testing.T, id, who, from, action, target, reason string, status int) {
		e := Entry{ID: id, Who: who, From: from, Action: action, Target: target, Reason: reason, Status: status}
		line := e.line()
		if !utf8.Valid(line) || bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("line %q", line)
		}
		got := parse(t, line)
		for _, c := range []struct{ in, out string }{
			{id, got.ID}, {who, got.Who}, {from, got.From}, {action, got.Action}, {target, got.Target}, {reason, got.Reason},
		} {
			if c.out != valid(cut(c.in)) {
				t.Errorf("%q is recorded as %q", c.in, c.out)
			}
		}
		if got.Status != status {
			t.Errorf("status %d is recorded as %d", status, got.Status)
		}
	})
}
