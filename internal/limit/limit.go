// Package limit keeps clients from taking more than their share.
//
// [Listener] bounds the connections of a server, in all and for each client, and
// cuts a client that does not take what it is sent. [Rates] bounds how often
// something is done, [InFlight] how much of it is under way. What is over these
// bounds is refused at once, without a goroutine or a queue for it. [Fair] lets
// work wait for its turn, where the keys take turns and the queue has a bound.
//
// A key says whose share it is: the name of a subject, the address of a client as
// [Client] gives it, the host of an upstream. Strangers may make up as many keys
// as they like: what is kept of them is bounded. A refusal is a value, of which
// the caller makes an answer.
//
// All types are safe for concurrent use.
package limit

import (
	"net/netip"
	"time"
)

// RetryAfter is when a caller that was refused for want of room may ask again:
// nobody knows when there is room, but it is soon.
const RetryAfter = time.Second

// Client returns what stands for a client in limits: its IPv4 address, or its
// IPv6 network of 64 bits, in which a single machine has all addresses.
func Client(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	network, _ := a.Prefix(64) // fits
	return network.Addr()
}
