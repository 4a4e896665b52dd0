package mirrors

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/goweir/weir/internal/client/term"
)

// FormatDuration is a duration for people, with two or three digits.
func FormatDuration(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", millis(d))
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", millis(d))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// FormatRate is a number of bytes per second for people; zero is not known.
func FormatRate(n float64) string {
	if n == 0 {
		return "-"
	}
	return term.Size(n) + "/s"
}

// FormatPercentiles are the 50th, 90th and 99th percentile of a sample for people, as far
// as they can be told: 45/80/120 ms.
func FormatPercentiles(l Latency) string {
	var all []string
	for _, p := range []int{50, 90, 99} {
		if d, ok := l.Percentile(p); ok {
			all = append(all, digits(millis(d)))
		}
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, "/") + " ms"
}

// digits is a number with as many digits as anybody cares for.
func digits(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// FormatMillis is the 50th percentile of a sample in milliseconds, without the unit.
func FormatMillis(l Latency) string {
	d, ok := l.Percentile(50)
	if !ok {
		return "-"
	}
	return digits(millis(d))
}

// FormatCount is how many of how many; of nothing is a dash.
func FormatCount(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", n, of)
}

// FormatShare is a share from 0 to 1 in percent; what is not known is a dash.
func FormatShare(share float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", math.Floor(100*share))
}

// Verdict says of a result in a few words what matters most.
func (r Result) Verdict() string {
	if r.State != Works {
		return r.State.describe() + because(r.Problem)
	}
	said := []string{"works"}
	if r.PerModule > 0 {
		said = append(said, r.PerModule.String()+" for a module")
	}
	if n := len(r.Missing); n > 0 {
		said = append(said, fmt.Sprintf("lacks %d of %d modules", n, r.Modules))
	}
	if n := len(r.Behind); n > 0 {
		said = append(said, fmt.Sprintf("behind with %d of %d modules", n, r.Compared))
	}
	if r.Failed > 0 {
		said = append(said, fmt.Sprintf("%d failures, the last: %s", r.Failed, r.Problem))
	}
	return strings.Join(said, ", ")
}

// A Tone is how a result is meant to look.
type Tone string

// The tones.
const (
	Good Tone = "good"
	Warn Tone = "warn"
	Bad  Tone = "bad"
)

// Tone is how the result is meant to look.
func (r Result) Tone() Tone {
	switch r.State {
	case Works:
		if r.Failed > 0 || len(r.Missing) > 0 {
			return Warn
		}
		return Good
	case Lacks, Limits, Untested:
		return Warn
	}
	return Bad
}

func because(problem string) string {
	if problem == "" {
		return ""
	}
	return ": " + problem
}

// FormatProtocol is the version of HTTP: 1.1, or 2.
func FormatProtocol(proto string) string {
	version := strings.TrimSuffix(strings.TrimPrefix(proto, "HTTP/"), ".0")
	if version == "" {
		return "-"
	}
	return version
}
