package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/goweir/weir/internal/modtest"
)

// TestScripts runs the stories. Beside the commands of testscript they have
//
//	weir …                                     the command under test
//	go …                                       the real go command, with a clean environment
//	ready [URL]                                wait until the weir there, or at $WEIR, is ready
//	get URL                                    print status, headers and body; fails unless 200
//	proxy NAME DIR                             start the upstream of the modules in a folder: $NAME is its URL
//	proxy NAME down | heal                     cut its connections; end that and all faults
//	proxy NAME branch MODULE BRANCH VERSION    move a branch
//	proxy NAME toolchain GOVERSION             add a toolchain for this machine that is a shell script
//	sumdb NAME DATABASE                        give the upstream a checksum database: $sumdb_key is its key
//	sumdb NAME lie MODULE VERSION              let it hold another hash than the module has
//	[!] asked NAME PATTERN                     the upstream has (not) been asked for a path that contains this
//
// $WEIR is the URL that weir serve will have, $data its folder, $outer and
// $outer_sumdb are the GOPROXY and the GOSUMDB of the machine.
func TestScripts(t *testing.T) {
	runScripts(t, filepath.Join("..", "cmd", "weir", "testdata", "script"))
}

func runScripts(t *testing.T, dir string) {
	t.Helper()
	outer := goEnv(t, "GOPROXY", "GOSUMDB", "GOCACHE")
	testscript.Run(t, testscript.Params{
		Dir:                dir,
		RequireUniqueNames: true,
		Setup:              func(env *testscript.Env) error { return setup(env, outer) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"go": goCommand, "ready": readyCommand, "get": getCommand,
			"proxy": proxyCommand, "sumdb": sumdbCommand, "asked": askedCommand,
		},
	})
}

// goEnv asks the go command of the machine.
func goEnv(t *testing.T, names ...string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	values := map[string]string{}
	for i, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		values[names[i]] = line
	}
	return values
}

func setup(env *testscript.Env, outer map[string]string) error {
	listen, err := modtest.Address()
	if err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, "home")
	env.Vars = append(env.Vars, endAtOnce)
	for _, v := range []struct{ name, value string }{
		{"HOME", home}, {"XDG_CACHE_HOME", ""}, {"XDG_CONFIG_HOME", ""},
		{"outer", outer["GOPROXY"]}, {"outer_sumdb", outer["GOSUMDB"]},
		{"WEIR", "http://" + listen}, {"WEIR_LISTEN", listen}, {"WEIR_DATA", filepath.Join(env.WorkDir, "data")}, {"data", filepath.Join(env.WorkDir, "data")},
		{"GOCACHE", outer["GOCACHE"]}, {"GOPATH", filepath.Join(env.WorkDir, "gopath")}, {"GOMODCACHE", filepath.Join(env.WorkDir, "modcache")},
		{"GOENV", "off"}, {"GOFLAGS", "-modcacherw"}, {"GOTOOLCHAIN", "local"}, {"GOSUMDB", "off"}, {"GOVCS", "*:off"}, {"CGO_ENABLED", "0"},
		{"GOPROXY", "http://" + listen},
	} {
		env.Setenv(v.name, v.value)
	}
	// How the machine reaches the world is not for stories to know.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env.Setenv(name, value)
		}
	}
	env.Values[upstreams{}] = map[string]*upstream{}
	return os.MkdirAll(home, 0o700)
}

func goCommand(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("go", args...)
	if (err != nil) != neg {
		ts.Fatalf("go %s: error is %v", strings.Join(args, " "), err)
	}
}

func readyCommand(ts *testscript.TestScript, neg bool, args []string) {
	url := ts.Getenv("WEIR")
	if len(args) > 0 {
		url = args[0]
	}
	if neg {
		ts.Fatalf("ready does not know !")
	}
	ts.Check(awaitReady(url, nil))
}

// trusting is a client that talks to whoever is there.
var trusting = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// awaitReady waits until a weir is ready or, if ended is not nil, has ended.
func awaitReady(url string, ended <-chan struct{}) error {
	deadline := time.After(20 * time.Second)
	for {
		resp, err := trusting.Get(url + "/readyz")
		if err == nil {
			resp.Body.Close()
			switch resp.StatusCode {
			case http.StatusOK:
				return nil
			case http.StatusBadRequest: // it speaks TLS
				url = strings.Replace(url, "http:", "https:", 1)
			}
			err = fmt.Errorf("/readyz answered %s", resp.Status)
		}
		select {
		case <-deadline:
			return fmt.Errorf("not ready after 20 s: %w", err)
		case <-ended:
			return fmt.Errorf("ended before it was ready")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func getCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	fmt.Fprintf(ts.Stdout(), "%s\n", resp.Status)
	ts.Check(resp.Header.Write(ts.Stdout()))
	_, err = fmt.Fprintln(ts.Stdout())
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	if (resp.StatusCode != http.StatusOK) != neg {
		ts.Fatalf("GET %s: %s", args[0], resp.Status)
	}
}

// upstreams is the key of the upstreams of a script, by name.
type upstreams struct{}

type upstream struct {
	*modtest.Proxy
	databases []*modtest.SumDB
}

// scriptCleaner lets what a script has started end with it.
type scriptCleaner struct{ *testscript.TestScript }

func (c scriptCleaner) Cleanup(f func()) { c.Defer(f) }

func upstreamOf(ts *testscript.TestScript, name string) *upstream {
	u := ts.Value(upstreams{}).(map[string]*upstream)[name]
	if u == nil {
		ts.Fatalf("there is no upstream %s", name)
	}
	return u
}

func proxyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: proxy NAME DIR|down|heal|branch|toolchain …")
	}
	name, verb, rest := args[0], args[1], args[2:]
	switch {
	case verb == "down" && len(rest) == 0:
		upstreamOf(ts, name).SetDown(true)
	case verb == "heal" && len(rest) == 0:
		upstreamOf(ts, name).Heal()
	case verb == "branch" && len(rest) == 3:
		upstreamOf(ts, name).Branch(rest[0], rest[1], rest[2])
	case verb == "toolchain" && len(rest) == 1:
		ts.Check(upstreamOf(ts, name).Add(toolchain(rest[0])))
	case len(rest) == 0:
		p, err := modtest.Load(os.DirFS(ts.MkAbs(verb)))
		ts.Check(err)
		ts.Value(upstreams{}).(map[string]*upstream)[name] = &upstream{Proxy: p}
		ts.Setenv(name, p.Start(scriptCleaner{ts}))
	default:
		ts.Fatalf("proxy does not know %q", args)
	}
}

// toolchain is a Go toolchain that only knows its version.
func toolchain(goVersion string) modtest.Module {
	return modtest.Module{
		Path:    "golang.org/toolchain",
		Version: "v0.0.1-" + goVersion + "." + runtime.GOOS + "-" + runtime.GOARCH,
		Files: map[string]string{
			"bin/go":  "#!/bin/sh\necho go version " + goVersion + " fake/fake\n",
			"VERSION": goVersion + "\n",
			// The go command wants to find these too.
			"bin/gofmt": "#!/bin/sh\n", "lib/none": "\n", "pkg/tool/none": "\n",
		},
	}
}

func sumdbCommand(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 2:
		u := upstreamOf(ts, args[0])
		db := modtest.NewSumDB(args[1], u.Proxy)
		u.databases = append(u.databases, db)
		ts.Setenv("sumdb_key", db.Key())
	case !neg && len(args) == 4 && args[1] == "lie":
		for _, db := range upstreamOf(ts, args[0]).databases {
			db.Lie(args[2], args[3])
		}
	default:
		ts.Fatalf("usage: sumdb NAME DATABASE | sumdb NAME lie MODULE VERSION")
	}
}

func askedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: asked NAME PATTERN")
	}
	var hits []string
	for path, n := range upstreamOf(ts, args[0]).Requests() {
		if strings.Contains(path, args[1]) {
			hits = append(hits, path+" "+strconv.Itoa(n))
		}
	}
	slices.Sort(hits)
	if (len(hits) == 0) != neg {
		ts.Fatalf("%s was asked for: %q", args[0], hits)
	}
}
