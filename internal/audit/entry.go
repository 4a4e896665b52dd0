package audit

import (
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// An Entry says who did what, from where, and why he was let or not. Empty fields
// are left out of the log. None of them may hold a secret: a path comes without
// its query, a client without his credentials.
type Entry struct {
	Time     time.Time // zero: now
	ID       string    // of the request
	Who      string    // name of the subject; empty: nobody known
	From     string    // address of the client
	Action   string    // method of the request, or what an administrator did
	Target   string    // what it was done to, such as the path of an artifact
	Module   string    // the module, where there is one
	Version  string    // and its version
	Decision string    // such as "allow" or "deny"
	Rule     string    // that decided
	Reason   string    // why
	Status   int       // of the answer
}

// maxField is how many bytes of a string are recorded.
const maxField = 512

// timeFormat is RFC 3339 with as many digits each time, so that lines sort.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

var newline = []byte("\n")

// line is the entry as a line of JSON.
func (e Entry) line() []byte {
	b := begin(e.Time)
	for _, field := range [...]struct{ name, value string }{
		{"id", e.ID}, {"who", e.Who}, {"from", e.From},
		{"action", e.Action}, {"target", e.Target}, {"module", e.Module}, {"version", e.Version},
		{"decision", e.Decision}, {"rule", e.Rule}, {"reason", e.Reason},
	} {
		if field.value != "" {
			b = appendName(b, field.name)
			b = appendString(b, cut(field.value))
		}
	}
	if e.Status != 0 {
		b = appendName(b, "status")
		b = strconv.AppendInt(b, int64(e.Status), 10)
	}
	return append(b, "}\n"...)
}

// lossLine is a line that says how many entries are missing before it.
func lossLine(now time.Time, lost int64) []byte {
	b := appendName(begin(now), "action")
	b = appendString(b, "audit.lost")
	b = appendName(b, "lost")
	b = strconv.AppendInt(b, lost, 10)
	return append(b, "}\n"...)
}

func begin(now time.Time) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"time":"`...)
	b = now.UTC().AppendFormat(b, timeFormat)
	return append(b, '"')
}

func appendName(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// appendString appends a string of JSON in which nothing moves a terminal: what
// does not print is escaped. encoding/json lets C1 and direction controls through.
// Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				b = fmt.Appendf(b, `\u%04x`, unit)
			}
		}
	}
	return append(b, '"')
}

// cut marks what it cuts with an ellipsis.
func cut(s string) string {
	if len(s) <= maxField {
		return s
	}
	end := maxField
	for end > maxField-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
