package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

func yes() bool { return true }

func impatient(artifact.Name) Patience { return Patience{Limit: time.Second} }

// hangs is a Source that is silent until its context ends.
func hangs() Source {
	return Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
}

// tell returns what a fetch has come to as a text, and closes what it brought.
func tell(b *blob.Blob, err error) string {
	if err != nil {
		return err.Error()
	}
	data, err := b.ReadAll(1 << 10)
	if err != nil {
		return "body: " + err.Error()
	}
	return string(data)
}

// hangingBody gives a little and then nothing until the context ends.
type hangingBody struct {
	ctx   context.Context
	given bool
}

func (b *hangingBody) Read(p []byte) (int, error) {
	if !b.given {
		b.given = true
		return copy(p, "b"), nil
	}
	<-b.ctx.Done()
	return 0, artifact.FromTransport("ill", b.ctx.Err())
}

func (b *hangingBody) Close() error { return nil }

func TestABodyThatHangsIsSilenceUnlessItIsLarge(t *testing.T) {
	for _, test := range []struct {
		kind artifact.Kind
		size int64
		want string
	}{
		{artifact.Mod, 4, "good"},
		{artifact.Zip, 4, "good"},
		{artifact.Zip, maxPreload + 1, "hangs"},
		{artifact.Zip, -1, "hangs"},
	} {
		synctest.Test(t, func(t *testing.T) {
			hangs := Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
				return &blob.Blob{Info: blob.Info{Size: test.size}, Body: &hangingBody{ctx: ctx}}, nil
			})
			good := Func(func(context.Context, artifact.Name) (*blob.Blob, error) {
				return blob.FromBytes(blob.Info{}, []byte("good")), nil
			})
			limit := func(artifact.Name) Patience { return Patience{Limit: time.Second} }
			chain := Chain(Link{Name: "ill", Source: hangs, FallBackOnError: true, Patience: limit}, Link{Name: "well", Source: good})
			b, err := chain.Fetch(t.Context(), artifact.Name{Kind: test.kind, Module: "a.b/c", Version: "v1.0.0"})
			if err != nil {
				t.Fatal(err)
			}
			got := "hangs"
			if b.Body == nil {
				got = string(b.Data)
			}
			if b.Close(); got != test.want {
				t.Errorf("%+v: %s", test, got)
			}
		})
	}
}

// A question for what does not exist must not hang because of one who is ill.
func TestWhoIsDownIsNotWaitedForWhenOthersSayNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
			<-ctx.Done()
			return nil, artifact.FromTransport("ill", ctx.Err())
		})
		absent := Func(func(context.Context, artifact.Name) (*blob.Blob, error) { return nil, artifact.NotFound("x") })
		down := func() bool { return true }
		begun := time.Now()
		_, err := Chain(Link{Name: "ill", Source: hangs, FallBackOnError: true, Down: down}, Link{Name: "well", Source: absent}).Fetch(t.Context(), anyName)
		if !errors.Is(err, artifact.ErrUnavailable) || artifact.RetryAfter(err) == 0 || !strings.Contains(err.Error(), "ill is out of order") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > brief {
			t.Errorf("it took %v", took)
		}
	})
}

func TestLinksThatAreDownArePassedOver(t *testing.T) {
	ok, absent, busy := "body", artifact.NotFound("x"), classed(artifact.ErrUnavailable, "busy")
	type link struct {
		step  any
		pipe  bool // falls back on errors
		down  bool
		asked int // its place in the order; zero: not asked
	}
	for _, test := range []struct {
		name  string
		links []link
		alike bool
		want  string
	}{
		{"another has it", []link{{ok, true, true, 0}, {ok, false, false, 1}}, false, "body"},
		{"nobody else has it", []link{{ok, true, true, 2}, {absent, false, false, 1}}, false, "body"},
		{"absent everywhere", []link{{absent, true, true, 2}, {absent, false, false, 1}}, false, "not found: x"},
		{"trouble elsewhere", []link{{ok, true, true, 2}, {busy, false, false, 1}}, false, "body"},
		{"trouble everywhere", []link{{busy, true, true, 2}, {busy, false, false, 1}}, false, "busy"},
		{"names do not go on", []link{{ok, false, true, 1}, {ok, false, false, 0}}, false, "body"},
		{"in trouble names do not go on", []link{{busy, false, true, 1}, {ok, false, false, 0}}, false, "busy"},
		{"the last is asked", []link{{busy, true, false, 1}, {ok, true, true, 2}}, false, "body"},
		{"all are down", []link{{busy, true, true, 1}, {ok, true, true, 2}, {ok, true, true, 0}}, false, "body"},
		{"several are down", []link{{busy, true, true, 3}, {ok, true, true, 4}, {busy, true, false, 1}, {busy, true, true, 2}}, false, "body"},
		{"mirrors: another has it", []link{{ok, true, true, 0}, {ok, true, false, 1}}, true, "body"},
		{"mirrors: no second opinion", []link{{ok, true, true, 0}, {absent, true, false, 1}, {ok, true, true, 0}}, true, "not found: x"},
		{"mirrors: trouble", []link{{ok, true, true, 2}, {busy, true, false, 1}}, true, "body"},
		{"mirrors: all are down", []link{{absent, true, true, 1}, {ok, true, true, 2}}, true, "body"},
	} {
		var links []Link
		places := make([]int, len(test.links))
		count := 0
		for i, l := range test.links {
			s := plays(l.step)
			links = append(links, Link{Name: fmt.Sprint(i), FallBackOnError: l.pipe, Down: func() bool { return l.down },
				Source: Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
					count++
					places[i] = count
					return s.Fetch(ctx, n)
				})})
		}
		chain := Chain
		if test.alike {
			chain = Mirrors
		}
		got := tell(chain(links...).Fetch(t.Context(), anyName))
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		for i, l := range test.links {
			if places[i] != l.asked {
				t.Errorf("%s: link %d was asked as number %d, want %d", test.name, i, places[i], l.asked)
			}
		}
	}
}

func TestOffIsNobodyToGoOnTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := slow(time.Minute, plays("body"))
		got := tell(Chain(Link{Source: a, FallBackOnError: true, Down: yes, Patience: impatient}, Off()).Fetch(t.Context(), anyName))
		if got != "body" {
			t.Errorf("got %q", got)
		}
	})
}

// silentBody is a body that fails once its context has ended, and tells when it
// is closed.
type silentBody struct {
	ctx    context.Context
	in     io.Reader
	closed chan<- error
}

func (b *silentBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.in.Read(p)
}

func (b *silentBody) Close() error {
	b.closed <- b.ctx.Err()
	return nil
}

func TestASilentLinkIsOvertakenAndTheBodyLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan error, 1)
		var bodyCtx context.Context
		second := Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
			bodyCtx = ctx
			return &blob.Blob{Info: blob.Info{Size: -1}, Body: &silentBody{ctx, strings.NewReader("body"), closed}}, nil
		})
		begun := time.Now()
		b, err := Chain(Link{Source: hangs(), FallBackOnError: true, Patience: impatient}, Link{Source: second}).Fetch(t.Context(), anyName)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Hour)
		if data, err := io.ReadAll(b.Reader()); string(data) != "body" {
			t.Errorf("got %q, %v", data, err)
		}
		b.Close()
		if err := <-closed; err != nil {
			t.Errorf("the context ended before the body was closed: %v", err)
		}
		if bodyCtx.Err() == nil {
			t.Error("the context outlives the body")
		}
	})
}

func TestALateBodyIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan error, 1)
		deaf := Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
			time.Sleep(5 * time.Second)
			return &blob.Blob{Body: &silentBody{ctx, strings.NewReader("late"), closed}}, nil
		})
		got := tell(Chain(Link{Source: deaf, FallBackOnError: true, Patience: impatient}, Link{Source: plays("body")}).Fetch(t.Context(), anyName))
		if got != "body" || len(closed) != 1 {
			t.Errorf("got %q, %d late bodies were closed", got, len(closed))
		}
	})
}

func TestSilenceIsBorneWhereNothingElseMayBeAsked(t *testing.T) {
	for name, links := range map[string][]Link{
		"no fallback": {{FallBackOnError: false}, {Source: plays("other")}},
		"the last":    {{FallBackOnError: true}},
		"before off":  {{FallBackOnError: true}, Off()},
	} {
		synctest.Test(t, func(t *testing.T) {
			links[0].Patience = impatient
			links[0].Source = Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
				OnSlow(ctx, func() { t.Errorf("%s: it was told that it is too slow", name) })
				return slow(time.Hour, plays("body")).Fetch(ctx, n)
			})
			if got := tell(Chain(links...).Fetch(t.Context(), anyName)); got != "body" {
				t.Errorf("%s: got %q", name, got)
			}
		})
	}
}

func TestAbsenceElsewhereDoesNotSpeakForASilentLink(t *testing.T) {
	for _, test := range []struct {
		first Source
		want  string
	}{
		{slow(time.Minute, plays("body")), "body"},
		{slow(time.Minute, plays(classed(artifact.ErrTimeout, "slow"))), "slow"},
		{slow(time.Minute, plays(artifact.NotFound("first"))), "not found: first"},
	} {
		synctest.Test(t, func(t *testing.T) {
			second := plays(artifact.NotFound("second"))
			got := tell(Chain(Link{Source: test.first, FallBackOnError: true, Patience: impatient}, Link{Source: second}).Fetch(t.Context(), anyName))
			if got != test.want || second.asked != 1 {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNextAsksWhoWasOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		first := Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
			if asked++; asked == 1 {
				return hangs().Fetch(ctx, n)
			}
			return body("first"), nil
		})
		c := Chain(Link{Source: first, FallBackOnError: true, Patience: impatient}, Link{Source: plays("second")})
		b, err := c.Fetch(t.Context(), anyName)
		var got []string
		for err == nil {
			got = append(got, text(t, b))
			b, err = b.Next(t.Context(), classed(artifact.ErrBadUpstream, "broke off"))
		}
		if fmt.Sprint(got) != "[second first first second]" {
			t.Errorf("bodies came in the order %v", got)
		}
	})
}

func TestNextPrefersWhoIsUpAndBearsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Chain(
			Link{Source: plays("bad")},
			Link{Source: plays("down"), FallBackOnError: true, Down: yes},
			Link{Source: hangs(), FallBackOnError: true, Patience: impatient},
			Link{Source: plays("good")},
		)
		b, err := c.Fetch(t.Context(), anyName)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if got := tell(b.Next(t.Context(), classed(artifact.ErrBadUpstream, "broke off"))); got != "good" || time.Since(begun) != time.Second {
			t.Errorf("got %q after %v", got, time.Since(begun))
		}
	})
}

func TestPatienceThatIsNotLostChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := range outcomes * outcomes * outcomes * 8 {
			kinds := [3]int{n / 8 % outcomes, n / 8 / outcomes % outcomes, n / 8 / outcomes / outcomes}
			pipe := [3]bool{n&1 != 0, n&2 != 0, n&4 != 0}
			var links []Link
			var scripts []*script
			for i, kind := range kinds {
				s := plays(outcome(kind, i))
				scripts = append(scripts, s)
				links = append(links, Link{Name: fmt.Sprint(i), Source: slow(time.Millisecond, s), FallBackOnError: pipe[i], Patience: impatient})
			}
			asked, want := wantWalk(kinds, pipe)
			if got := tell(Chain(links...).Fetch(t.Context(), anyName)); got != fmt.Sprint(want) {
				t.Errorf("outcomes %v, pipes %v: got %v, want %v", kinds, pipe, got, want)
			}
			for i, s := range scripts {
				if once := i < asked; s.asked == 1 != once {
					t.Errorf("outcomes %v, pipes %v: link %d asked %d times", kinds, pipe, i, s.asked)
				}
			}
		}
	})
}

func TestACallerWhoLeavesEndsAllThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("client gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(gone) })
		_, err := Chain(
			Link{Source: hangs(), FallBackOnError: true, Patience: impatient},
			Link{Source: hangs(), FallBackOnError: true, Patience: impatient},
			Link{Source: hangs()},
		).Fetch(ctx, anyName)
		if !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
}
