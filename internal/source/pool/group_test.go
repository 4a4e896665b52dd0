package pool_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/pool"
)

// band is a Group of upstreams named a, b, c and so on.
type band struct {
	*testing.T
	*pool.Group
	pool  *pool.Pool
	fakes []*fake
	all   []*pool.Upstream
}

// together plays a test in a bubble of time, with a Group of members of these
// weights.
func together(t *testing.T, s pool.Strategy, weights []int, play func(b *band)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &band{T: t, pool: pool.New(pool.Options{Patience: 3 * time.Second})}
		var members []pool.Weighted
		for i, weight := range weights {
			name := string(rune('a' + i))
			f := &fake{does: brings(name)}
			u := b.pool.Upstream(pool.Member{ID: name, Name: name, Source: f})
			b.fakes, b.all = append(b.fakes, f), append(b.all, u)
			members = append(members, pool.Weighted{Upstream: u, Weight: weight})
		}
		b.Group = pool.NewGroup("group", s, members)
		play(b)
		b.pool.Close()
	})
}

// fetch fetches and returns who has brought it.
func (b *band) fetch() string {
	got, err := fetch(b.Context(), b, aMod)
	if err != nil {
		return err.Error()
	}
	return got
}

// shares fetches n times and returns how often each member brought it.
func (b *band) shares(n int) map[string]int {
	shares := map[string]int{}
	for range n {
		shares[b.fetch()]++
	}
	return shares
}

func (b *band) breaks(i int) {
	b.fakes[i].now(fails(errBroken))
	for range 5 {
		b.all[i].Fetch(b.Context(), aMod)
	}
}

func (b *band) latencies(all ...time.Duration) {
	for i, d := range all {
		b.fakes[i].now(after(d, brings(string(rune('a'+i)))))
	}
}

const ms = time.Millisecond

func TestEveryStrategyAsksOnUntilOneHasIt(t *testing.T) {
	for _, s := range []pool.Strategy{pool.Ordered, pool.Fastest, pool.ByWeight, ""} {
		together(t, s, []int{1, 1, 1}, func(b *band) {
			b.fakes[0].now(fails(artifact.NotFound("not in a")))
			b.fakes[1].now(fails(errBroken))
			for range 20 {
				if got := b.fetch(); got != "c" {
					b.Errorf("%q: got %q", s, got)
				}
			}
		})
	}
}

func TestMembersOutOfOrderComeLast(t *testing.T) {
	for _, s := range []pool.Strategy{pool.Ordered, pool.Fastest, pool.ByWeight} {
		together(t, s, []int{1, 1, 1}, func(b *band) {
			b.breaks(0)
			b.breaks(1)
			first, second := b.fakes[0].times(), b.fakes[1].times()
			if got := b.shares(20); got["c"] != 20 || b.fakes[0].times() != first || b.fakes[1].times() != second {
				b.Errorf("%q: %v", s, got)
			}
			b.fakes[2].now(fails(artifact.NotFound("not in c")))
			if got := b.fetch(); got != "not found: not in c" || b.fakes[0].times() != first {
				b.Errorf("%q: asked for another opinion: %v", s, got)
			}
			b.fakes[1].now(brings("b"))
			b.fakes[2].now(fails(errBusy))
			if got := b.fetch(); got != "b" {
				b.Errorf("%q: nobody else was asked in trouble: %v", s, got)
			}
		})
	}
}

func TestAGroupIsDownWhenAllMembersAre(t *testing.T) {
	together(t, pool.Ordered, []int{1, 1}, func(b *band) {
		for i := range b.fakes {
			if b.Down() {
				b.Errorf("it is down after %d", i)
			}
			b.breaks(i)
		}
		if !b.Down() || !b.Link(true).Down() {
			b.Error("it is not down")
		}
		b.fakes[1].now(brings("b"))
		if got := b.fetch(); got != "b" {
			b.Errorf("nobody was asked although all are down: %v", got)
		}
	})
}

func TestAMemberThatHangsCostsItsPatienceAndSoonNothing(t *testing.T) {
	together(t, pool.Ordered, []int{1, 1}, func(b *band) {
		b.fakes[0].now(hangs)
		var waited time.Duration
		for range 100 {
			begun := time.Now()
			if got := b.fetch(); got != "b" {
				b.Fatal(got)
			}
			waited += time.Since(begun)
		}
		if waited != 3*3*time.Second {
			b.Errorf("100 fetches waited %v", waited)
		}
	})
}

func TestAGroupThatHangsIsOvertakenAfterAllItsMembers(t *testing.T) {
	together(t, pool.Ordered, []int{1, 1}, func(b *band) {
		b.fakes[0].now(hangs)
		b.fakes[1].now(hangs)
		chain := source.Chain(b.Link(true), source.Link{Name: "other", Source: brings("other")})
		for i := range 4 {
			begun := time.Now()
			if got, err := fetch(b.Context(), chain, aMod); got != "other" {
				b.Fatal(got, err)
			}
			want := 6 * time.Second
			if i == 3 {
				want = 0
			}
			if took := time.Since(begun); took != want {
				b.Errorf("fetch %d took %v, want %v", i, took, want)
			}
		}
		for _, s := range b.pool.Status() {
			if s.Errors["upstream timed out"] != 3 || s.InFlight != 0 {
				b.Errorf("%+v", s)
			}
		}
	})
}

func TestTheFastestIsAskedFirst(t *testing.T) {
	together(t, pool.Fastest, []int{1, 1, 1}, func(b *band) {
		b.latencies(300*ms, 100*ms, 200*ms)
		for _, want := range []string{"a", "b", "c"} { // until all are known
			if got := b.fetch(); got != want {
				b.Errorf("got %q, want %q", got, want)
			}
		}
		if got := b.shares(400); got["b"] != 380 || got["a"] != 10 || got["c"] != 10 {
			b.Errorf("got %v", got)
		}
	})
}

func TestARivalMustBeMuchBetter(t *testing.T) {
	for _, test := range []struct {
		rival time.Duration
		want  string
	}{{95 * ms, "a"}, {85 * ms, "a"}, {75 * ms, "b"}} {
		together(t, pool.Fastest, []int{1, 1}, func(b *band) {
			b.latencies(100*ms, 120*ms)
			b.shares(50)
			b.latencies(100*ms, test.rival)
			b.shares(4000) // so that the old latencies are forgotten
			if got := b.shares(40); got[test.want] < 38 {
				b.Errorf("a rival of %v: %v", test.rival, got)
			}
		})
	}
}

func TestTheFavouriteComesBackAfterItWasDown(t *testing.T) {
	together(t, pool.Fastest, []int{1, 1}, func(b *band) {
		b.latencies(100*ms, 300*ms)
		b.shares(20)
		b.breaks(0)
		if got := b.shares(50); got["b"] != 50 {
			b.Errorf("while it is down: %v", got)
		}
		b.latencies(100 * ms)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := b.shares(2000); got["a"] < 1800 {
			b.Errorf("after it is well again: %v", got)
		}
	})
}

func TestSharesFollowTheWeights(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		weights := make([]int, 1+r.IntN(5))
		total := 0
		for i := range weights {
			weights[i] = 1 + r.IntN(9)
			total += weights[i]
		}
		together(t, pool.ByWeight, weights, func(b *band) {
			got := b.shares(10 * total)
			for i, weight := range weights {
				if share := got[string(rune('a'+i))]; share != 10*weight {
					b.Errorf("weights %v: shares %v", weights, got)
				}
			}
			if len(weights) == 1 {
				return
			}
			b.breaks(0)
			total -= weights[0]
			got = b.shares(10 * total)
			for i, weight := range weights[1:] {
				if share := got[string(rune('b'+i))]; share < 10*weight-10 || share > 10*weight+10 {
					b.Errorf("weights %v without the first: shares %v", weights, got)
				}
			}
		})
	}
}

func TestSharesAreSpreadOut(t *testing.T) {
	together(t, pool.ByWeight, []int{5, 1, 1}, func(b *band) {
		var got []string
		for range 7 {
			got = append(got, b.fetch())
		}
		if !slices.Equal(got, strings.Split("aabacaa", "")) {
			b.Errorf("got %v", got)
		}
	})
}

func TestAWeightIsAtLeastOne(t *testing.T) {
	together(t, pool.ByWeight, []int{0, -5}, func(b *band) {
		if got := b.shares(10); got["a"] != 5 || got["b"] != 5 {
			b.Errorf("got %v", got)
		}
	})
}

func TestManyMayUseAGroupAtOneTime(t *testing.T) {
	for _, s := range []pool.Strategy{pool.Ordered, pool.Fastest, pool.ByWeight} {
		together(t, s, []int{1, 2, 3}, func(b *band) {
			b.latencies(10*ms, 20*ms, 30*ms)
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					for j := range 50 {
						if (i+j)%10 == 0 {
							b.fakes[j%3].now(fails(errBroken))
						} else {
							b.fakes[j%3].now(after(10*ms, brings("x")))
						}
						b.fetch()
						b.pool.Status()
					}
				})
			}
			wg.Wait()
			for _, s := range b.pool.Status() {
				if s.InFlight != 0 {
					b.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestABadBodyIsReplacedByAnotherMember(t *testing.T) {
	together(t, pool.Ordered, []int{1, 1}, func(b *band) {
		bad := &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "bad body"}
		b.fakes[0].now(lying(io.EOF, bad))
		blob, err := b.Fetch(b.Context(), aMod)
		if err != nil {
			b.Fatal(err)
		}
		_, cause := receive(b.Context(), blob)
		blob, err = blob.Next(b.Context(), cause)
		if err != nil {
			b.Fatal(err)
		}
		got, err := receive(b.Context(), blob)
		if s := b.pool.Status()[0]; got != "b" || err != nil || fmt.Sprint(s.Errors) != "map[bad answer of the upstream:1]" {
			b.Errorf("got %q, %v; %+v", got, err, s)
		}
	})
}
