package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goweir/weir/internal/artifact"
)

func TestUpstreamTroubleNeverBecomesNotFound(t *testing.T) {
	for status := 100; status < 600; status++ {
		err := artifact.FromStatus("https://proxy.example.com", status, "text", 0)
		absent := status == http.StatusNotFound || status == http.StatusGone
		if errors.Is(err, fs.ErrNotExist) != absent {
			t.Errorf("status %d: %v", status, err)
		}
		if got := artifact.Status(err); absent && got != 404 || !absent && got < 403 {
			t.Errorf("status %d is passed on as %d", status, got)
		}
	}
}

func TestStatusOfEveryClass(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{artifact.ErrNotFound, 404}, {artifact.ErrForbidden, 403}, {artifact.ErrIntegrity, 403}, {artifact.ErrBadUpstream, 502},
		{artifact.ErrTimeout, 504}, {artifact.ErrUnavailable, 503}, {artifact.ErrTooMany, 429}, {artifact.ErrUnauthorized, 401},
		{fs.ErrNotExist, 500}, {context.DeadlineExceeded, 504}, {context.Canceled, 503}, {errors.New("x"), 500},
		{fmt.Errorf("a: %w", &artifact.Error{Class: artifact.ErrTimeout, Reason: "b"}), 504},
		{errors.Join(artifact.ErrNotFound, artifact.ErrIntegrity), 403},
	} {
		if got := artifact.Status(tt.err); got != tt.want {
			t.Errorf("Status(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestTransportErrorsAreTroubleNotAbsence(t *testing.T) {
	if err := artifact.FromTransport("u", context.DeadlineExceeded); artifact.Class(err) != artifact.ErrTimeout {
		t.Errorf("deadline: %v", err)
	}
	if err := artifact.FromTransport("u", errors.New("connection refused")); artifact.Class(err) != artifact.ErrBadUpstream {
		t.Errorf("refused: %v", err)
	}
	if err := artifact.FromTransport("u", context.Canceled); artifact.Class(err) != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestExplainShowsNothingThatWasNotMadeForPeople(t *testing.T) {
	reason, hint := artifact.Explain(fmt.Errorf("open /secret/place: %w", errors.New("token=canary")))
	if strings.Contains(reason+hint, "canary") || strings.Contains(reason+hint, "secret") {
		t.Errorf("Explain gives away %q %q", reason, hint)
	}
	reason, hint = artifact.Explain(fmt.Errorf("w: %w", &artifact.Error{Class: artifact.ErrTimeout, Reason: "r", Hint: "h", RetryAfter: time.Second, Err: errors.New("canary")}))
	if reason != "r" || hint != "h" {
		t.Errorf("Explain = %q, %q", reason, hint)
	}
}

func TestA19CleanLeavesOneLineOfGraphicText(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nSet-Cookie: x": "a Set-Cookie: x", "\x1b[31mred": "[31mred", "  a \t b  ": "a b", "\xff\xfea": "a", "ü€": "ü€", "": "", "\u202egnp": "gnp",
	} {
		if got := artifact.Clean(in, 100); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\r\nb", 10)
	f.Add("ü€\x1b", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		got := artifact.Clean(text, limit)
		if len(got) > max(limit, 0) || !utf8.ValidString(got) {
			t.Fatalf("Clean(%q, %d) = %q", text, limit, got)
		}
		for _, r := range got {
			if r != ' ' && !unicode.IsGraphic(r) {
				t.Fatalf("Clean(%q) holds %q", text, r)
			}
		}
	})
}
