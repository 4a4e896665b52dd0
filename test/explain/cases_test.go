package explain

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/goweir/weir/internal/modtest"
)

// An explainCase makes the go command fail in the way of one message.
type explainCase struct {
	id   string // of the message
	want string // name=value, name=value: what is found in it
	run  func(l *lab) string
}

// download asks for a version.
func download(modules ...string) func(*lab) string {
	return func(l *lab) string { return l.run(append([]string{"mod", "download"}, modules...)...) }
}

// after prepares a machine and then fails.
func after(prepare func(*lab), run func(*lab) string) func(*lab) string {
	return func(l *lab) string { prepare(l); return run(l) }
}

// with sets variables: name, value, name, value.
func with(settings ...string) func(*lab) {
	return func(l *lab) {
		for i := 0; i < len(settings); i += 2 {
			l.set(settings[i], settings[i+1])
		}
	}
}

// project writes files of the project and takes a healthy proxy: name, text, ...
func project(files ...string) func(*lab) {
	return func(l *lab) {
		l.upstream()
		for i := 0; i < len(files); i += 2 {
			l.write(files[i], files[i+1])
		}
	}
}

func command(args ...string) func(*lab) string {
	return func(l *lab) string { return l.run(args...) }
}

// status is a proxy that answers everything so.
func status(code int, body string) func(*lab) {
	return func(l *lab) { l.set("GOPROXY", l.serve(text(code, "%s", body))) }
}

// brokenAt is a proxy that answers so where a path ends in suffix.
func brokenAt(suffix string, code int, body string) func(*lab) {
	return func(l *lab) { l.broken(suffix, code, body) }
}

func faulty(suffix string, f modtest.Fault) func(*lab) {
	return func(l *lab) { l.upstream().Break(suffix, f) }
}

// uses is a main package that imports a package.
func uses(pkg string) string { return "package main\n\nimport _ \"" + pkg + "\"\n\nfunc main() {}\n" }

const (
	mainMod = "module example.com/main\n\ngo 1.21\n"
	needsM  = mainMod + "\nrequire example.com/m v1.0.0\n"
	sumOfM  = "example.com/m v1.0.0 h1:" + wrongHash + "\nexample.com/m v1.0.0/go.mod h1:" + wrongHash + "\n"

	wrongHash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

var m100 = download("example.com/m@v1.0.0")

var answerCases = []explainCase{
	{id: "proxy-404-version", want: "module=example.com/m version=v9.9.9", run: after(brokenAt("v9.9.9.info", 404, "not found: example.com/m@v9.9.9: invalid version: unknown revision v9.9.9"), download("example.com/m@v9.9.9"))},
	{id: "proxy-404-module", want: "module=example.com/unknown", run: after(func(l *lab) { l.upstream() }, command("get", "example.com/unknown"))},
	{id: "proxy-410", want: "module=example.com/m version=v1.0.0", run: after(status(410, "gone"), m100)},
	{id: "proxy-404-zip", want: "module=example.com/m version=v1.0.0", run: after(brokenAt("v1.0.0.zip", 404, "not found"), m100)},
	{id: "proxy-401", want: "module=example.com/m version=v1.0.0", run: after(status(401, "who are you?"), m100)},
	{id: "proxy-403", want: "module=example.com/m version=v1.0.0", run: after(status(403, "blocked: example.com/m is younger than 7 days"), m100)},
	{id: "proxy-451", want: "module=example.com/m version=v1.0.0", run: after(status(451, "in quarantine until tomorrow"), m100)},
	{id: "http-proxy-407", want: "host=proxy.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("HTTP_PROXY", l.serve(text(407, "log in")))
		l.set("GOPROXY", "http://proxy.example.com")
		return m100(l)
	}},
	{id: "http-proxy-connect-407", want: "host=proxy.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("HTTPS_PROXY", l.serve(text(407, "log in")))
		l.set("GOPROXY", "https://proxy.example.com")
		return m100(l)
	}},
	{id: "http-proxy-connect-403", want: "host=proxy.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("HTTPS_PROXY", l.serve(text(403, "no")))
		l.set("GOPROXY", "https://proxy.example.com")
		return m100(l)
	}},
	{id: "http-proxy-unreachable", want: "host=proxy.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("HTTPS_PROXY", "http://"+modtest.Nobody(l))
		l.set("GOPROXY", "https://proxy.example.com")
		return m100(l)
	}},
	{id: "proxy-429", want: "module=example.com/m version=v1.0.0", run: after(status(429, "slow down"), m100)},
	{id: "proxy-500", want: "module=example.com/m version=v1.0.0", run: after(status(500, "disk full"), m100)},
	{id: "proxy-unavailable", want: "module=example.com/m version=v1.0.0", run: after(status(502, "bad gateway"), m100)},
	{id: "proxy-unavailable", want: "module=example.com/m version=v1.0.0", run: after(status(503, "maintenance"), m100)},
	{id: "proxy-unavailable", want: "module=example.com/m version=v1.0.0", run: after(status(504, "upstream timed out"), m100)},
	{id: "http-to-tls-port", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", strings.Replace(l.secure(loopback, text(200, "")), "https:", "http:", 1))
		return m100(l)
	}},
	{id: "proxy-400", want: "module=example.com/m version=v1.0.0", run: after(status(400, "invalid module path"), m100)},
	{id: "proxy-status", want: "module=example.com/m version=v1.0.0", run: after(status(421, ""), m100)},
	{id: "proxy-incomplete-protocol", want: "database=sum.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.database(anyRecord, on("/sumdb/", text(400, "Invalid GOPROXY path")))
		return m100(l)
	}},
	{id: "proxy-404-timed-out", want: "module=example.com/m version=v1.0.0", run: after(status(404, "not found: fetch timed out"), m100)},
	{id: "proxy-404-bad-upstream", want: "module=example.com/m version=v1.0.0", run: after(status(404, "not found: bad upstream"), m100)},
	{id: "proxy-html", want: "module=example.com/m version=v1.0.0", run: after(faulty("", modtest.HTML), m100)},
	{id: "proxy-cannot-reach-origin", want: "module=example.com/m origin=github.com version=v1.0.0", run: after(status(404, "not found: example.com/m@v1.0.0: invalid version: git ls-remote -q origin in /tmp/x: exit status 128:\n\tfatal: unable to access 'https://github.com/a/m/': Failed to connect to github.com port 443 after 130000 ms: Could not connect to server"), m100)},
	{id: "proxy-404-no-credentials", want: "module=example.com/m version=v1.0.0", run: after(status(404, "not found: example.com/m@v1.0.0: invalid version: git ls-remote -q origin in /tmp/x: exit status 128:\n\tfatal: could not read Username for 'https://github.com': terminal prompts disabled"), m100)},
	{id: "goproxy-off", want: "module=example.com/m version=v1.0.0", run: m100},
	{id: "no-matching-versions", want: "module=example.com/m query=upgrade", run: func(l *lab) string {
		p := l.broken("/@v/list", 200, "")
		p.Break("/@latest", modtest.Answer(404, "text/plain", []byte("not found")))
		return l.run("get", "example.com/m")
	}},
	{id: "version-with-slash", want: "module=example.com/m query=feature/x", run: func(l *lab) string {
		l.upstream()
		return l.run("get", "example.com/m@feature/x")
	}},
	{id: "proxy-404-revision", want: "module=example.com/m query=develop version=develop", run: func(l *lab) string {
		l.upstream()
		return l.run("get", "example.com/m@develop")
	}},
	{id: "query-patch", want: "module=example.com/m", run: func(l *lab) string {
		l.upstream()
		return l.run("get", "example.com/m@patch")
	}},
}

var bodyCases = []explainCase{
	{id: "zip-invalid", run: after(faulty(".zip", modtest.HTML), m100)},
	{id: "zip-unexpected-file", want: "file=bad.go module=example.com/bad version=v1.0.0", run: func(l *lab) string {
		l.upstream(modtest.Module{Path: "example.com/bad", Version: "v1.0.0", Mod: "module example.com/bad\n", Zip: zipOf(l, "bad.go")})
		return l.run("mod", "download", "example.com/bad@v1.0.0")
	}},
	{id: "zip-file-name", want: "file=a|b.go module=example.com/bad version=v1.0.0", run: func(l *lab) string {
		l.upstream(modtest.Module{Path: "example.com/bad", Version: "v1.0.0", Mod: "module example.com/bad\n", Zip: zipOf(l, "example.com/bad@v1.0.0/a|b.go")})
		return l.run("mod", "download", "example.com/bad@v1.0.0")
	}},
	{id: "zip-too-large", run: func(l *lab) string {
		l.upstream(modtest.Module{Path: "example.com/bad", Version: "v1.0.0", Mod: "module example.com/bad\n", Zip: bigZip(l, "example.com/bad@v1.0.0/big.bin", 501<<20)})
		return l.run("mod", "download", "example.com/bad@v1.0.0")
	}},
	{id: "proxy-other-version", want: "module=example.com/m other=v1.1.0 version=v1.0.0", run: after(brokenAt("v1.0.0.info", 200, `{"Version":"v1.1.0","Time":"2024-01-01T00:00:00Z"}`), m100)},
	{id: "gomod-path-mismatch", want: "declared=example.com/upstream module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.broken("v1.0.0.mod", 200, "module example.com/upstream\n")
		return l.run("get", "example.com/m@v1.0.0")
	}},
	{id: "package-not-in-version", want: "module=example.com/m package=example.com/m/sub version=v1.0.0", run: func(l *lab) string {
		l.upstream()
		return l.run("get", "example.com/m/sub@v1.0.0")
	}},
}

var networkCases = []explainCase{
	{id: "net-refused", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", "http://"+modtest.Nobody(l))
		return m100(l)
	}},
	{id: "proxy-silent", want: "module=example.com/m version=v1.0.0", run: silent},
	{id: "net-cut", want: "module=example.com/m version=v1.0.0", run: after(faulty("", modtest.Gone), m100)},
	{id: "net-cut", want: "module=example.com/m version=v1.0.0", run: after(faulty("", modtest.Reset), m100)},
	{id: "net-cut-body", want: "module=example.com/m version=v1.0.0", run: after(faulty(".zip", modtest.Truncate), m100)},
	{id: "http2-stream-error", want: "code=INTERNAL_ERROR module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		return m100(l)
	}},
	{id: "tls-failed", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.ancient())
		return m100(l)
	}},
	{id: "net-failed", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.serve(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(conn, "hello\r\n\r\n")
				conn.Close()
			}
		}))
		return m100(l)
	}},
	{id: "tls-handshake-timeout", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", "https://"+l.deaf())
		return m100(l)
	}},
	{id: "tls-unknown-authority", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, text(200, "")))
		l.write("../other.pem", "")
		l.set("SSL_CERT_FILE", filepath.Join(filepath.Dir(l.dir), "other.pem"))
		l.set("SSL_CERT_DIR", l.dir)
		return m100(l)
	}},
	{id: "tls-expired", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(papers{ips: loopback.ips, expired: true}, text(200, "")))
		return m100(l)
	}},
	{id: "tls-wrong-name", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(papers{names: []string{"proxy.example.com"}}, text(200, "")))
		return m100(l)
	}},
	{id: "tls-wrong-name", want: "host=proxy.example.com module=example.com/m names=other.example.com version=v1.0.0 wanted=proxy.example.com", run: func(l *lab) string {
		l.tunnel(l.secure(papers{names: []string{"other.example.com"}}, text(200, "")))
		l.set("GOPROXY", "https://proxy.example.com")
		return m100(l)
	}},
	{id: "tls-plain-server", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", strings.Replace(l.serve(text(200, "")), "http:", "https:", 1))
		return m100(l)
	}},
	{id: "redirect-insecure", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		plain := l.serve(text(200, ""))
		l.set("GOPROXY", l.secure(loopback, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain+r.URL.Path, http.StatusFound) }))
		return m100(l)
	}},
	{id: "redirect-loop", want: "module=example.com/m url=/example.com/m/@v/v1.0.0.info version=v1.0.0", run: func(l *lab) string {
		l.set("GOPROXY", l.serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }))
		return m100(l)
	}},
	{id: "password-over-http", want: "host=proxy.example.com module=example.com/m url=http://proxy.example.com/example.com/m/@v/v1.0.0.info version=v1.0.0", run: after(with("GOPROXY", "http://alice:canary@proxy.example.com"), m100)},
}

var settingCases = []explainCase{
	{id: "goproxy-empty", want: "module=example.com/m version=v1.0.0", run: after(with("GOPROXY", ","), m100)},
	{id: "goproxy-scheme", want: "module=example.com/m value=ftp://proxy.example.com version=v1.0.0", run: after(with("GOPROXY", "ftp://proxy.example.com"), m100)},
	{id: "goproxy-scheme", want: "module=example.com/m value=foo version=v1.0.0", run: after(with("GOPROXY", "foo"), m100)},
	{id: "goproxy-file-missing", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.write("../tree/readme", "")
		l.set("GOPROXY", "file://"+filepath.Join(filepath.Dir(l.dir), "tree"))
		return m100(l)
	}},
	{id: "goauth", want: "value=", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, text(401, "")))
		l.set("GOAUTH", ";")
		return m100(l)
	}},
	{id: "goauth", want: "value=off;netrc", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, text(401, "")))
		l.set("GOAUTH", "off;netrc")
		return m100(l)
	}},
	{id: "goauth", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, text(401, "")))
		l.set("GOAUTH", "git here")
		return m100(l)
	}},
	{id: "goauth", want: "value=nosuchhelper", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, text(401, "")))
		l.set("GOAUTH", "nosuchhelper")
		return l.run("mod", "download", "-x", "example.com/m@v1.0.0")
	}},
	{id: "goauth", run: func(l *lab) string {
		l.set("GOPROXY", l.secure(loopback, text(401, "")))
		l.set("GOAUTH", "false")
		return l.run("mod", "download", "-x", "example.com/m@v1.0.0")
	}},
	{id: "gosumdb-malformed", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.upstream()
		l.set("GOSUMDB", "sum.example.com")
		return m100(l)
	}},
	{id: "gosumdb-malformed", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.upstream()
		l.set("GOSUMDB", "a b c")
		return m100(l)
	}},
	{id: "gosumdb-malformed", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.upstream()
		l.set("GOSUMDB", " ")
		return m100(l)
	}},
	{id: "goflags-mod-mod", run: func(l *lab) string {
		l.upstream()
		l.write("main.go", uses("example.com/m"))
		l.set("GOFLAGS", "-mod=mod")
		l.run("list", ".")
		if !strings.Contains(l.read("go.mod"), "example.com/m") {
			l.Error("go.mod is as it was")
		}
		return l.run("env")
	}},
	{id: "goflags-malformed", run: after(with("GOFLAGS", "mod=mod"), m100)},
	{id: "goflags-malformed", want: "value=foo", run: after(with("GOFLAGS", "-mod=foo"), command("list", "."))},
	{id: "goenv-hidden", want: "variable=GOPROXY", run: func(l *lab) string {
		l.set("GOENV", filepath.Join(l.dir, "env"))
		return l.run("env", "-w", "GOPROXY=https://proxy.example.com")
	}},
	{id: "goenv-unknown", want: "variable=GONOSUMCHECK", run: func(l *lab) string {
		l.set("GOENV", filepath.Join(l.dir, "env"))
		return l.run("env", "-w", "GONOSUMCHECK=1")
	}},
	{id: "modcache-unwritable", run: func(l *lab) string {
		l.upstream()
		l.write("../file", "")
		l.set("GOMODCACHE", filepath.Join(filepath.Dir(l.dir), "file", "cache"))
		return m100(l)
	}},
	{id: "file-unwritable", run: func(l *lab) string {
		l.upstream()
		if err := os.Symlink(filepath.Join(l.dir, "gone", "go.sum"), filepath.Join(l.dir, "go.sum")); err != nil { // nobody can write that, root neither
			l.Fatal(err)
		}
		return l.run("get", "example.com/m@v1.0.0")
	}},
	{id: "toolchain-not-available", want: "toolchain=go1.99.1", run: after(with("GOTOOLCHAIN", "go1.99.1"), m100)},
	{id: "toolchain-refused", want: "module=golang.org/toolchain toolchain=go1.99.1", run: func(l *lab) string {
		status(403, "toolchains are blocked")(l)
		l.set("GOTOOLCHAIN", "go1.99.1")
		l.set("GOSUMDB", "sum.golang.org")
		return m100(l)
	}},
	{id: "toolchain-sumdb-off", want: "module=golang.org/toolchain toolchain=go1.99.1", run: func(l *lab) string {
		p := l.upstream()
		if err := p.Add(toolchain("go1.99.1")); err != nil {
			l.Fatal(err)
		}
		l.set("GOTOOLCHAIN", "go1.99.1")
		return m100(l)
	}},
	{id: "toolchain-too-old", want: "file=go.mod wanted=1.99", run: after(project("go.mod", "module example.com/main\n\ngo 1.99\n"), command("list", "."))},
	{id: "toolchain-too-old", want: "module=example.com/new version=v1.0.0 wanted=1.99", run: func(l *lab) string {
		l.upstream(modtest.Module{Path: "example.com/new", Version: "v1.0.0", Mod: "module example.com/new\n\ngo 1.99\n"})
		return l.run("get", "example.com/new@v1.0.0")
	}},
	{id: "toolchain-not-in-path", want: "toolchain=go1.99.1", run: func(l *lab) string {
		l.upstream()
		l.set("GOTOOLCHAIN", "path")
		l.write("go.mod", "module example.com/main\n\ngo 1.99.1\n")
		return l.run("list", ".")
	}},
	{id: "toolchain-language-version", want: "toolchain=go1.99", run: func(l *lab) string {
		l.upstream()
		l.set("GOTOOLCHAIN", "auto")
		l.write("go.mod", "module example.com/main\n\ngo 1.21\n\ntoolchain go1.99\n")
		return l.run("list", ".")
	}},
	{id: "gotoolchain-malformed", want: "value=1.22", run: after(with("GOTOOLCHAIN", "1.22"), m100)},
}

var databaseCases = []explainCase{
	{id: "gosum-mismatch", want: "downloaded=h1:fCHMqo5ggHEQvwcrsN81zr5orRk5lClR36KRHpfUjKg= expected=h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= module=example.com/m version=v1.0.0", run: after(project("go.mod", needsM, "main.go", uses("example.com/m"), "go.sum", sumOfM), command("build", "."))},
	{id: "sumdb-mismatch", want: "database=sum.example.com downloaded=h1:flS2VctbRrTv+sBE+VKgxx6hlkMGPVz9MGOmzMYFg3k= expected=h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= module=example.com/m version=v1.0.0", run: func(l *lab) string { l.database(anyRecord, well); return m100(l) }},
	{id: "sumdb-no-hash", want: "module=example.com/m version=v1.0.0 what=go.mod", run: func(l *lab) string {
		l.database(func(path, version string) ([]byte, error) {
			return []byte("example.com/other v1.0.0 h1:" + wrongHash + "\n"), nil
		}, well)
		return m100(l)
	}},
	{id: "sumdb-404", want: "database=sum.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.database(anyRecord, on("/lookup/", text(404, "not found: unknown")))
		return m100(l)
	}},
	{id: "sumdb-404", want: "host=sum.golang.org module=example.com/m url=https://sum.golang.org/lookup/example.com/m@v1.0.0 version=v1.0.0", run: func(l *lab) string { l.directDatabase(text(404, "not found: unknown")); return m100(l) }},
	{id: "sumdb-404", want: "host=sum.golang.org module=example.com/m url=https://sum.golang.org/lookup/example.com/m@v1.0.0 version=v1.0.0", run: func(l *lab) string { l.directDatabase(text(410, "gone")); return m100(l) }},
	{id: "sumdb-500", want: "host=sum.golang.org module=example.com/m url=https://sum.golang.org/lookup/example.com/m@v1.0.0 version=v1.0.0", run: func(l *lab) string { l.directDatabase(text(500, "internal error")); return m100(l) }},
	{id: "http2-stream-error", want: "code=INTERNAL_ERROR host=sum.golang.org module=example.com/m url=https://sum.golang.org/lookup/example.com/m@v1.0.0 version=v1.0.0", run: func(l *lab) string {
		l.directDatabase(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		return m100(l)
	}},
	{id: "sumdb-probe", want: "database=sum.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.database(anyRecord, on("/supported", text(403, "no databases here")))
		return m100(l)
	}},
	{id: "sumdb-malformed", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.database(anyRecord, on("/lookup/", text(200, "<html>sign in</html>")))
		return m100(l)
	}},
	{id: "sumdb-tile", want: "database=sum.example.com module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.database(anyRecord, on("/tile/", text(404, "no tiles")))
		return m100(l)
	}},
	{id: "sumdb-fork", run: forked},
}

// forked has seen one log of a checksum database and is then shown another.
func forked(l *lab) string {
	signer, verifier, err := note.GenerateKey(rand.Reader, databaseName)
	if err != nil {
		l.Fatal(err)
	}
	p := modtest.New(labModules()...)
	l.set("GOSUMDB", verifier)
	good := func(path, version string) ([]byte, error) { return anyRecord(path, version) }
	l.set("GOPROXY", l.serve(mirror(p, logOf(signer, good), well)))
	m100(l)
	other := func(path, version string) ([]byte, error) {
		return []byte("example.com/other v1.0.0 h1:" + wrongHash + "\n"), nil
	}
	l.set("GOPROXY", l.serve(mirror(p, logOf(signer, other), well)))
	return download("example.com/m@v1.1.0")(l)
}

var projectCases = []explainCase{
	{id: "gosum-missing-package", want: "importer=example.com/main package=example.com/m", run: after(project("go.mod", needsM, "main.go", uses("example.com/m")), command("build", "."))},
	{id: "gosum-missing-gomod", want: "module=example.com/m version=v1.0.0", run: after(project("go.mod", mainMod+"\nrequire example.com/user v1.0.0\n", "main.go", uses("example.com/user")), func(l *lab) string {
		l.run("mod", "tidy")
		l.dropSums("example.com/m v1.0.0/go.mod")
		return l.run("list", "-m", "all")
	})},
	{id: "gosum-missing-unique", want: "importer=example.com/main package=example.com/m/sub", run: func(l *lab) string {
		l.upstream(modtest.Module{Path: "example.com/m/sub", Version: "v1.0.0", Mod: "module example.com/m/sub\n", Files: map[string]string{"sub.go": "package sub\n"}})
		l.write("go.mod", mainMod+"\nrequire (\n\texample.com/m v1.0.0\n\texample.com/m/sub v1.0.0\n)\n")
		l.write("main.go", uses("example.com/m/sub"))
		l.run("mod", "tidy")
		l.write("go.mod", mainMod+"\nrequire (\n\texample.com/m v1.0.0\n\texample.com/m/sub v1.0.0\n)\n")
		l.run("mod", "download", "all")
		l.dropSums("example.com/m v1.0.0 ")
		return l.run("build", ".")
	}},
	{id: "gosum-malformed", want: "line=1", run: after(project("go.mod", needsM, "go.sum", "<<<<<<< HEAD\n", "main.go", uses("example.com/m")), command("build", "."))},
	{id: "gomod-updates-needed", run: after(project("go.mod", "module example.com/main\n\ngo 1.21\n\nrequire example.com/m v1.0.0\n\nrequire example.com/user v1.0.0\n", "main.go", uses("example.com/user")), func(l *lab) string {
		l.run("mod", "tidy")
		l.write("go.mod", "module example.com/main\n\ngo 1.21\n\nrequire example.com/user v1.0.0\n")
		return l.run("build", ".")
	})},
	{id: "no-required-module", want: "package=example.com/m", run: after(project("main.go", uses("example.com/m")), command("build", "."))},
	{id: "import-lookup-disabled", want: "mode=readonly package=example.com/m", run: after(project("main.go", uses("example.com/m")), command("build", "-mod=readonly", "."))},
	{id: "import-not-found", want: "module=example.com/nope/p package=example.com/nope/p", run: after(project("main.go", uses("example.com/nope/p")), command("mod", "tidy"))},
	{id: "ambiguous-import", want: "first=example.com/m firstVersion=v1.2.0 package=example.com/m/sub second=example.com/m/sub secondVersion=v1.0.0", run: func(l *lab) string {
		l.upstream(
			modtest.Module{Path: "example.com/m", Version: "v1.2.0", Mod: "module example.com/m\n", Files: map[string]string{"sub/sub.go": "package sub\n"}},
			modtest.Module{Path: "example.com/m/sub", Version: "v1.0.0", Mod: "module example.com/m/sub\n", Files: map[string]string{"sub.go": "package sub\n"}},
		)
		l.write("go.mod", mainMod+"\nrequire (\n\texample.com/m v1.2.0\n\texample.com/m/sub v1.0.0\n)\n")
		l.write("main.go", uses("example.com/m/sub"))
		return l.run("mod", "tidy")
	}},
	{id: "vendor-inconsistent", want: "module=example.com/m version=v1.0.0", run: after(project("go.mod", needsM, "main.go", uses("example.com/m"), "vendor/modules.txt", ""), command("build", "."))},
	{id: "vendor-query", want: "module=example.com/m query=v1.0.0 version=v1.0.0", run: after(project("vendor/modules.txt", ""), func(l *lab) string {
		l.set("GOFLAGS", "-mod=vendor")
		return l.run("run", "example.com/m@v1.0.0")
	})},
	{id: "replace-dir-missing", want: "dir=../missing module=example.com/m version=v1.0.0", run: after(project("go.mod", needsM+"\nreplace example.com/m => ../missing\n", "main.go", uses("example.com/m")), command("build", "."))},
	{id: "retracted", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.upstream(modtest.Module{Path: "example.com/m", Version: "v1.2.0", Mod: "module example.com/m\n\nretract v1.0.0 // broken on Mondays\n", Files: map[string]string{"m.go": "package m\n"}})
		return l.run("get", "example.com/m@v1.0.0")
	}},
	{id: "gomod-not-found", want: "dir=. pattern=./...", run: func(l *lab) string {
		if err := os.Remove(filepath.Join(l.dir, "go.mod")); err != nil {
			l.Fatal(err)
		}
		return l.run("build", "./...")
	}},
	{id: "gomod-not-found", run: func(l *lab) string {
		if err := os.Remove(filepath.Join(l.dir, "go.mod")); err != nil {
			l.Fatal(err)
		}
		return l.run("get", "example.com/m")
	}},
	{id: "import-without-domain", want: "package=foo/bar", run: after(project("main.go", uses("foo/bar")), command("build", "."))},
	{id: "import-without-domain", want: "package=foo/bar", run: after(project(), command("get", "foo/bar"))},
	{id: "gomod-major-version", want: "file=go.mod line=5 major=v2 module=example.com/m version=v2.0.0", run: after(project("go.mod", mainMod+"\nrequire example.com/m v2.0.0\n"), command("list", "-m", "all"))},
	{id: "gomod-unknown-directive", want: "directive=<<<<<<< file=go.mod line=4", run: after(project("go.mod", mainMod+"<<<<<<< HEAD\n"), command("list", "."))},
	{id: "gowork-member-missing", want: "dir=missing", run: after(project("go.work", "go 1.21\n\nuse (\n\t.\n\t./missing\n)\n"), command("list", "."))},
	{id: "github-path", want: "package=github.com/org", run: func(l *lab) string {
		l.set("GOPROXY", "direct")
		return l.run("get", "github.com/org")
	}},
}

var vcsCases = []explainCase{
	{id: "vcs-unknown-revision", want: "module=example.com/m revision=v9.9.9 version=v9.9.9", run: func(l *lab) string {
		l.repo(l.forge())
		return l.run("mod", "download", "example.com/m@v9.9.9")
	}},
	{id: "major-version-mismatch", want: "module=example.com/m version=v2.0.0 wanted=example.com/m/v2", run: func(l *lab) string {
		l.repo(l.forge(), modtest.Commit{Files: map[string]string{"go.mod": "module example.com/m\n"}, Tags: []string{"v2.0.0"}})
		return l.run("get", "example.com/m@v2.0.0")
	}},
	{id: "pseudo-version-wrong", want: "module=example.com/m", run: pseudo(func(hash string) string { return "v0.0.0-20200101000000-" + hash[:12] })},
	{id: "pseudo-version-wrong", want: "module=example.com/m problem=shorter", run: pseudo(func(hash string) string { return "v0.0.0-20240101000000-" + hash[:11] })},
	{id: "pseudo-version-wrong", want: "module=example.com/m", run: pseudo(func(hash string) string { return "v1.2.4-0.20240101000000-" + hash[:12] })},
	{id: "subdirectory-tag", want: "file=example.com/m/sub/go.mod module=example.com/m/sub revision=sub/v1.0.0 version=v1.0.0", run: func(l *lab) string {
		l.repo(l.forge(), modtest.Commit{Files: map[string]string{"go.mod": "module example.com/m\n", "sub/sub.go": "package sub\n"}, Tags: []string{"sub/v1.0.0"}})
		return l.run("mod", "download", "example.com/m/sub@v1.0.0")
	}},
	{id: "discovery-status", want: "host=example.com module=example.com/m package=example.com/m url=https://example.com/m?go-get=1 version=v1.0.0", run: func(l *lab) string {
		l.forge().Handle("example.com/m", text(404, "not here"))
		return m100(l)
	}},
	{id: "discovery-status", want: "host=example.com module=example.com/m package=example.com/m url=https://example.com/m?go-get=1 version=v1.0.0", run: func(l *lab) string {
		l.forge().Handle("example.com/m", text(502, "bad gateway"))
		return m100(l)
	}},
	{id: "discovery-no-meta", want: "host=example.com module=example.com/m package=example.com/m url=https://example.com/m?go-get=1 version=v1.0.0", run: func(l *lab) string {
		l.forge().Handle("example.com/m", text(200, "<html><title>Sign in</title></html>"))
		return m100(l)
	}},
	{id: "git-no-credentials", want: "host=git.example.com module=example.com/m url=https://git.example.com version=v1.0.0", run: func(l *lab) string {
		f := l.forge()
		l.repo(f)
		f.Require("git.example.com", "alice", "secret")
		return m100(l)
	}},
	{id: "git-403", want: "host=git.example.com module=example.com/m status=403 url=https://git.example.com/m.git/ version=v1.0.0", run: func(l *lab) string {
		f := l.forge()
		l.repo(f)
		f.Handle("git.example.com/m.git", text(403, "SSO"))
		return m100(l)
	}},
	{id: "git-not-found", want: "host=git.example.com module=example.com/m url=https://git.example.com/m.git/ version=v1.0.0", run: func(l *lab) string {
		f := l.forge()
		l.repo(f)
		f.Handle("git.example.com/m.git", text(404, "no"))
		return m100(l)
	}},
	{id: "git-ssh", want: "module=example.com/m url=https://git.example.com/m.git version=v1.0.0", run: func(l *lab) string {
		l.repo(l.forge())
		host, port, _ := net.SplitHostPort(modtest.Nobody(l))
		l.write("../home/.gitconfig", fmt.Sprintf("[url \"ssh://git@%s:%s/\"]\n\tinsteadOf = https://git.example.com/\n", host, port))
		return m100(l)
	}},
	{id: "git-certificate", want: "host=git.example.com module=example.com/m url=https://git.example.com/m.git/ version=v1.0.0", run: func(l *lab) string {
		l.repo(l.forge())
		delete(l.env, "GIT_SSL_CAINFO")
		return m100(l)
	}},
	{id: "git-missing", want: "module=example.com/m vcs=git version=v1.0.0", run: func(l *lab) string {
		l.repo(l.forge())
		goCommand, err := exec.LookPath("go")
		if err != nil {
			l.Fatal(err)
		}
		l.set("GOROOT", goEnv(l, "GOROOT"))
		l.write("../bin/readme", "")
		if err := os.Symlink(goCommand, filepath.Join(l.dir, "../bin/go")); err != nil {
			l.Fatal(err)
		}
		l.set("PATH", filepath.Join(filepath.Dir(l.dir), "bin"))
		return m100(l)
	}},
	{id: "govcs", want: "module=example.com/m package=example.com/m vcs=git version=v1.0.0", run: func(l *lab) string {
		l.repo(l.forge())
		l.set("GOVCS", "*:hg")
		return m100(l)
	}},
	{id: "govcs", want: "module=example.com/m value=foo version=v1.0.0", run: func(l *lab) string {
		l.repo(l.forge())
		l.set("GOVCS", "foo")
		return m100(l)
	}},
	{id: "git-unreachable", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		l.forge().GoImport("example.com/m", "example.com/m git https://"+modtest.Nobody(l)+"/m.git")
		l.set("NO_PROXY", "127.0.0.1")
		return m100(l)
	}},
	{id: "vcs-failed", want: "module=example.com/m version=v1.0.0 command=git", run: func(l *lab) string {
		f := l.forge()
		l.repo(f)
		f.Handle("git.example.com/m.git", text(200, "<html>"))
		return m100(l)
	}},
	{id: "vcs-failed", want: "module=example.com/m version=v1.0.0 command=git", run: func(l *lab) string {
		l.repo(l.forge())
		l.write("../home/.gitconfig", "[nonsense\n")
		return m100(l)
	}},
	{id: "git-hung-up", want: "module=example.com/m version=v1.0.0", run: func(l *lab) string {
		healthy, f := l.forge(), l.forge() // both have the same repositories
		l.repo(f)
		f.Handle("git.example.com/m.git", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || bytes.Contains(body, []byte("command=fetch")) {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
				io.WriteString(w, "000dpackfile\n0009\x01PACK")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			healthy.ServeHTTP(w, r)
		}))
		return m100(l)
	}},
}

// cagedCases run on a machine without any other, where sum.golang.org and example.com are
// at its own address, nobody listens there, and 192.0.2.1 is nowhere.
var cagedCases = []explainCase{
	{id: "dns-missing-in-container", run: func(l *lab) string {
		l.set("GOPROXY", "https://proxy.example.com")
		return m100(l)
	}},
	{id: "dns-missing-in-container", run: func(l *lab) string {
		l.upstream().Break("/supported", modtest.Answer(404, "text/plain", []byte("not found")))
		l.set("GOSUMDB", "sum.golang.google.cn")
		return m100(l)
	}},
	{id: "net-no-such-host", run: func(l *lab) string {
		l.nameServer()
		l.set("GOPROXY", "https://proxy.example.com")
		return m100(l)
	}},
	{id: "sumdb-unreachable", run: func(l *lab) string {
		l.upstream().Break("/supported", modtest.Answer(404, "text/plain", []byte("not found")))
		l.set("GOSUMDB", "sum.golang.org")
		return m100(l)
	}},
	{id: "direct-unreachable", run: func(l *lab) string {
		l.set("GOPROXY", "direct")
		return m100(l)
	}},
	{id: "vcs-no-secure-protocol", run: func(l *lab) string {
		l.set("GOPROXY", "direct")
		return l.run("mod", "download", "example.com/m.git@v1.0.0")
	}},
	{id: "net-unreachable", run: func(l *lab) string {
		l.set("GOPROXY", "http://192.0.2.1")
		return m100(l)
	}},
	{id: "net-timeout", run: func(l *lab) string {
		l.set("GOPROXY", "http://"+l.full())
		return m100(l)
	}},
}

// pseudo asks for a pseudo-version that is not the one of the commit.
func pseudo(version func(hash string) string) func(*lab) string {
	return func(l *lab) string {
		r := l.repo(l.forge())
		hash, err := r.Git("rev-parse", "main")
		if err != nil {
			l.Fatal(err)
		}
		return l.run("mod", "download", "example.com/m@"+version(strings.TrimSpace(hash)))
	}
}

// silent has a proxy that takes connections and never answers, and gives up.
func silent(l *lab) string {
	asked := make(chan struct{}, 100)
	l.set("GOPROXY", l.serve(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithTimeout(l.Context(), goBound)
	defer cancel()
	cmd := l.command(ctx, "mod", "download", "-x", "example.com/m@v1.0.0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		l.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		l.Fatal(err)
	}
	<-asked
	cancel()
	cmd.Wait()
	return line
}

// zipOf is a zip with empty files.
func zipOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bigZip is a zip that holds one file of so many bytes, all zero. It is made of one
// compressed block over and over, which takes no time.
func bigZip(t testing.TB, name string, size int) []byte {
	t.Helper()
	const unit = 1 << 20
	zeros := make([]byte, unit)
	var packed bytes.Buffer
	compressor, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	compressor.Write(zeros)
	compressor.Flush()
	block := packed.Bytes()
	sum := crc32.NewIEEE()
	for range size / unit {
		sum.Write(zeros)
	}
	end := []byte{1, 0, 0, 0xff, 0xff} // a last block that is empty and stored
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	content, err := w.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Deflate, CRC32: sum.Sum32(),
		UncompressedSize64: uint64(size), CompressedSize64: uint64(len(block)*(size/unit) + len(end)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range size / unit {
		content.Write(block)
	}
	content.Write(end)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
