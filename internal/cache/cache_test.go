package cache_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/store"
)

// world is a cache between a store and a source that misbehave on demand.
type world struct {
	t      *testing.T
	cache  *cache.Cache
	store  *testStore
	source *testSource
	mu     sync.Mutex
	events []cache.Event
}

// slots are turns for all alike.
type slots chan struct{}

func (s slots) Wait(ctx context.Context, _ string) (release func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newWorld(t *testing.T, change ...func(*cache.Options)) *world {
	w := &world{t: t, store: &testStore{entries: map[string]*blob.Blob{}}, source: &testSource{answers: map[string]answer{}, asked: map[string]int{}}}
	w.cache = cache.New(w.store, w.source, w.options(change...))
	t.Cleanup(func() { w.cache.Close() })
	return w
}

func (w *world) options(change ...func(*cache.Options)) cache.Options {
	o := cache.Options{
		StreamAbove: 256 << 10, Times: cache.Times{Fresh: time.Minute, NotFound: 10 * time.Second, ListNotFound: time.Minute},
		MaxFills: 8, MaxWaiting: 8, FillTimeout: time.Minute, Fallback: temp{w.t.TempDir()}, Turns: make(slots, 8),
		OnEvent: func(e cache.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

func (w *world) open(path string) (cache.Answer, error) {
	w.t.Helper()
	n, err := artifact.Parse(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.cache.Open(w.t.Context(), cache.Request{Name: n})
}

// get opens and reads, and returns body, result and error as one comparable text.
func (w *world) get(path string) string {
	w.t.Helper()
	a, err := w.open(path)
	return text(a, err)
}

func (w *world) stored(path string) string {
	w.t.Helper()
	n, err := artifact.Parse(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return text(w.cache.Open(w.t.Context(), cache.Request{Name: n, StoredOnly: true}))
}

func text(a cache.Answer, err error) string {
	if err != nil {
		return fmt.Sprint("error ", artifact.Status(err))
	}
	data, err := a.ReadAll(1 << 30)
	if err != nil {
		return "broken"
	}
	return a.Result.String() + " " + string(data)
}

func (w *world) want(got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("got %.200q, want %.200q", got, want)
	}
}

// settled waits until nothing is being fetched.
func (w *world) settled() {
	w.t.Helper()
	if err := w.cache.Drain(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

type temp struct{ dir string }

func (f temp) Spool() (*os.File, error)    { return os.CreateTemp(f.dir, "*") }
func (f temp) Unspool(file *os.File) error { return errors.Join(file.Close(), os.Remove(file.Name())) }

// testStore is a Store in a map.
type testStore struct {
	mu      sync.Mutex
	entries map[string]*blob.Blob
	getErr  error
	putErr  error
	puts    int
	missed  func() // called once, between looking and saying that there is nothing
}

func (s *testStore) Get(_ context.Context, key string) (*blob.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.getErr != nil {
		return nil, s.getErr
	}
	b, ok := s.entries[key]
	if ok {
		return b, nil
	}
	if missed := s.missed; missed != nil {
		s.missed = nil
		s.mu.Unlock()
		missed()
		s.mu.Lock()
	}
	return nil, fs.ErrNotExist
}

func (s *testStore) Put(_ context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return blob.Info{}, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return blob.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.putErr != nil {
		return blob.Info{}, s.putErr
	}
	if _, ok := s.entries[key]; ok && o.IfAbsent {
		return blob.Info{}, store.ErrConflict
	}
	s.puts++
	s.entries[key] = blob.FromBytes(blob.Info{Key: key, Time: time.Now().Round(0), ETag: fmt.Sprintf(`"%d"`, s.puts)}, data)
	return s.entries[key].Info, nil
}

func (s *testStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, key)
	return nil
}

func (s *testStore) List(_ context.Context, prefix string) iter.Seq2[blob.Info, error] {
	s.mu.Lock()
	keys := slices.Sorted(maps.Keys(s.entries))
	s.mu.Unlock()
	return func(yield func(blob.Info, error) bool) {
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) && !yield(blob.Info{Key: k}, nil) {
				return
			}
		}
	}
}

func (s *testStore) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.entries[key]
	return ok
}

func (s *testStore) fail(get, put error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.getErr, s.putErr = get, put
}

// testSource answers by key.
type testSource struct {
	mu      sync.Mutex
	answers map[string]answer
	asked   map[string]int
}

type answer struct {
	body   string
	err    error
	check  error           // what the check says
	break_ error           // the body ends with this
	size   int64           // said before; 0: the real one
	hold   <-chan struct{} // before anything is answered
	gate   <-chan struct{} // after the first half of the body
	next   *answer
	refs   map[string]string
}

func (s *testSource) set(key string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[key] = a
}

func (s *testSource) count(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[key]
}

func (s *testSource) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	s.mu.Lock()
	s.asked[n.Key()]++
	a, ok := s.answers[n.Key()]
	s.mu.Unlock()
	if !ok {
		return nil, artifact.NotFound("unknown")
	}
	return a.blob(ctx)
}

func (a answer) blob(ctx context.Context) (*blob.Blob, error) {
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	b := &blob.Blob{Info: blob.Info{Size: a.size}, Refs: a.refs, Body: io.NopCloser(&body{ctx: ctx, answer: a, rest: a.body})}
	if a.size == 0 {
		b.Size = int64(len(a.body))
	}
	if a.check != nil {
		b.Check = func(context.Context, *blob.Spool) error { return a.check }
	}
	if a.next != nil {
		b.Next = func(ctx context.Context, _ error) (*blob.Blob, error) { return a.next.blob(ctx) }
	}
	return b, nil
}

type body struct {
	ctx context.Context
	answer
	rest string
}

func (b *body) Read(p []byte) (int, error) {
	if b.gate != nil && len(b.rest) <= len(b.body)/2 {
		select {
		case <-b.gate:
		case <-b.ctx.Done():
			return 0, context.Cause(b.ctx)
		}
	}
	if b.rest == "" {
		if b.break_ != nil {
			return 0, b.break_
		}
		return 0, io.EOF
	}
	half := len(b.rest) - len(b.body)/2
	if half <= 0 {
		half = len(b.rest)
	}
	n := copy(p[:min(len(p), half)], b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

const (
	list   = "a.b/c/@v/list"
	latest = "a.b/c/@latest"
	info1  = "a.b/c/@v/v1.0.0.info"
	mod1   = "a.b/c/@v/v1.0.0.mod"
	zip1   = "a.b/c/@v/v1.0.0.zip"
	branch = "a.b/c/@v/main.info"
)

var (
	down     = &artifact.Error{Class: artifact.ErrTimeout, Reason: "fetch timed out"}
	mismatch = &artifact.Error{Class: artifact.ErrIntegrity, Reason: "checksum mismatch"}
)

func infoOf(version string) string { return `{"Version":"` + version + `"}` }

// Between the look into the store and the one for a flight, another caller's flight
// may have come and gone.
func TestACallerWhoMissesAFlightByAMomentIsAnsweredByWhatItBrought(t *testing.T) {
	for path, body := range map[string]string{info1: infoOf("v1.0.0"), list: "v1.0.0\n", latest: infoOf("v1.0.0")} {
		w := newWorld(t)
		w.source.set(path, answer{body: body})
		w.store.missed = func() { w.get(path) }
		w.want(w.get(path), "hit "+body)
		if n := w.source.count(path); n != 1 {
			t.Errorf("the source was asked %d times for %s", n, path)
		}
	}
}

func TestWhatLandsMeanwhileForOthersCostsNoSecondLook(t *testing.T) {
	w := newWorld(t)
	w.source.set(info1, answer{body: infoOf("v1.0.0")})
	w.source.set(mod1, answer{body: "module a.b/c\n"})
	looks := 0
	var missed func()
	missed = func() {
		looks++
		w.get(mod1)
		w.store.missed = missed
	}
	w.store.missed = missed
	w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
	if looks != 1 {
		t.Errorf("the store was asked %d times", looks)
	}
}

func TestAVersionIsFetchedOnceAndServedForEver(t *testing.T) {
	w := newWorld(t)
	w.source.set(info1, answer{body: infoOf("v1.0.0")})
	w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
	w.settled()
	w.source.set(info1, answer{err: down})
	w.want(w.get(info1), "hit "+infoOf("v1.0.0"))
	if n := w.source.count(info1); n != 1 {
		t.Errorf("the source was asked %d times", n)
	}
}

func TestAHerdIsOneFetchAndTheLeaderMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := make(chan struct{})
		w.source.set(mod1, answer{body: "module a.b/c\n", hold: release})
		n, _ := artifact.Parse(mod1)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := w.cache.Open(ctx, cache.Request{Name: n})
			left <- err
		}()
		synctest.Wait()
		var herd sync.WaitGroup
		for range 200 {
			herd.Go(func() { w.want(w.get(mod1), "miss module a.b/c\n") })
		}
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the leader got %v", err)
		}
		synctest.Wait() // all of the herd wait by now
		if n := w.cache.Load().Flights; n != 1 {
			t.Fatalf("%d fetches are under way", n)
		}
		close(release)
		herd.Wait()
		if n := w.source.count(mod1); n != 1 {
			t.Errorf("the source was asked %d times", n)
		}
		w.cache.Close()
	})
}

func TestWhatNobodyWaitsForLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *cache.Options) { o.MaxFills = 4 })
		stuck := make(chan struct{})
		ahead := func(path string) error {
			w.source.set(path, answer{body: "module a.b/c\n", hold: stuck})
			n, _ := artifact.Parse(path)
			_, err := w.cache.Open(t.Context(), cache.Request{Name: n, Ahead: true})
			return err
		}
		var waiting sync.WaitGroup
		for i := range 2 {
			waiting.Go(func() { ahead(fmt.Sprintf("a.b/c/@v/v1.%d.0.mod", i)) })
		}
		synctest.Wait()
		if err := ahead("a.b/c/@v/v1.2.0.mod"); !errors.Is(err, artifact.ErrTooMany) {
			t.Errorf("the third fetch ahead of four slots: %v", err)
		}
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
		close(stuck)
		waiting.Wait()
		w.cache.Close()
	})
}

func TestHitsDoNotWaitForMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *cache.Options) { o.MaxFills, o.MaxWaiting = 1, 1 })
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		w.get(info1)
		w.settled()
		stuck := make(chan struct{})
		w.source.set(mod1, answer{body: "x", hold: stuck})
		w.source.set(zip1, answer{body: "x", hold: stuck})
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for _, path := range []string{mod1, zip1} {
			n, _ := artifact.Parse(path)
			waiting.Go(func() { w.cache.Open(ctx, cache.Request{Name: n}) })
		}
		synctest.Wait()
		w.want(w.get(info1), "hit "+infoOf("v1.0.0"))
		w.want(w.get("a.b/c/@v/v1.1.0.info"), "error 429") // A22: the queue has a bound
		cancel()
		close(stuck)
		waiting.Wait()
		w.cache.Close()
	})
}

func TestSmallBodiesAreCheckedBeforeTheFirstByteLeaves(t *testing.T) {
	w := newWorld(t)
	good := answer{body: "module a.b/c\n"}
	for name, bad := range map[string]answer{
		"fails its check": {body: "module evil\n", check: mismatch, next: &good},
		"breaks off":      {body: "module", break_: io.ErrUnexpectedEOF, next: &good},
		"is short":        {body: "module", size: 13, next: &good},
	} {
		path := "a.b/" + strings.ReplaceAll(name, " ", "") + "/@v/v1.0.0.mod"
		w.source.set(path, bad)
		w.want(w.get(path), "miss module a.b/c\n")
		w.settled()
		w.want(w.get(path), "hit module a.b/c\n")
	}
}

func TestABadBodyIsNeverServedNorStored(t *testing.T) {
	w := newWorld(t)
	w.source.set(mod1, answer{body: "module evil\n", check: mismatch})
	w.want(w.get(mod1), "error 403")
	w.source.set(mod1, answer{body: "module", break_: down})
	w.want(w.get(mod1), "error 504")
	w.settled()
	if w.store.has(mod1) {
		t.Error("it was stored")
	}
	w.source.set(mod1, answer{body: "module a.b/c\n"})
	w.want(w.get(mod1), "miss module a.b/c\n")
}

func TestAnUnreachableChecksumDatabaseIsNoFaultOfTheBody(t *testing.T) {
	w := newWorld(t)
	w.source.set(mod1, answer{body: "module a.b/c\n", check: artifact.ErrUnavailable, next: &answer{body: "module evil\n"}})
	w.want(w.get(mod1), "error 503")
}

func TestABodyOverTheLimitOfItsKindIsRefused(t *testing.T) {
	w := newWorld(t)
	w.source.set(info1, answer{body: strings.Repeat("x", 2<<20), size: -1})
	w.want(w.get(info1), "error 502")
}

func TestLargeZipsAreStreamedWithTheirEndHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, said := range []int64{0, -1} {
			w := newWorld(t)
			gate := make(chan struct{})
			want := strings.Repeat("z", 2<<20)
			w.source.set(zip1, answer{body: want, size: said, gate: gate})
			a, err := w.open(zip1)
			if err != nil {
				t.Fatal(err)
			}
			if (said == 0) != (a.Size == int64(len(want))) {
				t.Errorf("size %d", a.Size)
			}
			first := make([]byte, len(want)/2-blob.HeldBack)
			if _, err := io.ReadFull(a.Body, first); err != nil {
				t.Fatalf("before the rest has arrived: %v", err)
			}
			if w.store.has(zip1) {
				t.Error("a body that is still arriving is stored")
			}
			close(gate)
			rest, err := io.ReadAll(a.Body)
			if err != nil || len(first)+len(rest) != len(want) {
				t.Errorf("%d bytes, %v", len(first)+len(rest), err)
			}
			if !w.store.has(zip1) {
				t.Error("the end came before the store had it")
			}
			a.Close()
			w.cache.Close()
		}
	})
}

func TestAStreamThatFailsItsCheckNeverEndsCleanly(t *testing.T) {
	w := newWorld(t)
	w.source.set(zip1, answer{body: strings.Repeat("z", 2<<20), check: mismatch})
	a, err := w.open(zip1)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	data, err := io.ReadAll(a.Body)
	if !errors.Is(err, artifact.ErrIntegrity) || len(data) > 2<<20-blob.HeldBack {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	w.settled()
	if w.store.has(zip1) {
		t.Error("it was stored")
	}
}

func TestF15AStreamGoesOnWithTheNextSource(t *testing.T) {
	good := strings.Repeat("z", 2<<20)
	for name, bad := range map[string]answer{
		"breaks off":       {body: good[:1<<20], size: int64(len(good)), break_: down},
		"is short":         {body: good[:1<<20], size: int64(len(good))},
		"of no length":     {body: good[:1<<20], size: -1, break_: down},
		"breaks off twice": {body: good[:1<<20], size: int64(len(good)), break_: down, next: &answer{body: good[:1<<19], size: int64(len(good)), break_: down, next: &answer{body: good}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if bad.next == nil {
				bad.next = &answer{body: good}
			}
			w.source.set(zip1, bad)
			w.want(w.get(zip1), "miss "+good)
			w.settled()
			if !w.store.has(zip1) {
				t.Error("it is not stored")
			}
		})
	}
}

func TestF16AfterABadStreamTheNextClientGetsAGoodOne(t *testing.T) {
	good := strings.Repeat("z", 2<<20)
	for name, bad := range map[string]answer{
		"corrupt":           {body: "x" + good[1:], check: mismatch, next: &answer{body: good}},
		"corrupt and cut":   {body: "x" + good[1:1<<20], size: int64(len(good)), break_: down, next: &answer{body: good, next: &answer{body: good}}},
		"of another length": {body: good[:1<<20], size: int64(len(good)) + 1, break_: down, next: &answer{body: good, next: &answer{body: good}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.source.set(zip1, bad)
			w.want(w.get(zip1), "broken")
			w.settled()
			w.want(w.get(zip1), "hit "+good)
			if n := w.source.count(zip1); n != 1 {
				t.Errorf("the bad source was asked %d times", n)
			}
		})
	}
}

// Whoever asks again as soon as a stream was cut gets the next source's bytes,
// or an honest error, but no second stream that may be cut.
func TestF16AfterABadStreamNothingLeavesUnchecked(t *testing.T) {
	good := strings.Repeat("z", 2<<20)
	for want, next := range map[string]answer{
		"miss " + good: {body: good},
		"error 403":    {body: "y" + good[1:], check: mismatch},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			asked := make(chan struct{})
			next.hold = asked
			w.source.set(zip1, answer{body: "x" + good[1:], check: mismatch, next: &next})
			w.want(w.get(zip1), "broken")
			time.AfterFunc(time.Second, func() { close(asked) })
			w.want(w.get(zip1), want)
			if n := w.source.count(zip1); n != 1 {
				t.Errorf("the bad source was asked %d times", n)
			}
			w.cache.Close()
		})
	}
}

func TestAbsenceIsBelievedShortlyAndTroubleNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.want(w.get(info1), "error 404")
		w.want(w.get(info1), "error 404")
		if n := w.source.count(info1); n != 1 {
			t.Errorf("the source was asked %d times for what it does not have", n)
		}
		time.Sleep(11 * time.Second)
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
		for _, err := range []error{down, artifact.ErrBadUpstream, artifact.ErrForbidden, mismatch} {
			w.source.set(zip1, answer{err: err})
			w.get(zip1)
		}
		if n := w.source.count(zip1); n != 4 {
			t.Errorf("after trouble the source was asked %d times", n)
		}
		w.cache.Close()
	})
}

func TestListsAreFreshThenRefreshedThenStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(list, answer{body: "v1.0.0\nv0.9.0\nv1.0.1-0.20200101000000-0123456789ab\nrubbish\nv1.2\n"})
		w.want(w.get(list), "miss v0.9.0\nv1.0.0\n")
		w.source.set(list, answer{body: "v1.0.0\nv1.1.0\n"})
		w.want(w.get(list), "hit v0.9.0\nv1.0.0\n")
		time.Sleep(40 * time.Second)
		w.want(w.get(list), "hit v0.9.0\nv1.0.0\n") // and begins a refresh
		synctest.Wait()
		w.want(w.get(list), "hit v1.0.0\nv1.1.0\n")

		w.source.set(list, answer{err: down})
		time.Sleep(24 * time.Hour)
		a, err := w.open(list)
		w.want(text(a, err), "stale v1.0.0\nv1.1.0\n")
		if a.Age < 24*time.Hour || a.Fresh != 0 {
			t.Errorf("age %v, fresh %v", a.Age, a.Fresh)
		}
		asked := w.source.count(list)
		w.want(w.get(list), "stale v1.0.0\nv1.1.0\n")
		if w.source.count(list) != asked {
			t.Error("a source that failed is asked again at once")
		}
		time.Sleep(11 * time.Second)
		w.source.set(list, answer{body: "v1.2.0\n"})
		w.want(w.get(list), "miss v1.2.0\n")
		w.cache.Close()
	})
}

func TestAHangingSourceDelaysAHeldAnswerBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(branch, answer{body: infoOf("v1.0.0")})
		w.get(branch)
		time.Sleep(2 * time.Minute)
		w.source.set(branch, answer{hold: make(chan struct{})})
		begun := time.Now()
		w.want(w.get(branch), "stale "+infoOf("v1.0.0"))
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("it took %v", d)
		}
		w.cache.Close()
	})
}

func TestStaleAnswersHaveABoundWhereOneIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *cache.Options) { o.Stale = time.Hour })
		w.source.set(branch, answer{body: infoOf("v1.0.0")})
		w.get(branch)
		w.source.set(branch, answer{err: down})
		time.Sleep(30 * time.Minute)
		w.want(w.get(branch), "stale "+infoOf("v1.0.0"))
		time.Sleep(time.Hour)
		w.want(w.get(branch), "error 504")
		w.cache.Close()
	})
}

func TestF14AWeekWithoutUpstreamsTakesNothingAwayThatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bodies := map[string]string{
			list: "v1.0.0\n", latest: infoOf("v1.0.0"), branch: infoOf("v1.0.0"),
			info1: infoOf("v1.0.0"), mod1: "module a.b/c\n", zip1: strings.Repeat("z", 2<<20),
			"sumdb/sum.golang.org/latest":              "head\n",
			"sumdb/sum.golang.org/lookup/a.b/c@v1.0.0": "record\n",
			"sumdb/sum.golang.org/tile/8/0/000":        "tile",
		}
		for path, body := range bodies {
			w.source.set(path, answer{body: body})
			w.want(w.get(path), "miss "+body)
			w.source.set(path, answer{err: down})
		}
		for range 7 * 24 {
			time.Sleep(time.Hour)
			for path, body := range bodies {
				if result, got, _ := strings.Cut(w.get(path), " "); got != body || result != "hit" && result != "stale" {
					t.Fatalf("%s: %s %.40q", path, result, got)
				}
			}
		}
		a, err := w.open(list)
		w.want(text(a, err), "stale v1.0.0\n")
		if a.Age < 7*24*time.Hour {
			t.Errorf("an age of %v", a.Age)
		}
		w.cache.Close()
	})
}

// F11: the first bytes stay, and it is told once that a tag has moved since.
func TestMovedTagsOfStoredVersionsAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		w := newWorld(t, func(o *cache.Options) {
			o.OnMoved = func(m cache.Moved) {
				told = append(told, fmt.Sprintf("%s@%s %s: %s, was %s", m.Module, m.Version, m.Tag, m.Is, m.Was))
			}
		})
		for version, origin := range map[string]string{
			"v1.0.0": `{"Ref":"refs/tags/v1.0.0","Hash":"aa"}`, "v1.1.0": `{"Ref":"refs/tags/v1.1.0","Hash":"bb"}`, "v1.2.0": `{"Hash":"cc"}`, "v1.3.0": `{}`,
		} {
			w.source.set("m.test/m/@v/"+version+".info", answer{body: `{"Version":"` + version + `","Origin":` + origin + `}`})
			w.get("m.test/m/@v/" + version + ".info")
		}
		const versions = "v1.0.0\nv1.1.0\nv1.2.0\nv1.3.0\nv1.4.0\n"
		for _, refs := range []map[string]string{
			nil,
			{"refs/tags/v1.0.0": "aa", "refs/tags/v1.1.0": "bb", "refs/tags/v1.4.0": "dd"},
			{"refs/tags/v1.0.0": "ee", "refs/tags/v1.2.0": "ee", "refs/tags/v1.4.0": "ee"},
			{"refs/tags/v1.0.0": "ee", "refs/tags/v1.1.0": "bb"},
			{"refs/tags/v1.0.0": "ff"},
		} {
			w.source.set("m.test/m/@v/list", answer{body: versions, refs: refs})
			w.want(w.get("m.test/m/@v/list"), "miss "+versions)
			time.Sleep(2 * time.Minute)
		}
		want := []string{"m.test/m@v1.0.0 refs/tags/v1.0.0: ee, was aa", "m.test/m@v1.0.0 refs/tags/v1.0.0: ff, was aa"}
		if !slices.Equal(told, want) {
			t.Errorf("told: %q", told)
		}
		w.cache.Close()
	})
}

// That a module has no versions is a claim that somebody must have made.
func TestAListOfNothingIsNotMadeUp(t *testing.T) {
	w := newWorld(t)
	w.source.set(mod1, answer{body: "module a.b/c\n"})
	w.get(mod1)
	w.settled()
	w.source.set(list, answer{err: down})
	w.want(w.get(list), "error 504")
	w.source.set(zip1, answer{body: "z"})
	w.get(zip1)
	w.settled()
	w.want(w.get(list), "stale v1.0.0\n")
}

func TestModulesMayHaveTimesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := &cache.Times{Fresh: time.Hour, NotFound: time.Hour, Stale: time.Minute}
		w := newWorld(t, func(o *cache.Options) {
			o.TimesOf = func(module string) *cache.Times {
				if module == "a.b/c" {
					return own
				}
				return nil
			}
		})
		w.source.set(branch, answer{body: infoOf("v1.0.0")})
		w.get(branch)
		w.want(w.get(info1), "error 404")
		time.Sleep(29 * time.Minute)
		w.want(w.get(branch), "hit "+infoOf("v1.0.0"))
		w.want(w.get(info1), "error 404")
		if n := w.source.count(info1) + w.source.count(branch); n != 2 {
			t.Errorf("the source was asked %d times", n)
		}
		w.source.set(branch, answer{err: down})
		time.Sleep(time.Hour)
		w.want(w.get(branch), "error 504")
		w.cache.Close()
	})
}

// Who asks for what a silent source was asked for long ago is not held up by it.
func TestANewRequestDoesNotInheritAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hang := make(chan struct{})
		w.source.set(info1, answer{body: infoOf("v1.0.0"), hold: hang})
		var first sync.WaitGroup
		first.Go(func() { w.want(w.get(info1), "miss "+infoOf("v1.0.0")) })
		time.Sleep(5 * time.Second)
		first.Go(func() { w.want(w.get(info1), "miss "+infoOf("v1.0.0")) })
		synctest.Wait()
		if n := w.source.count(info1); n != 1 {
			t.Errorf("the source was asked %d times within a few seconds", n)
		}
		time.Sleep(10 * time.Second)
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		begun := time.Now()
		w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
		if time.Since(begun) > 0 {
			t.Errorf("it took %v", time.Since(begun))
		}
		close(hang)
		first.Wait()
		w.settled()
		if n := w.cache.Load().Flights; n != 0 {
			t.Errorf("%d flights are left", n)
		}
		w.cache.Close()
	})
}

func TestF17NotFoundIsNeverBelievedAgainstWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(list, answer{body: "v1.0.0\n"})
		w.source.set(branch, answer{body: infoOf("v1.0.0")})
		w.get(list)
		w.get(branch)
		w.source.set(list, answer{err: artifact.ErrNotFound})
		w.source.set(branch, answer{err: artifact.ErrNotFound})
		time.Sleep(time.Hour)
		w.want(w.get(list), "miss v1.0.0\n")
		w.want(w.get(branch), "stale "+infoOf("v1.0.0"))
		w.cache.Close()
	})
}

func TestMutableAnswersOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(list, answer{body: "v1.0.0\n"})
		w.get(list)
		w.cache.Close()
		time.Sleep(time.Hour)
		w.source.set(list, answer{err: down})
		second := &world{t: t, store: w.store, source: w.source}
		second.cache = cache.New(w.store, w.source, cache.Options{Times: cache.Times{Fresh: time.Minute}, MaxFills: 1, Turns: make(slots, 1), FillTimeout: time.Minute})
		defer second.cache.Close()
		a, err := second.open(list)
		second.want(text(a, err), "stale v1.0.0\n")
		if a.Age < time.Hour {
			t.Errorf("age %v", a.Age)
		}
	})
}

func TestAVersionFetchedByNameIsListedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.source.set(list, answer{body: "v1.0.0\n"})
	w.source.set(latest, answer{body: infoOf("v1.0.0")})
	w.get(list)
	w.get(latest)
	w.settled()
	w.source.set("a.b/c/@v/v1.1.0.info", answer{body: infoOf("v1.1.0")})
	w.get("a.b/c/@v/v1.1.0.info")
	w.settled()
	w.want(w.get(list), "hit v1.0.0\nv1.1.0\n")
	w.want(w.get(latest), "hit "+infoOf("v1.1.0"))
}

func TestAVersionFetchedByNameUndoesNotFound(t *testing.T) {
	w := newWorld(t)
	w.want(w.get(list), "error 404")
	w.source.set(info1, answer{body: infoOf("v1.0.0")})
	w.source.set(zip1, answer{body: "z"})
	w.get(info1)
	w.get(zip1)
	w.settled()
	w.want(w.get(list), "miss v1.0.0\n")
}

func TestVersionsOnceServedStayListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		w.get(info1)
		synctest.Wait()
		w.source.set(list, answer{body: "v2.0.0+incompatible\nv0.9.0\n"})
		w.want(w.get(list), "miss v0.9.0\nv1.0.0\nv2.0.0+incompatible\n")
		w.cache.Close()
	})
}

// fill stores a version as a build would have.
func (w *world) fill(version, mod string, kinds ...string) {
	w.t.Helper()
	bodies := map[string]string{"info": infoOf(version), "mod": mod, "zip": "zip of " + version}
	for _, k := range kinds {
		w.source.set("a.b/c/@v/"+version+"."+k, answer{body: bodies[k]})
	}
	for _, k := range kinds {
		w.get("a.b/c/@v/" + version + "." + k)
	}
	w.settled()
}

func TestWithoutSourceListAndLatestComeFromTheStore(t *testing.T) {
	for name, err := range map[string]error{"gone": artifact.ErrNotFound, "down": down, "offline": artifact.ErrNotFound} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *cache.Options) { o.Offline = func(string) bool { return name == "offline" } })
			if name == "offline" { // what was once fetched names versions that are not here
				for path, text := range map[string]string{list: "v1.0.0\nv1.9.0\n", latest: infoOf("v1.9.0")} {
					if _, err := w.store.Put(t.Context(), path, strings.NewReader(text), store.PutOptions{}); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.fill("v1.0.0", "module a.b/c\n", "info", "mod", "zip")
			w.fill("v1.1.0", "module a.b/c\n\nretract v1.1.0\n", "info", "mod", "zip")
			w.fill("v1.2.0", "module a.b/c\n", "info", "mod") // no zip: a build with it would fail
			w.source.set(list, answer{err: err})
			w.source.set(latest, answer{err: err})
			result := map[string]string{"gone": "miss", "down": "stale", "offline": "hit"}[name]
			w.want(w.get(list), result+" v1.0.0\nv1.1.0\n")
			w.want(w.get(latest), result+" "+infoOf("v1.0.0"))
			w.want(w.stored("x.y/z/@v/list"), "error 404")
		})
	}
}

func TestAModuleWithoutTagsHasAnEmptyListAndItsNewestCommitAsLatest(t *testing.T) {
	w := newWorld(t)
	w.source.set(list, answer{err: artifact.ErrNotFound})
	w.source.set(latest, answer{err: artifact.ErrNotFound})
	w.fill("v0.0.0-20200101000000-0123456789ab", "module a.b/c\n", "info", "mod", "zip")
	w.fill("v0.0.0-20210101000000-0123456789ab", "module a.b/c\n", "info", "mod", "zip")
	w.want(w.get(list), "miss ")
	w.want(w.get(latest), "miss "+infoOf("v0.0.0-20210101000000-0123456789ab"))
}

func TestLatestIsDerivedWhereTheSourceHasNone(t *testing.T) {
	w := newWorld(t)
	w.source.set(list, answer{body: "v1.0.0\nv1.1.0\nv1.2.0-rc.1\n"})
	w.source.set("a.b/c/@v/v1.1.0.info", answer{body: infoOf("v1.1.0")})
	w.source.set("a.b/c/@v/v1.1.0.mod", answer{body: "module a.b/c\n"})
	w.want(w.get(latest), "miss "+infoOf("v1.1.0"))
}

func TestLatestIsTheBestOfWhatTheSourceReallyHas(t *testing.T) {
	w := newWorld(t)
	w.source.set(list, answer{body: "v1.0.0\nv1.1.0\nv1.2.0\n"})
	w.source.set(info1, answer{body: infoOf("v1.0.0")}) // the others are listed only
	w.want(w.get(latest), "miss "+infoOf("v1.0.0"))
}

func TestStoredOnlyAsksNoSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(list, answer{body: "v1.0.0\n"})
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		w.want(w.stored(list), "error 404")
		w.want(w.stored(info1), "error 404")
		w.get(list)
		w.get(info1)
		time.Sleep(time.Hour)
		asked := w.source.count(list)
		w.want(w.stored(list), "hit v1.0.0\n")
		w.want(w.stored(info1), "hit "+infoOf("v1.0.0"))
		synctest.Wait()
		if w.source.count(list) != asked {
			t.Error("the source was asked")
		}
		w.cache.Close()
	})
}

func TestF3AStoreThatCannotWriteOrReadCostsNoClient(t *testing.T) {
	w := newWorld(t)
	w.source.set(list, answer{body: "v1.0.0\n"})
	w.source.set(info1, answer{body: infoOf("v1.0.0")})
	w.source.set(zip1, answer{body: strings.Repeat("z", 1<<20)})
	w.store.fail(errors.New("input/output error"), errors.New("no space left on device"))
	for range 2 {
		if got := w.get(list); !strings.HasSuffix(got, " v1.0.0\n") {
			t.Errorf("the list is %q", got)
		}
		w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
		w.want(w.get(zip1), "miss "+strings.Repeat("z", 1<<20))
		w.settled()
	}
	w.store.fail(nil, nil)
	w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
	w.settled()
	w.want(w.get(info1), "hit "+infoOf("v1.0.0"))
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.ContainsFunc(w.events, func(e cache.Event) bool { return e.Op == cache.OpPut }) ||
		!slices.ContainsFunc(w.events, func(e cache.Event) bool { return e.Op == cache.OpGet }) {
		t.Error("nobody was told that the store fails")
	}
}

func TestF3WithoutRoomForTemporaryFilesTheAnswerIs503(t *testing.T) {
	w := newWorld(t, func(o *cache.Options) { o.Fallback = temp{"/nonexistent"} })
	w.source.set(zip1, answer{body: strings.Repeat("z", 1<<20), size: -1})
	_, err := w.open(zip1)
	if artifact.Status(err) != 503 || artifact.RetryAfter(err) == 0 {
		t.Errorf("%v", err)
	}
	w.source.set(info1, answer{body: infoOf("v1.0.0")})
	w.want(w.get(info1), "miss "+infoOf("v1.0.0")) // needs none
}

func TestA9AZipThatDisagreesWithItsModFileIsRefused(t *testing.T) {
	bundle := func(goMod string) string {
		var buf bytes.Buffer
		z := zip.NewWriter(&buf)
		f, _ := z.Create("a.b/c@v1.0.0/go.mod")
		io.WriteString(f, goMod)
		z.Close()
		return buf.String()
	}
	w := newWorld(t)
	w.source.set(mod1, answer{body: "module a.b/c\n"})
	w.source.set(zip1, answer{body: bundle("module evil\n")})
	w.get(mod1)
	w.settled()
	_, err := w.open(zip1)
	if artifact.Class(err) != artifact.ErrIntegrity || strings.Count(err.Error(), "h1:") != 2 {
		t.Errorf("zip after mod: %v", err)
	}
	w.source.set(zip1, answer{body: bundle("module a.b/c\n")})
	if got := w.get(zip1); !strings.HasPrefix(got, "miss PK") {
		t.Errorf("the right zip: %.40q", got)
	}

	w = newWorld(t)
	w.source.set(zip1, answer{body: bundle("module a.b/c\n")})
	w.source.set(mod1, answer{body: "module evil\n"})
	w.get(zip1)
	w.settled()
	w.want(w.get(mod1), "error 403")
}

func TestR1WhatWasStoredFirstStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gate := make(chan struct{})
		w.source.set(mod1, answer{body: "module other\n", gate: gate})
		got := make(chan string, 1)
		go func() { got <- w.get(mod1) }()
		synctest.Wait()
		if _, err := w.store.Put(t.Context(), mod1, strings.NewReader("module a.b/c\n"), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		close(gate)
		if g := <-got; strings.Contains(g, "other") {
			t.Errorf("a client got %q while %q is stored", g, "module a.b/c\n")
		}
		w.want(w.get(mod1), "hit module a.b/c\n")
		w.cache.Close()
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(mod1, answer{hold: make(chan struct{})})
		got := make(chan string, 1)
		go func() { got <- w.get(mod1) }()
		synctest.Wait()
		w.cache.Close()
		if g := <-got; !strings.HasPrefix(g, "error 50") {
			t.Errorf("the waiting client got %q", g)
		}
		w.want(w.get(info1), "error 503")
		w.cache.Close()
	})
}
