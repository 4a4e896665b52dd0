package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/sourcetest"
)

// How a fragile server takes ranges.
const (
	rangesHonest      = iota
	rangesIgnoring    // answers with the whole
	rangesUnsatisfied // 416
	rangesGone        // 404
	rangesStarred     // of an unknown total
	rangesHalved      // less than was asked for
	rangesChunked     // without length
	rangesShifted     // other bytes than it says
	rangesMisplaced   // other bytes, and says so
	rangesOther       // of another total
	rangesOverlong    // more bytes than it says
	rangesUnranged    // 206 without Content-Range
	rangings          // how many there are
)

// A fragile server breaks off. The slices hold what is so at each request, the
// last of them for all that follow.
type fragile struct {
	contents [][]byte
	tags     []string // "": no header
	modified []time.Time
	cuts     []int // bytes of the answer until it breaks off; -1: never
	ranging  int
	unsized  bool // whole answers are chunked
	ifRange  bool // is obeyed

	mu   sync.Mutex
	seen []http.Header
}

func at[T any](list []T, i int) (v T) {
	if len(list) == 0 {
		return v
	}
	return list[min(i, len(list)-1)]
}

func (f *fragile) asked() []http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func (f *fragile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	i := len(f.seen)
	f.seen = append(f.seen, r.Header.Clone())
	f.mu.Unlock()

	tag, modified := at(f.tags, i), at(f.modified, i)
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	if !modified.IsZero() {
		w.Header().Set("Last-Modified", modified.UTC().Format(http.TimeFormat))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	body := f.answer(w, r, at(f.contents, i), tag, modified)
	cut := at(f.cuts, i)
	if cut < 0 || cut >= len(body) {
		w.Write(body)
		return
	}
	w.Write(body[:cut])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// answer writes the header and returns the body.
func (f *fragile) answer(w http.ResponseWriter, r *http.Request, data []byte, tag string, modified time.Time) []byte {
	var from int
	ranged, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	if ifRange := r.Header.Get("If-Range"); f.ifRange && ifRange != "" && ifRange != tag && ifRange != modified.UTC().Format(http.TimeFormat) {
		ranged = 0
	}
	if ranged == 0 || f.ranging == rangesIgnoring {
		if !f.unsized {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		}
		w.WriteHeader(http.StatusOK)
		return data
	}
	switch {
	case f.ranging == rangesGone:
		w.WriteHeader(http.StatusNotFound)
		return nil
	case f.ranging == rangesUnsatisfied || from >= len(data):
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return nil
	}
	begin, last, total := from, len(data)-1, strconv.Itoa(len(data))
	part := data[from:]
	switch f.ranging {
	case rangesStarred:
		total = "*"
	case rangesHalved:
		last = from + (last-from)/2
		part = data[from : last+1]
	case rangesShifted:
		part = data[max(from-1, 0) : max(from-1, 0)+len(part)]
	case rangesMisplaced:
		begin = max(from-1, 0)
		part = data[begin:]
	case rangesOther:
		total = strconv.Itoa(len(data) + 1)
	case rangesOverlong:
		part = append(bytes.Clone(part), "and more"...)
	}
	if f.ranging != rangesUnranged {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", begin, last, total))
	}
	if f.ranging != rangesChunked && f.ranging != rangesOverlong {
		w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	}
	w.WriteHeader(http.StatusPartialContent)
	return part
}

// serveBoth starts servers of HTTP/1 and HTTP/2. It returns a function that opens
// the server of one of them.
func serveBoth(t *testing.T, h http.HandlerFunc) func(http2 bool, path string, o Options) source.Source {
	t.Helper()
	servers := map[bool]*httptest.Server{}
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(h)
		server.EnableHTTP2 = http2
		server.StartTLS()
		t.Cleanup(server.Close)
		servers[http2] = server
	}
	return func(http2 bool, path string, o Options) source.Source {
		o.RootCAs = rootsOf(servers[http2])
		return open(t, servers[http2].URL+path, o)
	}
}

func openFragile(t *testing.T, f *fragile, http2 bool, o Options) source.Source {
	t.Helper()
	return serveBoth(t, f.ServeHTTP)(http2, "", o)
}

// aDayAgo is a time of change that is a strong validator.
func aDayAgo() time.Time { return time.Now().Add(-24 * time.Hour).Truncate(time.Second) }

func TestABodyThatBreaksOffGoesOnByRange(t *testing.T) {
	data := sourcetest.Zip(mod, version, 300<<10)
	for what, test := range map[string]struct {
		f       *fragile
		ifRange string
	}{
		"with a strong tag": {&fragile{tags: []string{`"a"`}, ifRange: true}, `"a"`},
		"with a weak tag":   {&fragile{tags: []string{`W/"a"`}, modified: []time.Time{aDayAgo()}}, ""},
		"with a time":       {&fragile{modified: []time.Time{aDayAgo()}, ifRange: true}, aDayAgo().UTC().Format(http.TimeFormat)},
		"with a fresh time": {&fragile{modified: []time.Time{time.Now().Add(time.Hour)}}, ""},
		"with nothing":      {&fragile{}, ""},
		"of unknown length": {&fragile{unsized: true}, ""},
		"of unknown total":  {&fragile{ranging: rangesStarred}, ""},
		"in chunks":         {&fragile{ranging: rangesChunked}, ""},
	} {
		for _, http2 := range []bool{false, true} {
			f := &fragile{tags: test.f.tags, modified: test.f.modified, ranging: test.f.ranging, unsized: test.f.unsized, ifRange: test.f.ifRange}
			f.contents, f.cuts = [][]byte{data}, []int{100_000, 70_000, 50_000, -1}
			var resumed atomic.Int32
			got, err := get(t, openFragile(t, f, http2, Options{OnResume: func() { resumed.Add(1) }}), zipName)
			if err != nil || got != string(data) || resumed.Load() != 3 {
				t.Errorf("%s, HTTP/2 %v: %d bytes, %v, resumed %d times", what, http2, len(got), err, resumed.Load())
				continue
			}
			for i, h := range f.asked() {
				if i == 0 {
					continue
				}
				from := []int{0, 100_000, 170_000, 220_000}[i]
				if h.Get("Range") != fmt.Sprintf("bytes=%d-", from) || h.Get("If-Range") != test.ifRange {
					t.Errorf("%s: request %d has Range %q, If-Range %q", what, i, h.Get("Range"), h.Get("If-Range"))
				}
			}
		}
	}
}

func TestABodyThatBreaksOffGoesOnWithoutRanges(t *testing.T) {
	data := sourcetest.Zip(mod, version, 300<<10)
	for _, unsized := range []bool{false, true} {
		f := &fragile{contents: [][]byte{data}, cuts: []int{100_000, 200_000, -1}, ranging: rangesIgnoring, unsized: unsized}
		if got, err := get(t, openFragile(t, f, false, Options{}), zipName); err != nil || got != string(data) {
			t.Errorf("unsized %v: %d bytes, %v", unsized, len(got), err)
		}
	}
}

func TestSmallArtifactsGoOnOnlyWhereTheBytesAreKnownToBeMeant(t *testing.T) {
	data := []byte(goodMod + strings.Repeat("// comment\n", 1000))
	for what, test := range map[string]struct {
		f  *fragile
		ok bool
	}{
		"a tag":             {&fragile{tags: []string{`"a"`}}, true},
		"nothing":           {&fragile{}, false},
		"nothing, no range": {&fragile{ranging: rangesIgnoring}, true},
		"a weak tag":        {&fragile{tags: []string{`W/"a"`}}, false},
	} {
		f := &fragile{contents: [][]byte{data}, cuts: []int{5000, -1}, tags: test.f.tags, ranging: test.f.ranging}
		got, err := get(t, openFragile(t, f, false, Options{}), modName)
		if test.ok != (err == nil) || err == nil && got != string(data) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		if err != nil {
			wantClass(t, what, err, artifact.ErrBadUpstream)
		}
	}
}

func TestABodyThatBreaksOffBeforeItsFirstByteIsAskedForAgain(t *testing.T) {
	for _, n := range []artifact.Name{modName, zipName} {
		data := map[artifact.Kind][]byte{artifact.Mod: []byte(goodMod), artifact.Zip: sourcetest.Zip(mod, version, 100)}[n.Kind]
		f := &fragile{contents: [][]byte{data}, cuts: []int{0, -1}}
		if got, err := get(t, openFragile(t, f, false, Options{}), n); err != nil || got != string(data) {
			t.Errorf("%v: %d bytes, %v", n.Kind, len(got), err)
		}
		if asked := f.asked(); len(asked) != 2 || asked[1].Get("Range") != "" {
			t.Errorf("%v: asked %v", n.Kind, asked)
		}
	}
}

func TestWhatMayChangeIsNotResumed(t *testing.T) {
	for _, n := range []artifact.Name{
		listName,
		{Kind: artifact.Latest, Module: mod},
		{Kind: artifact.Query, Module: mod, Version: "main"},
		{Kind: artifact.SumLatest, DB: "sum.example.org"},
		{Kind: artifact.SumTile, DB: "sum.example.org", Tile: "tile/8/0/001.p/5"},
	} {
		f := &fragile{contents: [][]byte{bytes.Repeat([]byte("v1.0.0\n"), 100)}, tags: []string{`"a"`}, cuts: []int{50, -1}}
		_, err := get(t, openFragile(t, f, false, Options{}), n)
		wantClass(t, n.String(), err, artifact.ErrBadUpstream)
		if asked := len(f.asked()); asked != 1 {
			t.Errorf("%v: %d requests", n, asked)
		}
	}
}

func TestWhatWasUnpackedIsNotResumed(t *testing.T) {
	var asked atomic.Int32
	s := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("ETag", `"a"`)
		gz := gzip.NewWriter(w)
		io.WriteString(gz, goodMod)
		gz.Flush()
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}), Options{})
	_, err := get(t, s, modName)
	wantClass(t, "gzip", err, artifact.ErrBadUpstream)
	if asked.Load() != 1 {
		t.Errorf("%d requests", asked.Load())
	}
}

func TestAResumeThatIsNotToBeHadLeavesTheFirstError(t *testing.T) {
	data := sourcetest.Zip(mod, version, 100<<10)
	for _, ranging := range []int{rangesUnsatisfied, rangesGone, rangesMisplaced, rangesOther, rangesUnranged} {
		f := &fragile{contents: [][]byte{data}, cuts: []int{50_000, -1}, ranging: ranging}
		_, err := get(t, openFragile(t, f, false, Options{}), zipName)
		wantClass(t, fmt.Sprint(ranging), err, artifact.ErrBadUpstream)
		if err == nil || !strings.Contains(err.Error(), "broke off after 50000 bytes") || len(f.asked()) != 2 {
			t.Errorf("%d: %v after %d requests", ranging, err, len(f.asked()))
		}
	}
}

func TestAPartIsNeverTakenForTheWhole(t *testing.T) {
	data := []byte(goodMod + strings.Repeat("// comment\n", 1000))
	for what, test := range map[string]struct {
		f    *fragile
		want string
	}{
		"nobody knows the end": {&fragile{unsized: true, ranging: rangesStarred}, "broke off after 5000 bytes"},
		"half of the rest":     {&fragile{unsized: true, ranging: rangesHalved}, "broke off after"},
		"more than the rest":   {&fragile{ranging: rangesOverlong}, "longer than"},
	} {
		f := &fragile{contents: [][]byte{data}, tags: []string{`"a"`}, cuts: []int{5000, -1}, ranging: test.f.ranging, unsized: test.f.unsized}
		got, err := get(t, openFragile(t, f, false, Options{}), modName)
		wantClass(t, what, err, artifact.ErrBadUpstream)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
}

func TestAChangedArtifactIsNotContinued(t *testing.T) {
	before, after := sourcetest.Zip(mod, version, 100<<10), sourcetest.Zip(mod, version, 100<<10)
	after[60_000]++ // the same length, and the same beginning
	early := bytes.Clone(after)
	early[40_000]++
	for what, f := range map[string]*fragile{
		"another tag":                    {contents: [][]byte{before, after}, tags: []string{`"a"`, `"b"`}},
		"another tag, If-Range obeyed":   {contents: [][]byte{before, early}, tags: []string{`"a"`, `"b"`}, ifRange: true},
		"another weak tag":               {contents: [][]byte{before, after}, tags: []string{`W/"a"`, `W/"b"`}},
		"another beginning":              {contents: [][]byte{before, early}, ranging: rangesIgnoring},
		"another length, by range":       {contents: [][]byte{before, before[:90_000]}},
		"another length, without ranges": {contents: [][]byte{before, before[:90_000]}, ranging: rangesIgnoring},
	} {
		f.cuts = []int{50_000, -1}
		resumed := false
		_, err := get(t, openFragile(t, f, false, Options{OnResume: func() { resumed = true }}), zipName)
		wantClass(t, what, err, artifact.ErrBadUpstream)
		if resumed || !strings.Contains(err.Error(), "broke off") {
			t.Errorf("%s: resumed %v, %v", what, resumed, err)
		}
	}
}

// randomFragile is a server of one or two versions of an artifact.
func randomFragile(r *rand.Rand, first, second []byte) *fragile {
	f := &fragile{
		contents: [][]byte{first}, tags: [][]string{nil, {`"a"`}, {`W/"a"`}}[r.IntN(3)], ranging: r.IntN(rangings),
		unsized: r.IntN(3) == 0, ifRange: r.IntN(4) > 0,
	}
	if r.IntN(3) == 0 {
		f.modified = []time.Time{aDayAgo()}
	}
	if r.IntN(3) == 0 {
		f.contents = append(f.contents, second)
		f.tags = [][]string{nil, {`"a"`, `"b"`}, {`W/"a"`, `W/"b"`}, {`"a"`, ""}, {`"a"`}}[r.IntN(5)]
	}
	for range r.IntN(5) {
		f.cuts = append(f.cuts, r.IntN(len(first)))
	}
	f.cuts = append(f.cuts, []int{-1, r.IntN(len(first))}[r.IntN(2)])
	return f
}

// countRequests counts what a client asks for. A server may see more of it, since
// net/http asks again by itself when a connection turns out to be dead.
func countRequests(s source.Source) *atomic.Int32 {
	asked := new(atomic.Int32)
	c := s.(*client)
	next := c.http.Transport
	c.http.Transport = answers(func(r *http.Request) (*http.Response, error) {
		asked.Add(1)
		return next.RoundTrip(r)
	})
	return asked
}

func TestAResumedBodyIsTheWholeOrAnError(t *testing.T) {
	first := sourcetest.Zip(mod, version, 20<<10)
	same := bytes.Clone(first) // of the same length
	same[10_000]++
	longer := sourcetest.Zip(mod, version, 21<<10)
	var servers sync.Map
	opener := serveBoth(t, func(w http.ResponseWriter, r *http.Request) {
		number, _, _ := strings.Cut(r.URL.Path[1:], "/")
		f, _ := servers.Load(number)
		f.(*fragile).ServeHTTP(w, r)
	})
	var whole atomic.Int32
	var wg sync.WaitGroup
	free := make(chan struct{}, 16)
	const cases = 400
	for i := range cases {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		f := randomFragile(r, first, [][]byte{same, longer}[r.IntN(2)])
		servers.Store(strconv.Itoa(i), f)
		s := opener(r.IntN(2) == 0, fmt.Sprint("/", i), Options{Timeouts: Timeouts{Connect: time.Minute}})
		asked := countRequests(s)
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			got, err := get(t, s, zipName)
			switch {
			case err != nil && artifact.Class(err) != artifact.ErrBadUpstream:
				t.Errorf("case %d: %v", i, err)
			case err == nil && got != string(first) && got != string(longer):
				t.Errorf("case %d: wrong bytes (%d of %d)", i, len(got), len(first))
			case err == nil:
				whole.Add(1)
			}
			if n := asked.Load(); n > 20 {
				t.Errorf("case %d: %d requests", i, n)
			}
		})
	}
	wg.Wait()
	if n := whole.Load(); n < cases/5 || n > cases*4/5 {
		t.Errorf("%d of %d came whole: the cases are not what they are meant to be", n, cases)
	}
}

func TestAStallGoesOn(t *testing.T) {
	data := sourcetest.Zip(mod, version, 100<<10)
	for _, http2 := range []bool{false, true} {
		var asked atomic.Int32
		opener := serveBoth(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 1 {
				http.ServeContent(w, r, "x", time.Time{}, bytes.NewReader(data))
				return
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			w.Write(data[:30_000])
			w.(http.Flusher).Flush()
			hang(t, r)
		})
		s := opener(http2, "", Options{
			Timeouts:      Timeouts{Stall: time.Second},
			MaxConcurrent: 1, // which a further request needs no more of
		})
		for range 2 {
			if got, err := get(t, s, zipName); err != nil || got != string(data) {
				t.Errorf("HTTP/2 %v: %d bytes, %v", http2, len(got), err)
			}
		}
		if asked.Load() != 3 {
			t.Errorf("HTTP/2 %v: %d requests for two bodies", http2, asked.Load())
		}
	}
}

// answers is a transport that answers from memory, for the time in a bubble.
type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// reader reads some bytes and then ends with an error, or hangs until its request
// ends.
type reader struct {
	ctx  context.Context
	in   io.Reader
	last error // nil: hang

	closed bool
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	switch {
	case err == nil:
		return n, nil
	case r.last != nil:
		return 0, r.last
	}
	<-r.ctx.Done()
	return 0, r.ctx.Err()
}

func (r *reader) Close() error {
	r.closed = true
	return nil
}

func answer(r *http.Request, data string, last error) *http.Response {
	return &http.Response{
		Request: r, StatusCode: http.StatusOK, ProtoMajor: 2, Header: http.Header{}, ContentLength: 1 << 20,
		Body: &reader{ctx: r.Context(), in: strings.NewReader(data), last: last},
	}
}

func TestResumesAreFewAndEndInTime(t *testing.T) {
	const dead = "dead"
	reset := errors.New("stream reset")
	o := Options{Timeouts: Timeouts{FirstByte: time.Minute, Stall: 10 * time.Second, Total: 20 * time.Minute}}
	hangBefore := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	part := func(r *http.Request, i int, last error) *http.Response {
		resp := answer(r, "x", last)
		resp.StatusCode = http.StatusPartialContent
		resp.ContentLength = 1<<20 - int64(i)
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", i, 1<<20-1, 1<<20))
		return resp
	}
	for what, test := range map[string]struct {
		answer      func(r *http.Request, i int) (*http.Response, error) // from the second request on
		least, most int                                                  // requests
		min, max    time.Duration
		class       error
	}{
		"a byte each":           {func(r *http.Request, i int) (*http.Response, error) { return part(r, i, reset), nil }, 4, 4, 0, 0, artifact.ErrBadUpstream},
		"a byte and a stall":    {func(r *http.Request, i int) (*http.Response, error) { return part(r, i, nil), nil }, 4, 4, 30 * time.Second, 30 * time.Second, artifact.ErrTimeout},
		"nothing":               {func(*http.Request, int) (*http.Response, error) { return nil, errors.New(dead) }, 7, 12, maxIdle - longestWait, maxIdle, artifact.ErrBadUpstream},
		"a hang before answers": {func(r *http.Request, _ int) (*http.Response, error) { return hangBefore(r) }, 2, 2, 10 * time.Second, 10 * time.Second, artifact.ErrBadUpstream},
		"a hang in the prefix":  {func(r *http.Request, _ int) (*http.Response, error) { return answer(r, "", nil), nil }, 2, 2, 10 * time.Second, 10 * time.Second, artifact.ErrBadUpstream},
	} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			var bodies []*reader
			c := open(t, "https://proxy.example.com", o).(*client)
			c.http.Transport = answers(func(r *http.Request) (*http.Response, error) {
				requests++
				resp, err := answer(r, "x", reset), error(nil)
				if requests > 1 {
					resp, err = test.answer(r, requests-1)
				}
				if err == nil {
					bodies = append(bodies, resp.Body.(*reader))
				}
				return resp, err
			})
			begun := time.Now()
			_, err := get(t, c, zipName)
			wantClass(t, what, err, test.class)
			if took := time.Since(begun); requests < test.least || requests > test.most || took < test.min || took > test.max {
				t.Errorf("%s: %d requests in %v, want %d to %d in %v to %v", what, requests, took, test.least, test.most, test.min, test.max)
			}
			if err != nil && strings.Contains(err.Error(), dead) {
				t.Errorf("%s: %v is not the first error", what, err)
			}
			if len(c.slots) != 0 || slices.ContainsFunc(bodies, func(r *reader) bool { return !r.closed }) {
				t.Errorf("%s: a slot or a body is lost", what)
			}
		})
	}
}

func TestResumingEndsWithTheCallerAndTheTotal(t *testing.T) {
	for what, test := range map[string]struct {
		patience, total time.Duration
		class           error
		took            time.Duration
	}{
		"the caller leaves": {5 * time.Second, time.Hour, nil, 5 * time.Second},
		"the total passes":  {time.Hour, 7 * time.Second, artifact.ErrTimeout, 7 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(test.patience, cancel)
			c := open(t, "https://proxy.example.com", Options{Timeouts: Timeouts{Total: test.total}}).(*client)
			requests := 0
			c.http.Transport = answers(func(r *http.Request) (*http.Response, error) {
				if requests++; requests == 1 {
					return answer(r, "x", errors.New("reset")), nil
				}
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			begun := time.Now()
			b, err := c.Fetch(ctx, zipName)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, b.Reader())
			if artifact.Class(err) != test.class || test.class == nil && !errors.Is(err, context.Canceled) || time.Since(begun) != test.took {
				t.Errorf("%s: %v after %v", what, err, time.Since(begun))
			}
			if err := b.Close(); err != nil || len(c.slots) != 0 {
				t.Errorf("%s: close: %v, %d slots in use", what, err, len(c.slots))
			}
		})
	}
}

func TestContentRangesAreRead(t *testing.T) {
	for header, want := range map[string]contentRange{
		"bytes 0-0/1": {0, 0, 1}, "bytes 5-9/10": {5, 9, 10}, "BYTES 5-9/*": {5, 9, -1},
	} {
		if got, ok := parseContentRange(header); !ok || got != want {
			t.Errorf("%q: got %v, %v", header, got, ok)
		}
	}
	for _, header := range []string{
		"", "bytes", "bytes */10", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-9/", "items 5-9/10", "bytes=5-9/10", "bytes -5-9/10",
		"bytes +5-9/10", "bytes 5-9/-1", "bytes 5-9/1e3", "bytes 5-99999999999999999999/*", "bytes 5 - 9/10", "bytes 5-9/10, 12-13/14",
	} {
		if got, ok := parseContentRange(header); ok {
			t.Errorf("%q: got %v", header, got)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 5-9/10")
	f.Add("bytes 5-9/*")
	f.Fuzz(func(t *testing.T, header string) {
		r, ok := parseContentRange(header)
		if ok && (r.first < 0 || r.last < r.first || r.total >= 0 && r.total <= r.last) {
			t.Errorf("%q: %v", header, r)
		}
	})
}
