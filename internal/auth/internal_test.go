package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// trialsOf returns passwords that are quick to hash, and all hashes made so far.
func trialsOf(t *testing.T, work time.Duration) (*passwords, func() []int) {
	p := newPasswords()
	t.Cleanup(p.close)
	var mu sync.Mutex
	var made []int
	p.derive = func(h passwordHash, password string) string {
		mu.Lock()
		made = append(made, h.iterations)
		mu.Unlock()
		time.Sleep(work)
		return quick(password)
	}
	return p, func() []int {
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
	known := &records{users: map[string]*userRecord{"alice": {hash: passwordHash{iterations: iterations, salt: "salt", sum: quick("correct horse")}}}}
	work := map[string][]int{}
	for _, user := range []string{"alice", "bob", "carol"} {
		p, made := trialsOf(t, 0)
		for _, password := range []string{"one", "two", "one"} { // the last is remembered
			if right, err := p.verify(t.Context(), user, known.user(user).hash, password); right || err != nil {
				t.Fatal(right, err)
			}
		}
		work[user] = made()
	}
	if !slices.Equal(work["alice"], []int{iterations, iterations}) || !slices.Equal(work["alice"], work["bob"]) {
		t.Errorf("iterations: %v", work)
	}
	p, made := trialsOf(t, 0) // a password that was tried for one unknown user says nothing of others
	for _, user := range []string{"bob", "carol"} {
		p.verify(t.Context(), user, known.user(user).hash, "one")
	}
	if n := len(made()); n != 2 {
		t.Errorf("%d hashes for two users", n)
	}
}

func TestA18AnUnknownTokenTakesTheTimeOfAWrongOne(t *testing.T) {
	id, secret := newToken()
	record := &tokenRecord{token: Token{ID: id}, digest: sha256.Sum256([]byte(secret))}
	known := &records{tokens: map[string]*tokenRecord{id: record}}
	other, wrong := newToken()
	now := time.Now()
	measure := func(id string) time.Duration {
		start := time.Now()
		for range 100 {
			if _, err := known.verifyToken(id, wrong, now); err == nil {
				t.Fatal("a wrong token is accepted")
			}
		}
		return time.Since(start)
	}
	var unknowns, wrongs []time.Duration
	for range 1000 {
		unknowns, wrongs = append(unknowns, measure(other)), append(wrongs, measure(id))
	}
	slices.Sort(unknowns)
	slices.Sort(wrongs)
	a, b := unknowns[len(unknowns)/2], wrongs[len(wrongs)/2]
	if a > 2*b || b > 2*a {
		t.Errorf("unknown tokens take %v, wrong ones %v", a/100, b/100)
	}
}

func TestPasswordsAreHashedOnceForAllWhoAskAtOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, made := trialsOf(t, time.Second)
		defer p.close()
		h := passwordHash{iterations: iterations, sum: quick("right")}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if right, err := p.verify(t.Context(), "alice", h, "right"); !right || err != nil {
					t.Error(right, err)
				}
			})
		}
		wg.Wait()
		if n := len(made()); n != 1 {
			t.Errorf("%d hashes", n)
		}
		time.Sleep(rememberRight)
		if right, err := p.verify(t.Context(), "alice", h, "right"); !right || err != nil || len(made()) != 2 {
			t.Errorf("after an hour: %v, %v, %d hashes", right, err, len(made()))
		}
	})
}

func TestA21AFloodOfPasswordsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := trialsOf(t, 0)
		defer p.close()
		var now, most atomic.Int64
		p.derive = func(h passwordHash, password string) string {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return quick(password)
		}
		h := passwordHash{iterations: iterations, sum: quick("right")}
		p.right.put(p.digest("alice", h, "right"), struct{}{}, time.Now().Add(time.Hour))
		var wg sync.WaitGroup
		var refused atomic.Int64
		for i := range 1000 {
			wg.Go(func() {
				_, err := p.verify(t.Context(), "alice", h, fmt.Sprint(i))
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
		if right, err := p.verify(t.Context(), "alice", h, "right"); !right || err != nil || time.Since(start) != 0 {
			t.Errorf("a password that is known: %v, %v after %v", right, err, time.Since(start))
		}
		wg.Wait()
		if n := int(most.Load()); n > max(1, runtime.GOMAXPROCS(0)/2) {
			t.Errorf("%d hashes at one time", n)
		}
		if len(p.trials) != 0 {
			t.Errorf("%d trials are left over", len(p.trials))
		}
	})
}

func TestWhoLeavesAndTheEndOfTheServerEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := trialsOf(t, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.verify(ctx, "alice", passwordHash{}, "x"); err != context.DeadlineExceeded {
			t.Error(err)
		}
		p.close()
		if _, err := p.verify(t.Context(), "alice", passwordHash{}, "y"); artifact.Class(err) != artifact.ErrUnavailable {
			t.Error(err)
		}
	})
}

func TestAHashIsReadAsItWasWritten(t *testing.T) {
	h := passwordHash{iterations: iterations, salt: "0123456789abcdef", sum: quick("x")}
	if got, err := parsePasswordHash(h.String()); err != nil || got != h {
		t.Errorf("%q is read as %+v, %v", h, got, err)
	}
}

func TestHashesAreThoseOfPBKDF2WithSHA256(t *testing.T) {
	h := passwordHash{iterations: 1, salt: "salt"}
	// The first test vector of RFC 7914, section 11.
	if got := hex.EncodeToString([]byte(h.derive("passwd"))); got != "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" {
		t.Error(got)
	}
}

func TestWhatIsRememberedIsBoundedAndGoesWithTime(t *testing.T) {
	r := newRecent[int](100)
	now := time.Now()
	for i := range 10_000 {
		r.put(digest{byte(i), byte(i >> 8)}, i, now.Add(time.Hour))
	}
	if n := len(r.entries); n != 100 {
		t.Errorf("%d entries", n)
	}
	last := digest{byte(9999 & 0xff), byte(9999 >> 8)}
	if v, ok := r.get(last, now); !ok || v != 9999 {
		t.Errorf("the last is %d, %v", v, ok)
	}
	if _, ok := r.get(last, now.Add(time.Hour)); ok {
		t.Error("it is remembered too long")
	}
}

func TestTokensAreLongAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, secret := newToken()
		token := formatToken(id, secret)
		gotID, gotSecret, ok := parseToken(token)
		bits, err := hex.DecodeString(secret)
		if !ok || gotID != id || gotSecret != secret || err != nil || len(bits)*8 < 160 || seen[secret] || seen[id] {
			t.Fatalf("%q", token)
		}
		seen[id], seen[secret] = true, true
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(formatToken(newToken()))
	f.Add("weir__")
	f.Add(strings.Repeat("_", tokenLength))
	f.Fuzz(func(t *testing.T, s string) {
		if id, secret, ok := parseToken(s); ok && formatToken(id, secret) != s {
			t.Fatalf("%q is %q and %q", s, id, secret)
		}
	})
}

func FuzzParseAuthorization(f *testing.F) {
	for _, s := range []string{"Basic dTpw", "Bearer x", "Basic  =", "bearer", "Negotiate x", "Basic \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseAuthorization(header)
		if (err == nil) == (c == credentials{}) {
			t.Fatalf("%q: %+v, %v", header, c, err)
		}
		if err != nil && artifact.Class(err) != artifact.ErrUnauthorized {
			t.Fatal(err)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"","y":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parseKeys(data)
		if (err == nil) != (len(set.find("")) > 0) {
			t.Fatalf("%d keys, %v", len(set), err)
		}
	})
}

func FuzzFlatten(f *testing.F) {
	f.Add([]byte(`{"a":{"b":["x",1,true,null,{"c":1}]},"exp":1e9}`))
	f.Add([]byte(`{"a.b":1,"a":{"b":2}}`))
	f.Add([]byte(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := flatten(data)
		n := 0
		for _, values := range c {
			n += len(values)
		}
		if err == nil && n > maxClaims {
			t.Fatalf("%d values", n)
		}
		c.expires(time.Unix(1e9, 0))
	})
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"tokens":[{"id":"0123456789ab","user":"x","created":"2026-01-01T00:00:00Z","sha256":"00"}],"users":[]}`))
	f.Add([]byte("{\n\"users\":[{\"name\":1}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := parseDocument(data); err == nil {
			d.compile()
		}
	})
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:1", "192.0.2.7, [::1]:2,fe80::1%x")
	f.Fuzz(func(t *testing.T, peer, list string) {
		for rest, more := list, true; more; {
			var last string
			if len(rest) > len(list) {
				t.Fatal("a list grows")
			}
			rest, last, more = cutLast(rest)
			if addr := parseAddr(last); addr.Is4In6() || addr.Zone() != "" {
				t.Fatalf("%q is %v", last, addr)
			}
		}
		parseAddr(peer)
	})
}
