package accounts

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/auth/password"
)

func TestA18AnUnknownTokenTakesTheTimeOfAWrongOne(t *testing.T) {
	id, secret := newToken()
	record := &tokenRecord{token: Token{ID: id}, digest: sha256.Sum256([]byte(secret))}
	known := &records{tokens: map[string]*tokenRecord{id: record}}
	other, wrong := newToken()
	file := &File{}
	file.records.Store(known)
	measure := func(id string) time.Duration {
		start := time.Now()
		for range 100 {
			if _, right := file.Token(id, wrong); right {
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

func TestTokensAreLongAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, secret := newToken()
		token := formatToken(id, secret)
		gotID, gotSecret, ok := ParseToken(token)
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
		if id, secret, ok := ParseToken(s); ok && formatToken(id, secret) != s {
			t.Fatalf("%q is %q and %q", s, id, secret)
		}
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

func TestA18AnUnknownUserIsAsMuchWorkAsAKnownOne(t *testing.T) {
	hash := password.New("correct horse")
	file := &File{}
	if _, h, known := file.User("bob"); known || h != (password.Hash{}) {
		t.Errorf("no users: %v, %v", known, h)
	}
	file.records.Store(&records{users: map[string]*userRecord{"alice": {user: User{Name: "alice"}, hash: hash}}})
	if u, h, known := file.User("alice"); !known || h != hash || u.Name != "alice" {
		t.Errorf("alice: %v, %v, %+v", known, h, u)
	}
	if u, h, known := file.User("bob"); known || h != password.Nobody || u.Name != "" {
		t.Errorf("bob: %v, %v, %+v", known, h, u)
	}
}
