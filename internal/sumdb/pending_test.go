package sumdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/sumdb"
)

// later is a world whose database cannot be reached, with what was let pass there and
// is proven later.
type later struct{ *world }

func newLater(t *testing.T) later {
	w := newWorld(t)
	w.policy = sumdb.WhenAvailable
	w.server.set(true, nil)
	return later{w}
}

// pass lets the go.mod file of a module pass.
func (l later) pass(mod, text string) {
	l.t.Helper()
	if err := l.check(artifact.Mod, mod, []byte(text)); err != nil {
		l.t.Fatalf("%s does not pass: %v", mod, err)
	}
}

// stores does what the cache does with a go.mod file that has passed.
func (l later) stores(mod, text string) {
	l.t.Helper()
	if _, err := l.store.Put(l.t.Context(), modKey(mod), strings.NewReader(text), store.PutOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

func modKey(mod string) string { return mod + "/@v/v1.0.0.mod" }

// run lets the database prove; the test and all it waits for end with it.
func (l later) run() (end func()) {
	ctx, stop := context.WithCancel(l.t.Context())
	var run sync.WaitGroup
	run.Go(func() { l.db.Run(ctx) })
	return func() {
		stop()
		run.Wait()
		l.db.Close()
	}
}

// wait lets time go by, and what is done meanwhile.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (l later) wantServed(mod string, want bool) {
	l.t.Helper()
	_, err := l.store.Get(l.t.Context(), modKey(mod))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.t.Fatal(err)
	}
	if got := err == nil; got != want {
		l.t.Errorf("%s is served: %v, want %v", mod, got, want)
	}
}

func (l later) wantPending(want int) {
	l.t.Helper()
	n := 0
	for _, err := range l.store.List(l.t.Context(), ".weir/sumdb/"+dbName+"/pending/") {
		if err != nil {
			l.t.Fatal(err)
		}
		n++
	}
	if n != want {
		l.t.Errorf("%d notes, want %d", n, want)
	}
}

const evil = "module evil\n"

func TestWhatIsStoredAfterRunHasLookedForItIsProvenToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLater(t)
		defer l.run()()
		l.pass("example.com/m2", evil)
		wait(2 * time.Minute) // the store takes its time
		l.stores("example.com/m2", evil)
		l.server.set(false, nil)
		wait(2 * time.Minute)
		l.wantServed("example.com/m2", false)
		l.wantAlarm(sumdb.LateMismatch)
		l.wantPending(0)
	})
}

func TestWhatWasNeverStoredIsForgottenInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLater(t)
		defer l.run()()
		l.pass("example.com/m2", evil)
		wait(25 * time.Hour)
		l.wantPending(0)
	})
}

// However many records cannot be had, those behind them are proven.
func TestRecordsThatCannotBeHadDoNotKeepOthersFromBeingProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLater(t)
		for i := range 8 {
			mod := fmt.Sprintf("example.com/m1%d", i) // these come before m2
			l.pass(mod, goMod(mod))
			l.stores(mod, goMod(mod))
		}
		l.pass("example.com/m2", evil)
		l.stores("example.com/m2", evil)
		l.server.set(false, func(n artifact.Name, honest []byte) ([]byte, error) {
			if n.Kind == artifact.SumLookup && n.Module != "example.com/m2" {
				return nil, &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "500 internal error"}
			}
			return honest, nil
		})
		defer l.run()()
		wait(10 * time.Minute)
		l.wantServed("example.com/m2", false)
		l.wantPending(8)
	})
}

func TestADatabaseThatCannotBeReachedIsNotAskedForAllThatIsToBeProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLater(t)
		for i := range 100 {
			mod := fmt.Sprintf("example.com/m%d", i)
			l.pass(mod, goMod(mod))
			l.stores(mod, goMod(mod))
		}
		defer l.run()()
		synctest.Wait()
		before := l.server.count("/supported")
		wait(time.Minute)
		if n := l.server.count("/supported") - before; n == 0 || n > 5 {
			t.Errorf("asked %d times within a minute", n)
		}
	})
}

func TestAnAnswerThatIsNotProvenWithdrawsNothing(t *testing.T) {
	other := newWorld(t) // a log with the same name and another key
	for name, lie := range map[string]func(n artifact.Name, honest []byte) ([]byte, error){
		"a page": func(n artifact.Name, honest []byte) ([]byte, error) { return []byte("please log in\n"), nil },
		"another log": func(n artifact.Name, _ []byte) ([]byte, error) {
			return other.server.answer(context.Background(), n)
		},
		"refusals": func(artifact.Name, []byte) ([]byte, error) { return nil, artifact.ErrForbidden },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLater(t)
				l.pass("example.com/m1", goMod("example.com/m1"))
				l.stores("example.com/m1", goMod("example.com/m1"))
				l.server.set(false, lie)
				defer l.run()()
				wait(5 * time.Minute)
				l.wantServed("example.com/m1", true)
				l.wantPending(1)
				l.server.set(false, nil)
				wait(2 * time.Minute)
				l.wantServed("example.com/m1", true)
				l.wantPending(0)
			})
		})
	}
}

func TestAVersionThatTheDatabaseDoesNotKnowIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLater(t)
		l.pass("example.com/unknown", evil)
		l.stores("example.com/unknown", evil)
		l.server.set(false, nil)
		defer l.run()()
		wait(2 * time.Minute)
		l.wantServed("example.com/unknown", false)
		l.wantAlarm(sumdb.LateMismatch)
		l.wantPending(0)
	})
}

// However a remote refuses, the database cannot be reached by it.
func TestWhenAvailableLetsPassWhateverKeepsTheDatabaseFromBeingReached(t *testing.T) {
	for _, class := range []error{artifact.ErrForbidden, artifact.ErrTooMany, artifact.ErrBadUpstream, artifact.ErrTimeout} {
		w := newWorld(t)
		w.policy = sumdb.WhenAvailable
		w.server.set(false, func(artifact.Name, []byte) ([]byte, error) {
			return nil, &artifact.Error{Class: class, Reason: "refused"}
		})
		if err := w.checkMod("example.com/m1"); err != nil {
			t.Errorf("%v: %v", class, err)
		}
	}
}
