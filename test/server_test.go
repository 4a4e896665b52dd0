package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// weir is a running weir serve.
type weir struct {
	url  string
	addr string // host:port
	data string // where it keeps modules

	cmd   *exec.Cmd
	log   *buffer
	ended chan struct{} // closed when the process has ended
	err   error         // how, after that
}

// endAtOnce keeps the race detector from sleeping for a second before a process ends.
const endAtOnce = "GORACE=atexit_sleep_ms=0"

// startWeir runs weir serve with variables of the form WEIR_…=value until the
// test ends, and waits until it is ready.
func startWeir(t *testing.T, env ...string) *weir {
	t.Helper()
	addr, err := modtest.Address()
	if err != nil {
		t.Fatal(err)
	}
	w := &weir{url: "http://" + addr, addr: addr, data: t.TempDir(), log: new(buffer), ended: make(chan struct{})}
	base := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "GOENV=off",
		"WEIR_LISTEN=" + addr, "WEIR_DATA=" + w.data, "WEIR_SUMDB=off", endAtOnce,
	}
	for _, v := range env {
		if data, ok := strings.CutPrefix(v, "WEIR_DATA="); ok {
			w.data = data
		}
		if own, ok := strings.CutPrefix(v, "WEIR_LISTEN="); ok {
			w.url, w.addr = "http://"+own, own
		}
	}
	w.cmd = exec.Command("weir", "serve")
	w.cmd.Env = append(base, env...)
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		w.err = w.cmd.Wait()
		close(w.ended)
	}()
	t.Cleanup(func() { w.finish(t) })
	if err := awaitReady(w.url, w.ended); err != nil {
		t.Fatalf("weir: %v\n%s", err, w.log)
	}
	return w
}

// finish ends the process, if it still runs, and shows its log if the test
// failed.
func (w *weir) finish(t *testing.T) {
	select {
	case <-w.ended:
	default:
		w.stop(t)
	}
	if strings.Contains(w.log.String(), "DATA RACE") {
		t.Error("weir has a data race")
	}
	if t.Failed() {
		t.Logf("the log of weir:\n%s", w.log.tail(8000))
	}
}

// stop ends the process as an operator does.
func (w *weir) stop(t *testing.T) {
	t.Helper()
	w.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-w.ended:
		if w.err != nil {
			t.Errorf("weir ended badly: %v", w.err)
		}
	case <-time.After(40 * time.Second):
		w.kill()
		t.Error("weir did not end 40 s after SIGTERM")
	}
}

// kill ends the process at once.
func (w *weir) kill() {
	w.cmd.Process.Kill()
	<-w.ended
}

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *buffer) tail(n int) string {
	s := b.String()
	return s[max(len(s)-n, 0):]
}

// response is what a client has got. The body is as long as it came.
type response struct {
	status int
	header http.Header
	body   []byte
	err    error // the body broke off, or nothing came at all
}

func (r response) String() string {
	return fmt.Sprintf("%d, %d bytes %.120q, error %v", r.status, len(r.body), r.body, r.err)
}

// whole reports whether the client believes that it has the artifact.
func (r response) whole() bool { return r.err == nil && r.status == http.StatusOK }

// client asks without a limit of connections, so that no test waits for itself.
var client = &http.Client{
	Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 300},
	Timeout:   time.Minute,
}

func (w *weir) get(t *testing.T, path string) response {
	t.Helper()
	return do(w.request(t, path))
}

// request is a GET that ends with the test.
func (w *weir) request(t *testing.T, path string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// metric returns the value of a metric without labels.
func (w *weir) metric(t *testing.T, name string) float64 {
	t.Helper()
	for line := range bytes.Lines(w.get(t, "/metrics").body) {
		if value, ok := strings.CutPrefix(string(line), name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// idle waits until nothing is being fetched.
func (w *weir) idle(t *testing.T) {
	t.Helper()
	eventually(t, 20*time.Second, "every fetch has ended", func() bool { return w.metric(t, "weir_flights") == 0 })
}

func do(req *http.Request) response {
	resp, err := client.Do(req)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{status: resp.StatusCode, header: resp.Header, body: body, err: err}
}

// getAgain asks once more where the machine has stood still: then an upstream, or a
// checksum database, is late without fault.
func (w *weir) getAgain(t *testing.T, path string) response {
	t.Helper()
	watch := startStopwatch()
	r := w.get(t, path)
	if (r.status >= http.StatusInternalServerError || r.err != nil) && watch.stoodStill() > 0 {
		return w.get(t, path)
	}
	return r
}

// want checks that the answer is the artifact, byte for byte.
func (w *weir) want(t *testing.T, path string, body []byte) {
	t.Helper()
	r := w.getAgain(t, path)
	if !r.whole() || !bytes.Equal(r.body, body) {
		t.Errorf("GET %s: %v; want the %d right bytes", path, r, len(body))
	}
}

// stored returns the paths of the files that weir keeps, without its own
// bookkeeping, such as temporary files.
func (w *weir) stored(t *testing.T) []string {
	t.Helper()
	var paths []string
	root := filepath.Join(w.data, "modules")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went while we looked
		}
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && name != root {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.IsDir() {
			paths = append(paths, "/"+filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator))))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// checkStore checks that all versions that weir keeps are what the upstream has.
func (w *weir) checkStore(t *testing.T, p *modtest.Proxy) {
	t.Helper()
	for _, path := range w.stored(t) {
		if strings.HasPrefix(path, "/sumdb/") || !strings.Contains(path, "/@v/v") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.data, "modules", filepath.FromSlash(path)))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(data, truth(t, p, path)) {
			t.Errorf("stored %s is not what the upstream has, but %d bytes %.100q", path, len(data), data)
		}
	}
}

// truth is what a healthy upstream answers.
func truth(t *testing.T, p *modtest.Proxy, path string) []byte {
	t.Helper()
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("the upstream itself answers %d for %s", rec.Code, path)
	}
	return rec.Body.Bytes()
}

// simple is a module with nothing special about it.
func simple(path, version string) modtest.Module {
	return modtest.Module{
		Path: path, Version: version, Mod: "module " + path + "\n\ngo 1.21\n",
		Files: map[string]string{"x.go": "package x\n" + strings.Repeat("// some text to make it longer\n", 50)},
	}
}

// files are the paths of the three files of a version.
func files(path, version string) []string {
	base := "/" + path + "/@v/" + version
	return []string{base + ".info", base + ".mod", base + ".zip"}
}

// raw sends bytes as they are and returns the answer to them.
func (w *weir) raw(t *testing.T, request string) response {
	t.Helper()
	conn := w.dial(t)
	go io.WriteString(conn, request) // the server may answer, and hang up, before it has all
	return readResponse(conn)
}

// dial connects to weir until the test ends.
func (w *weir) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// eventually waits until a condition holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	watch := startStopwatch()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if watch.exceeds(within) {
			t.Fatalf("not within %v: %s", within, what)
		}
		<-tick.C
	}
}
