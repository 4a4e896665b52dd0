package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A runnerScript is what one who is asked does.
type runnerScript struct {
	takes  time.Duration // zero: at once; negative: until its context ends
	fails  bool
	ends   bool // its error lets no other be asked
	deaf   bool // it answers though its context has ended
	bears  Patience
	begun  time.Duration // since the start; -1: not asked
	cause  error         // why its context ended before it answered
	slow   time.Duration // when it was told that it is too slow; -1: never
	failed int
	late   int // answers discarded
}

// stage runs a Relay of scripts and keeps what happened.
type stage struct {
	scripts []*runnerScript
	start   time.Time
	ctx     context.Context // of the winner
	left    int             // contexts of losers that have not ended
}

func (s *stage) run(ctx context.Context) (winner int, took time.Duration, release func()) {
	s.start = time.Now()
	for _, r := range s.scripts {
		r.begun, r.slow = -1, -1
	}
	contexts := make([]context.Context, len(s.scripts))
	relay := &Relay[int]{
		Ask: func(ctx context.Context, i int) (int, error) {
			contexts[i] = ctx
			return s.ask(ctx, i)
		},
		Failed: func(i int, _ error) bool {
			s.scripts[i].failed++
			return !s.scripts[i].ends
		},
		Patience: func(i int) Patience { return s.scripts[i].bears },
		Discard:  func(i int) { s.scripts[i].late++ },
	}
	winner, answer, release := relay.Run(ctx, len(s.scripts))
	if winner >= 0 {
		s.ctx = contexts[winner]
		if answer != winner {
			panic("an answer of somebody else")
		}
	}
	for i, own := range contexts {
		if i != winner && own != nil && own != ctx && own.Err() == nil {
			s.left++
		}
	}
	return winner, time.Since(s.start), release
}

func (s *stage) ask(ctx context.Context, i int) (int, error) {
	r := s.scripts[i]
	r.begun = time.Since(s.start)
	OnSlow(ctx, func() { r.slow = time.Since(s.start) })
	wait := time.NewTimer(r.takes)
	defer wait.Stop()
	over := wait.C
	if r.takes < 0 {
		over = nil
	}
	done := ctx.Done()
	if r.deaf {
		done = nil
	}
	select {
	case <-over:
	case <-done:
		r.cause = context.Cause(ctx)
		return i, ctx.Err()
	}
	if r.fails {
		return i, errors.New("trouble")
	}
	return i, nil
}

var (
	second     = Patience{Limit: time.Second}
	granted    = func() bool { return true }
	refusedAll = func() bool { return false }
)

func TestSilenceIsBorneUntilTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{scripts: []*runnerScript{{takes: -1, bears: second}, {takes: time.Minute, bears: second}, {takes: 10 * time.Millisecond}}}
		winner, took, release := s.run(t.Context())
		defer release()
		if winner != 2 || took != 2010*time.Millisecond {
			t.Errorf("number %d won after %v", winner, took)
		}
		for i, want := range []time.Duration{0, time.Second, 2 * time.Second} {
			if s.scripts[i].begun != want {
				t.Errorf("number %d was asked after %v, want %v", i, s.scripts[i].begun, want)
			}
		}
		for i, want := range []time.Duration{time.Second, 2 * time.Second, -1} {
			if s.scripts[i].slow != want {
				t.Errorf("number %d was told after %v that it is too slow, want %v", i, s.scripts[i].slow, want)
			}
		}
		for _, r := range s.scripts[:2] {
			if !errors.Is(r.cause, ErrOvertaken) {
				t.Errorf("a loser was stopped by %v", r.cause)
			}
		}
	})
}

func TestAHedgeNeedsToBeGranted(t *testing.T) {
	for _, test := range []struct {
		bears       Patience
		begun, slow time.Duration
	}{
		{Patience{Hedge: 100 * time.Millisecond, Spend: granted, Limit: time.Second}, 100 * time.Millisecond, time.Second},
		{Patience{Hedge: 100 * time.Millisecond, Spend: refusedAll, Limit: time.Second}, time.Second, time.Second},
		{Patience{Hedge: 100 * time.Millisecond, Spend: granted}, 100 * time.Millisecond, -1},
		{Patience{Hedge: 100 * time.Millisecond, Spend: refusedAll}, -1, -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{scripts: []*runnerScript{{takes: 3 * time.Second, bears: test.bears}, {takes: time.Minute}}}
			winner, took, release := s.run(t.Context())
			defer release()
			if winner != 0 || took != 3*time.Second {
				t.Errorf("number %d won after %v", winner, took)
			}
			if got := s.scripts[1].begun; got != test.begun {
				t.Errorf("%+v: the next one was asked after %v, want %v", test, got, test.begun)
			}
			if got := s.scripts[0].slow; got != test.slow {
				t.Errorf("%+v: the first one was told after %v, want %v", test, got, test.slow)
			}
		})
	}
}

func TestOneSilenceLeadsToOneOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{scripts: []*runnerScript{
			{takes: time.Minute, bears: Patience{Hedge: 100 * time.Millisecond, Spend: granted, Limit: time.Second}},
			{takes: time.Hour},
			{},
		}}
		winner, _, release := s.run(t.Context())
		defer release()
		if winner != 0 || s.scripts[0].slow != time.Second || s.scripts[2].begun != -1 {
			t.Errorf("number %d won; the third was asked after %v", winner, s.scripts[2].begun)
		}
	})
}

func TestNobodyElseIsAskedWhileOneMayAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{scripts: []*runnerScript{{takes: 999 * time.Millisecond, bears: second}, {}}}
		winner, _, release := s.run(t.Context())
		defer release()
		if winner != 0 || s.scripts[1].begun != -1 {
			t.Errorf("number %d won, the second was asked after %v", winner, s.scripts[1].begun)
		}
	})
}

func TestALateAnswerIsGivenBackAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{scripts: []*runnerScript{{takes: 5 * time.Second, deaf: true, bears: second}, {}}}
		winner, took, release := s.run(t.Context())
		defer release()
		if winner != 1 || took != 5*time.Second || s.scripts[0].late != 1 {
			t.Errorf("number %d won after %v, %d answers given back", winner, took, s.scripts[0].late)
		}
	})
}

func TestTheWinnersContextLivesUntilItIsReleased(t *testing.T) {
	for name, scripts := range map[string][]*runnerScript{
		"alone":  {{}},
		"first":  {{bears: second}, {}},
		"second": {{takes: -1, bears: second}, {}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &stage{scripts: scripts}
			_, _, release := s.run(ctx)
			time.Sleep(time.Hour)
			if s.ctx.Err() != nil {
				t.Errorf("%s: the context ended early: %v", name, context.Cause(s.ctx))
			}
			release()
			if name != "alone" && s.ctx.Err() == nil {
				t.Errorf("%s: the context outlives its release", name)
			}
			cancel()
		})
	}
}

func TestAnErrorOfOneWhoWasOvertakenByTimeLeadsToNobody(t *testing.T) {
	for _, ends := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			first := &runnerScript{takes: 2 * time.Second, fails: true, bears: second}
			next := &runnerScript{takes: 500 * time.Millisecond, fails: true, ends: ends}
			last := &runnerScript{takes: time.Second}
			s := &stage{scripts: []*runnerScript{first, next, last}}
			winner, _, release := s.run(t.Context())
			defer release()
			if asked := last.begun >= 0; asked == ends || ends != (winner == -1) {
				t.Errorf("ends %v: the last was asked after %v, number %d won", ends, last.begun, winner)
			}
			if !ends && last.begun != 1500*time.Millisecond {
				t.Errorf("the last was asked after %v", last.begun)
			}
		})
	}
}

func TestAnEndedContextEndsTheRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		s := &stage{scripts: []*runnerScript{{takes: -1, bears: second}, {takes: -1, bears: second}, {}}}
		winner, took, _ := s.run(ctx)
		if winner != -1 || took != 1500*time.Millisecond || s.scripts[2].begun != -1 {
			t.Errorf("number %d won after %v; the third was asked after %v", winner, took, s.scripts[2].begun)
		}
		if s.scripts[0].failed != 1 || s.scripts[1].failed != 1 {
			t.Error("an error was not told")
		}
	})
}

// What must hold whatever happens: those who are asked are asked in order, each
// of them wins, fails or is given back, nobody else does, and somebody wins if
// anybody asked has a good answer.
func TestEachWhoIsAskedIsAccountedForOnce(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			s := &stage{}
			for range 1 + r.IntN(5) {
				ms := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Millisecond }
				s.scripts = append(s.scripts, &runnerScript{
					takes: ms(100), fails: r.IntN(2) == 0, ends: r.IntN(4) == 0, deaf: r.IntN(2) == 0,
					bears: Patience{Hedge: ms(3) * ms(10), Limit: ms(3) * ms(30), Spend: func() bool { return r.IntN(2) == 0 }},
				})
			}
			winner, _, release := s.run(t.Context())
			release()
			var times []time.Duration
			good := false
			for i, one := range s.scripts {
				outcomes := one.failed + one.late
				if i == winner {
					outcomes++
				}
				if one.begun < 0 {
					if outcomes != 0 || slices.ContainsFunc(s.scripts[i:], func(r *runnerScript) bool { return r.begun >= 0 }) {
						t.Errorf("seed %d: number %d was passed over, or not asked and heard of", seed, i)
					}
					continue
				}
				times = append(times, one.begun)
				good = good || !one.fails
				if outcomes != 1 && !(outcomes == 0 && winner >= 0) {
					t.Errorf("seed %d: number %d was accounted for %d times", seed, i, outcomes)
				}
			}
			if s.left > 0 {
				t.Errorf("seed %d: %d contexts were left behind", seed, s.left)
			}
			if !slices.IsSorted(times) || good != (winner >= 0) || winner >= 0 && s.scripts[winner].fails {
				t.Errorf("seed %d: asked at %v, number %d won", seed, times, winner)
			}
		})
	}
}

func TestABudgetIsAShareOfTheRequests(t *testing.T) {
	for _, test := range []struct{ percent, burst, requests int }{
		{10, 10, 100}, {2, 5, 1000}, {100, 1, 7}, {0, 3, 100},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			b := NewBudget(test.percent, test.burst)
			spent := 0
			for b.Spend() {
				spent++
			}
			if spent != test.burst {
				t.Errorf("%d at once, want %d", spent, test.burst)
			}
			spent = 0
			for range test.requests {
				b.Earn()
				if b.Spend() {
					spent++
				}
			}
			if want := test.requests * test.percent / 100; spent != want {
				t.Errorf("%d of %d requests, want %d", spent, test.requests, want)
			}
			for range 10_000 {
				b.Earn()
			}
			spent = 0
			for b.Spend() {
				spent++
			}
			if test.percent > 0 && spent != test.burst {
				t.Errorf("%d after a long time, want %d", spent, test.burst)
			}
		})
	}
}
