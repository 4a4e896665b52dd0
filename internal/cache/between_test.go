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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/store"
)

// What happens while the cache looks at its store is what tests seldom meet and a busy
// server does every day. hooked is a store in which it happens.
type hooked struct {
	*testStore
	mu      sync.Mutex
	found   func(key string) // called once, after an entry was found and before it is returned
	listed  func()           // called once, after the keys of a listing were read
	listErr error
	get     time.Duration // how long it takes to look for one
	put     time.Duration // how long it takes to write
	looks   atomic.Int64
}

// once takes a hook away, so that it is called once.
func once[F any](s *hooked, hook *F) F {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none F
	taken := *hook
	*hook = none
	return taken
}

func (s *hooked) Get(ctx context.Context, key string) (*blob.Blob, error) {
	s.looks.Add(1)
	b, err := s.testStore.Get(ctx, key)
	if err == nil {
		if found := once(s, &s.found); found != nil {
			found(key)
		}
	}
	time.Sleep(s.get)
	return b, err
}

func (s *hooked) Put(ctx context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	time.Sleep(s.put)
	return s.testStore.Put(ctx, key, body, o)
}

func (s *hooked) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	if s.listErr != nil {
		return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, s.listErr) }
	}
	seq := s.testStore.List(ctx, prefix)
	if listed := once(s, &s.listed); listed != nil {
		listed()
	}
	return seq
}

// hook puts hooks between a world and its store.
func (w *world) hook(change ...func(*cache.Options)) *hooked {
	w.cache.Close()
	h := &hooked{testStore: w.store}
	w.cache = cache.New(h, w.source, w.options(change...))
	return h
}

func TestAVersionStoredWhileItsListIsMadeIsListed(t *testing.T) {
	w := newWorld(t)
	h := w.hook()
	w.source.set(list, answer{body: "v1.0.0\n"})
	for _, v := range []string{"v1.1.0", "v1.2.0"} {
		w.source.set("a.b/c/@v/"+v+".info", answer{body: infoOf(v)})
	}
	h.listed = func() { w.get("a.b/c/@v/v1.1.0.info") } // after the source was asked
	w.get(list)
	w.settled()
	h.listed = func() { w.get("a.b/c/@v/v1.2.0.info") } // while v1.1.0 is added
	w.get(list)
	w.settled()
	w.want(w.get(list), "hit v1.0.0\nv1.1.0\nv1.2.0\n")
}

func TestNotFoundIsNotBelievedAgainstWhatIsStoredMeanwhile(t *testing.T) {
	w := newWorld(t)
	h := w.hook()
	w.source.set(info1, answer{body: infoOf("v1.0.0")})
	w.source.set(zip1, answer{body: "z"})
	h.listed = func() { w.get(info1); w.get(zip1) }
	w.get(list) // the source knows none, and the store had nothing
	w.settled()
	w.want(w.get(list), "miss v1.0.0\n")
}

func TestWhatASourceBringsIsNotReplacedByWhatTheStoreHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(list, answer{body: "v1.0.0\n"})
		w.get(list)
		time.Sleep(time.Hour)
		w.source.set(list, answer{body: "v1.0.0\nv1.1.0\n"})
		h := w.hook() // after a restart
		before := w.source.count(list)
		h.found = func(string) { w.want(w.get(list), "miss v1.0.0\nv1.1.0\n") }
		w.want(w.get(list), "hit v1.0.0\nv1.1.0\n")
		if n := w.source.count(list) - before; n != 1 {
			t.Errorf("the source was asked %d times", n)
		}
		w.cache.Close()
	})
}

func TestNotFoundDoesNotOutliveTheSourceThatSaidSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hold := make(chan struct{})
		w.source.set(info1, answer{err: artifact.NotFound("no"), hold: hold})
		var asking sync.WaitGroup
		asking.Go(func() { w.want(w.get(info1), "error 404") })
		synctest.Wait()
		other := &testSource{answers: map[string]answer{info1: {body: infoOf("v1.0.0")}}, asked: map[string]int{}}
		w.cache.Reconfigure(other, w.options())
		close(hold)
		asking.Wait()
		w.settled()
		w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
		w.cache.Close()
	})
}

func TestF3AStoreThatCannotBeReadProvesNothing(t *testing.T) {
	trouble := errors.New("too many open files")
	for what, c := range map[string]struct {
		change func(*cache.Options)
		while  func(*world) string
		after  string
	}{
		"only what is stored is wanted": {func(*cache.Options) {}, func(w *world) string { return w.stored(info1) }, ""},
		"the source has lost the list":  {func(*cache.Options) {}, func(w *world) string { return w.get(list) }, "miss v1.0.0\n"},
		"offline":                       {func(o *cache.Options) { o.Offline = func(string) bool { return true } }, func(w *world) string { return w.get(list) }, "hit v1.0.0\n"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.source.set(info1, answer{body: infoOf("v1.0.0")})
			w.source.set(zip1, answer{body: "z"})
			w.get(info1)
			w.get(zip1)
			h := w.hook(c.change)
			h.listErr = trouble
			w.store.fail(trouble, nil)
			w.want(c.while(w), "error 503")
			h.listErr = nil
			w.store.fail(nil, nil)
			if c.after != "" {
				w.want(w.get(list), c.after)
			}
		})
	}
}

func TestAFileOfOursThatIsGoneDoesNotSayThatAModuleIs(t *testing.T) {
	w := newWorld(t)
	gone := &fs.PathError{Op: "open", Path: "spool", Err: fs.ErrNotExist}
	w.source.set(zip1, answer{body: "z", check: fmt.Errorf("check: %w", gone)})
	w.want(w.get(zip1), "error 500")
}

// zipOf is a zip of the version of zip1 with a go.mod.
func zipOf(t *testing.T, goMod string) string {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	f, err := z.Create("a.b/c@v1.0.0/go.mod")
	if err == nil {
		_, err = io.WriteString(f, goMod)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestA9OfTwoFilesThatDisagreeAndComeAtOneTimeOneIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.hook()
		h.put = 5 * time.Millisecond
		w.source.set(mod1, answer{body: "module a.b/c\n"})
		w.source.set(zip1, answer{body: zipOf(t, "module evil\n")})
		var both sync.WaitGroup
		both.Go(func() { w.get(mod1) })
		both.Go(func() { w.get(zip1) })
		both.Wait()
		w.settled()
		if w.store.has(mod1) == w.store.has(zip1) {
			t.Errorf("the .mod is stored: %t, the zip: %t", w.store.has(mod1), w.store.has(zip1))
		}
		w.cache.Close()
	})
}

func TestA9WhatCannotBeComparedIsServedButNotStored(t *testing.T) {
	w := newWorld(t)
	w.source.set(mod1, answer{body: "module a.b/c\n"})
	w.store.fail(errors.New("input/output error"), nil)
	w.want(w.get(mod1), "miss module a.b/c\n")
	w.settled()
	if w.store.has(mod1) {
		t.Error("it is stored")
	}
}

// turns are turns that a function gives.
type turns func(ctx context.Context, client string) (release func(), err error)

func (f turns) Wait(ctx context.Context, client string) (func(), error) { return f(ctx, client) }

func TestWhatWaitsForItsTurnIsNotBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const other = "x.y/z/@v/v1.0.0.info"
		var waiting, most atomic.Int64
		slot := make(slots, 1)
		w := newWorld(t)
		w.hook(func(o *cache.Options) {
			o.MaxFills, o.FillTimeout = 1, 30*time.Minute
			o.Turns = turns(func(ctx context.Context, client string) (func(), error) {
				most.Store(max(most.Load(), waiting.Add(1)))
				defer waiting.Add(-1)
				return slot.Wait(ctx, client)
			})
		})
		busy := make(chan struct{})
		w.source.set(other, answer{body: infoOf("v1.0.0"), hold: busy})
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		var all sync.WaitGroup
		all.Go(func() { w.get(other) })
		synctest.Wait()
		for range 50 { // an impatient client
			all.Go(func() { w.get(info1) })
			time.Sleep(maxSilence + time.Second)
		}
		close(busy)
		all.Wait()
		w.settled()
		if n := w.source.count(info1); n != 1 || most.Load() != 1 {
			t.Errorf("the source was asked %d times, %d fetches waited", n, most.Load())
		}
		w.cache.Close()
	})
}

// maxSilence is how long callers wait for the same answer of a silent source.
const maxSilence = 10 * time.Second

func TestOneArtifactOfASlowSourceDoesNotTakeAllTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *cache.Options) { o.FillTimeout = 30 * time.Minute })
		slow := make(chan struct{})
		w.source.set(info1, answer{body: infoOf("v1.0.0"), hold: slow})
		w.source.set(mod1, answer{body: "module a.b/c\n"})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { w.get(info1) })
			time.Sleep(maxSilence + time.Second)
		}
		if n := w.cache.Load().Fills; n > 5 { // at 10, 20, 40 and 80 s there is one more
			t.Errorf("%d fetches of one artifact", n)
		}
		w.want(w.get(mod1), "miss module a.b/c\n")
		close(slow)
		all.Wait()
		w.cache.Close()
	})
}

func TestASlowStoreOfABusyCacheKeepsNobodyFromItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.hook()
		w.source.set(info1, answer{body: infoOf("v1.0.0")})
		h.get = 5 * time.Second
		done := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			w.want(w.get(info1), "miss "+infoOf("v1.0.0"))
			close(done)
		})
		synctest.Wait()
		h.get = 0
		for i := range 3000 {
			w.get(fmt.Sprintf("a.b/d%d/@v/list", i))
		}
		<-done
		all.Wait()
		if n := w.source.count(info1); n != 1 {
			t.Errorf("the source was asked %d times", n)
		}
		w.cache.Close()
	})
}

func TestDrainMayBeCalledWhileFetchesBegin(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for k := range 4 {
		all.Go(func() {
			for i := range 500 {
				w.get(fmt.Sprintf("a.b/d%d/@v/v1.0.%d.info", k, i))
				w.settled()
			}
		})
	}
	all.Wait()
	w.settled()
	if n := w.cache.Load().Flights; n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestZipsThatAgreeAreStoredWhicheverComesFirst(t *testing.T) {
	w := newWorld(t)
	w.source.set(mod1, answer{body: "module a.b/c\n"})
	w.source.set(zip1, answer{body: zipOf(t, "module a.b/c\n")})
	if got := w.get(zip1); !strings.HasPrefix(got, "miss") {
		t.Error(got)
	}
	w.get(mod1)
	w.settled()
	if !w.store.has(mod1) || !w.store.has(zip1) {
		t.Error("one of them is not stored")
	}
}
