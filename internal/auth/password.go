package auth

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// How passwords are hashed: PBKDF2 with HMAC-SHA-256.
//
// Source: OWASP Password Storage Cheat Sheet, section PBKDF2.
const (
	hashName      = "pbkdf2-sha256"
	iterations    = 600_000
	maxIterations = 10_000_000
	saltSize      = 16 // bytes
)

// A passwordHash is what is kept of a password.
type passwordHash struct {
	iterations int
	salt, sum  string
}

func newPasswordHash(password string) passwordHash {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	h := passwordHash{iterations: iterations, salt: string(salt)}
	h.sum = h.derive(password)
	return h
}

// derive computes the sum of a password, which takes a good part of a second.
func (h passwordHash) derive(password string) string {
	sum, err := pbkdf2.Key(sha256.New, password, []byte(h.salt), h.iterations, sha256.Size)
	if err != nil { // only if FIPS 140 mode forbids the parameters, which it does not
		panic(err)
	}
	return string(sum)
}

func (h passwordHash) String() string {
	enc := base64.RawStdEncoding
	return strings.Join([]string{hashName, strconv.Itoa(h.iterations), enc.EncodeToString([]byte(h.salt)), enc.EncodeToString([]byte(h.sum))}, "$")
}

func parsePasswordHash(s string) (passwordHash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 4 || parts[0] != hashName {
		return passwordHash{}, errors.New("password has not the form " + hashName + "$ITERATIONS$SALT$SUM")
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < iterations || n > maxIterations {
		return passwordHash{}, fmt.Errorf("password has %q iterations, want %d to %d", parts[1], iterations, maxIterations)
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[2])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[3])
	if err := errors.Join(err1, err2); err != nil {
		return passwordHash{}, fmt.Errorf("password: %w", err)
	}
	if len(salt) < saltSize || len(sum) != sha256.Size {
		return passwordHash{}, errors.New("password is cut short")
	}
	return passwordHash{iterations: n, salt: string(salt), sum: string(sum)}, nil
}

// Bounds of the work for passwords. A wrong one is remembered for a while, too:
// programs that were not told of a new password try the old one again and again.
const (
	maxTrials      = 32 // different passwords being tried or waiting for it
	maxRemembered  = 4096
	rememberRight  = time.Hour
	rememberWrong  = time.Minute
	retryPasswords = 5 * time.Second
)

// passwords finds out whether passwords are right. Hashing is slow on purpose,
// so that it is done once for all who ask the same at the same time, with half of
// the processors at most, and remembered.
type passwords struct {
	key          []byte        // of digests; of this process
	slots        chan struct{} // held while hashing
	right, wrong *recent[struct{}]
	derive       func(passwordHash, string) string

	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	trials map[digest]*trial
	tasks  sync.WaitGroup
}

// A trial is the work for one password.
type trial struct {
	done  chan struct{} // closed at its end
	right bool
	err   error
}

func newPasswords() *passwords {
	p := &passwords{
		key: make([]byte, sha256.Size), slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		right: newRecent[struct{}](maxRemembered), wrong: newRecent[struct{}](maxRemembered),
		derive: passwordHash.derive, trials: map[digest]*trial{},
	}
	rand.Read(p.key)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// close gives up what waits and waits for what is being computed.
func (p *passwords) close() {
	p.mu.Lock()
	p.cancel()
	p.mu.Unlock()
	p.tasks.Wait()
}

// verify reports whether the hash is that of the user's password.
func (p *passwords) verify(ctx context.Context, user string, h passwordHash, password string) (bool, error) {
	key, now := p.digest(user, h, password), time.Now()
	if _, ok := p.right.get(key, now); ok {
		return true, nil
	}
	if _, ok := p.wrong.get(key, now); ok {
		return false, nil
	}
	t, err := p.join(key, h, password)
	if err != nil {
		return false, err
	}
	select {
	case <-t.done:
		return t.right, t.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// digest stands for a user's password in memory. It changes with the hash, and so
// with the password in the file; and with the user, since all users that are not
// known share one hash, of which nothing must be learnt by asking for another.
func (p *passwords) digest(user string, h passwordHash, password string) (d digest) {
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%d %s%s$%s", len(user), user, h, password)
	mac.Sum(d[:0])
	return d
}

// join returns the trial of a password, which may be under way already.
func (p *passwords) join(key digest, h passwordHash, password string) (*trial, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.trials[key]; ok {
		return t, nil
	}
	if p.ctx.Err() != nil {
		return nil, closing()
	}
	if len(p.trials) >= maxTrials {
		return nil, &artifact.Error{
			Class: artifact.ErrTooMany, RetryAfter: retryPasswords,
			Reason: "too many passwords are being checked",
			Hint:   "try again; tokens, which weir login makes, are not held up by this",
		}
	}
	t := &trial{done: make(chan struct{})}
	p.trials[key] = t
	p.tasks.Go(func() {
		p.try(t, key, h, password)
		p.mu.Lock()
		delete(p.trials, key)
		p.mu.Unlock()
		close(t.done)
	})
	return t, nil
}

// try does the work of a trial.
func (p *passwords) try(t *trial, key digest, h passwordHash, password string) {
	select {
	case p.slots <- struct{}{}:
	case <-p.ctx.Done():
		t.err = closing()
		return
	}
	defer func() { <-p.slots }()
	t.right = subtle.ConstantTimeCompare([]byte(p.derive(h, password)), []byte(h.sum)) == 1
	if t.right {
		p.right.put(key, struct{}{}, time.Now().Add(rememberRight))
	} else {
		p.wrong.put(key, struct{}{}, time.Now().Add(rememberWrong))
	}
}
