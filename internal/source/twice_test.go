package source

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

func soon(artifact.Name) Patience {
	return Patience{Hedge: time.Second, Spend: func() bool { return true }}
}

func TestABodyThatHangsIsAskedForOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var first context.Context
		s := Twice(Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
			if asked.Add(1) > 1 {
				return body("good"), nil
			}
			first = ctx
			return &blob.Blob{Info: blob.Info{Size: 4}, Body: &hangingBody{ctx: ctx}}, nil
		}), soon)
		begun := time.Now()
		b, err := s.Fetch(t.Context(), anyName)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, b); got != "good" || time.Since(begun) != time.Second || asked.Load() != 2 {
			t.Errorf("got %q after %v, asked %d times", got, time.Since(begun), asked.Load())
		}
		if first.Err() == nil {
			t.Error("the one that hangs was not ended")
		}
	})
}

func TestTheContextOfAWinnerLivesAsLongAsItsBody(t *testing.T) {
	var given context.Context
	s := Twice(Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
		given = ctx
		return body("good"), nil
	}), soon)
	b, err := s.Fetch(t.Context(), anyName)
	if err != nil || given.Err() != nil {
		t.Fatal(err, given.Err())
	}
	if data, err := io.ReadAll(b.Reader()); string(data) != "good" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	b.Close()
	if given.Err() == nil {
		t.Error("the context outlives the body")
	}
}

func TestAnErrorIsNoSilence(t *testing.T) {
	trouble := classed(artifact.ErrBadUpstream, "trouble")
	p := plays(trouble, "good")
	if _, err := Twice(p, soon).Fetch(t.Context(), anyName); !errors.Is(err, artifact.ErrBadUpstream) || p.asked != 1 {
		t.Errorf("got %v, asked %d times", err, p.asked)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := Twice(plays("good"), soon).Fetch(gone, anyName); !errors.Is(err, why) {
		t.Errorf("after the end of the context: %v", err)
	}
}
