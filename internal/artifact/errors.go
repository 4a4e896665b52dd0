package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The classes of failure. Every error of Weir's inner packages matches at most
// one of them with errors.Is; [Status] is the table to HTTP.
var (
	// ErrNotFound: the artifact is proven not to exist there. Clients go on
	// to the next entry of their GOPROXY list. It matches fs.ErrNotExist.
	ErrNotFound error = notFound{}
	// ErrForbidden: a rule refuses the artifact.
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthorized: the client must prove who it is, and has not.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrIntegrity: bytes were found that must not be served, such as a zip
	// that differs from its record in the checksum database.
	ErrIntegrity = errors.New("integrity check failed")
	// ErrBadUpstream: the upstream answered, but not with the artifact.
	ErrBadUpstream = errors.New("bad answer of the upstream")
	// ErrTimeout: the upstream did not answer in time.
	ErrTimeout = errors.New("upstream timed out")
	// ErrUnavailable: what is needed cannot be reached now; try again later.
	ErrUnavailable = errors.New("temporarily unavailable")
	// ErrTooMany: the client, or all clients together, ask too much.
	ErrTooMany = errors.New("too many requests")
)

type notFound struct{}

func (notFound) Error() string        { return "not found" }
func (notFound) Is(target error) bool { return target == fs.ErrNotExist }

// An Error is a failure that a person may read: the go command prints it.
type Error struct {
	Class      error         // one of the Err values of this package
	Reason     string        // what happened and why: one line, no secrets
	Hint       string        // what to do next; may be empty
	RetryAfter time.Duration // when to try again; zero: unknown
	Err        error         // the cause, for logs only; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Reason + ": " + e.Err.Error()
	}
	return e.Reason
}

func (e *Error) Unwrap() []error {
	if e.Err != nil {
		return []error{e.Class, e.Err}
	}
	return []error{e.Class}
}

// NotFound returns an error of class ErrNotFound with a reason for people.
func NotFound(format string, args ...any) error {
	return &Error{Class: ErrNotFound, Reason: "not found: " + fmt.Sprintf(format, args...)}
}

func malformed(reason string) error {
	return &Error{Class: ErrNotFound, Reason: "not found: " + reason}
}

// statuses is the one table between classes of failure and HTTP.
var statuses = []struct {
	class  error
	status int
}{
	{ErrIntegrity, http.StatusForbidden}, // outranks the others: a joined error of several sources is at worst this
	{ErrForbidden, http.StatusForbidden},
	{ErrUnauthorized, http.StatusUnauthorized},
	{ErrTooMany, http.StatusTooManyRequests},
	{ErrUnavailable, http.StatusServiceUnavailable},
	{ErrTimeout, http.StatusGatewayTimeout},
	{ErrBadUpstream, http.StatusBadGateway},
	{ErrNotFound, http.StatusNotFound},
}

// Class returns the class of failure that err belongs to, or nil.
func Class(err error) error {
	for _, row := range statuses {
		if errors.Is(err, row.class) {
			return row.class
		}
	}
	return nil
}

// Status returns the HTTP status for err: 500 for an error of no class.
func Status(err error) int {
	for _, row := range statuses {
		if errors.Is(err, row.class) {
			return row.status
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// FromStatus makes the error for an answer of an upstream other than 200.
// Only 404 and 410 say that the artifact does not exist; 403 is a refusal;
// everything else is trouble that must not be taken for either. from names the
// upstream without secrets; text is the body as far as it may be shown.
func FromStatus(from string, status int, text string, retryAfter time.Duration) error {
	text = Clean(text, 300)
	e := &Error{Class: ErrBadUpstream, RetryAfter: retryAfter, Reason: strings.TrimSpace(fmt.Sprintf("%s answered %d %s", from, status, http.StatusText(status)))}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		e.Class = ErrNotFound
		e.Reason = "not found: " + strings.TrimPrefix(text, "not found: ")
		if text == "" {
			e.Reason = fmt.Sprintf("not found: %s answered %d", from, status)
		}
		return e
	case http.StatusForbidden:
		e.Class = ErrForbidden
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		e.Hint = "the credentials configured for this upstream are missing or wrong"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.Class = ErrUnavailable
		e.Hint = "the upstream is overloaded; try again later"
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		e.Class = ErrTimeout
	}
	if text != "" {
		e.Reason += ": " + text
	}
	return e
}

// FromTransport makes the error for a request that brought no answer at all.
func FromTransport(from string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", from, err)
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &Error{Class: ErrTimeout, Reason: from + ": fetch timed out", Err: err}
	}
	return &Error{Class: ErrBadUpstream, Reason: from + " could not be reached", Err: err}
}

// Explain returns what a person should read of err: the reason and, where
// there is one, what to do next. It shows nothing of errors that were not made
// for people.
func Explain(err error) (reason, hint string) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason, e.Hint
	}
	if class := Class(err); class != nil {
		return class.Error(), ""
	}
	if status := Status(err); status != http.StatusInternalServerError {
		return strings.ToLower(http.StatusText(status)), ""
	}
	return "internal error", "the server's log has the details under the request id"
}

// RetryAfter returns when to try again, or zero where nothing is known.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Clean makes text of strangers fit to be shown in one line: graphic characters
// and spaces only, at most limit bytes. The go command hides a message that
// holds anything else.
func Clean(text string, limit int) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case r == utf8.RuneError || !unicode.IsGraphic(r):
			continue
		}
		if b.Len()+utf8.RuneLen(r)+1 > limit {
			break
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
