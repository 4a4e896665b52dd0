package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/daemon"
	"github.com/goweir/weir/internal/modtest"
)

// logs collects log lines and lets tests wait for one.
type logs struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.buf.Write(p)
}

// await waits for a text that matches the pattern and returns its first group.
func (l *logs) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		l.mu.Lock()
		m := re.FindStringSubmatch(l.buf.String())
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if m != nil {
			return m[len(m)-1]
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("no log line matches %s in:\n%s", pattern, l.buf.String())
		}
	}
}

// running is a daemon under test.
type running struct {
	t      *testing.T
	url    string
	data   string
	logs   *logs
	reload chan os.Signal
	stop   context.CancelFunc
	done   chan error

	mu   sync.Mutex
	file string // the configuration, in YAML
}

// start runs a daemon with a configuration file.
func start(t *testing.T, yaml string) *running {
	t.Helper()
	r := &running{t: t, data: t.TempDir(), logs: &logs{}, reload: make(chan os.Signal), done: make(chan error, 1), file: yaml}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() {
		r.done <- daemon.Run(ctx, daemon.Options{Load: r.load, Reload: r.reload, Log: r.logs, Version: "v0"})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-r.done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	r.url = r.logs.await(t, `weir is ready.* url=(\S+)`)
	return r
}

func (r *running) load(ctx context.Context) (*config.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := filepath.Join(r.t.TempDir(), "weir.yaml")
	if err := os.WriteFile(name, []byte(r.file), 0o600); err != nil {
		return nil, err
	}
	listen := "127.0.0.1:0"
	cfg, _, err := config.Load(ctx, config.Flags{Config: name, Listen: &listen, Data: &r.data}, func(string) (string, bool) { return "", false })
	return cfg, err
}

func (r *running) configure(yaml string) {
	r.mu.Lock()
	r.file = yaml
	r.mu.Unlock()
	r.reload <- syscall.SIGHUP
}

// get returns status and body in one text.
func (r *running) get(path string) string {
	r.t.Helper()
	resp, err := http.Get(r.url + path)
	if err != nil {
		return "error " + err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "broken " + err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

func (r *running) want(path, prefix string) {
	r.t.Helper()
	if got := r.get(path); !strings.HasPrefix(got, prefix) {
		r.t.Errorf("%s: %.300q, want %q…", path, got, prefix)
	}
}

// await is want for an answer that may be another one while the machine stands still.
func (r *running) await(path, prefix string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	for !strings.HasPrefix(r.get(path), prefix) && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
	}
	r.want(path, prefix)
}

func proxy(t *testing.T) (*modtest.Proxy, string) {
	p := modtest.New(modtest.Module{Path: "example.com/a", Version: "v1.0.0", Mod: "module example.com/a\n"})
	return p, p.Start(t)
}

func yaml(upstream, more string) string {
	return "upstream: " + upstream + "\nsumdb: off\nlog: {level: debug, access: all}\n" + more
}

func TestTheEndpointsOfOperation(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "path_prefix: /go\n"))
	base := strings.TrimSuffix(r.url, "/go")
	r.url = base
	r.want("/livez", "200 ok")
	r.want("/startupz", "200 ok")
	r.await("/readyz", "200 ok")
	r.await("/healthz", "200 ok")
	r.want("/", "200 This is Weir v0")
	r.want("/go/example.com/a/@v/v1.0.0.mod", "200 module example.com/a\n")
	r.want("/example.com/a/@v/v1.0.0.mod", "404 ")
	for _, want := range []string{`weir_requests_total{kind="mod",result="miss",status="200"} 1`, "weir_connections ", "weir_flights 0", `weir_build_info{version="v0"} 1`} {
		if got := r.get("/metrics"); !strings.Contains(got, want) {
			t.Errorf("no metric %s", want)
		}
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "tls: {h2c: true}\n"))
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(r.url + "/example.com/a/@v/v1.0.0.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); err != nil || resp.ProtoMajor != 2 || resp.StatusCode != 200 || len(data) == 0 {
		t.Errorf("%s %d, %d bytes, %v", resp.Proto, resp.StatusCode, len(data), err)
	}
}

func TestAReloadLeavesFetchesUnderWayAlone(t *testing.T) {
	p, upstream := proxy(t)
	db := modtest.NewSumDB("sum.example.com", p)
	r := start(t, "upstream: "+upstream+"\nsumdb: "+db.Key()+"\nlog: {level: debug, access: all}\n")
	const lookup = "/sumdb/sum.example.com/lookup/example.com/a@v1.0.0"
	p.Break(lookup, modtest.Hang)
	got := make(chan string, 1)
	go func() { got <- r.get("/example.com/a/@v/v1.0.0.mod") }()
	if err := p.Await(t.Context(), lookup, 1); err != nil {
		t.Fatal(err)
	}
	r.reload <- syscall.SIGHUP
	r.logs.await(t, "has been reloaded")
	p.Heal()
	if g := <-got; !strings.HasPrefix(g, "200 ") {
		t.Errorf("the request under way got %q", g)
	}
}

func TestAReloadLeavesNoConnectionsBehind(t *testing.T) {
	p, _ := proxy(t)
	closed := make(chan struct{}, 10)
	upstream := httptest.NewUnstartedServer(p)
	upstream.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	upstream.Start()
	defer upstream.Close()
	r := start(t, yaml(upstream.URL, "prefetch: {enabled: false}\n"))
	r.want("/example.com/a/@v/v1.0.0.mod", "200 ")
	r.reload <- syscall.SIGHUP
	select {
	case <-closed:
	case <-time.After(time.Minute): // idle connections live for 90 s
		t.Error("the connection that was used before the reload is still open")
	}
}

func TestReloadPutsANewConfigurationInForce(t *testing.T) {
	p, upstream := proxy(t)
	const noGo = "direct: {go: /no/such/command}\n"
	r := start(t, yaml("off", noGo))
	r.want("/example.com/a/@v/v1.0.0.info", "404 ")
	r.configure(yaml(upstream, noGo))
	r.logs.await(t, "has been reloaded")
	r.want("/example.com/a/@v/v1.0.0.info", "200 ")
	r.configure(yaml(upstream, noGo+"private: [example.com/b]\n"))
	r.logs.await(t, "(?s)has been reloaded.*has been reloaded")
	p.ResetCounts()
	r.want("/example.com/b/@v/list", "503 weir: example.com/b is private here")
	r.want("/example.com/!b/@v/list", "503 weir: example.com/B is private here") // the same to many hosts
	if body := r.get("/example.com/b/@v/list"); !strings.Contains(body, "those who run this proxy") || strings.Contains(body, "GOPRIVATE") || strings.Contains(body, ",direct") {
		t.Errorf("whoever asks is not told what helps, or what goes around the proxy: %s", body)
	}
	if n := p.Requests(); len(n) != 0 {
		t.Errorf("the upstream saw a private module: %v", n)
	}
}

// That version control cannot be read is no proof that a private module does not exist,
// and those who run the server hear of it before anybody asks.
func TestWithoutVersionControlPrivateModulesAreUnavailable(t *testing.T) {
	const more = "direct: {go: /no/such/command}\nprivate: [example.com/a]\nroutes: [{match: example.org, upstream: direct, private: true}]\n"
	r := start(t, yaml("off", more))
	r.logs.await(t, `(level=WARN msg="private modules cannot be fetched from version control: the server has no /no/such/command command)`)
	for _, path := range []string{"example.com/a/@v/list", "example.com/a/@latest", "example.com/a/@v/v1.0.0.info", "example.org/b/@v/list", "example.org/b/@v/v1.0.0.zip"} {
		if got := r.get("/" + path); !strings.HasPrefix(got, "503 ") || !strings.Contains(got, "the server has no /no/such/command command") {
			t.Errorf("%s: %s", path, got)
		}
	}
	if metrics := r.get("/metrics"); !strings.Contains(metrics, "\nweir_retries_total 0\n") {
		t.Error("what passes only when somebody mends it was tried again")
	}
	for _, path := range []string{"example.net/c/@v/list", "example.net/c/@latest", "example.net/c/@v/v1.0.0.info"} {
		r.want("/"+path, "404 ")
	}
}

func TestF24ABadConfigurationChangesNothing(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, ""))
	r.configure("upstraem: x\n")
	line := r.logs.await(t, `(.*refused, the old one stays.*)`)
	if !strings.Contains(line, "upstraem") || !strings.Contains(line, "weir.yaml:1") {
		t.Errorf("the log does not say what is wrong: %s", line)
	}
	r.want("/example.com/a/@v/v1.0.0.info", "200 ")
}

// A configuration may turn out to be bad after some of its upstreams were made.
func TestF24AConfigurationThatIsHalfGoodChangesNothing(t *testing.T) {
	_, upstream := proxy(t)
	named := "upstreams:\n  one:\n    url: " + upstream + "\n"
	r := start(t, yaml("one", named))
	r.want("/example.com/a/@v/v1.0.0.info", "200 ")
	r.configure(yaml("one|two", named+"    proxy: http://127.0.0.1:1\n  two:\n    url: https://two.example.com\n    ca_file: /nowhere/ca.pem\n"))
	r.logs.await(t, `(.*refused, the old one stays.*)`)
	r.want("/example.com/a/@v/v1.0.0.mod", "200 ")
	if all := r.get("/-/api/v1/upstreams"); !strings.Contains(all, `"name":"one"`) || strings.Contains(all, `"name":"two"`) {
		t.Errorf("upstreams in force: %s", all)
	}
}

func TestTheEndIsOrderly(t *testing.T) {
	p, upstream := proxy(t)
	r := start(t, yaml(upstream, "shutdown: {delay: 3s, drain: 20s}\n"))
	p.Break(".mod", modtest.Hang)
	got := make(chan string, 1)
	go func() { got <- r.get("/example.com/a/@v/v1.0.0.mod") }()
	if err := p.Await(t.Context(), "/example.com/a/@v/v1.0.0.mod", 1); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.logs.await(t, "msg=ending")
	r.want("/readyz", "503 draining")
	r.want("/livez", "200 ok")
	p.Heal()
	if g := <-got; !strings.HasPrefix(g, "200 module example.com/a") {
		t.Errorf("the request under way got %q", g)
	}
	err := <-r.done
	r.done <- err // for the clean-up
	if err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.data, "modules/example.com/a/@v/v1.0.0.mod")); err != nil {
		t.Errorf("what was under way is not stored: %v", err)
	}
}

func TestWhatCannotStartSaysWhatToDo(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, ""))
	taken := strings.TrimPrefix(r.url, "http://")
	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"address taken": {func(c *config.Config) { c.Listen = taken }, "--listen"},
		"data no folder": {func(c *config.Config) {
			c.Data = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(c.Data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "--data"},
		"upstream is itself": {func(c *config.Config) { c.Listen, c.Upstream = "localhost:3000", "http://127.0.0.1:3000,direct" }, "--upstream"},
	} {
		err := daemon.Run(t.Context(), daemon.Options{Log: io.Discard, Load: func(ctx context.Context) (*config.Config, error) {
			cfg, err := r.load(ctx)
			tt.change(cfg)
			return cfg, err
		}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestA17NoSecretOfTheConfigurationIsLoggedOrShown(t *testing.T) {
	_, upstream := proxy(t)
	canary := "s3cr3t-canary"
	r := start(t, yaml(strings.Replace(upstream, "http://", "http://user:"+canary+"@", 1), ""))
	r.want("/example.com/a/@v/v1.0.0.info", "200 ")
	r.want("/example.com/b/@v/list", "404 ")
	r.configure(yaml("http://user:"+canary+"@127.0.0.1:1", ""))
	r.logs.await(t, "has been reloaded")
	for _, path := range []string{"/example.com/c/@v/list", "/metrics", "/"} {
		if got := r.get(path); strings.Contains(got, canary) {
			t.Errorf("%s shows the secret: %s", path, got)
		}
	}
	r.logs.mu.Lock()
	defer r.logs.mu.Unlock()
	if strings.Contains(r.logs.buf.String(), canary) {
		t.Errorf("the log shows the secret")
	}
}
