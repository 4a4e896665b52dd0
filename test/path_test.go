package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/modtest"
)

// readResponse reads one answer from a connection.
func readResponse(conn net.Conn) response {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{status: resp.StatusCode, header: resp.Header, body: body, err: err}
}

// rawGet asks for a path that is sent as it is.
func (w *weir) rawGet(t *testing.T, target string) response {
	t.Helper()
	return w.raw(t, "GET "+target+" HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")
}

// spied returns a weir, and the upstream that sees what it asks for.
func spied(t *testing.T, modules ...modtest.Module) (*weir, *modtest.Proxy) {
	t.Helper()
	p := modtest.New(modules...)
	return startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_LOG_FORMAT=json"), p
}

// refusedAtOnce checks that paths name nothing, and that no upstream hears of
// them.
func refusedAtOnce(t *testing.T, w *weir, p *modtest.Proxy, targets []string) {
	t.Helper()
	for _, target := range targets {
		r := w.rawGet(t, target)
		if r.err != nil || r.status != http.StatusNotFound {
			t.Errorf("GET %.200q: %v; want 404", target, r)
			continue
		}
		checkRefusal(t, target, r)
	}
	if asked := p.Requests(); len(asked) != 0 {
		t.Errorf("the upstream was asked for %v", asked)
	}
}

func TestA1PathTraversal(t *testing.T) {
	t.Parallel()
	w, p := spied(t, simple("example.com/m", "v1.0.0"))
	refusedAtOnce(t, w, p, []string{
		"/../etc/passwd/@v/list", "/../../../../etc/passwd", "/example.com/../m/@v/list", "/example.com/./m/@v/list", "/..", "/.", "/../",
		"/%2e%2e/etc/passwd/@v/list", "/%2E%2E/%2e/etc/passwd/@v/list", "/example.com/%2e%2e/m/@v/list", "/example.com/m/@v/%2e%2e/%2e%2e/x.info",
		"/..%2fetc%2fpasswd/@v/list", "/example.com%2fm/@v/list", "/example.com%2Fm%2f@v%2Flist", "/example.com/m/@v%2flist",
		"/%252e%252e/etc/passwd/@v/list", "/example.com/%252e%252e/@v/list", "/example.com/m%252f/@v/list",
		`/example.com\m/@v/list`, "/example.com%5cm/@v/list", "/..%5c..%5cetc/@v/list", `/example.com/m/@v/..\v1.0.0.info`,
		"/example.com%00/m/@v/list", "/example.com/m/@v/v1.0.0%00.info", "/example.com/m%00.txt/@v/list",
		"//example.com/m/@v/list", "/example.com//m/@v/list", "/example.com/m//@v/list", "/example.com/m/@v//list", "//", "/example.com/m/@v/list/",
		"/example.com/m/@v/v1.0.0.zip/../x", "/example.com/m/@v/v1.0.0.zip/..", "/example.com/m/@v/../../../x",
		"/example.com/con/@v/list", "/example.com/AUX/@v/list", "/example.com/!aux/@v/list", "/example.com/nul.txt/@v/list", "/example.com/lpt1/@v/list",
		"/example.com/m./@v/list", "/example.com./m/@v/list", "/example.com/.m/@v/list", "/.weir/x/@v/list", "/example.com/m~1/@v/list",
		"/%ff%fe/m/@v/list", "/example.com/%c3%28/@v/list", "/example.com/%f0%9f%92%a9/@v/list", "/example.com/%e2%80%ae/@v/list",
		"/.weir/tmp", "/.weir", "/example.com/m", "/example.com/m/", "/example.com/m/@v", "/example.com/m/@v/", "/etc/passwd", "/sumdb", "/sumdb/", "/sumdb/../x",
	})
	// What is no request line at all is refused before it is looked at.
	for _, target := range []string{"/example.com\x00/m/@v/list", "/example.com/m\x7f/@v/list", "/%zz/@v/list", "example.com/m/@v/list", "/a b/@v/list"} {
		if r := w.rawGet(t, target); r.err != nil || r.status != http.StatusBadRequest && r.status != http.StatusNotFound {
			t.Errorf("GET %q: %v; want 400", target, r)
		}
	}
	if asked := p.Requests(); len(asked) != 0 {
		t.Errorf("the upstream was asked for %v", asked)
	}
	if stored := w.stored(t); len(stored) != 0 {
		t.Errorf("stored: %q", stored)
	}
}

func TestA2ConfusingEscapes(t *testing.T) {
	t.Parallel()
	m := simple("github.com/Azure/x", "v1.0.0-RC1")
	w, p := spied(t, m, simple("github.com/azure/x", "v1.0.0-RC1"))
	refusedAtOnce(t, w, p, []string{
		"/github.com/Azure/x/@v/list", "/github.com/%41zure/x/@v/list", "/github.com/!!azure/x/@v/list", "/github.com/!Azure/x/@v/list", "/github.com/azure!/x/@v/list",
		"/github.com/!/x/@v/list", "/github.com/!1/x/@v/list", "/github.com/%21%21azure/x/@v/list", "/github.com/%2521azure/x/@v/list",
		"/github.com/!azure/x/@v/v1.0.0-RC1.info", "/github.com/!azure/x/@v/v1.0.0-!!rc1.info", "/github.com/!azure/x/@v/v1.0.0-rc1!.info",
		"/github.com/!azure/x/@v/x/@v/list", "/github.com/@v/x/@v/list", "/@v/list", "/github.com/!azure/x/@v/@v/list", "/github.com/!azure/x/@latest/@latest",
		"/github.com/!azure/x/@v/LIST", "/github.com/!azure/x/@V/list", "/github.com/!azure/x/@v/v1.0.0-!r!c1.INFO", "/github.com/!azure/x/@Latest",
	})
	// All spellings that are right are one object.
	const escaped = "/github.com/!azure/x/@v/v1.0.0-!r!c1.zip"
	want := truth(t, modtest.New(m), escaped)
	for _, target := range []string{
		escaped, "/github.com/%21azure/x/@v/v1.0.0-%21r%21c1.zip", "/github.com/%21%61zure/x/@v/v1.0.0-!r!c1.zip", "/%67ithub.com/!azure/x/%40v/v1.0.0-!r!c1%2ezip",
	} {
		if r := w.rawGet(t, target); !r.whole() || !bytes.Equal(r.body, want) {
			t.Errorf("GET %s: %v", target, r)
		}
	}
	if n := p.Count(escaped); n != 1 {
		t.Errorf("spellings of one name were fetched %d times", n)
	}
	// Names that differ in case only are two objects.
	other := "/github.com/azure/x/@v/v1.0.0-!r!c1.zip"
	w.want(t, other, truth(t, p, other))
	if bytes.Equal(want, truth(t, p, other)) {
		t.Error("the test does not tell the two modules apart")
	}
}

func TestA3VersionTricks(t *testing.T) {
	t.Parallel()
	w, p := spied(t, simple("example.com/m", "v1.0.0"))
	base := "/example.com/m/@v/"
	refusedAtOnce(t, w, p, []string{
		base + "v1.0.0/../../x.info", base + "-x.info", base + "--upload-pack=x.info", base + "--upload-pack%3dx.info", base + "v1.0.0;id.info", base + "v1.0.0%3bid.info",
		base + "v1.0.0%0d%0aX:1.info", base + "v1.0.0%0a.mod", base + "`id`.info", base + "v1.0.0|id.info",
		base + strings.Repeat("v", 300) + ".info", base + "v1.0.0-" + strings.Repeat("a", 300) + ".zip", base + "v1.0.0+meta.zip", base + "v1.0.0+meta.mod",
		base + "v1.mod", base + "v1.zip", base + "master.mod", base + "master.zip", base + "v1.0.mod", base + "1.0.0.zip", base + "v01.0.0.zip", base + "v2.0.0.zip", base + "v2.0.0.mod",
		base + ".info", base + "..info", base + "v1.0.0", base + "v1.0.0.tar.gz", base + "v1.0.0.zip.info.exe", base + "list.info/x",
		base + "latest.info", base + "upgrade.info", base + "patch.info", base + "%3Cv1.info", base + "%3E=v1.0.0.info",
		"/example.com/m/v2/@v/v2.0.0+incompatible.zip", "/example.com/m/v2/@v/v1.0.0.zip", "/example.com/m/v1/@v/list", "/example.com/m/v0/@v/list", "/example.com/m/v02/@v/list",
		"/gopkg.in/yaml/@v/list", "/gopkg.in/yaml.v1/@v/v2.0.0.zip",
		"/sumdb/sum.golang.org/lookup/example.com/m@master", "/sumdb/sum.golang.org/lookup/example.com/m@v1.0.0;id", "/sumdb/sum.golang.org/lookup/-x@v1.0.0", "/sumdb/sum.golang.org/tile/8/0/../../x",
	})
}

func TestA11NothingButThePathIsPartOfWhatIsStored(t *testing.T) {
	t.Parallel()
	m := simple("example.com/m", "v1.0.0")
	w, p := spied(t, m)
	const path = "/example.com/m/@v/v1.0.0.mod"
	want := truthOf(t, m, "/@v/v1.0.0.mod")
	head := func(target, more string) string {
		return "GET " + target + " HTTP/1.1\r\nConnection: close\r\n" + more + "\r\n"
	}
	for _, request := range []string{
		head(path, "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Prefix: /x\r\n"),
		head(path+"?version=v9.9.9&go-get=1", "Host: weir\r\n"),
		head("http://evil.example"+path, "Host: evil.example\r\n"),
		head(path, "Host: weir\r\nX-Original-URL: /other\r\nX-Rewrite-URL: /other\r\nX-HTTP-Method-Override: DELETE\r\n"),
		head(path, "Host: weir\r\nAccept-Encoding: br;q=1, deflate, *;q=0.1\r\nAccept: text/html\r\n"),
		head(path, "Host: weir\r\nAuthorization: Basic c2VjcmV0OnNlY3JldA==\r\nCookie: a=b\r\nReferer: http://x/\r\n"),
	} {
		if r := w.raw(t, request); !r.whole() || !bytes.Equal(r.body, want) {
			t.Errorf("%q: %v", request, r)
		}
	}
	// The first request for a zip wants a part of it only.
	const zip = "/example.com/m/@v/v1.0.0.zip"
	wantZip := truthOf(t, m, "/@v/v1.0.0.zip")
	if r := w.raw(t, head(zip, "Host: weir\r\nRange: bytes=10-19\r\n")); r.err != nil || r.status != http.StatusPartialContent && r.status != http.StatusOK {
		t.Errorf("a range of what is not held: %v", r)
	} else if r.status == http.StatusPartialContent && !bytes.Equal(r.body, wantZip[10:20]) {
		t.Errorf("a range of what is not held: %v", r)
	}
	w.want(t, zip, wantZip)
	if r := w.raw(t, head(zip, "Host: weir\r\nRange: bytes=10-19\r\n")); r.status != http.StatusPartialContent || !bytes.Equal(r.body, wantZip[10:20]) {
		t.Errorf("a range of what is held: %v", r)
	}
	for path, n := range p.Requests() {
		if n != 1 || strings.Contains(path, "?") {
			t.Errorf("the upstream was asked %d times for %s", n, path)
		}
	}
}

func TestA19NothingIsInjectedIntoHeadersOrLogs(t *testing.T) {
	t.Parallel()
	w, p := spied(t, simple("example.com/m", "v1.0.0"))
	for _, target := range []string{
		"/example.com/m%0d%0aSet-Cookie:%20evil=1/@v/list", "/example.com/m/@v/v1.0.0%0d%0aX-Evil:%201.info",
		"/example.com/%1b%5b31mred%1b%5b0m/@v/list", "/example.com/m/@v/%1b%5d0;title%07.info", "/example.com/%ff%fe%80/@v/list", "/example.com/%e2%80%aeevil/@v/list",
		"/example.com/m%22%2c%22level%22%3a%22FATAL/@v/list",
	} {
		r := w.rawGet(t, target)
		if r.err != nil || r.status != http.StatusNotFound || r.header.Get("Set-Cookie") != "" || r.header.Get("X-Evil") != "" {
			t.Errorf("GET %q: %v, header %v", target, r, r.header)
			continue
		}
		checkRefusal(t, target, r)
	}
	for _, id := range []string{"evil\x1b[31m", strings.Repeat("x", 5000), `","level":"FATAL`, "a b", "é"} {
		r := w.raw(t, "GET /example.com/absent/@v/list HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nX-Request-Id: "+id+"\r\nUser-Agent: \t"+id+"\r\n\r\n")
		if got := r.header.Get("X-Request-Id"); r.status == http.StatusNotFound && got == id {
			t.Errorf("the request id %.100q was taken over", id)
		}
	}
	long := w.rawGet(t, "/example.com/"+strings.Repeat("x", 1<<20)+"/@v/list")
	if long.status != 0 && (long.status < 400 || long.status >= 500) {
		t.Errorf("a path of 1 MiB: %v", long)
	}
	if r := w.rawGet(t, "/example.com/"+strings.Repeat("x", 20<<10)+"/@v/list"); r.status != http.StatusNotFound && r.status != http.StatusRequestURITooLong && r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a path of 20 KiB: %v", r)
	}
	w.stop(t)
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		switch {
		case len(line) > 8<<10:
			t.Errorf("a log line of %d bytes: %.200q", len(line), line)
		case json.Unmarshal([]byte(line), &fields) != nil:
			t.Errorf("a log line that is no JSON object: %q", line)
		case fields["level"] == "FATAL":
			t.Errorf("a forged log line: %q", line)
		case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\n' || r == '\x7f' }):
			t.Errorf("a log line with control characters: %q", line)
		}
	}
	for path := range p.Requests() {
		if path != "/example.com/absent/@v/list" {
			t.Errorf("the upstream was asked for %q", path)
		}
	}
}
