package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// addressGood is how long an address is used when its name cannot be
	// looked up any more.
	addressGood = 5 * time.Minute
	// maxAddresses is how many are remembered: an upstream and where it
	// redirects to.
	maxAddresses = 16
)

// addresses is a dialer that remembers where names led to. When a lookup fails,
// it takes the last address, if that was good a short while ago. Whoever answers
// there still has to prove his name, where TLS asks for that.
type addresses struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex
	last map[string]lastAddress // by host and port
}

type lastAddress struct {
	address string
	good    time.Time // when it was last known to be
	failing bool      // the lookup has failed since
}

func newAddresses(d *net.Dialer) *addresses {
	return &addresses{dial: d.DialContext, last: map[string]lastAddress{}}
}

// dialContext is for http.Transport.DialContext. Proxies are left alone.
func (a *addresses) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := a.dial(ctx, network, address)
	if !hopOf(ctx).direct || ctx.Err() != nil {
		return conn, err
	}
	if err == nil {
		a.remember(address, conn.RemoteAddr().String())
		return conn, nil
	}
	if _, lookup := errors.AsType[*net.DNSError](err); !lookup {
		return nil, err
	}
	last := a.recall(address)
	if last == "" {
		return nil, err
	}
	conn, lastErr := a.dial(ctx, network, last)
	if lastErr != nil {
		return nil, fmt.Errorf("%w; at the last address: %w", err, lastErr)
	}
	return conn, nil
}

func (a *addresses) remember(name, address string) {
	name = strings.ToLower(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.last[name]; !known && len(a.last) >= maxAddresses {
		a.forgetOldest()
	}
	a.last[name] = lastAddress{address: address, good: time.Now()}
}

func (a *addresses) forgetOldest() {
	var oldest string
	for name, l := range a.last {
		if oldest == "" || l.good.Before(a.last[oldest].good) {
			oldest = name
		}
	}
	delete(a.last, oldest)
}

// recall returns the address to use for a name that could not be looked up;
// empty: none.
func (a *addresses) recall(name string) string {
	name = strings.ToLower(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	l, known := a.last[name]
	if !known || time.Since(l.good) > addressGood {
		delete(a.last, name)
		return ""
	}
	l.failing = true
	a.last[name] = l
	return l.address
}

// answered notes that an answer came from a name, over a connection that may be
// old: its address is still good, unless lookups say otherwise. name is in lower
// case.
func (a *addresses) answered(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, known := a.last[name]; known && !l.failing {
		l.good = time.Now()
		a.last[name] = l
	}
}
