package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/goweir/weir/internal/modtest"
)

// inland runs the test once more on a machine that has nothing but itself, where
// some hosts are at its own address. It reports whether that is this one.
func inland(t *testing.T, hosts ...string) bool {
	t.Helper()
	if !cage(t, syscall.CLONE_NEWNET) {
		return false
	}
	raiseLoopback(t)
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte("127.0.0.1 localhost "+strings.Join(hosts, " ")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(file, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount("/etc/hosts", syscall.MNT_DETACH) })
	return true
}

// raiseLoopback makes 127.0.0.1 usable in a new network.
//
// Source: netdevice(7).
func raiseLoopback(t *testing.T) {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}

// openHTTPS makes a forge answer where https URLs lead.
func openHTTPS(t *testing.T, f *modtest.Forge) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { forward(conn, f.Addr) })
		}
	})
}

func forward(from net.Conn, addr string) {
	defer from.Close()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		io.Copy(from, to)
		from.Close()
	}()
	io.Copy(to, from)
	to.Close()
	<-back
}

const canary = "canary-4f1d8b"

// company is a forge with private modules, and what it takes to get at them.
type company struct {
	forge *modtest.Forge
	lib   *modtest.Repo
	files string // folder of configuration
}

func newCompany(t *testing.T) *company {
	t.Helper()
	dir := t.TempDir()
	f, err := modtest.NewForge(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	openHTTPS(t, f)
	c := &company{forge: f, files: dir}
	lib := func(text string) map[string]string {
		return map[string]string{"go.mod": "module corp.example.com/lib\n\ngo 1.20\n", "lib.go": "package lib\n\nconst Text = `" + text + "`\n"}
	}
	c.lib, err = f.Repo("git.example.com/group/sub/lib.git",
		modtest.Commit{Files: lib("one"), Tags: []string{"v1.0.0"}},
		modtest.Commit{Files: lib("two"), Tags: []string{"v1.1.0"}},
		modtest.Commit{Files: lib("three")},
	)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Repo("git.example.com/group/tools.git", modtest.Commit{
		Files: map[string]string{
			"LICENSE": "free\n", "cmd/go.mod": "module corp.example.com/tools/cmd\n\ngo 1.20\n", "cmd/main.go": "package main\n\nfunc main() {}\n",
			"v2/go.mod": "module corp.example.com/tools/v2\n\ngo 1.20\n", "v2/tools.go": "package tools\n",
		},
		Tags: []string{"cmd/v0.3.0", "v2.0.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Require("git.example.com", "robot", canary)
	f.GoImport("corp.example.com/lib", "corp.example.com/lib git https://git.example.com/group/sub/lib.git")
	f.GoImport("corp.example.com/tools", "corp.example.com/tools git https://git.example.com/group/tools.git")
	return c
}

func (c *company) write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(c.files, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// hang makes private modules, each with a repository of its own, whose host takes what
// git asks and does not answer before release is called.
func (c *company) hang(n int) (modules []string, release func()) {
	released := make(chan struct{})
	c.forge.Handle("git.example.com/group/slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
		http.Error(w, "late", http.StatusServiceUnavailable)
	}))
	for i := range n {
		mod := fmt.Sprintf("corp.example.com/slow/m%d", i)
		c.forge.GoImport(mod, fmt.Sprintf("%s git https://git.example.com/group/slow/m%d", mod, i))
		modules = append(modules, mod)
	}
	return modules, func() { close(released) }
}

// weir starts a weir that has what it takes, and an upstream for all that is public.
func (c *company) weir(t *testing.T, upstream string, env ...string) *weir {
	t.Helper()
	config := c.write(t, "weir.yaml", `
upstream: `+upstream+`
private: [corp.example.com]
direct: {allow_hosts: ["*.example.com"], ca_file: `+c.forge.CAFile+`}
credentials:
  forge: {url: "https://git.example.com/group", username: robot, password_file: `+c.write(t, "password", canary)+`}
log: {access: all, level: debug}
`)
	return startWeir(t, append(env, "WEIR_CONFIG="+config)...)
}

// download is what "go mod download -json" tells.
type download struct{ Path, Version, Sum, GoModSum, Error string }

func (m *machine) downloads(t *testing.T, modules ...string) []download {
	t.Helper()
	out, _, err := m.run(t, append([]string{"mod", "download", "-json"}, modules...)...)
	if err != nil {
		t.Errorf("go mod download: %v\n%s", err, out)
	}
	var all []download
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var d download
		if err := dec.Decode(&d); err != nil {
			break
		}
		all = append(all, d)
	}
	return all
}

// The go command gets private modules from weir just as it would get them itself,
// had it the credentials; and weir tells nobody of them.
func TestA14PrivateModulesComeFromVersionControlAndFromNowhereElse(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	c := newCompany(t)
	spy := modtest.New(simple("example.com/public", "v1.0.0"), simple("corp.example.com/lib", "v1.9.0"))
	w := c.weir(t, spy.Start(t))
	wanted := []string{
		"corp.example.com/lib@v1.0.0", "corp.example.com/lib@v1.1.0", "corp.example.com/lib@main", "corp.example.com/lib@latest",
		"corp.example.com/tools/cmd@v0.3.0", "corp.example.com/tools/v2@v2.0.1", "corp.example.com/tools/v2@latest",
	}

	itself := newMachine(t, "direct", "off", "module example.com/project\n")
	home := c.write(t, ".netrc", "machine git.example.com login robot password "+canary+"\n")
	itself.env = append(itself.env, "GOVCS=*:git", "SSL_CERT_FILE="+c.forge.CAFile, "GIT_SSL_CAINFO="+c.forge.CAFile, "HOME="+filepath.Dir(home), "GIT_TERMINAL_PROMPT=0")
	want := itself.downloads(t, wanted...)
	through := newMachine(t, w.url, "off", "module example.com/project\n")
	got := through.downloads(t, wanted...)
	if !slices.Equal(got, want) || len(got) != len(wanted) {
		t.Errorf("through weir: %+v\nitself: %+v", got, want)
	}

	out, _, err := through.run(t, "list", "-m", "-versions", "corp.example.com/lib")
	if err != nil || strings.TrimSpace(out) != "corp.example.com/lib v1.0.0 v1.1.0" {
		t.Errorf("versions: %q, %v", out, err)
	}
	through.downloads(t, "example.com/public@v1.0.0")

	c.forge.Reset()
	newMachine(t, w.url, "off", "module example.com/project\n").downloads(t, "corp.example.com/lib@v1.0.0", "corp.example.com/tools/cmd@v0.3.0")
	if n := c.forge.Count(""); n > 0 {
		t.Errorf("what is stored was asked of the forge: %v", c.forge.Requests())
	}
	for path := range spy.Requests() {
		if strings.Contains(path, "corp") {
			t.Errorf("the public upstream was asked for %s", path)
		}
	}
	checkCanary(t, w)
}

// A16: no checksum database hears of a private module, neither from weir nor from
// the go command, whichever database each of the two has been told to use. Public
// modules can be looked up all the same.
func TestA16NoChecksumDatabaseHearsOfAPrivateModule(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com", "sum.example.org", "other.example.org", "sum.golang.org") {
		return
	}
	const private, public = "corp.example.com/lib@v1.0.0", "example.com/public@v1.0.0"
	c := newCompany(t)
	upstream := modtest.New(simple("example.com/public", "v1.0.0"))
	url := upstream.Start(t)
	databases := map[string]*modtest.SumDB{}
	for _, name := range []string{"sum.example.org", "other.example.org", "sum.golang.org"} {
		databases[name] = modtest.NewSumDB(name, upstream)
		c.forge.Handle(name, databases[name])
	}
	heard := func(lookup string) (n int) {
		for path, times := range upstream.Requests() {
			if strings.Contains(path, lookup) {
				n += times
			}
		}
		return n + c.forge.Count(lookup)
	}
	for name, tt := range map[string]struct {
		weir, client string // the names of their databases
		told         string // what the go command says of the public module; empty: it gets it
	}{
		"that of weir":          {"sum.example.org", "sum.example.org", ""},
		"another":               {"sum.example.org", "other.example.org", "GOSUMDB"},
		"another, weir has off": {"off", "other.example.org", "GOSUMDB"},
		// Its key is known, and this one is not it.
		"that of the go command":               {"sum.example.org", "sum.golang.org", "sum.golang.org was answered for with something that it has not signed"},
		"that of the go command, weir has off": {"off", "sum.golang.org", "sum.golang.org was answered for with something that it has not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			sumdb := "off"
			if db := databases[tt.weir]; db != nil {
				sumdb = db.Key()
			}
			w := c.weir(t, url, "WEIR_SUMDB="+sumdb, "SSL_CERT_FILE="+c.forge.CAFile)
			db := databases[tt.client]
			machine := func(gosumdb string, env ...string) *machine {
				m := newMachine(t, w.url, gosumdb, "module example.com/project\n")
				m.env = append(m.env, append(env, "SSL_CERT_FILE="+c.forge.CAFile)...)
				return m
			}
			out, _, err := machine(db.Key()).run(t, "mod", "download", private)
			if err == nil || !strings.Contains(out, "403 Forbidden") || !strings.Contains(out, "GONOSUMDB") {
				t.Errorf("a client that does not know what is private: %v\n%s", err, out)
			}
			lookup := db.Name() + "/lookup/" + public
			before := heard(lookup)
			out, _, err = machine(db.Key()).run(t, "mod", "download", public)
			if (err == nil) != (tt.told == "") || !strings.Contains(out, tt.told) {
				t.Errorf("a public module: %v\n%s", err, out)
			}
			if asked := heard(lookup) > before; asked != (tt.told != "GOSUMDB") {
				t.Errorf("the database heard of the public module: %v", asked)
			}
			machine(db.Key(), "GONOSUMDB=corp.example.com").downloads(t, private)
			machine(db.Key()+" https://"+db.Name(), "GONOSUMDB=corp.example.com").downloads(t, private, public)
			if n := heard("/lookup/corp"); n > 0 {
				t.Errorf("databases were asked %d times for private modules", n)
			}
		})
	}
}

// checkCanary looks for the password in all that weir shows.
func checkCanary(t *testing.T, w *weir) {
	t.Helper()
	shown := map[string]string{"log": w.log.String()}
	for _, path := range []string{"/metrics", "/-/api/v1/upstreams", "/corp.example.com/none/@v/list", "/corp.example.com/lib/@v/v3.0.0.info"} {
		shown[path] = string(w.get(t, path).body)
	}
	print := exec.CommandContext(t.Context(), "weir", "config", "print")
	print.Env = w.cmd.Env
	out, err := print.CombinedOutput()
	if err != nil {
		t.Errorf("config print: %v", err)
	}
	shown["config print"] = string(out)
	for where, text := range shown {
		if strings.Contains(text, canary) || bytes.Contains([]byte(text), []byte("cm9ib3Q6Y2FuYXJ5")) {
			t.Errorf("%s shows the password: %s", where, text)
		}
	}
}

// A host of repositories that hangs has a part of the places for fetches, and of that
// not all: what is over is refused at once, and public modules come as ever.
func TestAGitHostThatHangsHoldsUpNoPublicModule(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	const places, direct, host = 16, 8, 6
	c := newCompany(t)
	hanging, release := c.hang(2 * places)
	public, _ := graph(4)
	w := c.weir(t, modtest.New(public...).Start(t), fmt.Sprintf("WEIR_CACHE_MAX_FILLS=%d", places), "WEIR_AUTH_TRUSTED_PROXIES=127.0.0.1")
	answers := make(chan response, len(hanging))
	for i, mod := range hanging {
		r := w.request(t, "/"+mod+"/@v/list")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i%2))
		go func() { answers <- do(r) }()
	}
	eventually(t, 20*time.Second, "all but those that one host may have are refused", func() bool { return len(answers) == len(hanging)-host })
	for len(answers) > 0 {
		if r := <-answers; r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("a fetch that has no place: %v, Retry-After %q", r, r.header.Get("Retry-After"))
		}
	}
	for _, m := range public {
		for _, path := range files(m.Path, m.Version) {
			if r := w.get(t, path); !r.whole() {
				t.Errorf("beside a host that hangs: %s: %v", path, r)
			}
		}
	}
	if n := w.metric(t, "weir_fills"); n > direct {
		t.Errorf("%v fetches from version control have a place of %d", n, places)
	}
	release()
	for range host {
		if r := <-answers; r.whole() {
			t.Errorf("of a host that has answered nothing: %v", r)
		}
	}
}

// What a private module requires is fetched ahead from version control if it is private,
// too, and otherwise not at all: no upstream hears what private modules require.
func TestA16PrivateModulesAreFetchedAheadFromVersionControlOnly(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	c := newCompany(t)
	_, err := c.forge.Repo("git.example.com/group/app.git", modtest.Commit{Tags: []string{"v1.0.0"}, Files: map[string]string{
		"go.mod": "module corp.example.com/app\n\ngo 1.20\n\nrequire (\n\texample.com/public v1.0.0\n\tcorp.example.com/lib v1.0.0\n)\n", "app.go": "package app\n",
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.forge.GoImport("corp.example.com/app", "corp.example.com/app git https://git.example.com/group/app.git")
	spy := modtest.New(simple("example.com/public", "v1.0.0"), simple("corp.example.com/lib", "v1.0.0"))
	w := c.weir(t, spy.Start(t))
	if r := w.get(t, "/corp.example.com/app/@v/v1.0.0.zip"); !r.whole() { // as a build does
		t.Fatal(r)
	}
	eventually(t, 20*time.Second, "what the module requires is here before anybody asks for it", func() bool {
		_, err := os.Stat(filepath.Join(w.data, "modules/corp.example.com/lib/@v/v1.0.0.zip"))
		return err == nil
	})
	w.idle(t)
	if asked := spy.Requests(); len(asked) > 0 {
		t.Errorf("the public upstream was asked for %v", asked)
	}
}

// A moved tag changes nothing for those who ask weir, and those who run it hear of it.
func TestF11AMovedTagKeepsItsBytes(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	c := newCompany(t)
	w := c.weir(t, "off")
	for _, path := range files("corp.example.com/lib", "v1.0.0") {
		if r := w.get(t, path); !r.whole() {
			t.Fatal(r)
		}
	}
	before := w.get(t, "/corp.example.com/lib/@v/v1.0.0.zip")
	if _, err := c.lib.Git("tag", "-f", "v1.0.0", "main"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/corp.example.com/lib/@v/v1.0.0.mod", "/corp.example.com/lib/@v/v1.1.0.zip"} {
		if r := w.get(t, path); !r.whole() {
			t.Errorf("%s: %v", path, r)
		}
	}
	if after := w.get(t, "/corp.example.com/lib/@v/v1.0.0.zip"); !bytes.Equal(after.body, before.body) {
		t.Errorf("the bytes have changed: %v", after)
	}
	if r := w.get(t, "/corp.example.com/lib/@v/list"); string(r.body) != "v1.0.0\nv1.1.0\n" {
		t.Error(r)
	}
	if n := w.metric(t, "weir_moved_tags_total"); n != 1 {
		t.Errorf("%v tags have moved", n)
	}
	eventually(t, 20*time.Second, "the log tells of the tag", func() bool {
		log := w.log.String()
		return strings.Contains(log, `msg="a tag has moved; the version stays as it was stored" module=corp.example.com/lib version=v1.0.0 tag=refs/tags/v1.0.0`)
	})
}

// Credentials can be replaced, in their file or in the configuration, while weir runs: what
// needs the new ones is fetched, and a configuration with a mistake changes nothing.
func TestChangedCredentialsAreInForceWithoutARestart(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	c := newCompany(t)
	w := c.weir(t, "off")
	// Each in a repository of its own, for what is kept of one is not asked for again.
	fetch := func(name string) response {
		mod := "corp.example.com/" + name
		c.forge.GoImport(mod, mod+" git https://git.example.com/group/"+name+".git")
		_, err := c.forge.Repo("git.example.com/group/"+name+".git", modtest.Commit{Files: map[string]string{"go.mod": "module " + mod + "\n"}, Tags: []string{"v1.0.0"}})
		if err != nil {
			t.Fatal(err)
		}
		return w.get(t, "/"+mod+"/@v/v1.0.0.zip")
	}
	c.forge.Require("git.example.com", "robot", "rotated")
	if r := fetch("early"); r.status != http.StatusBadGateway {
		t.Errorf("with the old password: %v", r)
	}
	replace(t, filepath.Join(c.files, "password"), "rotated\n")
	w.awaitLog(t, 8*time.Second, reloaded, 1)
	if r := fetch("second"); !r.whole() {
		t.Errorf("with the new password: %v", r)
	}

	config := filepath.Join(c.files, "weir.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	c.forge.Require("git.example.com", "token", "replaced")
	password := regexp.MustCompile(`username: robot, password_file: \S+}`)
	added := password.ReplaceAllString(string(text), "password: replaced}")
	replace(t, config, added)
	w.awaitLog(t, 8*time.Second, reloaded, 2)
	if r := fetch("third"); !r.whole() {
		t.Errorf("with another entry: %v", r)
	}

	replace(t, config, strings.Replace(added, "https://git.example.com", "http://git.example.com", 1))
	w.awaitLog(t, 8*time.Second, refused, 1)
	if r := fetch("fourth"); !r.whole() {
		t.Errorf("after a mistake: %v", r)
	}
	if log := w.log.String(); strings.Contains(log, "rotated") || strings.Contains(log, "replaced") {
		t.Errorf("the log shows a password: %s", log)
	}
}

// With direct.proxy off nothing goes through the proxy of the environment, which leads
// nowhere here: not what a probe asks, and not how the token of an App is fetched for it.
func TestAProxyThatIsOffIsOffForCredentialsToo(t *testing.T) {
	if !inland(t, "git.example.com", "api.example.com") {
		return
	}
	c := newCompany(t)
	c.forge.Require("git.example.com", "x-access-token", "ghs_token")
	c.forge.Handle("api.example.com", gitHubAPI("ghs_token"))
	for proxy, want := range map[string]string{"off": "accepted\n", "": "could not be reached"} {
		config := c.write(t, "probe.yaml", fmt.Sprintf(`
upstream: off
direct: {allow_hosts: ["*.example.com"], ca_file: %s, proxy: %q}
credentials:
  app: {url: "https://git.example.com/group", github_app: 1, github_installation: 2, github_key_file: %s, github_api: "https://api.example.com"}
`, c.forge.CAFile, proxy, c.write(t, "key", newAppKey(t))))
		cmd := exec.CommandContext(t.Context(), "weir", "config", "check", "--probe", "--config", config, "--data", c.files)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.files, "HTTPS_PROXY=http://127.0.0.1:1", endAtOnce}
		out, err := cmd.CombinedOutput()
		if (err == nil) != (proxy == "off") || !strings.Contains(string(out), "credentials.app: https://git.example.com/group: ") || !strings.Contains(string(out), want) {
			t.Errorf("with the proxy %q: %v %s", proxy, err, out)
		}
	}
}

// What is wrong is said in words that help, and is no absence that is not proven.
func TestA18WhatIsWrongWithAPrivateModuleIsSaid(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com", "down.example.com") {
		return
	}
	c := newCompany(t)
	w := c.weir(t, "off")
	c.forge.Require("git.example.com", "robot", "another")
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/corp.example.com/lib/@v/v1.0.0.info":  {502, "credential"},
		"/corp.example.com/none/@v/v1.0.0.info": {404, "not found"},
	} {
		r := w.get(t, path)
		if r.status != want.status || !strings.Contains(string(r.body), want.text) {
			t.Errorf("%s: %v; want %d and %q", path, r, want.status, want.text)
		}
		if bytes.Contains(r.body, []byte(w.data)) {
			t.Errorf("%s shows a folder of the server: %s", path, r.body)
		}
	}
}
