package pool_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/pool"
)

func TestABrokenUpstreamIsProbedEverMoreSeldom(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		asked := w.fake.times()
		last := time.Now()
		time.Sleep(10 * time.Minute)
		probes := w.fake.since(asked)
		longest := 5 * time.Second
		for i, at := range probes {
			if wait := at.Sub(last); wait < longest*4/5 || wait > longest {
				w.Errorf("probe %d came after %v, want at most %v", i, wait, longest)
			}
			last, longest = at, min(2*longest, time.Minute)
		}
		if len(probes) < 12 {
			w.Errorf("%d probes in ten minutes", len(probes))
		}
		s := w.status()
		if s.State != pool.Broken || s.NextProbe.Before(time.Now()) || s.NextProbe.After(time.Now().Add(time.Minute)) {
			w.Errorf("%+v", s)
		}
		if s.Requests != 5 || s.Errors["bad answer of the upstream"] != int64(5+len(probes)) || w.told() != "broken" {
			w.Errorf("%+v; told %q", s, w.told())
		}
	})
}

func TestAnHonestAnswerToAProbeHeals(t *testing.T) {
	for _, honest := range []func(context.Context, artifact.Name) (*blob.Blob, error){
		brings("body"), fails(artifact.NotFound("x")), fails(&artifact.Error{Class: artifact.ErrForbidden, Reason: "no"}),
		lying(io.EOF, nil),
	} {
		in(t, func(w *ward) {
			w.breaks(errBroken)
			w.fake.now(honest)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if s := w.status(); w.upstream.Down() || s.State != pool.Healthy || !s.NextProbe.IsZero() || w.told() != "broken healthy" {
				w.Errorf("%+v; told %q", s, w.told())
			}
			asked := w.fake.times()
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := w.fake.times(); got != asked {
				w.Errorf("it was probed %d times although it is healthy", got-asked)
			}
		})
	}
}

func TestABadAnswerToAProbeDoesNotHeal(t *testing.T) {
	bad := &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "bad body"}
	for name, does := range map[string]func(context.Context, artifact.Name) (*blob.Blob, error){
		"breaks off": lying(bad, nil), "fails its check": lying(io.EOF, bad), "is refused": fails(errBusy),
	} {
		in(t, func(w *ward) {
			w.breaks(errBroken)
			w.fake.now(does)
			time.Sleep(time.Minute)
			synctest.Wait()
			if !w.upstream.Down() || w.fake.times() < 5+3 {
				w.Errorf("%s: healed after %d probes", name, w.fake.times()-5)
			}
		})
	}
}

func TestAHealthyUpstreamIsNeverProbed(t *testing.T) {
	in(t, func(w *ward) {
		w.fetch(aMod)
		w.fake.now(fails(errBusy))
		for range 4 {
			w.fetch(aMod)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := w.fake.times(); got != 5 {
			w.Errorf("it was asked %d times", got)
		}
	})
}

func TestAProbeThatHangsIsBoundedAndTheOnlyOne(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		underWay, most := 0, 0
		w.fake.now(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
			underWay++
			most = max(most, underWay)
			defer func() { underWay-- }()
			begun := time.Now()
			b, err := hangs(ctx, n)
			if took := time.Since(begun); took > 10*time.Second {
				w.Errorf("a probe took %v", took)
			}
			return b, err
		})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := w.status(); s.State != pool.Probing || !w.upstream.Down() {
			w.Errorf("%+v", s)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if most != 1 {
			w.Errorf("%d probes at one time", most)
		}
		if told := w.told(); told != "broken" {
			w.Errorf("told %q", told)
		}
	})
}

func TestAProbeAsksForSomethingSmallThatWasThere(t *testing.T) {
	latest := artifact.Name{Kind: artifact.SumLatest, DB: "sum.example.org"}
	supported := artifact.Name{Kind: artifact.SumSupported, DB: "sum.example.org"}
	query := artifact.Name{Kind: artifact.Query, Module: mod, Version: "main"}
	for _, test := range []struct {
		good   []artifact.Name
		failed artifact.Name
		want   artifact.Name
	}{
		{[]artifact.Name{aList, aMod, aZip}, aZip, aMod},
		{[]artifact.Name{aMod, aList}, aMod, aList},
		{[]artifact.Name{latest, supported, query, aZip}, aMod, latest},
		{[]artifact.Name{aZip}, aZip, aZip.Sibling(artifact.Info)},
		{nil, aZip, aZip.Sibling(artifact.Info)},
		{nil, query, query},
		{nil, aList, aList},
	} {
		in(t, func(w *ward) {
			for _, n := range test.good {
				w.fetch(n)
			}
			w.fake.now(fails(errBroken))
			for range 5 {
				w.fetch(test.failed)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got := w.fake.last(); got != test.want {
				w.Errorf("%+v: the probe asked for %v", test, got)
			}
		})
	}
}

func TestWhatCameOnlyInPartIsNoProbe(t *testing.T) {
	in(t, func(w *ward) {
		b, err := w.upstream.Fetch(w.Context(), aList)
		if err != nil {
			w.Fatal(err)
		}
		b.Close()
		w.fake.now(fails(errBroken))
		for range 5 {
			w.fetch(aMod)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := w.fake.last(); got != aMod {
			w.Errorf("the probe asked for %v", got)
		}
	})
}

func TestOrdinarySuccessHeals(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		w.fake.now(brings("body"))
		time.Sleep(900 * time.Millisecond)
		w.fetch(aMod)
		if !w.upstream.Down() {
			w.Error("it is well again within a second")
		}
		time.Sleep(100 * time.Millisecond)
		w.fetch(aMod)
		if w.upstream.Down() || w.told() != "broken healthy" {
			w.Errorf("told %q", w.told())
		}
		asked := w.fake.times()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.fake.times(); got != asked {
			w.Errorf("it was probed %d times although it is healthy", got-asked)
		}
	})
}

func TestASuccessFromBeforeProvesNothing(t *testing.T) {
	in(t, func(w *ward) {
		old, err := w.upstream.Fetch(w.Context(), aMod)
		if err != nil {
			w.Fatal(err)
		}
		w.breaks(errBroken)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		receive(w.Context(), old)
		if !w.upstream.Down() {
			w.Error("an answer from before it broke healed it")
		}
	})
}

func TestARelapseIsWaitedOutLonger(t *testing.T) {
	in(t, func(w *ward) {
		for i, longest := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
			w.breaks(errBroken)
			w.fake.now(brings("body"))
			begun := time.Now()
			for w.upstream.Down() {
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(begun); took < longest*4/5 || took > longest+20*time.Millisecond {
				w.Errorf("relapse %d took %v, want %v", i, took, longest)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		w.breaks(errBroken)
		w.fake.now(brings("body"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if w.upstream.Down() {
			w.Error("a relapse after a minute was waited out longer, too")
		}
	})
}

func TestCloseEndsAProbe(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		w.fake.now(hangs)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		begun := time.Now()
		w.pool.Close()
		if took := time.Since(begun); took != 0 {
			w.Errorf("closing took %v", took)
		}
		asked := w.fake.times()
		w.fake.now(fails(errBusy))
		for range 10 {
			w.fetch(aMod)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.fake.times(); got != asked+10 {
			w.Errorf("%d probes after the end", got-asked-10)
		}
	})
}

func rest(d time.Duration) error {
	return &artifact.Error{Class: artifact.ErrUnavailable, Reason: "answered 429", RetryAfter: d}
}

func TestARestIsGranted(t *testing.T) {
	for asked, granted := range map[time.Duration]time.Duration{
		time.Second: time.Second, 90 * time.Second: 90 * time.Second, time.Hour: 5 * time.Minute,
	} {
		in(t, func(w *ward) {
			w.fake.now(fails(rest(asked)))
			w.fetch(aMod)
			s := w.status()
			if !w.upstream.Down() || s.State != pool.Resting || !s.RestsUntil.Equal(time.Now().Add(granted)) || w.told() != "resting" {
				w.Errorf("%+v; told %q", s, w.told())
			}
			time.Sleep(granted - 1)
			if !w.upstream.Down() {
				w.Error("the rest was cut short")
			}
			time.Sleep(time.Nanosecond)
			if w.upstream.Down() {
				w.Error("the rest is too long")
			}
			synctest.Wait()
			if s := w.status(); s.State != pool.Healthy || w.told() != "resting healthy" || w.fake.times() != 1 {
				w.Errorf("%+v; told %q after %d requests", s, w.told(), w.fake.times())
			}
		})
	}
}

func TestFailuresDuringARestCountOnce(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(fails(rest(time.Minute)))
		for range 100 {
			w.fetch(aMod)
		}
		if w.told() != "resting" || w.status().Errors["temporarily unavailable"] != 100 {
			w.Errorf("told %q; %+v", w.told(), w.status())
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		w.fake.now(fails(errBusy))
		for range 3 {
			w.fetch(aMod)
		}
		if w.upstream.Down() {
			w.Error("a rest counted as more than one failure")
		}
		w.fetch(aMod)
		if told := w.told(); told != "resting healthy broken" {
			w.Errorf("told %q", told)
		}
	})
}

func TestARestCanBeProlongedButNotShortened(t *testing.T) {
	in(t, func(w *ward) {
		for _, d := range []time.Duration{10 * time.Second, 30 * time.Second, time.Second} {
			w.fake.now(fails(rest(d)))
			w.fetch(aMod)
		}
		time.Sleep(29 * time.Second)
		if !w.upstream.Down() || w.told() != "resting" {
			w.Errorf("told %q", w.told())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if w.upstream.Down() || w.told() != "resting healthy" {
			w.Errorf("told %q", w.told())
		}
	})
}

func TestOnlyThoseWhoAskForARestGetOne(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(fails(&artifact.Error{Class: artifact.ErrBadUpstream, Reason: "answered 500", RetryAfter: time.Minute}))
		w.fetch(aMod)
		w.fake.now(fails(errBusy))
		w.fetch(aMod)
		if w.upstream.Down() {
			w.Error("it rests")
		}
	})
}

func TestABrokenUpstreamThatRestedIsProbed(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		w.fake.now(fails(rest(20 * time.Second)))
		w.fetch(aMod)
		w.fake.now(brings("body"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := w.status(); s.State != pool.Resting {
			w.Errorf("%+v", s)
		}
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if w.upstream.Down() || w.status().State != pool.Healthy {
			w.Error("it is still out of order")
		}
	})
}
