package source

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

// slow is a Source that takes its time before inner answers.
func slow(d time.Duration, inner Source) Source {
	return Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		select {
		case <-time.After(d):
			return inner.Fetch(ctx, n)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func busyFor(d time.Duration) error {
	return &artifact.Error{Class: artifact.ErrUnavailable, Reason: "busy", RetryAfter: d}
}

func TestOnlyTroubleThatMayPassIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		takes time.Duration
		asked int
	}{
		{"overloaded", classed(artifact.ErrUnavailable, "busy"), 0, 3},
		{"too many", classed(artifact.ErrTooMany, "busy"), 0, 3},
		{"bad answer", classed(artifact.ErrBadUpstream, "answered 500"), 0, 3},
		{"broken connection", &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "could not be reached", Err: io.ErrUnexpectedEOF}, 0, 3},
		{"quick timeout", classed(artifact.ErrTimeout, "answered 504"), 10 * time.Millisecond, 3},
		{"long timeout", classed(artifact.ErrTimeout, "no answer"), 2 * time.Second, 1},
		{"wrong credentials", &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "answered 401", Hint: "the credentials are wrong"}, 0, 1},
		{"untrusted", &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "could not be reached", Err: &tls.CertificateVerificationError{Err: errors.New("expired")}}, 0, 1},
		{"not found", artifact.NotFound("x"), 0, 1},
		{"forbidden", classed(artifact.ErrForbidden, "no"), 0, 1},
		{"integrity", classed(artifact.ErrIntegrity, "lie"), 0, 1},
		{"of no class", io.ErrNoProgress, 0, 1},
		{"short rest", busyFor(5 * time.Second), 0, 2},
		{"long rest", busyFor(6 * time.Second), 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			inner := plays(test.err)
			_, err := Retry(slow(test.takes, inner), RetryOptions{Times: 2}).Fetch(t.Context(), anyName)
			if !errors.Is(err, test.err) || inner.asked != test.asked {
				t.Errorf("%s: asked %d times, want %d; %v", test.name, inner.asked, test.asked, err)
			}
		})
	}
}

func TestARetryMayHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retries := 0
		inner := plays(busyFor(3*time.Second), classed(artifact.ErrBadUpstream, "reset"), "good")
		begun := time.Now()
		b, err := Retry(inner, RetryOptions{Times: 2, OnRetry: func() { retries++ }}).Fetch(t.Context(), anyName)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, b); got != "good" || retries != 2 {
			t.Errorf("got %q after %d retries", got, retries)
		}
		if took := time.Since(begun); took < 3*time.Second || took > 3200*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAnHonestAnswerEndsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := plays(classed(artifact.ErrUnavailable, "busy"), artifact.NotFound("x"))
		_, err := Retry(inner, RetryOptions{Times: 5}).Fetch(t.Context(), anyName)
		if artifact.Class(err) != artifact.ErrNotFound || inner.asked != 2 {
			t.Errorf("asked %d times: %v", inner.asked, err)
		}
	})
}

func TestTheFirstErrorIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := classed(artifact.ErrUnavailable, "busy")
		_, err := Retry(plays(first, classed(artifact.ErrBadUpstream, "reset")), RetryOptions{Times: 3}).Fetch(t.Context(), anyName)
		if !errors.Is(err, first) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitsGrowAndEndInTime(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			var times []time.Time
			inner := Func(func(context.Context, artifact.Name) (*blob.Blob, error) {
				times = append(times, time.Now())
				return nil, classed(artifact.ErrUnavailable, "busy")
			})
			Retry(inner, RetryOptions{Times: 100, Budget: NewBudget(0, 100)}).Fetch(t.Context(), anyName)
			if took := times[len(times)-1].Sub(times[0]); took >= 10*time.Second || len(times) < 8 {
				t.Errorf("%d attempts in %v", len(times), took)
			}
			for i := range len(times) - 1 {
				if wait, most := times[i+1].Sub(times[i]), min(100*time.Millisecond<<i, 2*time.Second); wait > most {
					t.Errorf("wait %d took %v, more than %v", i, wait, most)
				}
			}
		})
	}
}

func TestRetriesStayWithinTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := plays(classed(artifact.ErrUnavailable, "busy"))
		s := Retry(inner, RetryOptions{Times: 5})
		const requests = 1000
		for range requests {
			s.Fetch(t.Context(), anyName)
		}
		if retries := inner.asked - requests; retries < requests/10 || retries > requests/10+10 {
			t.Errorf("%d requests caused %d retries", requests, retries)
		}
	})
}

func TestAnEndedContextEndsTheWaitForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		first := busyFor(5 * time.Second)
		_, err := Retry(plays(first), RetryOptions{Times: 5}).Fetch(ctx, anyName)
		if time.Since(begun) != time.Second || !errors.Is(err, first) {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

func TestCallersWhoHaveLeftSpendNothing(t *testing.T) {
	budget := NewBudget(0, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	Retry(plays(classed(artifact.ErrUnavailable, "busy")), RetryOptions{Times: 5, Budget: budget}).Fetch(ended, anyName)
	if !budget.Spend() {
		t.Error("a retry that was never made has been paid for")
	}
}
