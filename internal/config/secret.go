package config

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
)

// Secret is a text of URLs that may hold a user name and a password. However it is
// printed, logged or marshalled, xxxxx stands in their place; only [Secret.Reveal]
// gives them away.
type Secret string

const redacted = "xxxxx"

// Reveal returns the text as it is.
func (s Secret) Reveal() string { return string(s) }

// String returns the text without user names and passwords.
func (s Secret) String() string { return redact(string(s)) }

// Format prints what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is, but for blanks around it.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(strings.TrimSpace(string(text)))
	return nil
}

// Credential is a text that is a secret as a whole, such as a password. However it is
// printed, logged or marshalled, xxxxx stands in its place; only [Credential.Reveal]
// gives it away.
type Credential string

// Reveal returns the text as it is.
func (c Credential) Reveal() string { return string(c) }

// String returns xxxxx, or nothing for an empty text.
func (c Credential) String() string {
	if c == "" {
		return ""
	}
	return redacted
}

// Format prints what String returns, whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue returns what String does.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText returns what String does.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText takes the text as it is.
func (c *Credential) UnmarshalText(text []byte) error {
	*c = Credential(text)
	return nil
}

// redact hides user names and passwords in a text of URLs that are set apart by
// commas, bars or blanks.
//
// It does not parse: where a password holds a character that had to be escaped, a
// parser takes part of it for a host or a path. So all before the last @ of a URL is
// hidden, and a URL whose @ seems to have got lost behind a separator altogether.
func redact(text string) string {
	var b strings.Builder
	for text != "" {
		n := strings.IndexFunc(text, isSeparator)
		if n < 0 {
			n = len(text)
		}
		b.WriteString(redactURL(text[:n], text[n:]))
		text = text[n:]
		if text != "" {
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return b.String()
}

func isSeparator(r rune) bool { return r < unicode.MaxASCII && (r == ',' || r == '|' || r <= ' ') }

// redactURL hides the user name and password of a URL. If an @ follows in the rest of
// the text before another URL begins, it may belong to this one.
func redactURL(text, rest string) string {
	start := 0
	if i := strings.Index(text, "://"); i >= 0 {
		start = i + len("://")
	}
	if i := strings.LastIndex(text, "@"); i >= start {
		return text[:start] + redacted + text[i:]
	}
	before, _, ok := strings.Cut(rest, "@")
	if ok && len(text) > start && !strings.Contains(before, "://") {
		return text[:start] + redacted
	}
	return text
}

// quote makes a text of strangers fit for a message: quoted, short, and without
// secrets.
func quote(text string) string {
	const most = 80
	text = redact(text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
