// Package password keeps passwords as hashes and finds out whether one is right.
//
// A [Hash] is slow to compute, so that who steals one learns no password from
// it. A [Checker] makes up for that: it hashes once for all who ask the same at
// the same time, with half of the processors at most, and remembers the result
// for a while. Who asks for more than it can hash is refused, at once; who shows
// a password that is known to be right is never held up by others.
//
// It tells nothing by the time it takes: a user that does not exist is checked
// against [Nobody], and costs the same work as a wrong password of one that does.
package password

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/recent"
)

// Bounds of the work for passwords. A wrong one is remembered for a while, too:
// programs that were not told of a new password try the old one again and again.
const (
	maxTrials     = 32 // different passwords being tried or waiting for it
	maxRemembered = 4096
	rememberRight = time.Hour
	rememberWrong = time.Minute
	retryAfter    = 5 * time.Second
)

// A Checker finds out whether passwords are right. It is safe for concurrent use.
type Checker struct {
	key          []byte        // of digests; of this process
	slots        chan struct{} // held while hashing
	right, wrong *recent.Memory[digest, struct{}]
	derive       func(Hash, string) string

	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	trials map[digest]*trial
	tasks  sync.WaitGroup
}

// A digest stands for a password in memory. It has a key, since passwords can be guessed.
type digest [sha256.Size]byte

// A trial is the work for one password.
type trial struct {
	done  chan struct{} // closed at its end
	right bool
	err   error
}

// NewChecker returns a Checker that remembers nothing yet.
func NewChecker() *Checker {
	c := &Checker{
		key: make([]byte, sha256.Size), slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		right: recent.New[digest, struct{}](maxRemembered), wrong: recent.New[digest, struct{}](maxRemembered),
		derive: Hash.derive, trials: map[digest]*trial{},
	}
	rand.Read(c.key)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close gives up what waits and waits for what is being computed. Passwords that
// would have to be hashed are refused from then on.
func (c *Checker) Close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.tasks.Wait()
}

var errClosed = &artifact.Error{Class: artifact.ErrUnavailable, Reason: "the server is ending", RetryAfter: time.Second}

// Check reports whether the hash is that of the user's password. Against the
// zero Hash no password is right, and that costs nothing. Errors are of class
// artifact.ErrTooMany if too many passwords are being checked, of
// artifact.ErrUnavailable after Close; or that of ctx.
func (c *Checker) Check(ctx context.Context, user string, h Hash, password string) (right bool, err error) {
	if h == (Hash{}) {
		return false, nil
	}
	key := c.digest(user, h, password)
	if _, ok := c.right.Get(key); ok {
		return true, nil
	}
	if _, ok := c.wrong.Get(key); ok {
		return false, nil
	}
	t, err := c.join(key, h, password)
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

// Knows reports whether Check has an answer without trying the password.
func (c *Checker) Knows(user string, h Hash, password string) bool {
	key := c.digest(user, h, password)
	_, right := c.right.Get(key)
	_, wrong := c.wrong.Get(key)
	return right || wrong || h == Hash{}
}

// digest returns what stands for a user's password. It changes with the hash, and so
// with the password in the file; and with the user, since all users that are not
// known share one hash, of which nothing must be learnt by asking for another.
func (c *Checker) digest(user string, h Hash, password string) (d digest) {
	mac := hmac.New(sha256.New, c.key)
	fmt.Fprintf(mac, "%d %s%s$%s", len(user), user, h, password)
	mac.Sum(d[:0])
	return d
}

// join returns the trial of a password, which may be under way already.
func (c *Checker) join(key digest, h Hash, password string) (*trial, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.trials[key]; ok {
		return t, nil
	}
	if c.ctx.Err() != nil {
		return nil, errClosed
	}
	if len(c.trials) >= maxTrials {
		return nil, &artifact.Error{
			Class: artifact.ErrTooMany, RetryAfter: retryAfter,
			Reason: "too many passwords are being checked",
			Hint:   "try again; tokens, which weir login makes, are not held up by this",
		}
	}
	t := &trial{done: make(chan struct{})}
	c.trials[key] = t
	c.tasks.Go(func() {
		c.try(t, key, h, password)
		c.mu.Lock()
		delete(c.trials, key)
		c.mu.Unlock()
		close(t.done)
	})
	return t, nil
}

// try does the work of a trial.
func (c *Checker) try(t *trial, key digest, h Hash, password string) {
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		t.err = errClosed
		return
	}
	defer func() { <-c.slots }()
	t.right = subtle.ConstantTimeCompare([]byte(c.derive(h, password)), []byte(h.sum)) == 1
	if t.right {
		c.right.Put(key, struct{}{}, time.Now().Add(rememberRight))
	} else {
		c.wrong.Put(key, struct{}{}, time.Now().Add(rememberWrong))
	}
}
