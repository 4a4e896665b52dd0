package server

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/cache"
)

// Header names in the canonical form that the maps of net/http want.
const (
	headerRequestID = "X-Request-Id"
	headerCache     = "Weir-Cache"
)

// Header values that never change are shared by all answers: net/http only
// reads them.
var (
	immutable = []string{"public, max-age=86400, immutable"}
	own       = []string{"private, max-age=86400, immutable"}
	revisit   = []string{"no-cache"}
	noStore   = []string{"no-store"}
	nosniff   = []string{"nosniff"}
	gzipped   = []string{"gzip"}
	stale     = []string{`110 - "Response is Stale"`}
	varyText  = []string{"Accept-Encoding, Disable-Module-Fetch"}
	varyZip   = []string{"Disable-Module-Fetch"}
	results   = map[cache.Result][]string{cache.Hit: {"hit"}, cache.Miss: {"miss"}, cache.Stale: {"stale"}}
	types     = contentTypes()
)

func contentTypes() map[artifact.Kind][]string {
	m := map[artifact.Kind][]string{}
	for _, k := range artifact.Kinds() {
		m[k] = []string{k.ContentType()}
	}
	return m
}

// send answers with an artifact.
func send(w http.ResponseWriter, r *http.Request, n artifact.Name, a cache.Answer, out *Outcome) {
	h := w.Header()
	h["Content-Type"] = types[n.Kind]
	h["X-Content-Type-Options"] = nosniff
	h[headerCache] = results[a.Result]
	cacheControl(h, n, a, out.personal())
	if n.Kind == artifact.Zip {
		h["Vary"] = varyZip
	} else {
		h["Vary"] = varyText
	}
	data, tag := a.Data, a.ETag
	if a.Gzip != nil && acceptsGzip(r) {
		data, tag = a.Gzip, gzipTag(tag)
		h["Content-Encoding"] = gzipped
	}
	if tag != "" {
		h["Etag"] = []string{tag}
	}
	switch body, seekable := a.Body.(io.ReadSeeker); {
	case a.Body == nil && !conditional(r):
		out.Status = http.StatusOK
		sendBytes(w, r, data, out)
	case a.Body == nil:
		sendContent(w, r, a.Time, bytes.NewReader(data), out)
	case seekable && conditional(r):
		sendContent(w, r, a.Time, body, out)
	default:
		out.Status = http.StatusOK
		sendStream(w, r, n, a, out)
	}
}

// personal reports whether the answer is for who asked and for nobody else: it
// depends on who that was.
func (out *Outcome) personal() bool {
	return out.Subject.Name != "" || out.Decision.Rule != "" || out.Decision.Hide
}

// cacheControl says for how long others may keep the answer, and whether they may
// show it to anybody. What is stale, or mutable and of unknown age, is to be asked
// for again.
func cacheControl(h http.Header, n artifact.Name, a cache.Answer, personal bool) {
	whose, forever := "public", immutable
	if personal {
		whose, forever = "private", own
	}
	if n.Immutable() {
		h["Cache-Control"] = forever
		return
	}
	if a.Age > 0 || a.Result == cache.Stale {
		h["Age"] = []string{strconv.FormatInt(int64(a.Age/time.Second), 10)}
	}
	if a.Result == cache.Stale {
		h["Warning"] = stale
	}
	if a.Result == cache.Stale || a.Fresh < time.Second {
		h["Cache-Control"] = revisit
		return
	}
	// max-age counts from when the source vouched for it, as Age does.
	h["Cache-Control"] = []string{whose + ", max-age=" + strconv.FormatInt(int64((a.Age+a.Fresh)/time.Second), 10)}
}

// conditional reports whether the request asks for a part of the artifact or
// for news of it only.
func conditional(r *http.Request) bool {
	h := r.Header
	return len(h["Range"]) > 0 || len(h["If-None-Match"]) > 0 || len(h["If-Modified-Since"]) > 0 ||
		len(h["If-Match"]) > 0 || len(h["If-Unmodified-Since"]) > 0
}

func sendBytes(w http.ResponseWriter, r *http.Request, data []byte, out *Outcome) {
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(data))}
	if r.Method == http.MethodHead {
		return
	}
	n, err := w.Write(data)
	out.Bytes, out.Err = int64(n), err
}

// sendContent answers conditional and partial requests. Of several ranges at
// once nobody has need; they get the whole.
func sendContent(w http.ResponseWriter, r *http.Request, modified time.Time, body io.ReadSeeker, out *Outcome) {
	if v := r.Header["Range"]; len(v) > 0 && strings.Contains(v[0], ",") {
		r.Header.Del("Range")
	}
	counted := &counter{ResponseWriter: w, status: http.StatusOK}
	http.ServeContent(counted, r, "", modified, body)
	out.Status, out.Bytes = counted.status, counted.bytes
}

// sendStream copies a body that is read once: a file, which the kernel can
// send, or one that is still arriving. When it breaks off, so does the answer.
func sendStream(w http.ResponseWriter, r *http.Request, n artifact.Name, a cache.Answer, out *Outcome) {
	if a.Size >= 0 {
		w.Header()["Content-Length"] = []string{strconv.FormatInt(a.Size, 10)}
	}
	if r.Method == http.MethodHead {
		return
	}
	var err error
	out.Bytes, err = copyBody(w, a.Body, a.Size)
	if err == nil && a.Size >= 0 && out.Bytes != a.Size {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case err == nil:
	case out.Bytes == 0 && unsent(a.Body):
		retract(w.Header())
		out.Result = cache.Failed
		refuse(w, r, out, about(n), artifact.Status(err), err)
	default:
		out.Err = err
		panic(http.ErrAbortHandler)
	}
}

// unsent reports whether a body that gave no byte has left the answer unsent. Of
// one that is still arriving this is known: it waits for its first bytes before
// it writes.
func unsent(body io.Reader) bool {
	_, follows := body.(io.WriterTo)
	return follows && !isFile(body)
}

// retract takes back the headers of an artifact that will not be sent.
func retract(h http.Header) {
	for _, name := range []string{"Cache-Control", "Etag", "Content-Encoding", "Age", "Warning", headerCache} {
		delete(h, name)
	}
}

// copyBody lets the body write itself where it can, and else the connection
// read it: io.Copy would prefer the WriteTo of files, which knows no sockets.
// Where the size is known, nobody has to ask the file whether it has ended.
func copyBody(w http.ResponseWriter, body io.Reader, size int64) (int64, error) {
	from, ok := w.(io.ReaderFrom)
	if _, follows := body.(io.WriterTo); !ok || follows && !isFile(body) {
		return io.Copy(w, body)
	}
	if size >= 0 {
		body = &io.LimitedReader{R: body, N: size}
	}
	return from.ReadFrom(body)
}

func isFile(body io.Reader) bool {
	_, ok := body.(interface{ Fd() uintptr })
	return ok
}

// counter notes what http.ServeContent answers.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom keeps the way to the kernel open for files.
func (c *counter) ReadFrom(src io.Reader) (int64, error) {
	from, ok := c.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	n, err := from.ReadFrom(src)
	c.bytes += n
	return n, err
}

// acceptsGzip reports whether the client takes gzip. The go command sends just
// that word.
func acceptsGzip(r *http.Request) bool {
	for _, v := range r.Header["Accept-Encoding"] {
		for coding := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(coding), ";")
			if strings.EqualFold(name, "gzip") {
				return !refused(params)
			}
		}
	}
	return false
}

// refused reports whether the parameters of a coding say "not that one".
func refused(params string) bool {
	q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
	if !ok {
		return false
	}
	weight, err := strconv.ParseFloat(q, 64)
	return err == nil && weight == 0
}

// gzipTag is the entity tag of the compressed form of an entity.
func gzipTag(tag string) string {
	if tag == "" {
		return ""
	}
	return strings.TrimSuffix(tag, `"`) + `-gz"`
}
