package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/pool"
)

const mod = "example.com/m"

var (
	aMod  = artifact.Name{Kind: artifact.Mod, Module: mod, Version: "v1.0.0"}
	aZip  = aMod.Sibling(artifact.Zip)
	aList = artifact.Name{Kind: artifact.List, Module: mod}

	errBusy   = &artifact.Error{Class: artifact.ErrUnavailable, Reason: "busy"}
	errBroken = &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "answered 500"}
)

// fake is an upstream whose behaviour can be changed.
type fake struct {
	mu    sync.Mutex
	does  source.Func
	asked []artifact.Name
	at    []time.Time
}

func (f *fake) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	f.mu.Lock()
	f.asked, f.at = append(f.asked, n), append(f.at, time.Now())
	does := f.does
	f.mu.Unlock()
	return does(ctx, n)
}

func (f *fake) now(does source.Func) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.does = does
}

// last is the artifact asked for last.
func (f *fake) last() artifact.Name {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[len(f.asked)-1]
}

// since returns when it was asked after the first n times.
func (f *fake) since(n int) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.at[n:])
}

func (f *fake) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func brings(text string) source.Func {
	return func(context.Context, artifact.Name) (*blob.Blob, error) {
		return &blob.Blob{Info: blob.Info{Size: -1}, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

func fails(err error) source.Func {
	return func(context.Context, artifact.Name) (*blob.Blob, error) { return nil, err }
}

func hangs(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// after is what does with a latency.
func after(d time.Duration, does source.Func) source.Func {
	return func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		select {
		case <-time.After(d):
			return does(ctx, n)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ward is a Pool of one upstream, and what it tells.
type ward struct {
	*testing.T
	pool     *pool.Pool
	fake     *fake
	upstream *pool.Upstream

	mu      sync.Mutex
	changes []pool.Change
}

// in plays a test in a bubble of time, with a new ward.
func in(t *testing.T, play func(w *ward)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &ward{T: t, fake: &fake{does: brings("body")}}
		w.pool = pool.New(pool.Options{Patience: 3 * time.Second, OnChange: func(c pool.Change) {
			w.pool.Status() // it may use the Pool
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c)
		}})
		w.upstream = w.pool.Upstream(pool.Member{ID: "id", Name: "up", Source: w.fake})
		play(w)
		if err := w.pool.Close(); err != nil {
			w.Error(err)
		}
	})
}

// told returns what has changed so far.
func (w *ward) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var states []string
	for i, c := range w.changes {
		if i > 0 && w.changes[i-1].To != c.From || c.From == c.To {
			w.Errorf("change %d is from %s to %s", i, c.From, c.To)
		}
		if c.Upstream != "up" || (c.Err == nil) != (c.To == pool.Healthy) {
			w.Errorf("change %d: %+v", i, c)
		}
		states = append(states, string(c.To))
	}
	return strings.Join(states, " ")
}

func (w *ward) status() pool.Status { return w.pool.Status()[0] }

// fetch fetches, reads and checks as a cache does, and tells of what is bad.
func fetch(ctx context.Context, s source.Source, n artifact.Name) (string, error) {
	b, err := s.Fetch(ctx, n)
	if err != nil {
		return "", err
	}
	return receive(ctx, b)
}

func receive(ctx context.Context, b *blob.Blob) (string, error) {
	spool := blob.NewSpool(1<<20, nil)
	_, err := io.Copy(spool, b.Reader())
	if err == nil && b.Check != nil {
		err = b.Check(ctx, spool)
	}
	b.Close()
	return string(spool.Bytes()), err
}

func (w *ward) fetch(n artifact.Name) (string, error) {
	return fetch(w.Context(), w.upstream, n)
}

// breaks lets the upstream fail until it is broken.
func (w *ward) breaks(err error) {
	w.Helper()
	w.fake.now(fails(err))
	for range 5 {
		w.fetch(aMod)
	}
	if !w.upstream.Down() {
		w.Fatal("it is not broken")
	}
}

func TestFiveFailuresInARowBreak(t *testing.T) {
	for _, err := range []error{
		errBroken, errBusy, io.ErrUnexpectedEOF,
		&artifact.Error{Class: artifact.ErrTimeout, Reason: "slow"},
		&artifact.Error{Class: artifact.ErrTooMany, Reason: "too many"},
		&artifact.Error{Class: artifact.ErrIntegrity, Reason: "lie"},
	} {
		in(t, func(w *ward) {
			for round := range 3 {
				w.fake.now(fails(err))
				for range 4 {
					w.fetch(aMod)
				}
				w.fake.now(brings("body"))
				w.fetch(aMod)
				if w.upstream.Down() {
					w.Fatalf("%v: broken in round %d", err, round)
				}
			}
			w.fake.now(fails(err))
			for i := range 5 {
				if w.upstream.Down() {
					w.Errorf("%v: broken after %d failures", err, i)
				}
				if _, got := w.fetch(aMod); !errors.Is(got, err) {
					w.Errorf("got %v, want %v", got, err)
				}
			}
			if s := w.status(); !w.upstream.Down() || s.State != pool.Broken || w.told() != "broken" {
				w.Errorf("%v: %+v, told %q", err, s, w.told())
			}
			if !errors.Is(w.changes[0].Err, err) {
				w.Errorf("broken because of %v", w.changes[0].Err)
			}
		})
	}
}

func TestHonestAnswersNeverBreak(t *testing.T) {
	for _, err := range []error{artifact.NotFound("x"), &artifact.Error{Class: artifact.ErrForbidden, Reason: "no"}} {
		in(t, func(w *ward) {
			w.fake.now(fails(err))
			for range 100 {
				w.fetch(aMod)
			}
			if s := w.status(); w.told() != "" || s.ErrorRate != 0 || len(s.Errors) != 0 || s.LastError != "" || s.Requests != 100 {
				w.Errorf("%v: %+v", err, s)
			}
		})
	}
}

func TestHalfOfManyFailuresBreak(t *testing.T) {
	for _, test := range []struct {
		every  time.Duration
		period int // one in so many fails,
		first  int // from this one on
		broken int // after so many
	}{
		{time.Second, 2, 1, 20},
		{time.Millisecond, 2, 0, 21},
		{2 * time.Second, 2, 1, 200}, // too few within 30 s
		{time.Second, 3, 1, 200},
	} {
		in(t, func(w *ward) {
			n := 0
			for ; n < 200 && !w.upstream.Down(); n++ {
				if n%test.period == test.first {
					w.fake.now(fails(errBroken))
				} else {
					w.fake.now(brings("body"))
				}
				w.fetch(aMod)
				time.Sleep(test.every)
			}
			if n != test.broken {
				w.Errorf("%+v: broken after %d requests", test, n)
			}
		})
	}
}

// lying returns a Source of bodies that fail in a way that shows late.
func lying(read, check error) source.Func {
	return func(context.Context, artifact.Name) (*blob.Blob, error) {
		b := &blob.Blob{Info: blob.Info{Size: -1}, Body: io.NopCloser(io.MultiReader(strings.NewReader("begin"), &errorReader{read}))}
		b.Check = func(context.Context, *blob.Spool) error { return check }
		return b, nil
	}
}

type errorReader struct{ err error }

func (r *errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestEachFetchCountsOnce(t *testing.T) {
	bad := &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "bad body"}
	lie := &artifact.Error{Class: artifact.ErrIntegrity, Reason: "checksum mismatch"}
	type next []error // causes
	for _, test := range []struct {
		name   string
		does   source.Func
		causes next
		want   map[string]int64
	}{
		{"a good body", lying(io.EOF, nil), nil, nil},
		{"a body that breaks off", lying(bad, nil), nil, map[string]int64{"bad answer of the upstream": 1}},
		{"and is replaced", lying(bad, nil), next{bad, bad}, map[string]int64{"bad answer of the upstream": 1}},
		{"a body that fails its check", lying(io.EOF, bad), nil, map[string]int64{"bad answer of the upstream": 1}},
		{"and is replaced", lying(io.EOF, lie), next{lie}, map[string]int64{"integrity check failed": 1}},
		{"a check that cannot be made", lying(io.EOF, io.ErrShortBuffer), nil, nil},
		{"a body that somebody else finds bad", lying(io.EOF, nil), next{lie}, map[string]int64{"integrity check failed": 1}},
		{"a body that nobody can prove", lying(io.EOF, nil), next{errBusy}, nil},
		{"a body that is not allowed", lying(io.EOF, nil), next{&artifact.Error{Class: artifact.ErrForbidden}}, nil},
		{"bytes in memory that are bad", func(context.Context, artifact.Name) (*blob.Blob, error) {
			return blob.FromBytes(blob.Info{}, []byte("x")), nil
		}, next{lie}, map[string]int64{"integrity check failed": 1}},
	} {
		in(t, func(w *ward) {
			w.fake.now(test.does)
			b, err := w.upstream.Fetch(w.Context(), aMod)
			if err != nil {
				w.Fatal(err)
			}
			if got := w.status().InFlight; got != 1 && b.Body != nil {
				w.Errorf("%s: %d under way before it is closed", test.name, got)
			}
			receive(w.Context(), b)
			b.Close()
			for _, cause := range test.causes {
				if _, err := b.Next(w.Context(), cause); !errors.Is(err, cause) {
					w.Errorf("%s: Next returned %v", test.name, err)
				}
			}
			s := w.status()
			if fmt.Sprint(s.Errors) != fmt.Sprint(test.want) || s.Requests != 1 || s.InFlight != 0 {
				w.Errorf("%s: counted %+v, want %v", test.name, s, test.want)
			}
		})
	}
}

func TestABodyClosedEarlyIsASuccess(t *testing.T) {
	in(t, func(w *ward) {
		for range 4 {
			w.fake.now(fails(errBusy))
			w.fetch(aMod)
		}
		w.fake.now(lying(errBroken, nil))
		b, err := w.upstream.Fetch(w.Context(), aMod)
		if err != nil {
			w.Fatal(err)
		}
		b.Reader().Read(make([]byte, 1))
		b.Close()
		w.fake.now(fails(errBusy))
		w.fetch(aMod)
		if w.upstream.Down() {
			w.Error("it did not count")
		}
	})
}

func TestOneWhoAlwaysLiesIsBroken(t *testing.T) {
	lie := &artifact.Error{Class: artifact.ErrIntegrity, Reason: "checksum mismatch"}
	in(t, func(w *ward) {
		for i := range 5 {
			if w.upstream.Down() {
				w.Errorf("broken after %d lies", i)
			}
			b, err := w.upstream.Fetch(w.Context(), aMod)
			if err != nil {
				w.Fatal(err)
			}
			if _, err := receive(w.Context(), b); err != nil { // a success until somebody looks closer
				w.Fatal(err)
			}
			b.Next(w.Context(), lie)
		}
		if !w.upstream.Down() || w.told() != "broken" {
			w.Errorf("after 5 lies: %q", w.told())
		}
	})
}

func TestOneWhoLiesHalfTheTimeIsBroken(t *testing.T) {
	in(t, func(w *ward) {
		for i := range 20 {
			b, err := w.upstream.Fetch(w.Context(), aMod)
			if err != nil {
				w.Fatal(err)
			}
			receive(w.Context(), b)
			if i%2 == 1 {
				b.Next(w.Context(), errBroken)
			}
		}
		if !w.upstream.Down() {
			w.Errorf("10 lies in 20 answers: %+v", w.status())
		}
	})
}

func TestALieThatShowsLateBreaksNobodyWhoHasSucceededSince(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(fails(errBusy))
		for range 4 {
			w.fetch(aMod)
		}
		w.fake.now(brings("lie"))
		b, err := w.upstream.Fetch(w.Context(), aMod)
		if err != nil {
			w.Fatal(err)
		}
		receive(w.Context(), b)
		w.fetch(aMod)
		b.Next(w.Context(), errBroken)
		if w.upstream.Down() {
			w.Error("failures in a row were counted from before a success")
		}
	})
}

func TestTheInnerNextIsAsked(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
			b, err := brings("first")(ctx, n)
			b.Next = func(ctx context.Context, cause error) (*blob.Blob, error) { return lying(errBroken, nil)(ctx, n) }
			return b, err
		})
		b, err := w.upstream.Fetch(w.Context(), aMod)
		if err != nil {
			w.Fatal(err)
		}
		receive(w.Context(), b)
		b, err = b.Next(w.Context(), errBroken)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := receive(w.Context(), b); !errors.Is(err, errBroken) {
			w.Error(err)
		}
		if s := w.status(); s.Errors["bad answer of the upstream"] != 2 || s.Requests != 2 || s.InFlight != 0 {
			w.Errorf("%+v", s)
		}
	})
}

func TestACallerWhoLeavesCountsAsNothing(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(hangs)
		for range 20 {
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			if _, err := w.upstream.Fetch(ctx, aMod); err == nil {
				w.Fatal("an answer of somebody who hangs")
			}
			cancel()
		}
		w.fake.now(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
			return &blob.Blob{Info: blob.Info{Size: -1}, Body: &hangingBody{ctx}}, nil
		})
		for range 20 {
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			if _, err := fetch(ctx, w.upstream, aMod); !errors.Is(err, context.DeadlineExceeded) {
				w.Fatal(err)
			}
			cancel()
		}
		if s := w.status(); w.told() != "" || len(s.Errors) != 0 || s.InFlight != 0 {
			w.Errorf("%+v", s)
		}
	})
}

func TestACallerWhoLeavesIsNoSuccessEither(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(fails(errBusy))
		for range 4 {
			w.fetch(aMod)
		}
		w.fake.now(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
			return &blob.Blob{Info: blob.Info{Size: -1}, Body: &hangingBody{ctx}}, nil
		})
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		b, err := w.upstream.Fetch(ctx, aMod)
		if err != nil {
			w.Fatal(err)
		}
		_, err = receive(ctx, b)
		b.Next(ctx, err)
		if w.upstream.Down() {
			w.Error("a caller who left counted as a failure")
		}
		w.fake.now(fails(errBusy))
		w.fetch(aMod)
		if !w.upstream.Down() {
			w.Error("a caller who left counted as a success")
		}
	})
}

type hangingBody struct{ ctx context.Context }

func (b *hangingBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (b *hangingBody) Close() error { return nil }

func TestSilenceBeyondPatienceIsAFailure(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(hangs)
		other := source.Link{Name: "other", Source: brings("other")}
		chain := source.Chain(w.upstream.Link(true), other)
		for i := range 4 {
			begun := time.Now()
			got, err := fetch(w.Context(), chain, aMod)
			if err != nil || got != "other" {
				w.Fatal(got, err)
			}
			want := 3 * time.Second
			if i == 3 {
				want = 0 // it is broken by then
			}
			if took := time.Since(begun); took != want {
				w.Errorf("fetch %d took %v, want %v", i, took, want)
			}
		}
		if s := w.status(); s.Errors["upstream timed out"] != 3 || s.Requests != 3 || !strings.Contains(s.LastError, "up was silent for 3s") {
			w.Errorf("%+v", s)
		}
	})
}

func TestSilenceIsCountedAtOnceAndOnce(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(after(10*time.Second, brings("late")))
		chain := source.Chain(w.upstream.Link(true), source.Link{Name: "other", Source: source.Func(after(time.Minute, brings("other")))})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if got, err := fetch(w.Context(), chain, aMod); got != "late" {
					w.Error(got, err)
				}
			})
		}
		time.Sleep(3*time.Second + time.Millisecond)
		if !w.upstream.Down() {
			w.Error("it is not known to be silent yet")
		}
		wg.Wait()
		if s := w.status(); s.Errors["upstream timed out"] != 5 || s.State != pool.Probing {
			w.Errorf("%+v", s)
		}
	})
}

func TestSilenceTowardsOneIsNoFailureWhileOthersAreServed(t *testing.T) {
	for name, served := range map[string]source.Func{
		"answers": after(time.Second, fails(artifact.NotFound("x"))),
		"a long body": func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
			return &blob.Blob{Info: blob.Info{Size: -1}, Body: &steadyBody{left: 100}}, nil
		},
	} {
		in(t, func(w *ward) {
			w.fake.now(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
				if n == aZip {
					return hangs(ctx, n)
				}
				return served(ctx, n)
			})
			done := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						w.fetch(aMod)
					}
				}
			})
			chain := source.Chain(w.upstream.Link(true), source.Link{Name: "other", Source: brings("other")})
			for range 20 {
				if got, err := fetch(w.Context(), chain, aZip); got != "other" {
					w.Error(got, err)
				}
			}
			close(done)
			wg.Wait()
			if w.upstream.Down() || w.told() != "" {
				w.Errorf("%s: told %q; %+v", name, w.told(), w.status())
			}
		})
	}
}

func TestWhatHangsInItsBodiesIsBroken(t *testing.T) {
	for name, body := range map[string]func(ctx context.Context) io.ReadCloser{
		"nothing comes":         func(ctx context.Context) io.ReadCloser { return &deadBody{ctx} },
		"a byte comes a second": func(context.Context) io.ReadCloser { return &drippingBody{left: 100} },
	} {
		in(t, func(w *ward) {
			w.fake.now(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
				return &blob.Blob{Info: blob.Info{Size: 100}, Body: body(ctx)}, nil
			})
			chain := source.Chain(w.upstream.Link(true), source.Link{Name: "other", Source: brings("other")})
			for i := range 5 {
				if got, err := fetch(w.Context(), chain, aMod); got != "other" {
					t.Errorf("%s: %d: %v %v", name, i, got, err)
				}
			}
			if !w.upstream.Down() {
				t.Errorf("%s: %+v", name, w.status())
			}
		})
	}
}

// deadBody is a body of which nothing comes.
type deadBody struct{ ctx context.Context }

func (b *deadBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (b *deadBody) Close() error { return nil }

// drippingBody is a body of which a byte comes every second.
type drippingBody struct{ left int }

func (b *drippingBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	b.left--
	time.Sleep(time.Second)
	return copy(p, "x"), nil
}

func (b *drippingBody) Close() error { return nil }

// steadyBody is a body of which a part comes every second.
type steadyBody struct{ left int }

func (b *steadyBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	b.left--
	time.Sleep(time.Second)
	return copy(p, make([]byte, 1<<10)), nil
}

func (b *steadyBody) Close() error { return nil }

func TestPatienceFollowsTheUsualLatency(t *testing.T) {
	for _, test := range []struct {
		usual        time.Duration
		hedge, limit time.Duration // with the buckets' width
	}{
		{0, 0, 3 * time.Second}, // unknown
		{10 * time.Millisecond, 10 * time.Millisecond, time.Second},
		{400 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second},
		{2 * time.Second, 2 * time.Second, 3 * time.Second},
		{10 * time.Second, 0, 3 * time.Second},
	} {
		in(t, func(w *ward) {
			w.fake.now(after(test.usual, brings("body")))
			for range 20 {
				if test.usual > 0 {
					w.fetch(aMod)
				}
			}
			small, zip := w.upstream.Link(true).Patience(aMod), w.upstream.Link(true).Patience(aZip)
			within := func(got, want time.Duration) bool { return got >= want && got <= want*5/4 }
			if !within(small.Hedge, test.hedge) || !within(small.Limit, test.limit) || zip.Hedge != 0 || zip.Limit != small.Limit {
				w.Errorf("%+v: small %v, %v; zip %v, %v", test, small.Hedge, small.Limit, zip.Hedge, zip.Limit)
			}
			w.pool.SetPatience(0)
			if p := w.upstream.Link(true).Patience(aMod); p.Hedge != 0 || p.Limit != 0 {
				w.Errorf("patience without end is %+v", p)
			}
		})
	}
}

func TestHedgesAreFewAndNoFailures(t *testing.T) {
	in(t, func(w *ward) {
		n := 0
		w.fake.now(func(ctx context.Context, name artifact.Name) (*blob.Blob, error) {
			if n++; n%25 == 0 {
				return after(900*time.Millisecond, brings("body"))(ctx, name)
			}
			return after(10*time.Millisecond, brings("body"))(ctx, name)
		})
		other := &fake{does: brings("other")}
		chain := source.Chain(w.upstream.Link(true), w.pool.Upstream(pool.Member{ID: "other", Name: "zzz", Source: other}).Link(true))
		const requests = 2000
		for range requests {
			if _, err := fetch(w.Context(), chain, aMod); err != nil {
				w.Fatal(err)
			}
		}
		s := w.status()
		if hedges := int(s.Hedges); hedges != other.times() || hedges < requests*2/100 || hedges > requests*2/100+6 {
			w.Errorf("%d hedges, the other one was asked %d times", hedges, other.times())
		}
		if len(s.Errors) != 0 {
			w.Errorf("a hedge counted as a failure: %v", s.Errors)
		}
		if s.Latency.P95 > 12 || s.Latency.P99 < 900 {
			w.Errorf("latencies %+v", s.Latency)
		}
	})
}

func TestOneThatNobodyStandsInForIsAskedTwice(t *testing.T) {
	in(t, func(w *ward) {
		var n atomic.Int64
		w.fake.now(func(ctx context.Context, name artifact.Name) (*blob.Blob, error) {
			if n.Add(1)%100 == 0 {
				return hangs(ctx, name)
			}
			return after(10*time.Millisecond, brings("body"))(ctx, name)
		})
		chain := source.Chain(w.upstream.Link(false))
		const requests = 1000
		for range requests {
			begun := time.Now()
			if got, err := fetch(w.Context(), chain, aMod); got != "body" || err != nil || time.Since(begun) > 150*time.Millisecond {
				w.Fatalf("got %q, %v after %v", got, err, time.Since(begun))
			}
		}
		if s := w.status(); s.Hedges != 10 || w.fake.times() != requests+10 || len(s.Errors) != 0 {
			w.Errorf("%d hedges, asked %d times, %v", s.Hedges, w.fake.times(), s.Errors)
		}
	})
}

func TestNobodyIsAskedTwiceTooOftenOrInVain(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(after(10*time.Millisecond, brings("body")))
		link := w.upstream.Link(false)
		slow := after(400*time.Millisecond, brings("body"))
		ask := func(what string, n artifact.Name, hedges int64) {
			w.Helper()
			before := w.status().Hedges
			for range 50 {
				if _, err := fetch(w.Context(), link.Source, n); err != nil {
					w.Fatal(err)
				}
			}
			if got := w.status().Hedges - before; got != hedges {
				w.Errorf("%s: asked %d times more often, want %d", what, got, hedges)
			}
		}
		w.fake.now(slow)
		ask("as long as little is known", aMod, 0) // and then as slow as usual
		w.fake.now(after(10*time.Millisecond, brings("body")))
		for range 3000 {
			w.fetch(aMod)
		}
		w.fake.now(slow)
		w.pool.SetPatience(0)
		ask("with patience without end", aMod, 0)
		w.pool.SetPatience(3 * time.Second)
		ask("zips", aZip, 0)
		ask("within the budget", aMod, 6) // what it began with, and 2 % of these
		w.fake.now(fails(errBusy))
		before := w.status().Hedges
		if _, err := fetch(w.Context(), link.Source, aMod); !errors.Is(err, artifact.ErrUnavailable) || w.status().Hedges != before {
			w.Errorf("an error: %v", err)
		}
	})
}

func TestOneWhoIsOvertakenIsKnownToBeSlow(t *testing.T) {
	in(t, func(w *ward) {
		w.fake.now(after(10*time.Millisecond, brings("body")))
		other := source.Link{Name: "other", Source: source.Func(after(200*time.Millisecond, brings("other")))}
		chain := source.Chain(w.upstream.Link(true), other)
		for range 20 {
			w.fetch(aMod)
		}
		w.fake.now(hangs)
		for range 3 {
			if got, err := fetch(w.Context(), chain, aMod); got != "other" {
				w.Fatal(got, err)
			}
		}
		if s := w.status(); s.Hedges != 3 || s.Latency.P95 < 200 || len(s.Errors) != 0 {
			w.Errorf("%+v", s)
		}
	})
}

func TestAListenerHearsOneChangeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{does: fails(errBroken)}
		var told []pool.State
		listening := false
		p := pool.New(pool.Options{OnChange: func(c pool.Change) {
			if listening {
				t.Error("two changes at one time")
			}
			listening = true
			time.Sleep(time.Minute)
			listening = false
			told = append(told, c.To)
		}})
		u := p.Upstream(pool.Member{ID: "id", Name: "up", Source: f})
		go func() {
			for range 5 {
				u.Fetch(t.Context(), aMod)
			}
		}()
		time.Sleep(2 * time.Second)
		f.now(brings("body"))
		begun := time.Now()
		fetch(t.Context(), u, aMod)
		if took := time.Since(begun); took != 0 {
			t.Errorf("a fetch waited %v for the listener", took)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if !slices.Equal(told, []pool.State{pool.Broken, pool.Healthy}) {
			t.Errorf("told %v", told)
		}
		p.Close()
	})
}

func TestChangesAreToldInOrder(t *testing.T) {
	in(t, func(w *ward) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 200 {
					if (i+j/10)%3 == 0 {
						w.fake.now(brings("body"))
					} else {
						w.fake.now(fails(errBroken))
					}
					w.fetch(aMod)
					time.Sleep(time.Duration(1+i) * 50 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		w.pool.Close()
		if told := w.told(); !strings.HasPrefix(told, "broken healthy broken") {
			w.Errorf("told %q", told)
		}
		if lasted := w.changes[len(w.changes)-1].At.Sub(w.changes[0].At); len(w.changes) > 2*int(lasted/time.Second) {
			w.Errorf("%d changes in %v", len(w.changes), lasted)
		}
	})
}

func TestMemorySurvivesAReload(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		renewed := &fake{does: brings("new")}
		u := w.pool.Upstream(pool.Member{ID: "id", Name: "up", Source: renewed})
		if u != w.upstream || !u.Down() {
			w.Error("the memory was lost")
		}
		if got, _ := w.fetch(aMod); got == "new" {
			w.Error("what is only tried is in use")
		}
		u.Use(renewed)
		if got, err := w.fetch(aMod); got != "new" || err != nil {
			w.Error(got, err)
		}
		other := w.pool.Upstream(pool.Member{ID: "id2", Name: "renamed", Source: renewed})
		if other == u || other.Down() {
			w.Error("two upstreams share a memory")
		}
	})
}

func TestKeepForgetsAllOthers(t *testing.T) {
	in(t, func(w *ward) {
		w.breaks(errBroken)
		other := w.pool.Upstream(pool.Member{ID: "other", Name: "other", Source: brings("x")})
		asked := w.fake.times()
		w.pool.Keep([]*pool.Upstream{other})
		time.Sleep(time.Hour)
		if got := w.fake.times(); got != asked {
			w.Errorf("one that was forgotten was probed %d times", got-asked)
		}
		if all := w.pool.Status(); len(all) != 1 || all[0].Name != "other" {
			w.Errorf("kept %+v", all)
		}
		if w.pool.Upstream(pool.Member{ID: "id", Name: "up", Source: w.fake}).Down() {
			w.Error("it was not forgotten")
		}
	})
}

func TestStatusNamesWhatIsKnown(t *testing.T) {
	in(t, func(w *ward) {
		begun := time.Now()
		w.fake.now(after(100*time.Millisecond, brings("body")))
		for range 30 {
			w.fetch(aMod)
		}
		w.fake.now(fails(&artifact.Error{Class: artifact.ErrBadUpstream, Reason: "answered 500", Err: errors.New("line\nbreak")}))
		w.fetch(aList)
		s := w.status()
		if s.Name != "up" || s.State != pool.Healthy || !s.Since.Equal(begun) || s.Requests != 31 || s.Errors["bad answer of the upstream"] != 1 {
			w.Errorf("%+v", s)
		}
		for _, ms := range []float64{s.Latency.P50, s.Latency.P95, s.Latency.P99} {
			if ms < 100 || ms > 120 {
				w.Errorf("latencies %+v, want 100 ms", s.Latency)
			}
		}
		if s.ErrorRate < 0.02 || s.ErrorRate > 0.05 || s.LastError != "answered 500: line break" || !s.LastErrorAt.Equal(time.Now()) {
			w.Errorf("%+v", s)
		}
		s.Errors["x"] = 1
		if len(w.status().Errors) != 1 {
			w.Error("the status shares its map")
		}
		time.Sleep(10 * time.Minute)
		if s := w.status(); s.Latency.P50 != 0 {
			w.Errorf("after ten minutes: %+v", s)
		}
	})
}

func TestStatusIsSortedByName(t *testing.T) {
	in(t, func(w *ward) {
		for _, name := range []string{"z", "a", "m"} {
			w.pool.Upstream(pool.Member{ID: name, Name: name, Source: w.fake})
		}
		var names []string
		for _, s := range w.pool.Status() {
			names = append(names, s.Name)
		}
		if !slices.Equal(names, []string{"a", "m", "up", "z"}) {
			w.Errorf("got %v", names)
		}
	})
}
