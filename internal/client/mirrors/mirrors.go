// Package mirrors knows what a measurement of module proxies has found, which of them is
// the better one, and what GOPROXY should name.
//
// It promises that a [Report] written as JSON holds no secrets; that a mirror which served
// wrong bytes is never recommended, and none that would hear of private modules; and that
// percentiles are told only as far as the sample allows. It asks nobody: package survey
// measures.
package mirrors

import (
	"time"

	"github.com/goweir/weir/internal/source"
)

// A Report is what a measurement found. It may be written as JSON.
type Report struct {
	Began   time.Time `json:"began"`
	Took    Millis    `json:"took_ms"`
	Rounds  int       `json:"rounds"`
	SumDB   string    `json:"checksum_database"`
	Modules []string  `json:"modules"` // MODULE@VERSION
	Mirrors []Result  `json:"mirrors"` // the best first
	Notes   []string  `json:"notes"`

	// Current is the GOPROXY in force, which may hold credentials. Its end, direct or off,
	// is what a recommended one ends with, and so are the folders in it what that begins
	// with.
	Current []source.Entry `json:"-"`
	// Private are patterns of private modules that come through the proxies of GOPROXY.
	// Where there are any, no other mirror is recommended, since that would be asked for them.
	Private []string `json:"-"`
}

// A State is how a mirror fared.
type State string

// The states of a mirror.
const (
	Works    State = "works"
	Lies     State = "lies"     // it served bytes that are not those of the checksum database
	Lacks    State = "lacks"    // it has none of the modules
	Refuses  State = "refuses"  // it wants credentials, or others
	Limits   State = "limits"   // it said that it was asked too much
	Hangs    State = "hangs"    // it kept a request waiting for too long
	Fails    State = "fails"    // nothing, or nothing any more, came from it
	Untested State = "untested" // the time or the bytes were over before
)

// An Answer is one to a question that may stay open.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// A Result is what was found about one mirror.
type Result struct {
	Name    string `json:"name"` // its URL, without secrets
	Listed  bool   `json:"in_goproxy"`
	State   State  `json:"state"`
	Problem string `json:"problem,omitempty"` // the last one, or what the State comes from

	Requests  int   `json:"requests"`  // that were answered or failed, those to the checksum database included
	Succeeded int   `json:"succeeded"` // with a body that is well
	Absent    int   `json:"absent"`    // with 404 or 410
	Failed    int   `json:"failed"`
	Bytes     int64 `json:"bytes"` // of all bodies

	Protocol string `json:"protocol,omitempty"` // HTTP/1.1 or HTTP/2.0
	SumDB    Answer `json:"checksum_database"`  // does it lead to the checksum database

	// Of requests over a new connection: to look up the name, to connect, to agree on
	// TLS, and from the request to the first byte of the answer.
	DNS       Latency `json:"dns"`
	Connect   Latency `json:"connect"`
	TLS       Latency `json:"tls"`
	FirstByte Latency `json:"first_byte"`
	// Of requests over a connection that is kept, to the end of the body.
	List   Latency `json:"list"`
	Latest Latency `json:"latest"`
	Info   Latency `json:"info"`
	Mod    Latency `json:"mod"`
	Zip    Latency `json:"zip"`

	Throughput float64 `json:"bytes_per_second"` // of zips, one after the other, from request to last byte; zero: there was none
	PerModule  Millis  `json:"module_ms"`        // what one module takes: medians of .info and .mod, average of the .zip that all sent; zero: not known

	Compared int   `json:"compared"` // modules whose newest version another mirror told, too
	Behind   []Lag `json:"behind"`   // those of which another one has a newer version

	Modules int      `json:"modules"` // that were asked for
	Proven  int      `json:"proven"`  // .mod and .zip that are what the checksum database has
	Wrong   []Wrong  `json:"wrong"`   // those that are not
	Missing []string `json:"missing"` // modules it does not have

	Entry source.Entry `json:"-"` // its URL, with the credentials that it may have
}

// A Lag is a module of which a mirror does not have the newest version.
type Lag struct {
	Module string `json:"module"`
	Has    string `json:"has"`
	Newest string `json:"newest"`
}

// Wrong are bytes that are not those of the checksum database.
type Wrong struct {
	File string `json:"file"` // MODULE@VERSION.KIND
	Got  string `json:"got"`  // hash
	Want string `json:"want"` // hash
}

// Small are the samples of all small files over connections that are kept.
func (r Result) Small() Latency {
	all := append(Latency{}, r.List...)
	all = append(append(all, r.Latest...), r.Info...)
	return append(all, r.Mod...)
}

// SuccessRate is the share of requests that were answered well, from 0 to 1, without
// those for what is absent; ok is false where there was none.
func (r Result) SuccessRate() (rate float64, ok bool) {
	if r.Succeeded+r.Failed == 0 {
		return 0, false
	}
	return float64(r.Succeeded) / float64(r.Succeeded+r.Failed), true
}
