package upstream

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// maxResumes is how many further requests are made for one body, those not counted
// that bring nothing.
const maxResumes = 3

// A resumption is what it takes to go on with a body of an immutable artifact
// that broke off. What comes of it is either the same bytes or an error:
//
//   - A partial answer must begin where the body broke off and be of the same
//     length. Unless the first answer had a validator, so that the server knows
//     which bytes are meant, it is believed for zips only, whose Check reads
//     checksums of all their files.
//   - A whole answer is read again from its beginning, and that must have the
//     checksum of what was given out already.
type resumption struct {
	client *client
	name   artifact.Name
	etag   string // of the first answer, weak or strong; empty: none
	valid  string // for If-Range; empty: none

	made  int       // requests after progress
	at    int64     // how much had been read when there was progress last
	since time.Time // when that was
	idle  int       // requests since
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// resumptionOf returns nil for a body that cannot be resumed: what may change, and
// what net/http has unpacked, since ranges count other bytes then.
func (c *client) resumptionOf(n artifact.Name, first *http.Response) *resumption {
	if !n.Immutable() || first.Uncompressed {
		return nil
	}
	return &resumption{client: c, name: n, etag: first.Header.Get("ETag"), valid: validator(first.Header)}
}

// validator is what If-Range may compare: a strong entity tag, or where there is
// no tag at all, a time of change that is so old that another change would show.
//
// Source: RFC 9110, sections 8.8.2.2 and 13.1.5.
func validator(h http.Header) string {
	if etag := h.Get("ETag"); etag != "" {
		if strings.HasPrefix(etag, `"`) {
			return etag
		}
		return ""
	}
	modified := h.Get("Last-Modified")
	at, err := http.ParseTime(modified)
	if err != nil {
		return ""
	}
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil || sent.Sub(at) < time.Second {
		return ""
	}
	return modified
}

// How long a server that brings nothing is asked again, with growing waits: long
// enough for one that is restarted while somebody waits for the rest of a large
// zip.
const (
	maxIdle     = 5 * time.Second
	maxIdleFile = time.Second // of other files, which begin anew soon enough
	firstWait   = 250 * time.Millisecond
	longestWait = time.Second
)

// pace reports whether another request may be made for a body of which so much
// has been read, after a wait if the last one brought nothing.
func (r *resumption) pace(ctx context.Context, read int64) bool {
	if ctx.Err() != nil {
		return false
	}
	if r.since.IsZero() || read > r.at {
		r.at, r.since, r.idle = read, time.Now(), 0
		r.made++
		return r.made <= maxResumes
	}
	limit := maxIdleFile
	if r.name.Kind == artifact.Zip {
		limit = maxIdle
	}
	pause := min(firstWait<<r.idle, longestWait)
	pause = pause/2 + rand.N(pause/2)
	r.idle++
	return time.Since(r.since)+pause <= limit && wait(ctx, pause)
}

// wait reports whether the time has passed before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errOther: the server answers, but not with the rest of the body.
var errOther = errors.New("the rest of the body is not to be had")

// from asks for the rest of a body. The answer may take no longer than a reader
// may wait for bytes. The error is errOther where asking again is no use.
func (r *resumption) from(b *body) (io.ReadCloser, error) {
	t := r.client.o.Timeouts
	b.watch.begin(min(t.FirstByte, t.Stall))
	req, err := r.client.request(b.watch.ctx, r.name)
	if err != nil {
		return nil, errOther
	}
	req.Header.Set("Accept-Encoding", "identity")
	if b.read > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.read))
		if r.valid != "" {
			req.Header.Set("If-Range", r.valid)
		}
	}
	resp, err := r.client.http.Do(req)
	b.watch.answered()
	if err != nil {
		return nil, err
	}
	if err := r.goOn(b, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if r.client.o.OnResume != nil {
		r.client.o.OnResume()
	}
	return resp.Body, nil
}

// goOn brings an answer to where the body broke off.
func (r *resumption) goOn(b *body, resp *http.Response) error {
	if r.client.firstSight(r.name, resp) != nil {
		return errOther
	}
	switch resp.StatusCode {
	case http.StatusPartialContent:
		return r.goOnWithPart(b, resp)
	case http.StatusOK:
		return goOnWithWhole(b, resp)
	}
	return errOther
}

func (r *resumption) goOnWithPart(b *body, resp *http.Response) error {
	if r.valid == "" && r.name.Kind != artifact.Zip {
		return errOther
	}
	if etag := resp.Header.Get("ETag"); etag != "" && r.etag != "" && etag != r.etag {
		return errOther
	}
	part, ok := parseContentRange(resp.Header.Get("Content-Range"))
	length := part.last - part.first + 1
	switch {
	case !ok || part.first != b.read || resp.ContentLength >= 0 && resp.ContentLength != length:
		return errOther
	case part.total < 0 && b.size < 0: // nobody could tell if it is the end
		return errOther
	case part.total >= 0 && b.size >= 0 && part.total != b.size:
		return errOther
	}
	b.size = max(b.size, part.total)
	return nil
}

func goOnWithWhole(b *body, resp *http.Response) error {
	length := resp.ContentLength
	if length >= 0 && (length < b.read || b.size >= 0 && length != b.size) {
		return errOther
	}
	sum := crc32.New(castagnoli)
	if _, err := io.CopyN(sum, watchedReader{b.watch, resp.Body}, b.read); err != nil {
		return err
	}
	if sum.Sum32() != b.sum {
		return errOther
	}
	return nil
}

// watchedReader reads as long as that is no stall.
type watchedReader struct {
	watch *watch
	in    io.Reader
}

func (r watchedReader) Read(p []byte) (int, error) { return r.watch.read(r.in, p) }

// contentRange is what a partial answer holds of a whole, in bytes.
type contentRange struct{ first, last, total int64 } // total -1: unknown

// parseContentRange reads a Content-Range header of one range.
//
// Source: RFC 9110, section 14.4.
func parseContentRange(header string) (r contentRange, ok bool) {
	unit, value, _ := strings.Cut(header, " ")
	span, total, _ := strings.Cut(value, "/")
	first, last, _ := strings.Cut(span, "-")
	r = contentRange{number(first), number(last), number(total)}
	return r, strings.EqualFold(unit, "bytes") && 0 <= r.first && r.first <= r.last && (r.last < r.total || total == "*")
}

// number is -1 for what is none, or too large for the size of a file.
func number(digits string) int64 {
	n, err := strconv.ParseUint(digits, 10, 62)
	if err != nil {
		return -1
	}
	return int64(n)
}
