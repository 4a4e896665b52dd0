package password

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// checkerOf returns a Checker to which passwords are quick to hash, and all hashes made so far.
func checkerOf(t *testing.T, work time.Duration) (*Checker, func() []int) {
	c := NewChecker()
	t.Cleanup(c.Close)
	var mu sync.Mutex
	var made []int
	c.derive = func(h Hash, password string) string {
		mu.Lock()
		made = append(made, h.iterations)
		mu.Unlock()
		time.Sleep(work)
		return quick(password)
	}
	return c, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(made)
	}
}

func quick(password string) string {
	sum := sha256.Sum256([]byte(password))
	return string(sum[:])
}

func TestA18AnUnknownUserCostsTheSameWorkAsAWrongPassword(t *testing.T) {
	alice := Hash{iterations: iterations, salt: "salt", sum: quick("correct horse")}
	work := map[string][]int{}
	for user, h := range map[string]Hash{"alice": alice, "bob": Nobody, "carol": Nobody} {
		c, made := checkerOf(t, 0)
		for _, password := range []string{"one", "two", "one"} { // the last is remembered
			if right, err := c.Check(t.Context(), user, h, password); right || err != nil {
				t.Fatal(right, err)
			}
		}
		work[user] = made()
	}
	if !slices.Equal(work["alice"], []int{iterations, iterations}) || !slices.Equal(work["alice"], work["bob"]) {
		t.Errorf("iterations: %v", work)
	}
	c, made := checkerOf(t, 0) // a password that was tried for one unknown user says nothing of others
	for _, user := range []string{"bob", "carol"} {
		c.Check(t.Context(), user, Nobody, "one")
	}
	if n := len(made()); n != 2 {
		t.Errorf("%d hashes for two users", n)
	}
}

func TestNoPasswordIsRightForNoHash(t *testing.T) {
	c, made := checkerOf(t, 0)
	for _, password := range []string{"", "one"} {
		if right, err := c.Check(t.Context(), "alice", Hash{}, password); right || err != nil || len(made()) != 0 {
			t.Errorf("%q: %v, %v, %d hashes", password, right, err, len(made()))
		}
	}
}

func TestPasswordsAreHashedOnceForAllWhoAskAtOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, made := checkerOf(t, time.Second)
		defer c.Close()
		h := Hash{iterations: iterations, sum: quick("right")}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if right, err := c.Check(t.Context(), "alice", h, "right"); !right || err != nil {
					t.Error(right, err)
				}
			})
		}
		wg.Wait()
		if n := len(made()); n != 1 {
			t.Errorf("%d hashes", n)
		}
		time.Sleep(rememberRight)
		if right, err := c.Check(t.Context(), "alice", h, "right"); !right || err != nil || len(made()) != 2 {
			t.Errorf("after an hour: %v, %v, %d hashes", right, err, len(made()))
		}
	})
}

func TestA21AFloodOfPasswordsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := checkerOf(t, 0)
		defer c.Close()
		var now, most atomic.Int64
		c.derive = func(h Hash, password string) string {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return quick(password)
		}
		h := Hash{iterations: iterations, sum: quick("right")}
		c.right.Put(c.digest("alice", h, "right"), struct{}{}, time.Now().Add(time.Hour))
		var wg sync.WaitGroup
		var refused atomic.Int64
		for i := range 1000 {
			wg.Go(func() {
				_, err := c.Check(t.Context(), "alice", h, fmt.Sprint(i))
				if artifact.Class(err) == artifact.ErrTooMany && artifact.RetryAfter(err) > 0 {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if refused.Load() != 1000-maxTrials {
			t.Errorf("%d are refused", refused.Load())
		}
		start := time.Now()
		if right, err := c.Check(t.Context(), "alice", h, "right"); !right || err != nil || time.Since(start) != 0 {
			t.Errorf("a password that is known: %v, %v after %v", right, err, time.Since(start))
		}
		wg.Wait()
		if n := int(most.Load()); n > max(1, runtime.GOMAXPROCS(0)/2) {
			t.Errorf("%d hashes at one time", n)
		}
		if len(c.trials) != 0 {
			t.Errorf("%d trials are left over", len(c.trials))
		}
	})
}

func TestWhoLeavesAndTheEndOfTheServerEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := checkerOf(t, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Check(ctx, "alice", Nobody, "x"); err != context.DeadlineExceeded {
			t.Error(err)
		}
		c.Close()
		if _, err := c.Check(t.Context(), "alice", Nobody, "y"); artifact.Class(err) != artifact.ErrUnavailable {
			t.Error(err)
		}
	})
}

func TestAHashIsReadAsItWasWritten(t *testing.T) {
	h := Hash{iterations: iterations, salt: "0123456789abcdef", sum: quick("x")}
	if got, err := Parse(h.String()); err != nil || got != h {
		t.Errorf("%q is read as %+v, %v", h, got, err)
	}
}

func TestHashesAreThoseOfPBKDF2WithSHA256(t *testing.T) {
	h := Hash{iterations: 1, salt: "salt"}
	// The first test vector of RFC 7914, section 11.
	if got := hex.EncodeToString([]byte(h.derive("passwd"))); got != "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" {
		t.Error(got)
	}
}

func TestACheckerKnowsWhatItHasTried(t *testing.T) {
	c, _ := checkerOf(t, 0)
	alice := Hash{iterations: iterations, salt: "salt", sum: quick("right")}
	for _, password := range []string{"right", "wrong"} {
		if c.Knows("alice", alice, password) {
			t.Errorf("%s is known before it was tried", password)
		}
		if _, err := c.Check(t.Context(), "alice", alice, password); err != nil {
			t.Fatal(err)
		}
		if !c.Knows("alice", alice, password) || c.Knows("bob", alice, password) {
			t.Errorf("%s is not known for who has shown it, or for others too", password)
		}
	}
	if !c.Knows("carol", Hash{}, "right") {
		t.Error("that nothing is right against no hash is not known")
	}
}
