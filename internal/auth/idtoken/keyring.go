package idtoken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/goweir/weir/internal/artifact"
)

// When a keyring asks its issuer.
const (
	refreshEvery = 15 * time.Minute // in the background, while tokens come
	refreshPause = 10 * time.Second // between two times at least
	refreshTime  = 10 * time.Second // that it may take
	backoffFirst = time.Second      // after a failure; doubled after each other one
	backoffMost  = time.Minute
)

// A keyring holds the public keys of an issuer. It is safe for concurrent use.
type keyring struct {
	url    string
	grace  time.Duration
	client *http.Client

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	keys    keySet
	fetched time.Time     // when keys were
	flight  chan struct{} // closed at the end of the fetch that is under way; nil: none is
	next    time.Time     // no fetch before
	backoff time.Duration // after the last failure; zero: there was none since the last success
	err     error         // of the last fetch
}

func newKeyring(url string, grace time.Duration, client *http.Client) *keyring {
	k := &keyring{url: url, grace: grace, client: &http.Client{}}
	if client != nil {
		*k.client = *client
	}
	k.client.Transport = bounded{k.client.Transport}
	k.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

var errClosed = &artifact.Error{Class: artifact.ErrUnavailable, Reason: "the server is ending", RetryAfter: time.Second}

// close ends the fetch that is under way and waits for it.
func (k *keyring) close() {
	k.mu.Lock()
	k.cancel()
	k.mu.Unlock()
	k.tasks.Wait()
}

// get returns the keys with an id, or all for a token that names none. It waits
// only if there is no such key yet.
func (k *keyring) get(ctx context.Context, id string) (oidc.KeySet, error) {
	keys, flight := k.look(id)
	if keys != nil {
		return keys, nil
	}
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return k.lookAgain(id)
}

// look returns the keys with an id or the fetch that may bring them; neither if
// it is too early for one.
func (k *keyring) look(id string) (oidc.KeySet, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := k.usable(id)
	if keys == nil {
		return nil, k.refresh()
	}
	if time.Since(k.fetched) >= refreshEvery {
		k.refresh()
	}
	return keys, nil
}

// lookAgain returns the keys with an id after all was done to have them.
func (k *keyring) lookAgain(id string) (oidc.KeySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := k.usable(id)
	switch {
	case keys != nil:
		return keys, nil
	case k.ctx.Err() != nil:
		return nil, errClosed
	case k.err != nil:
		return nil, &artifact.Error{
			Class: artifact.ErrUnavailable, Err: k.err, RetryAfter: max(time.Until(k.next), time.Second),
			Reason: "the keys of the issuer of the identity token cannot be fetched",
			Hint:   "try again later, or use a token that weir login makes",
		}
	}
	return nil, refuse("the identity token is signed with a key that its issuer does not have", hintLogin)
}

// usable returns the keys with an id, if they are good still; nil if there are none.
func (k *keyring) usable(id string) oidc.KeySet {
	if time.Since(k.fetched) >= k.grace {
		return nil
	}
	keys := k.keys.find(id)
	if len(keys) == 0 {
		return nil
	}
	return &oidc.StaticKeySet{PublicKeys: keys}
}

// refresh starts a fetch, if it is time, and returns the one that is under way.
func (k *keyring) refresh() <-chan struct{} {
	if k.flight == nil && k.ctx.Err() == nil && !time.Now().Before(k.next) {
		k.flight = make(chan struct{})
		k.tasks.Go(k.fetch)
	}
	return k.flight
}

func (k *keyring) fetch() {
	ctx, cancel := context.WithTimeout(k.ctx, refreshTime)
	defer cancel()
	keys, err := k.ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.err = err; err == nil {
		k.keys, k.fetched, k.backoff, k.next = keys, now, 0, now.Add(refreshPause)
	} else {
		k.backoff = min(max(2*k.backoff, backoffFirst), backoffMost)
		k.next = now.Add(k.backoff)
	}
	close(k.flight)
	k.flight = nil
}

// ask fetches the keys from the issuer.
func (k *keyring) ask(ctx context.Context) (keySet, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.url)
	if err != nil { // it may hold the whole answer
		return nil, errors.New(artifact.Clean(err.Error(), 300))
	}
	var metadata struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return nil, err
	}
	if plain := !isSafe(k.url, false); !isSafe(metadata.Keys, plain) {
		return nil, fmt.Errorf("the issuer has its keys at %s, which is no https URL", shown(metadata.Keys))
	}
	data, err := k.download(ctx, metadata.Keys)
	if err != nil {
		return nil, err
	}
	return parseKeys(data)
}

func (k *keyring) download(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := k.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// bounded is a transport that cuts answers at maxAnswer.
type bounded struct{ inner http.RoundTripper }

// maxAnswer bounds what an issuer may say of itself, in bytes.
const maxAnswer = 1 << 20

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := b.inner
	if inner == nil {
		inner = http.DefaultTransport
	}
	answer, err := inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}
