package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Its text is a whole number, alone or with one of the
// units KiB, MiB and GiB.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText reads the text of a size.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := string(text), Size(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || Size(n) > math.MaxInt64/unit {
		return fmt.Errorf(`%s is not a size; write a number of bytes or, for instance, "64KiB", "32MiB" or "1GiB"`, quote(string(text)))
	}
	*s = Size(n) * unit
	return nil
}

// MarshalText returns what String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the shortest text of the size.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Duration is a span of time. Its text is that of [time.ParseDuration], which may
// begin with a number of days, such as 7d or 1d12h.
type Duration time.Duration

const day = 24 * time.Hour

// UnmarshalText reads the text of a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := parseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`%s is not a duration; write for instance "10s", "5m", "1h30m" or "7d"`, quote(string(text)))
	}
	*d = Duration(parsed)
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	number, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return 0, err
	}
	if rest == "" {
		rest = "0"
	}
	if strings.ContainsAny(rest[:1], "+-") {
		return 0, strconv.ErrSyntax
	}
	clock, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	if time.Duration(days) > (math.MaxInt64-clock)/day {
		return 0, strconv.ErrRange
	}
	return time.Duration(days)*day + clock, nil
}

// MarshalText returns what String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the shortest text of the duration.
func (d Duration) String() string {
	clock, days := time.Duration(d), ""
	if clock >= day {
		days = strconv.FormatInt(int64(clock/day), 10) + "d"
		clock %= day
	}
	if clock == 0 && days != "" {
		return days
	}
	text := clock.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return days + text
}

// Patterns are globs of module path prefixes. Their text is a list with commas.
type Patterns []string

// UnmarshalText reads the text of patterns, without blanks around them and without
// empty ones.
func (p *Patterns) UnmarshalText(text []byte) error {
	*p = nil
	for pattern := range strings.SplitSeq(string(text), ",") {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			*p = append(*p, pattern)
		}
	}
	return nil
}

// String is the text that GOPRIVATE would hold.
func (p Patterns) String() string { return strings.Join(p, ",") }

// Names are names of upstreams. Their text is a list with commas.
type Names []string

// UnmarshalText reads the text of names, without blanks around them and without empty
// ones.
func (n *Names) UnmarshalText(text []byte) error {
	return (*Patterns)(n).UnmarshalText(text)
}

// String is the list with commas.
func (n Names) String() string { return Patterns(n).String() }
