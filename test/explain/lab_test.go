package explain

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"

	"github.com/goweir/weir/internal/modtest"
)

// A lab is a machine on which one go command fails: a folder to work in, caches and
// an environment of its own, and the servers that a case needs.
type lab struct {
	*testing.T
	dir string
	env map[string]string
}

// goBound is how long one go command may take on a machine that stands still.
const goBound = 2 * time.Minute

// newLab is a machine where all would be well with the modules of [lab.upstream].
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, dir: filepath.Join(t.TempDir(), "main"), env: map[string]string{}}
	base := filepath.Dir(l.dir)
	home := filepath.Join(base, "home")
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "TMPDIR": base,
		"PATH": os.Getenv("PATH"), "GOCACHE": goEnv(t, "GOCACHE"), "LC_ALL": "C",
		"GOPATH": filepath.Join(base, "gopath"), "GOENV": "off", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local",
		"GOPROXY": "off", "GOSUMDB": "off", "GOVCS": "*:git", "CGO_ENABLED": "0",
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
	} {
		l.set(name, value)
	}
	l.write("../home/config/go/telemetry/mode", "off")
	l.write("go.mod", "module example.com/main\n\ngo 1.21\n")
	return l
}

// set sets a variable of the environment.
func (l *lab) set(name, value string) { l.env[name] = value }

// write writes a file in the folder.
func (l *lab) write(name, text string) {
	l.Helper()
	file := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
}

// read reads a file in the folder.
func (l *lab) read(name string) string {
	l.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

// dropSums takes the lines of go.sum away that begin so.
func (l *lab) dropSums(prefix string) {
	l.Helper()
	var kept []string
	for line := range strings.Lines(l.read("go.sum")) {
		if !strings.HasPrefix(line, prefix) {
			kept = append(kept, line)
		}
	}
	l.write("go.sum", strings.Join(kept, ""))
}

// command is the go command on this machine.
func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = l.dir
	for name, value := range l.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// run returns what a go command prints.
func (l *lab) run(args ...string) string {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), goBound)
	defer cancel()
	out, err := l.command(ctx, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// labModules are what is upstream of a lab.
func labModules() []modtest.Module {
	return []modtest.Module{
		{Path: "example.com/m", Version: "v1.0.0", Mod: "module example.com/m\n", Files: map[string]string{"m.go": "package m\n"}},
		{Path: "example.com/m", Version: "v1.1.0", Mod: "module example.com/m\n", Files: map[string]string{"m.go": "package m\n"}},
		{Path: "example.com/user", Version: "v1.0.0", Mod: "module example.com/user\n\nrequire example.com/m v1.0.0\n", Files: map[string]string{"user.go": "package user\n\nimport _ \"example.com/m\"\n"}},
	}
}

// upstream is a proxy that is well, and the one of this machine.
func (l *lab) upstream(more ...modtest.Module) *modtest.Proxy {
	p := modtest.New(append(labModules(), more...)...)
	l.set("GOPROXY", p.Start(l))
	return p
}

// broken is a proxy that answers with a status and a text where a path ends in suffix.
func (l *lab) broken(suffix string, status int, text string) *modtest.Proxy {
	p := l.upstream()
	p.Break(suffix, modtest.Answer(status, "text/plain; charset=utf-8", []byte(text)))
	return p
}

// serve is a server for one handler.
func (l *lab) serve(h http.HandlerFunc) string {
	server := httptest.NewUnstartedServer(h)
	return l.start(server, server.Start)
}

func (l *lab) start(server *httptest.Server, start func()) string {
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	start()
	l.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// A papers is what a certificate says.
type papers struct {
	names   []string
	ips     []net.IP
	expired bool
}

// secure is a TLS server. Its certificate is trusted by this machine.
func (l *lab) secure(p papers, h http.HandlerFunc) string {
	l.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, DNSNames: p.names, IPAddresses: p.ips,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if p.expired {
		template.NotAfter = time.Now().Add(-24 * time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		l.Fatal(err)
	}
	l.write("../ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	l.set("SSL_CERT_FILE", filepath.Join(filepath.Dir(l.dir), "ca.pem"))
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return l.start(server, server.StartTLS)
}

// ancient is a TLS server that knows no version of today.
func (l *lab) ancient() string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	return l.start(server, server.StartTLS)
}

// loopback is a certificate that is right for test servers.
var loopback = papers{ips: []net.IP{net.IPv4(127, 0, 0, 1)}}

// deaf is an address where connections are taken and nobody says anything.
func (l *lab) deaf() string {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// nameServer is a name server that knows no name.
//
// Source: RFC 1035, section 4.1.
func (l *lab) nameServer() {
	l.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		l.Fatal(err)
	}
	ended := make(chan struct{})
	l.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		message := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(message)
			if err != nil {
				return
			}
			name := bytes.IndexByte(message[12:n], 0)
			message[2], message[3] = 0x81, 0x83 // an answer, there is no such name
			message[11] = 0                     // no additional records
			conn.WriteTo(message[:12+name+5], from)
		}
	}()
}

// tunnel is a forward proxy that leads to one TLS server wherever it is asked to go.
func (l *lab) tunnel(to string) {
	f := modtest.Forge{Addr: strings.TrimPrefix(to, "https://")}
	l.set("HTTPS_PROXY", f.Tunnel(l))
}

// directDatabase is a checksum database that this machine reaches directly, and which
// answers so.
func (l *lab) directDatabase(h http.HandlerFunc) {
	l.upstream()
	l.tunnel(l.secure(papers{names: []string{"sum.golang.org"}}, h))
	l.set("GOSUMDB", "sum.golang.org")
}

// forge is the internet of this machine: repositories, and no proxy.
func (l *lab) forge() *modtest.Forge {
	l.Helper()
	f, err := modtest.NewForge(l, filepath.Join(filepath.Dir(l.dir), "forge"))
	if err != nil {
		l.Fatal(err)
	}
	l.set("GOPROXY", "direct")
	l.set("HTTPS_PROXY", f.Tunnel(l))
	l.set("SSL_CERT_FILE", f.CAFile)
	l.set("GIT_SSL_CAINFO", f.CAFile)
	return f
}

// repo makes the repository of example.com/m at the forge.
func (l *lab) repo(f *modtest.Forge, commits ...modtest.Commit) *modtest.Repo {
	l.Helper()
	if len(commits) == 0 {
		commits = []modtest.Commit{{Files: map[string]string{"go.mod": "module example.com/m\n", "m.go": "package m\n"}, Tags: []string{"v1.0.0"}}}
	}
	r, err := f.Repo("git.example.com/m.git", commits...)
	if err != nil {
		l.Fatal(err)
	}
	f.GoImport("example.com/m", "example.com/m git https://git.example.com/m.git")
	return r
}

// database is a healthy proxy with a checksum database whose records are what a
// function says. What spoil answers is not asked of them.
func (l *lab) database(record func(path, version string) ([]byte, error), spoil http.HandlerFunc) {
	l.Helper()
	signer, verifier, err := note.GenerateKey(rand.Reader, databaseName)
	if err != nil {
		l.Fatal(err)
	}
	l.set("GOSUMDB", verifier)
	l.set("GOPROXY", l.serve(mirror(modtest.New(labModules()...), logOf(signer, record), spoil)))
}

// databaseName is the name of the checksum databases of labs.
const databaseName = "sum.example.com"

// logOf is a checksum database.
func logOf(signer string, record func(path, version string) ([]byte, error)) http.Handler {
	return sumdb.NewServer(sumdb.NewTestServer(signer, record))
}

// mirror is a proxy with a checksum database. Where spoil does not write an answer, it
// is them who do.
func mirror(modules, database http.Handler, spoil http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		spoiled := &watchedWriter{ResponseWriter: w}
		if spoil(spoiled, r); spoiled.used {
			return
		}
		path, ok := strings.CutPrefix(r.URL.Path, "/sumdb/"+databaseName)
		switch {
		case !ok:
			modules.ServeHTTP(w, r)
		case path != "/supported":
			r.URL.Path = path
			database.ServeHTTP(w, r)
		}
	}
}

// A watchedWriter knows whether somebody has answered.
type watchedWriter struct {
	http.ResponseWriter
	used bool
}

func (w *watchedWriter) WriteHeader(status int) {
	w.used = true
	w.ResponseWriter.WriteHeader(status)
}

// well spoils nothing.
func well(http.ResponseWriter, *http.Request) {}

// anyRecord has hashes for every module, though not the right ones.
func anyRecord(path, version string) ([]byte, error) {
	h := "h1:" + strings.Repeat("A", 43) + "="
	return fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod %s\n", path, version, h, path, version, h), nil
}

// on answers where a path contains a text.
func on(part string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, part) {
			h(w, r)
		}
	}
}

// text is a handler that answers with a status and a text.
func text(status int, format string, args ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, fmt.Sprintf(format, args...), status) }
}

// goEnv asks the go command of the machine.
func goEnv(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// toolchain is a Go toolchain without anything in it.
func toolchain(version string) modtest.Module {
	return modtest.Module{
		Path:    "golang.org/toolchain",
		Version: "v0.0.1-" + version + "." + runtime.GOOS + "-" + runtime.GOARCH,
		Files:   map[string]string{"VERSION": version + "\n"},
	}
}
